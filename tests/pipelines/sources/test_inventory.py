"""Stock snapshots and receipts CSV → inventory events."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources import inventory
from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.registry import recognise

SNAPSHOTS = """snapshot_at,warehouse,sku,on_hand,allocated,quarantine
2026-05-25T04:00:00Z,dc_columbus,007,120,20,1
2026-05-25T04:00:00Z,dc_columbus,008,-3,0,0
2026-05-25T04:00:00Z,dc_columbus,009,,0,0
"""
RECEIPTS = """\
noted_at,receipt_id,warehouse,sku,quantity,expected_at,confirmed,checked_in_at,received_at,quantity_received
2026-05-25T04:00:00Z,PO1-1,tpl_east,007,500,2026-06-01T12:00:00Z,false,,,
2026-06-02T04:00:00Z,PO1-1,tpl_east,007,500,2026-06-01T12:00:00Z,true,2026-06-01T13:00:00Z,2026-06-01T18:00:00Z,490
2026-06-02T04:00:00Z,PO2-1,tpl_east,007,500,soon,true,,,
"""


def source_file(folder: Path, name: str, content: str) -> SourceFile:
    """Write a file."""
    (folder / name).write_text(content)
    return SourceFile(folder / name, name)


def test_a_snapshot_row_is_stock_of_one_article_in_one_node(tmp_path: Path) -> None:
    file = source_file(tmp_path, "s.csv", SNAPSHOTS)
    assert recognise(file) == "inventory"
    batch = apply_row_contracts(inventory.parse([file], AdapterContext()), source="inventory")
    row = batch.events["inventory"].row(0, named=True)
    assert (row["sku"], row["node_id"], row["quantity"]) == ("007", "dc_columbus", Decimal(120))
    assert (row["reserved_quantity"], row["quarantine_quantity"]) == (Decimal(20), Decimal(1))
    assert dict(batch.rejects.select("source_ref", "reason").rows()) == {
        "s.csv#4": "inventory.snapshot needs quantity, but column on_hand is empty",
        "s.csv#3": "quantity is below 0",
    }


def test_news_of_a_receipt_are_events_in_their_order(tmp_path: Path) -> None:
    file = source_file(tmp_path, "r.csv", RECEIPTS)
    assert recognise(file) == "inventory"
    batch = inventory.parse([file], AdapterContext())
    frame = batch.events["inventory"].filter(batch.events["inventory"]["receipt_id"] == "PO1-1").sort("event_at")
    assert frame.select("event_type", "event_at", "quantity", "is_confirmed").rows() == [
        ("receipt.expected", datetime.fromisoformat("2026-05-25T04:00"), Decimal(500), False),
        ("receipt.checked_in", datetime.fromisoformat("2026-06-01T13:00"), None, None),
        ("receipt.received", datetime.fromisoformat("2026-06-01T18:00"), Decimal(490), None),
        ("receipt.expected", datetime.fromisoformat("2026-06-02T04:00"), Decimal(500), True),
    ]
    assert batch.rejects["reason"].item().startswith("column expected_at: 'soon' is not a time")
