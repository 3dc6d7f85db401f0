"""Every dimension splits every KPI of the sample company into parts that add up to the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from dashboards.queries import DIMENSIONS, kpi_table, recounted
from dashboards.queries.dimensions import ABSENT, STORED
from storage.duck import Connection
from storage.publish import open_published
from storage.settings import Settings

pytestmark = pytest.mark.slow

FURTHER = [name for name in DIMENSIONS if name not in STORED]
USUAL = ("sku", "tpl")


@pytest.fixture(scope="module")
def published(sample_home: Path) -> Iterator[Connection]:
    with open_published(Settings.load(sample_home)) as connection:
        yield connection


@pytest.fixture(scope="module")
def whole(published: Connection) -> pl.DataFrame:
    table = kpi_table(published)
    return table.filter(pl.col("numerator").is_not_null()).select("kpi_id", "numerator", "denominator", "observations")


@pytest.mark.parametrize(
    "name", [name if name in USUAL else pytest.param(name, marks=pytest.mark.exhaustive) for name in FURTHER]
)
def test_the_parts_of_a_dimension_add_up_to_the_whole(published: Connection, whole: pl.DataFrame, name: str) -> None:
    parts = kpi_table(published, by=[name]).filter(pl.col("numerator").is_not_null())
    sums = parts.group_by("kpi_id").agg(pl.col("numerator", "denominator", "observations").sum())
    both = whole.join(sums, on="kpi_id", how="full", suffix="_parts")
    wrong = both.filter(
        pl.col("numerator_parts").is_null()
        | ((pl.col("numerator") - pl.col("numerator_parts")).abs() > 1e-6)
        | ((pl.col("denominator") - pl.col("denominator_parts")).abs() > 1e-6)
        | (pl.col("observations") != pl.col("observations_parts"))
    )
    assert wrong.is_empty(), wrong


def test_lines_have_skus_and_orders_say_that_they_have_none(published: Connection) -> None:
    assert kpi_table(published, kpis=["otif"], by=["sku"])["sku"].unique().to_list() == [ABSENT]
    assert kpi_table(published, kpis=["otif_line"], by=["sku"])["sku"].n_unique() > 20


def test_parcels_have_their_own_service_and_lane(published: Connection) -> None:
    table = kpi_table(published, kpis=["carrier_on_time"], by=["carrier", "service", "lane"])
    assert set(table["service"].unique()) <= {"ground", "express", "freight", "(none)"}
    assert table["lane"].str.contains(" > ").all()


def test_own_warehouses_are_no_3pl(published: Connection) -> None:
    members = set(kpi_table(published, kpis=["cut_off_adherence"], by=["3pl"])["tpl"])
    assert {"tpl_east", "tpl_west", "(own)"} <= members


def test_hours_split_by_row_dimensions_too(published: Connection) -> None:
    table = kpi_table(published, kpis=["cycle_time"], by=["order_type"])
    whole = kpi_table(published, kpis=["cycle_time"])
    assert table.group_by("stage_id").agg(pl.col("observations").sum()).sort("stage_id").equals(
        whole.select("stage_id", "observations").sort("stage_id")
    )  # fmt: skip


def test_a_cell_of_row_dimensions_recounts(published: Connection) -> None:
    for kpi, where in (("line_fill", {"sku": "LK-KTT-124"}), ("otif", {"3pl": "tpl_east", "order_type": "standard"})):
        shown, counted = recounted(published, kpi, where=where)
        assert shown.observations > 0
        assert counted.agrees_with(shown)
