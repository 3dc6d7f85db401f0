"""The golden orders from landed events to published figures: the whole chain, nothing mocked.

The unit tests under models/ pin each step; this pins that the steps fit together.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboards.errors import QuestionError
from dashboards.queries import kpi_table
from storage.duck import Connection
from storage.publish import open_published
from storage.settings import Settings

pytestmark = pytest.mark.slow

FIGURES = {
    "on_time": (4, 8),
    "in_full": (3, 8),
    "otif": (2, 8),
    "otif_case": (400, 780),
    "unit_fill_revised": (500, 780),
    "unit_fill_original": (500, 800),
    "line_fill": (4, 9),
    "cancellation_rate_customer": (2, 11),
}


@pytest.fixture(scope="module")
def published(golden_settings: Settings) -> Iterator[Connection]:
    with open_published(golden_settings) as opened:
        yield opened


@pytest.mark.parametrize(("kpi", "figure"), FIGURES.items())
def test_golden_orders_give_the_written_figures(published: Connection, kpi: str, figure: tuple[int, int]) -> None:
    sums = published.execute(
        "select sum(numerator), sum(denominator) from metrics.kpi_values "
        "where kpi_id = ? and (is_headline or profile_id = '')",
        [kpi],
    ).fetchone()
    assert sums == figure


def test_amounts_of_two_currencies_in_one_order_stay_apart(published: Connection) -> None:
    rows = published.execute(
        "select currency, sum(numerator), sum(denominator) from metrics.kpi_values "
        "where kpi_id = 'value_fill' and is_headline group by 1 order by 1"
    ).fetchall()
    assert rows == [("CAD", 400, 500), ("USD", 4600, 7300)]
    [(amount,)] = published.execute("select merchandise_amount from marts.fct_orders where order_id = 'O4'").fetchall()
    assert amount is None


def test_orders_that_are_not_judged_are_counted_with_their_reason(published: Connection) -> None:
    rows = published.execute(
        "select exclusion_reason, sum(observations) from metrics.kpi_exclusions "
        "where kpi_id = 'otif' and profile_id = 'retailer_window' group by 1 order by 1"
    ).fetchall()
    assert rows == [("cancelled_customer", 1), ("not_due", 2)]


def test_missed_golden_orders_name_what_happened(published: Connection) -> None:
    rows = published.execute(
        "select order_id, miss_cause from marts.fct_order_assessments "
        "where is_headline and not is_otif order by order_id"
    ).fetchall()
    assert [order for order, _ in rows] == ["O10", "O11", "O2", "O3", "O4", "O6"]
    assert dict(rows)["O2"] == "early_delivery"


def test_the_appointment_lens_judges_by_the_slot_that_was_agreed_last(published: Connection) -> None:
    rows = published.execute(
        "select order_id, is_on_time, exclusion_reason from marts.fct_order_assessments "
        "where profile_id = 'appointment' order by order_id"
    ).fetchall()
    judged = {order: on_time for order, on_time, reason in rows if reason is None}
    assert judged == {"O1": True, "O2": True, "O3": True, "O4": False, "O10": False}
    assert {reason for _, _, reason in rows if reason} == {"no_appointment"}
    assert len(rows) == 11


def test_a_lens_that_has_judged_no_order_says_why(published: Connection) -> None:
    with pytest.raises(QuestionError, match=r"lens 'acknowledged_ship' has judged no order: 11 no promise"):
        kpi_table(published, kpis=["otif"], lens="acknowledged_ship")


def test_a_slot_past_the_window_that_was_kept_is_the_docks_miss(published: Connection) -> None:
    rows = published.execute(
        "select miss_cause, share, miss_evidence from marts.fct_miss_causes where order_id = 'O3' and is_headline"
    ).fetchall()
    assert rows == [("appointment", 1, "in the dock's slot 10 h after the window")]


# Lowest, value and highest; P1 and P2 may have arrived in time, P3 may have been cancelled after its window.
BOUNDS = {
    "on_time": ((4, 11), (4, 10), (6, 10)),
    "in_full": ((3, 11), (3, 10), (5, 10)),
    "otif": ((2, 11), (2, 10), (4, 10)),
    "otif_line": ((3, 12), (3, 11), (5, 11)),
    "otif_case": ((460, 1080), (460, 980), (600, 980)),
    "line_fill": ((4, 12), (4, 11), (6, 11)),
    "unit_fill_revised": ((560, 1080), (560, 980), (700, 980)),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize(("kpi", "figures"), BOUNDS.items())
def test_missing_words_widen_a_figure_to_its_worst_and_best_case(
    doubted_settings: Settings, kpi: str, figures: tuple[tuple[int, int], ...]
) -> None:
    with open_published(doubted_settings) as opened:
        row = kpi_table(opened, kpis=[kpi]).row(0, named=True)
    worst, value, best = (numerator / denominator for numerator, denominator in figures)
    assert (row["worst"], row["value"], row["best"]) == pytest.approx((worst, value, best))
    assert row["doubtful"] == 3


@pytest.mark.parametrize("kpi", BOUNDS)
def test_proven_figures_have_no_other_case(published: Connection, kpi: str) -> None:
    row = kpi_table(published, kpis=[kpi]).row(0, named=True)
    assert row["worst"] == row["value"] == row["best"]
    assert row["doubtful"] == 0
