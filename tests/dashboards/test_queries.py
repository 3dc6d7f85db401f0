"""The questions pages and command line ask: recounted by hand on the fixture publication."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from dashboards.errors import PublicationError, QuestionError
from dashboards.queries import (
    at_risk,
    exceptions_list,
    freshness,
    kpi_series,
    kpi_table,
    miss_causes,
    number_passport,
    order_events,
    order_header,
    week_containing,
    week_named,
    weeks_named,
    weeks_of_lens,
    why_moved,
)
from storage.duck import Connection, connect
from tests.dashboards.conftest import FIRST_DAY


def one(frame: pl.DataFrame) -> dict[str, object]:
    assert frame.height == 1
    return frame.row(0, named=True)


def test_a_rate_is_the_sum_of_numerators_over_the_sum_of_denominators(connection: Connection) -> None:
    row = one(kpi_table(connection, kpis=["otif"], date_from=date(2026, 11, 9), date_to=date(2026, 11, 15)))
    assert row["numerator"] == 7 * (19 + 10)
    assert row["denominator"] == 7 * 40
    assert row["value"] == pytest.approx(203 / 280)
    assert row["observations"] == 280
    assert row["is_provisional"] is True


def test_the_headline_lens_leaves_other_profiles_out(connection: Connection) -> None:
    headline = one(kpi_table(connection, kpis=["otif"]))
    promise = one(kpi_table(connection, kpis=["otif"], lens="promise_first"))
    assert headline["denominator"] == promise["denominator"] == 30 * 7 * 40
    assert promise["value"] == 1.0
    assert (headline["lens"], promise["lens"]) == ("headline", "promise_first")


@pytest.mark.parametrize("weekday", ["sunday", "saturday", "wednesday"])
def test_a_lens_counts_the_weeks_of_its_partner(workspace: Path, tmp_path: Path, weekday: str) -> None:
    [published] = (workspace / "var" / "published").glob("*.duckdb")
    connection = connect(Path(shutil.copy(published, tmp_path)))
    connection.execute("insert into marts.dim_service_profiles values ('promise_first', $1)", [weekday])
    weeks = kpi_table(connection, kpis=["otif"], lens="promise_first", grain="week")
    starts = {week_containing(FIRST_DAY + timedelta(days=day), week_start=weekday).start for day in range(210)}
    assert set(weeks["period"]) == starts
    assert {start.strftime("%A").lower() for start in starts} == {weekday}
    assert weeks["denominator"].sum() == 30 * 7 * 40
    assert set(weeks["denominator"].to_list()[1:-1]) == {7 * 40}
    assert kpi_table(connection, kpis=["otif"], grain="week")["period"][0] == FIRST_DAY
    assert weeks_of_lens(connection, "promise_first") == weekday
    assert weeks_of_lens(connection, "dtc_std") == "monday"
    connection.close()


def test_exclusions_count_only_the_profiles_of_the_lens(connection: Connection) -> None:
    assert one(kpi_table(connection, kpis=["otif"]))["excluded"] == 210
    assert one(kpi_table(connection, kpis=["otif"], lens="promise_first"))["excluded"] == 0
    by_region = one(kpi_table(connection, kpis=["otif"], by=["region"]))
    assert by_region["excluded"] is None


def test_a_channel_is_judged_by_its_own_target(connection: Connection) -> None:
    rows = kpi_table(connection, kpis=["otif"], by=["channel"])
    assert dict(zip(rows["channel"], rows["target"], strict=True)) == {"dtc": 0.95, "wholesale": 0.90}
    assert dict(zip(rows["channel"], rows["meets_target"], strict=True)) == {"dtc": True, "wholesale": False}
    assert one(kpi_table(connection, kpis=["otif"]))["target"] == 0.90


def test_a_lower_is_better_kpi_meets_its_target_from_below(connection: Connection) -> None:
    row = one(kpi_table(connection, kpis=["chargeback_rate"]))
    assert row["value"] == pytest.approx(0.006)
    assert row["meets_target"] is True
    assert row["low"] is None


def test_rows_in_doubt_give_the_worst_and_the_best_case(connection: Connection) -> None:
    row = one(kpi_table(connection, kpis=["otif"], date_from=date(2026, 11, 15), date_to=date(2026, 11, 15)))
    # 29 of 40: one met and four missed without proof, five left out that may be misses.
    assert row["worst"] == pytest.approx(28 / 45)
    assert row["best"] == pytest.approx(33 / 40)
    assert row["doubtful"] == 10
    by_channel = kpi_table(connection, kpis=["otif"], by=["channel"], date_from=date(2026, 11, 15))
    assert dict(zip(by_channel["channel"], by_channel["doubtful"], strict=True)) == {"dtc": 0, "wholesale": 10}


def test_kpis_whose_doubt_is_not_weighed_have_no_cases(connection: Connection) -> None:
    row = one(kpi_table(connection, kpis=["backorder_value"]))
    assert row["value"] is not None
    assert (row["worst"], row["best"], row["doubtful"]) == (None, None, None)


def test_fines_of_unknown_amount_are_counted_beside_the_cases(workspace: Path, tmp_path: Path) -> None:
    [published] = (workspace / "var" / "published").glob("*.duckdb")
    fined = connect(Path(shutil.copy(published, tmp_path)))
    fined.execute(
        "insert into metrics.kpi_doubts select * replace ('chargeback_rate' as kpi_id, '' as profile_id, "
        "false as is_headline, 'EUR' as currency, 0 as met_unproven, 0 as missed_unproven, 0 as left_out, "
        "3 as unpriced, 0 as observations) from metrics.kpi_doubts where kpi_id = 'otif'"
    )
    row = one(kpi_table(fined, kpis=["chargeback_rate"]))
    fined.close()
    assert (row["worst"], row["best"]) == (row["value"], row["value"])
    assert (row["doubtful"], row["unpriced"]) == (0, 3)


def test_amounts_of_two_currencies_are_no_sum(workspace: Path, tmp_path: Path) -> None:
    [published] = (workspace / "var" / "published").glob("*.duckdb")
    trading = connect(Path(shutil.copy(published, tmp_path)))
    trading.execute(
        "insert into metrics.kpi_values select * replace ('EUR' as currency, 700 as numerator) "
        "from metrics.kpi_values where kpi_id = 'backorder_value'"
    )
    whole = one(kpi_table(trading, kpis=["backorder_value"]))
    parts = kpi_table(trading, kpis=["backorder_value"], by=["currency"])
    others = kpi_table(trading, kpis=["otif", "chargeback_rate"])
    trading.execute(
        "insert into metrics.kpi_doubts select * replace ('chargeback_rate' as kpi_id, '' as profile_id, "
        "false as is_headline, 'EUR' as currency) from metrics.kpi_doubts where kpi_id = 'otif'"
    )
    doubted = one(kpi_table(trading, kpis=["chargeback_rate"]))
    with pytest.raises(QuestionError, match="do not add up"):
        number_passport(trading, "backorder_value")
    trading.close()
    assert (whole["value"], whole["numerator"]) == (None, None)
    assert whole["reason"] == "amounts in EUR and USD do not add up: ask for one currency, or by currency"
    assert dict(zip(parts["currency"], parts["value"], strict=True)) == {"EUR": 700, "USD": 1500}
    assert (parts["amounts_in"].to_list(), whole["amounts_in"]) == (["EUR", "USD"], None)
    assert others["value"].null_count() == 0
    assert doubted["value"] is not None
    assert (doubted["worst"], doubted["best"], doubted["doubtful"]) == (None, None, None)


def test_a_publication_from_before_doubts_still_answers(workspace: Path, tmp_path: Path) -> None:
    [published] = (workspace / "var" / "published").glob("*.duckdb")
    older = connect(Path(shutil.copy(published, tmp_path)))
    older.execute("drop table metrics.kpi_doubts")
    row = one(kpi_table(older, kpis=["otif"]))
    older.close()
    assert row["value"] is not None
    assert row["worst"] is None


def test_the_interval_is_wilson(connection: Connection) -> None:
    row = one(kpi_table(connection, kpis=["otif"], date_from=date(2026, 11, 15), date_to=date(2026, 11, 15)))
    # 29 of 40, z = 1.96: Wilson by hand.
    assert row["low"] == pytest.approx(0.5716, abs=1e-4)
    assert row["high"] == pytest.approx(0.8389, abs=1e-4)


def test_an_unavailable_kpi_is_one_row_with_its_reason(connection: Connection) -> None:
    row = one(kpi_table(connection, kpis=["return_rate"], by=["channel"], grain="week"))
    assert row["value"] is None
    assert row["is_available"] is False
    assert row["reason"] == "no return events have landed"


def test_an_available_kpi_without_rows_says_so(bare_connection: Connection) -> None:
    rows = kpi_table(bare_connection)
    assert rows["value"].null_count() == rows.height == 8
    assert set(rows["reason"]) == {"no observations in this period", "no return events have landed"}


def test_cycle_time_is_percentiles_per_stage(connection: Connection) -> None:
    rows = kpi_table(connection, kpis=["cycle_time"], by=["state"])
    total = one(rows.filter(pl.col("stage_id") == "capture_to_delivered"))
    assert (total["value"], total["observations"], total["excluded"]) == (50.0, 9, 1)
    assert total["p90"] == pytest.approx(82.0)
    assert total["region"] == "NY"


def test_weeks_start_where_the_company_says(connection: Connection) -> None:
    rows = kpi_table(connection, kpis=["otif"], by=["week"], date_from=date(2026, 11, 2))
    assert rows["period"].to_list() == [date(2026, 11, 2), date(2026, 11, 9)]
    assert rows["denominator"].to_list() == [280, 280]


def test_amounts_need_no_denominator(connection: Connection) -> None:
    assert one(kpi_table(connection, kpis=["backorder_value"]))["value"] == 1500


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"kpis": ["otiff"]}, "known: otif"),
        ({"by": ["colour"]}, "known: channel"),
        ({"grain": "year"}, "known: day, week, month"),
        ({"grain": "day", "by": ["week"]}, "several grains"),
        ({"lens": "nobody"}, "known: headline"),
    ],
)
def test_a_question_nobody_can_answer_names_what_is_known(
    connection: Connection, question: dict[str, object], expected: str
) -> None:
    with pytest.raises(QuestionError, match=expected):
        kpi_table(connection, **question)


def test_a_missing_table_is_explained_not_thrown_raw() -> None:
    with pytest.raises(PublicationError, match="otif build"):
        kpi_table(connect())


def test_a_series_holds_the_weeks_asked_for(connection: Connection) -> None:
    week = week_named("2026-W46")
    series = kpi_series(connection, "otif", until=week, weeks=6)
    assert series["period"].to_list()[-1] == week.start
    assert series.height == 6
    months = kpi_series(connection, "otif", until=week, weeks=10, grain="month")
    assert months["period"].to_list() == [date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)]


def test_week_names_go_both_ways() -> None:
    assert week_named("2026-W46").start == date(2026, 11, 9)
    assert week_named("2026-W01").back(1).name == "2025-W52"
    assert week_named("2026-W46", week_start="sunday").start == date(2026, 11, 8)
    assert week_containing(date(2026, 11, 14), week_start="sunday").name == "2026-W46"
    saturdays = week_containing(date(2026, 11, 13), week_start="saturday")
    assert (saturdays.name, saturdays.start) == ("2026-W46", date(2026, 11, 7))
    assert saturdays.back(46).name == "2025-W52"
    with pytest.raises(QuestionError, match="2026-W46"):
        week_named("2026-W60")


def test_exceptions_come_by_money_and_filters_narrow_them(connection: Connection) -> None:
    assert exceptions_list(connection)["exception_id"].to_list() == ["x2", "x1"]
    assert exceptions_list(connection, channels=["dtc"])["exception_id"].to_list() == ["x1"]
    assert exceptions_list(connection, severities=["low"]).is_empty()
    assert exceptions_list(connection, limit=1).height == 1


def test_an_order_shows_its_events_in_time_order(connection: Connection) -> None:
    assert order_events(connection, "100123")["event_type"].to_list() == ["order.captured", "carrier.accepted"]
    assert order_header(connection, "nobody").is_empty()


def test_stock_is_promised_to_the_earlier_need_first(connection: Connection) -> None:
    rows = at_risk(connection, date_from=date(2026, 11, 16), date_to=date(2026, 11, 30))
    short = dict(zip(rows["channel"], rows["short_units"], strict=True))
    # 12 free units: 8 for the order needed on the 19th, 4 of 10 for the one needed on the 20th.
    assert short == {"wholesale": 6.0, "dtc": 0.0}
    assert rows.filter(pl.col("channel") == "wholesale")["fine_exposure"].item() == pytest.approx(6 * 15 * 0.03)


def test_misses_are_counted_per_cause(connection: Connection) -> None:
    row = one(miss_causes(connection, date_from=date(2026, 11, 9), date_to=date(2026, 11, 15)))
    assert (row["miss_cause"], row["orders"], row["value"]) == ("carrier_transit", 1, pytest.approx(59.7))


def test_freshness_counts_hours_behind_the_as_of_instant(connection: Connection) -> None:
    rows = freshness(connection)
    assert dict(zip(rows["source"], rows["hours_behind"], strict=True)) == {"carrier": 96.0, "shopify": 1.0}


@pytest.mark.parametrize(
    ("name", "words"), [("2026-W46:2026-W40", "comes before"), ("2026-W40:x", "ISO week"), ("2026-W60", "ISO week")]
)
def test_weeks_that_are_none_are_refused(name: str, words: str) -> None:
    with pytest.raises(QuestionError, match=words):
        weeks_named(name)


def test_a_week_is_compared_with_weeks_before_it_only(connection: Connection) -> None:
    week = weeks_named("2026-W45:2026-W46")
    with pytest.raises(QuestionError, match="not before it"):
        why_moved(connection, "otif", week=week, history=weeks_named("2026-W45"))
    found = why_moved(connection, "otif", week=week, history=weeks_named("2026-W30:2026-W33"))
    # 560 orders in two weeks, of which wholesale missed 49 more than usual.
    assert found.explanation.now - found.explanation.before == pytest.approx(-49 / 560)
    words = "OTIF: 90.0% in 2026-W30 to 2026-W33, 81.2% in 2026-W45 to 2026-W46 (\N{MINUS SIGN}8.8"
    assert found.sentences()[0].startswith(words)
