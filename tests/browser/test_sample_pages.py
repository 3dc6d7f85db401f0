"""The sample company in a real browser: every page, both widths, light and dark, with figures that agree."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from dashboards.decisions import open_proposals
from dashboards.formats import value_text
from dashboards.queries import availability, exceptions_list, kpi_table, order_events, week_named
from dashboards.reports import WeeklyReport, build_weekly
from dashboards.reports.pages import snapshot_tiles
from storage.ledger import open_ledger
from storage.publish import open_published
from storage.settings import Settings

pytestmark = pytest.mark.browser

WEEK = "2026-W46"
PAGES = {
    "snapshot": "Snapshot",
    "exceptions": "Exceptions",
    "at_risk": "At risk",
    "scorecards": "Scorecards",
    "stock": "Stock",
    "order": "Order",
    "scenarios": "Scenarios",
    "disputes": "Disputes",
    "data_health": "Data health",
}
LOOKS = [
    (1440, "light"),
    pytest.param(1440, "dark", marks=pytest.mark.exhaustive),
    pytest.param(390, "light", marks=pytest.mark.exhaustive),
    (390, "dark"),
]
TROUBLE = '[data-testid="stException"], [data-testid="stAlertContentError"]'


def path_of(name: str) -> str:
    return "" if name == "snapshot" else name


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_trouble_and_fits_its_width(
    name: str,
    width: int,
    scheme: str,
    sample_address: str,
    open_page: Callable[..., Page],
    keep_picture: Callable[[Page, str], None],
) -> None:
    page = open_page(f"{sample_address}/{path_of(name)}", width=width, scheme=scheme)
    expect(page.get_by_role("heading", name=PAGES[name], exact=True)).to_be_visible()
    assert page.locator(TROUBLE).count() == 0
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("node => node.scrollWidth <= node.clientWidth")
    ground = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", ground)[:3]) / 3
    assert brightness > 200 if scheme == "light" else brightness < 60
    keep_picture(page, f"{name}-{width}-{scheme}")


def tile(page: Page, kpi_id: str) -> str:
    return page.locator(f'[data-kpi="{kpi_id}"]').inner_text()


def test_the_tiles_show_what_the_command_line_says(
    sample_home: Path, sample_address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(sample_address)
    week = week_named(WEEK)
    told = subprocess.run(
        [
            sys.executable, "-c", "from otif.cli import main; main()", "--home", str(sample_home), "kpis",
            "--from", f"{week.start}", "--to", f"{week.end}", "--format", "json",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer = json.loads(told.stdout)
    rows = answer if isinstance(answer, list) else next(value for value in answer.values() if isinstance(value, list))
    by_id = {row["kpi_id"]: row for row in rows}
    compared = 0
    for kpi_id in ("otif", "on_time_ship", "unit_fill_first_pass", "order_fill"):
        shown = page.locator(f'[data-kpi="{kpi_id}"]')
        if shown.count() == 0:
            continue
        assert value_text(by_id[kpi_id]["value"], by_id[kpi_id]["unit"]) in tile(page, kpi_id)
        compared += 1
    assert compared >= 3


def test_every_tile_agrees_with_the_queries(
    sample_home: Path, sample_address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(sample_address)
    with open_published(Settings.load(sample_home)) as connection:
        tiles = snapshot_tiles(connection, week=WEEK)
        otif = kpi_table(connection, kpis=["otif"], date_from=week_named(WEEK).start, date_to=week_named(WEEK).end).row(
            0, named=True
        )
    assert 6 <= len(tiles) <= 8
    for expected in tiles:
        text = tile(page, expected.kpi_id)
        assert expected.value in text
        assert expected.count in text
    assert f"n = {otif['observations']:,}" in tile(page, "otif")
    assert 0 < otif["value"] < 1


def test_another_week_shows_other_figures(
    sample_home: Path, sample_address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(sample_address)
    with open_published(Settings.load(sample_home)) as connection:
        earlier = {tile.kpi_id: tile for tile in snapshot_tiles(connection, week="2026-W30")}
    page.locator('[data-testid="stSelectbox"]').first.click()
    page.keyboard.type("2026-W30")
    page.keyboard.press("Enter")
    expect(page.locator('[data-kpi="otif"]')).to_contain_text(earlier["otif"].value)
    expect(page.locator('[data-kpi="otif"]')).to_contain_text(earlier["otif"].count)


def test_the_snapshot_tells_the_week_and_what_to_do_as_the_report_does(
    report: WeeklyReport, sample_address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(sample_address)
    shown = page.locator('[data-testid="stMain"]').inner_text()
    told = re.sub(r"<[^>]+>", "\n", report.html)
    (headline,) = re.findall(r"^.* moved beyond routine variation: .*$", shown, re.MULTILINE)
    assert headline in unescape(told)
    actions = page.locator("ol li").all_inner_texts()
    assert len(actions) >= 2
    for action in actions:
        what, who = action.split("\n")[0].split(" · ")[0], action.split("\n")[-1]
        assert what in unescape(told)
        assert who.split(", by ")[0] in unescape(told)


def test_an_exception_leads_to_its_order_in_two_clicks(
    sample_home: Path, sample_address: str, open_page: Callable[..., Page], settled: Callable[[Page], None]
) -> None:
    with open_published(Settings.load(sample_home)) as connection:
        everything = exceptions_list(connection)
        position = next(n for n, order_id in enumerate(everything["order_id"]) if order_id)
        order_id = everything["order_id"][position]
        events = order_events(connection, order_id)
    assert position < 9, "the row to click must be on the screen"
    page = open_page(f"{sample_address}/exceptions")
    expect(page.get_by_text(f"{everything.height:,} exceptions")).to_be_visible()
    page.locator('[data-testid="stDataFrame"]').first.click(position={"x": 18, "y": 36 + 35 * position + 17})
    link = page.get_by_role("link", name=f"Open order {order_id}")
    expect(link).to_be_visible()
    settled(page)
    link.click()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    expect(page.locator(".ot-line time")).to_have_count(events.height)
    expect(page).to_have_url(re.compile(f"order_id={re.escape(order_id)}$"))


def test_filters_change_the_sum_at_risk(sample_home: Path, sample_address: str, open_page: Callable[..., Page]) -> None:
    with open_published(Settings.load(sample_home)) as connection:
        everything = exceptions_list(connection)
    high = everything.filter(pl.col("severity") == "high")
    page = open_page(f"{sample_address}/exceptions")
    page.get_by_label("Severity").click()
    page.get_by_role("option", name="high").click()
    noun = "exception" if high.height == 1 else "exceptions"
    expect(page.get_by_text(f"{high.height:,} {noun}", exact=True)).to_be_visible()


def test_data_health_counts_what_can_be_measured(
    sample_home: Path, sample_address: str, open_page: Callable[..., Page]
) -> None:
    with open_published(Settings.load(sample_home)) as connection:
        kpis = availability(connection)
    page = open_page(f"{sample_address}/data_health")
    text = f"{kpis.filter('is_available').height} of {kpis.height}"
    expect(page.get_by_text(text, exact=True)).to_be_visible()


@pytest.fixture(scope="module")
def report(sample_home: Path) -> WeeklyReport:
    settings = Settings.load(sample_home)
    with open_published(settings) as connection, open_ledger(settings) as book:
        return build_weekly(connection, WEEK, proposals=open_proposals(book), company="Larkfield Goods")


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_weekly_report_reads_well_everywhere(
    width: int,
    scheme: str,
    report: WeeklyReport,
    tmp_path: Path,
    open_page: Callable[..., Page],
    keep_picture: Callable[[Page, str], None],
) -> None:
    file = tmp_path / "weekly.html"
    file.write_text(report.html, encoding="utf-8")
    page = open_page(file.as_uri(), width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg").count() >= 3
    drawn = page.locator("svg").first.evaluate("node => node.getBoundingClientRect().height")
    assert drawn > 80
    keep_picture(page, f"weekly-{width}-{scheme}")


def test_the_report_downloaded_from_the_page_is_the_report(
    report: WeeklyReport, sample_address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(sample_address)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Weekly report").click()
    assert Path(waiting.value.path()).read_text(encoding="utf-8") == report.html
    assert waiting.value.suggested_filename == f"weekly-{WEEK}.html"
