"""The weekly snapshot: complete, in order, small enough for mail, the same bytes twice."""

from __future__ import annotations

import re
import shutil
from contextlib import closing
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dashboards.errors import QuestionError
from dashboards.queries import build_info, change_parts, kpi_table, week_named, weeks_named
from dashboards.reports import Proposal, WeeklyReport, build_weekly
from dashboards.reports.moves import signal_moved
from dashboards.reports.narrative import disputes, exception_groups, without_causes
from dashboards.reports.pages import snapshot_tiles
from dashboards.reports.tiles import cohort_days
from storage.duck import Connection, connect

PROPOSAL = Proposal(
    title="Approve rule set live, version 3", detail="14 reserves rise <b>", gain="+$4,200 a week", owner="Operations"
)


@pytest.fixture(scope="module")
def report(workspace: Path) -> WeeklyReport:
    opened = connect(workspace / "var" / "published" / "20261116T050000.duckdb", read_only=True)
    built = build_weekly(opened, "2026-W46", proposals=[PROPOSAL], company="Larkfield Goods")
    opened.close()
    return built


class _Reader(HTMLParser):
    """Collects text, links and images of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br", "line", "path", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


def test_the_page_follows_the_fixed_order(report: WeeklyReport) -> None:
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", report.html)
    assert headings == [
        "The week", "Six weeks, then months", "Exceptions", "Why orders missed", "Next 14 days", "Actions",
        "Decisions asked", "Definitions",
    ]  # fmt: skip


def test_the_page_needs_nothing_from_outside(report: WeeklyReport) -> None:
    assert read(report.html).sources == []
    assert "http" not in report.html.replace("http://www.w3.org/", "")
    assert "@import" not in report.html


def test_markup_is_closed_and_input_is_escaped(report: WeeklyReport) -> None:
    assert read(report.mail_html).open == []
    assert "14 reserves rise &lt;b&gt;" in report.html
    assert "14 reserves rise <b>" in report.text


def test_the_figures_are_those_of_the_queries(report: WeeklyReport, connection: Connection) -> None:
    week = week_named("2026-W46")
    value = kpi_table(connection, kpis=["otif"], date_from=week.start, date_to=week.end)["value"].item()
    assert f"{value:.1%}" == "72.5%"
    for body in (report.html, report.mail_html, report.text):
        assert "72.5%" in body
        assert "no return events have landed" in body
    assert report.subject == "Larkfield Goods: week 2026-W46: OTIF 72.5%, −17.5 pp, signal"


def test_the_same_publication_gives_the_same_bytes(connection: Connection, report: WeeklyReport) -> None:
    other = build_weekly(connection, "2026-W45")
    again = build_weekly(connection, "2026-W46", proposals=[PROPOSAL], company="Larkfield Goods")
    assert again == report
    assert other.data_hash != report.data_hash


def test_the_mail_stays_below_the_clipping_limit_and_shows_its_pictures(report: WeeklyReport) -> None:
    assert len(report.mail_html.encode()) < 100_000
    named = {source.removeprefix("cid:") for source in read(report.mail_html).sources}
    assert named == {image.content_id for image in report.images}
    for image in report.images:
        assert image.png.startswith(b"\x89PNG")
        assert len(image.alt_text) > 10
    assert len(report.images) <= 4


def test_the_text_says_what_the_page_says(report: WeeklyReport) -> None:
    for word in ("Move 120 units from dc_columbus", "LATE FEED: Carrier 96 h behind", "Carrier transit: 1", "+$4,200"):
        assert word in report.text
    assert "<" not in report.text.replace("<b>", "")


def test_a_signal_tells_the_place_that_moved_against_the_weeks_its_limits_rest_on(
    report: WeeklyReport, connection: Connection
) -> None:
    found = signal_moved(connection, kpi_id="otif", week="2026-W46")
    assert found is not None
    assert found.history == weeks_named("2026-W17:2026-W28")
    [driver] = found.explanation.drivers
    # 70 of 140 wholesale orders instead of 119: 49 of the 280 of the week.
    assert (driver.words, driver.rate_now) == ("channel wholesale", 0.5)
    assert driver.effect == pytest.approx(-49 / 280, abs=0.001)
    for body in (report.html, report.mail_html, report.text):
        assert "90.0% in 2026-W17 to 2026-W28, 72.5% in 2026-W46" in body
        assert "channel wholesale" in body


def test_a_signal_is_told_where_no_cause_of_a_miss_is_known(workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "no-causes.duckdb"
    shutil.copy(workspace / "var" / "published" / "20261116T050000.duckdb", file)
    with closing(connect(file)) as opened:
        opened.execute("delete from marts.fct_order_assessments")
        report = build_weekly(opened, "2026-W46")
    for body in (report.html, report.mail_html, report.text):
        assert "channel wholesale" in body
    assert "Missed orders by cause" not in report.html


@pytest.mark.parametrize(
    ("kpi_id", "week", "why_not"),
    [
        ("otif", "2026-W45", "a routine week"),
        ("otif", "2026-W17", "the first week of all"),
        ("otif", "2027-W10", "a week without orders"),
        ("unit_fill_revised", "2026-W46", "units of a line stand and fall together"),
        ("backorder_value", "2026-W46", "money is no rate"),
    ],
)
def test_what_is_no_signal_or_no_rate_of_orders_is_not_explained(
    connection: Connection, kpi_id: str, week: str, why_not: str
) -> None:
    assert signal_moved(connection, kpi_id=kpi_id, week=week) is None, why_not


def test_without_a_week_the_last_complete_one_is_told(connection: Connection) -> None:
    assert build_weekly(connection).week == "2026-W46"


def test_a_company_without_data_still_gets_a_calm_page(bare_connection: Connection) -> None:
    report = build_weekly(bare_connection, "2026-W46")
    assert "Nothing was due in this week." in report.text
    assert "No open exceptions." in report.html
    assert "None this week." in report.html
    assert report.images == ()


def test_an_unknown_week_is_refused(connection: Connection) -> None:
    with pytest.raises(QuestionError, match="2026-W46"):
        build_weekly(connection, "last week")


def test_rate_and_mix_effects_add_up_to_the_change(connection: Connection) -> None:
    before, after = week_named("2026-W45"), week_named("2026-W46")
    parts = change_parts(connection, "otif", before=before, after=after)
    total = sum(part.rate_effect + part.mix_effect for part in parts)
    rates = [
        kpi_table(connection, kpis=["otif"], date_from=week.start, date_to=week.end)["value"].item()
        for week in (before, after)
    ]
    assert total == pytest.approx(rates[1] - rates[0])
    assert parts[0].member == "wholesale"
    assert parts[0].rate_effect == pytest.approx(-0.175)


def test_on_time_stands_inside_the_otif_tile_until_otif_cannot_be_measured(workspace: Path, tmp_path: Path) -> None:
    file = Path(shutil.copy(workspace / "var" / "published" / "20261116T050000.duckdb", tmp_path / "copy.duckdb"))
    opened = connect(file)
    tiles = {tile.kpi_id: tile for tile in snapshot_tiles(opened, week="2026-W46")}
    assert "on_time" not in tiles
    assert "on time 77.5%" in tiles["otif"].note

    opened.execute(
        "update metrics.kpi_availability set is_available = false, reason = 'no quantity' where kpi_id = 'otif'"
    )
    opened.execute("update marts.fct_order_assessments set is_otif = null")
    tiles = {tile.kpi_id: tile for tile in snapshot_tiles(opened, week="2026-W46")}
    assert tiles["on_time"].value == "77.5%"
    assert (tiles["otif"].value, tiles["otif"].comment) == ("–", "no quantity")
    report = build_weekly(opened, "2026-W46")
    opened.close()
    assert report.subject.startswith("week 2026-W46: On time 77.5%")
    assert "Carrier transit: 1 order (usually" in report.text


def test_no_misses_are_told_only_where_somebody_counts_them(connection: Connection) -> None:
    tiles = snapshot_tiles(connection, week="2026-W46")
    assert without_causes(tiles) == "No missed orders in this week."
    unknown = [replace(tile, value="–", comment="no delivery") for tile in tiles if tile.kpi_id == "otif"]
    assert without_causes(unknown) == "Not measured: no delivery."
    assert without_causes([*unknown, replace(tiles[0], kpi_id="on_time")]) == "No missed orders in this week."


def test_returns_show_the_last_matured_ship_weeks(connection: Connection) -> None:
    tiles = {tile.kpi_id: tile for tile in snapshot_tiles(connection, week="2026-W46")}
    chargebacks = tiles["chargeback_rate"]
    assert chargebacks.value == "0.6%"
    assert chargebacks.note == "shipped 12 Oct to 8 Nov, matured"
    assert chargebacks.state == "unknown"
    assert cohort_days(connection, "chargeback_rate", week_named("2026-W46")) == (date(2026, 10, 12), date(2026, 11, 8))
    assert cohort_days(connection, "backorder_value", week_named("2026-W46")) == (None, None)


def test_a_cohort_ends_before_the_first_day_of_which_something_may_still_change() -> None:
    with connect() as connection:
        connection.execute("create schema metrics")
        connection.execute(
            "create table metrics.kpi_values as select * from (values "
            "('return_rate', false, date '2026-10-05'), ('return_rate', false, date '2026-10-10'), "  # none on Sunday
            "('return_rate', true, date '2026-10-13'), ('return_rate', false, date '2026-10-16'), "  # another channel's
            "('chargeback_rate', true, date '2026-10-06')) as rows(kpi_id, is_provisional, period_date)"
        )
        week = week_named("2026-W46")
        assert cohort_days(connection, "return_rate", week) == (date(2026, 9, 14), date(2026, 10, 11))
        assert cohort_days(connection, "return_rate", week_named("2026-W41"))[1] == date(2026, 10, 11)
        assert cohort_days(connection, "chargeback_rate", week)[1] == week.end


def test_money_at_risk_and_deductions_are_told_by_currency(workspace: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(workspace / "var" / "published" / "20261116T050000.duckdb", tmp_path))
    with closing(connect(path)) as trading:
        trading.execute("update marts.fct_orders set currency = 'EUR' where order_id = '100123'")
        trading.execute(
            "insert into marts.fct_deductions select * replace ('d9' as deduction_id, 'EUR' as currency, 40 as amount) "
            "from marts.fct_deductions where deduction_id = 'd1'"
        )
        info = build_info(trading)
        groups, total = exception_groups(trading, info)
        expiring = disputes(trading, info)
    assert total == "2 open, $4,200 and €60 at risk"
    assert [group.money for group in groups] == ["$4,200", "€60"]
    assert [row.amount for row in expiring] == ["€40", "$250"]
