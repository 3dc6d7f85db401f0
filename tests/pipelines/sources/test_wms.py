"""Warehouse CSV exports → releases and shipment stages."""

from __future__ import annotations

import gzip
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipelines.sources import wms
from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.registry import recognise

ORDERS = """warehouse,order_number,order_line,sku,quantity,received_at
dc_columbus,#100123,11,0012,2,2026-05-20T10:30:00-04:00
dc_columbus,walmart-4500012345,1,MUG,48,2026-05-20 10:30:00
"""
SHIPMENTS = (
    "warehouse,shipment_id,order_number,order_line,sku,quantity_shipped,pick_started_at,pick_completed_at,packed_at,"
    "label_created_at,shipped_at,carrier,service,tracking_number,freight_cost,ship_to_state\n"
    "tpl_west,S1,#100123,11,0012,2,2026-05-20T12:00:00Z,2026-05-20T12:10:00Z,2026-05-20T12:20:00Z,"
    "2026-05-20T12:25:00Z,2026-05-20T22:00:00Z,SwiftParcel,ground,SP1,6.40,CA\n"
    "tpl_west,S2,#100124,11,0012,1,2026-05-20T12:00:00Z,,,,,,,,,CA\n"
)


def source_file(folder: Path, name: str, content: str) -> SourceFile:
    """Write a file, gzipped if its name says so."""
    path = folder / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return SourceFile(path, name)


def test_orders_received_by_the_warehouse_are_releases(tmp_path: Path) -> None:
    file = source_file(tmp_path, "a.csv.gz", ORDERS)
    assert recognise(file) == "wms"
    frame = wms.parse([file], AdapterContext(zone=ZoneInfo("America/New_York"))).events["order"]
    assert frame.select("event_type", "order_id", "line_id", "sku", "quantity", "node_id").row(0) == (
        "order.released", "100123", "11", "0012", Decimal(2), "dc_columbus",
    )  # fmt: skip
    assert frame["event_at"].to_list() == [datetime.fromisoformat("2026-05-20T14:30")] * 2


def test_each_stamp_of_a_shipment_line_is_an_event_and_the_cost_stands_once(tmp_path: Path) -> None:
    file = source_file(tmp_path, "b.csv", SHIPMENTS)
    assert recognise(file) == "wms"
    frame = wms.parse([file], AdapterContext()).events["shipment"]
    first = frame.filter(frame["shipment_id"] == "S1")
    assert first["event_type"].to_list() == list(wms.STAGES)
    assert first["cost_amount"].drop_nulls().to_list() == [Decimal("6.40")]
    assert set(first["carrier"]) == {"swiftparcel"}
    assert frame.filter(frame["shipment_id"] == "S2")["event_type"].to_list() == ["pick.started"]


def test_both_layouts_may_arrive_together_and_bad_rows_are_rejected(tmp_path: Path) -> None:
    broken = ORDERS + "dc_columbus,1,1,A,lots,2026-05-20T10:30:00Z\ndc_columbus,1,1,A,1,\ndc_columbus,1\n"
    files = [source_file(tmp_path, "a.csv", broken), source_file(tmp_path, "b.csv", SHIPMENTS)]
    batch = wms.parse(files, AdapterContext())
    assert (batch.events["order"].height, batch.events["shipment"].height) == (2, 6)
    assert dict(batch.rejects.select("source_ref", "reason").rows()) == {
        "a.csv#4": "column quantity: 'lots' is not a number written like 1234.5",
        "a.csv#5": "order.released needs a time, but column received_at is empty",
        "a.csv#6": "expected 6 cells, found 2",
    }
    assert batch.rows_in == {"a.csv": 5, "b.csv": 2}


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "order_number,sku\n", "\x00\x01", '"open quote'])
def test_other_tables_are_not_recognised(tmp_path: Path, content: str) -> None:
    assert not wms.recognises(source_file(tmp_path, "x.csv", content))
