"""The passport of every KPI of the sample company: its rows give the published number, in cells picked at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dashboards.queries import availability, kpi_table, number_passport, recounted
from dashboards.queries.dimensions import STORED
from storage.duck import Connection
from storage.publish import open_published
from storage.settings import Settings

pytestmark = pytest.mark.slow

CELLS = 2


@pytest.fixture(scope="module")
def published(sample_home: Path) -> Iterator[Connection]:
    with open_published(Settings.load(sample_home)) as connection:
        yield connection


def test_every_row_of_every_kpi_is_named_once(published: Connection) -> None:
    twice = published.execute(
        "select kpi_id, profile_id, row_key from metrics.kpi_facts group by all having count(*) > 1 limit 5"
    ).fetchall()
    assert twice == []


def test_the_rows_of_every_kpi_give_its_number(published: Connection) -> None:
    kpis = availability(published).filter("is_available")["kpi_id"].to_list()
    assert len(kpis) > 50
    figures = {kpi: recounted(published, kpi) for kpi in kpis}
    assert {kpi: pair for kpi, pair in figures.items() if not pair[0].agrees_with(pair[1])} == {}


@pytest.mark.exhaustive
def test_random_cells_of_every_kpi_recount_to_what_is_published(published: Connection) -> None:
    dice = random.Random(11)
    wrong = []
    asked = 0
    for kpi in availability(published).filter("is_available")["kpi_id"].to_list():
        by = dice.sample([name for name in STORED if name != "currency"], 2)
        table = kpi_table(published, kpis=[kpi], by=by, grain="week")
        cells = [row for row in table.iter_rows(named=True) if row["value"] is not None]
        for cell in dice.sample(cells, min(CELLS, len(cells))):
            where = {name: cell[name] for name in by} | ({"stage": cell["stage_id"]} if cell["stage_id"] else {})
            shown, counted = recounted(
                published, kpi, where=where, date_from=cell["period"], date_to=cell["period"] + timedelta(days=6)
            )
            asked += 1
            if not counted.agrees_with(shown) or shown.value != pytest.approx(cell["value"]):
                wrong.append((kpi, where, cell["period"], counted, shown))
    assert wrong == []
    assert asked > 90


def test_every_counted_row_leads_to_a_file(published: Connection) -> None:
    for kpi in ("otif", "carrier_on_time", "dock_to_stock", "document_reject_rate", "chargeback_amount"):
        found = number_passport(published, kpi, limit=0)
        assert found.sources.height > 0, kpi
        assert found.sources["landed_at"].null_count() == 0, kpi
