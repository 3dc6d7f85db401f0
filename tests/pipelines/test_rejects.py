"""Rejects after a fix: what is good now lands, is marked as resolved, and a second retry changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.checks.verdict import Verdict
from pipelines.landing import ingest, list_rejects, retry_rejects
from storage.duck import connect
from storage.settings import Settings

HEADER = "event_type,event_at,order_id,line_id,sku,quantity\n"
MAPPING = """
name: shop
zone: UTC
dates: "%Y-%m-%d"
tables:
  orders: {files: "*orders*.csv"}
events:
  - type: order.captured
    from: orders
    at: placed
    columns: {order_id: order, sku: sku, quantity: qty}
"""


def passing(*_: object) -> Verdict:
    return Verdict()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def rows_of(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    connection = connect(settings.database, read_only=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def write_events(folder: Path, *quantities: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "events.csv"
    lines = [f"order.captured,2026-03-02 10:00:00,A{n},1,S,{quantity}\n" for n, quantity in enumerate(quantities)]
    path.write_text(HEADER + "".join(lines))
    return path


def test_rejects_are_listed_with_code_reason_text_and_position(settings: Settings, tmp_path: Path) -> None:
    ingest(settings, [write_events(tmp_path / "in", "1", "two", "-3")], judge=passing)
    found = list_rejects(settings)
    assert found.select("source", "source_ref", "reason_code", "reason").rows() == [
        ("canonical", "events.csv#3", "unreadable_value", "column quantity: 'two' is not a number"),
        ("canonical", "events.csv#4", "value_out_of_range", "quantity is below 0"),
    ]
    assert "A1,1,S,two" in found["raw"][0]
    assert list_rejects(settings, code="value_out_of_range").height == 1
    assert list_rejects(settings, source="wms").is_empty()


def test_a_mended_file_is_read_again_and_only_what_is_still_wrong_stays(settings: Settings, tmp_path: Path) -> None:
    ingest(settings, [write_events(tmp_path / "in", "1", "two", "-3")], judge=passing)
    write_events(tmp_path / "in", "1", "2", "-3")
    outcome = retry_rejects(settings, judge=passing)
    assert (outcome.open_before, outcome.resolved, outcome.still_open, outcome.events_landed) == (2, 1, 1, 1)
    assert list_rejects(settings)["source_ref"].to_list() == ["events.csv#4"]
    closed = list_rejects(settings, resolved=True).filter(source_ref="events.csv#3")
    assert closed["resolved_by"].to_list() == [outcome.reports[0].batch_id]
    again = retry_rejects(settings, judge=passing)
    assert (again.resolved, again.events_landed, again.still_open) == (0, 0, 1)
    assert rows_of(settings, "select count(*), count(distinct event_id) from landing.order_events") == [(2, 2)]
    assert rows_of(settings, "select count(*) from landing.batches") == [(2,)]


def test_a_retry_without_any_fix_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    ingest(settings, [write_events(tmp_path / "in", "1", "two")], judge=passing)
    before = [
        rows_of(settings, f"select * from landing.{name} order by all") for name in ("rejects", "files", "batches")
    ]
    assert retry_rejects(settings, judge=passing).resolved == 0
    after = [
        rows_of(settings, f"select * from landing.{name} order by all") for name in ("rejects", "files", "batches")
    ]
    assert after == before


def test_a_corrected_mapping_resolves_the_rejects_of_its_files(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mappings").mkdir()
    mapping = tmp_path / "mappings" / "shop.yml"
    mapping.write_text(MAPPING)
    (tmp_path / "orders.csv").write_text("order,sku,placed,qty\nA1,S,2026-03-02,1\nA2,S,03.03.2026,1\n")
    ingest(settings, [tmp_path / "orders.csv"], judge=passing)
    assert list_rejects(settings).height == 1
    mapping.write_text(MAPPING.replace('dates: "%Y-%m-%d"', 'dates: ["%Y-%m-%d", "%d.%m.%Y"]'))
    outcome = retry_rejects(settings, judge=passing)
    assert (outcome.resolved, outcome.still_open, outcome.events_landed) == (1, 0, 1)
    # The plain way does the same: the changed mapping makes the files new.
    [report] = ingest(settings, [tmp_path / "orders.csv"], judge=passing)
    assert report.status == "unchanged"
    assert rows_of(settings, "select count(*) from landing.order_events") == [(2,)]


def test_an_ingest_after_a_corrected_mapping_resolves_them_too(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mappings").mkdir()
    mapping = tmp_path / "mappings" / "shop.yml"
    mapping.write_text(MAPPING)
    (tmp_path / "orders.csv").write_text("order,sku,placed,qty\nA1,S,2026-03-02,1\nA2,S,03.03.2026,1\n")
    ingest(settings, [tmp_path / "orders.csv"], judge=passing)
    mapping.write_text(MAPPING.replace('dates: "%Y-%m-%d"', 'dates: ["%Y-%m-%d", "%d.%m.%Y"]'))
    ingest(settings, [tmp_path / "orders.csv"], judge=passing)
    assert list_rejects(settings).is_empty()
    assert list_rejects(settings, resolved=True).height == 1


def test_a_file_that_is_gone_is_named_and_may_be_found_elsewhere(settings: Settings, tmp_path: Path) -> None:
    path = write_events(tmp_path / "in", "1", "two")
    ingest(settings, [path], judge=passing)
    path.unlink()
    outcome = retry_rejects(settings, judge=passing)
    assert outcome.resolved == 0
    assert "events.csv: not found at" in outcome.not_found[0]
    write_events(tmp_path / "mended", "1", "2")
    assert retry_rejects(settings, folder=tmp_path / "mended", judge=passing).resolved == 1
