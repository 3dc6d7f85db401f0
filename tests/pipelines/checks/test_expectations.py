"""Great Expectations judges real batches: what fails is named with its values, and Data Docs are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.checks.expectations import data_docs_index, load_suites
from pipelines.errors import PipelineError
from pipelines.landing import ingest
from storage.settings import Settings

MAPPING = """
name: shop
zone: UTC
tables:
  orders: {files: "*orders*.csv"}
events:
  - type: order.captured
    from: orders
    at: placed
    columns: {order_id: order, line_id: line, sku: sku, quantity: qty, currency: currency}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "shop.yml").write_text(MAPPING)
    return Settings(home=tmp_path)


def write_orders(folder: Path, rows: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "orders.csv").write_text("order,line,sku,placed,qty,currency\n" + "\n".join(rows) + "\n")
    return folder


def good_rows(count: int) -> list[str]:
    return [f"A{n},1,S,2026-03-01 10:00:00,2,USD" for n in range(count)]


def test_a_sound_batch_lands_and_data_docs_are_written(settings: Settings, tmp_path: Path) -> None:
    [report] = ingest(settings, [write_orders(tmp_path / "in", good_rows(60))])
    assert (report.status, report.events_landed, report.failures) == ("landed", 60, ())
    assert "shop.order" in data_docs_index(settings).read_text()


def test_later_batches_of_a_source_are_judged_too(settings: Settings, tmp_path: Path) -> None:
    for number in range(2):
        folder = write_orders(tmp_path / f"in{number}", good_rows(60 + number))
        assert [report.status for report in ingest(settings, [folder])] == ["landed"]


def test_a_batch_that_breaks_a_suite_is_quarantined_and_the_values_are_named(
    settings: Settings, tmp_path: Path
) -> None:
    rows = [*good_rows(60), "A900,1,S,2026-03-01 10:00:00,2,dollars"]
    [report] = ingest(settings, [write_orders(tmp_path / "in", rows)])
    assert (report.status, report.events_landed) == ("quarantined", 0)
    [failure] = report.failures
    assert "currencies are ISO 4217 codes" in failure
    assert "dollars" in failure


def test_a_batch_of_mostly_rejected_rows_is_quarantined(settings: Settings, tmp_path: Path) -> None:
    rows = [*good_rows(40), *(f"B{n},1,S,whenever,2,USD" for n in range(30))]
    [report] = ingest(settings, [write_orders(tmp_path / "in", rows)])
    assert report.status == "quarantined"
    assert report.rows_rejected == 30
    assert "at most 20 %" in report.failures[0]


def test_a_file_without_any_readable_row_is_quarantined(settings: Settings, tmp_path: Path) -> None:
    [report] = ingest(settings, [write_orders(tmp_path / "in", ["A1,1,S,whenever,2,USD"])])
    assert report.status == "quarantined"
    assert "at least one readable event" in report.failures[0]


def test_an_export_without_rows_is_no_fault(settings: Settings, tmp_path: Path) -> None:
    [report] = ingest(settings, [write_orders(tmp_path / "in", [])])
    assert (report.status, report.events_landed) == ("landed", 0)


def test_a_workspace_may_replace_a_family_of_expectations(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "checks.yml").write_text(
        "order:\n  - {expectation: expect_column_values_to_be_between, column: quantity, max_value: 1,\n"
        "     meaning: single units}\n"
    )
    assert [entry["meaning"] for entry in load_suites(settings)["order"]] == ["single units"]
    [report] = ingest(settings, [write_orders(tmp_path / "in", good_rows(3))])
    assert report.status == "quarantined"
    assert "single units" in report.failures[0]


def test_a_malformed_suite_file_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "checks.yml").write_text("order: nonsense")
    with pytest.raises(PipelineError, match=r"checks\.yml: order"):
        load_suites(settings)
