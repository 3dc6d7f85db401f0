"""Returns platform JSON → return events."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.checks.contracts import apply_row_contracts
from pipelines.checks.verdict import Verdict
from pipelines.landing import ingest
from pipelines.sources import returns
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.registry import recognise
from storage.settings import Settings

RETURN: dict[str, Any] = {
    "id": "R1",
    "state": "open",
    "created_at": "2026-06-01T10:00:00-04:00",
    "updated_at": "2026-06-01T10:00:00-04:00",
    "order_name": "#100123",
    "warehouse": "dc_columbus",
    "provider_order_id": "5100001",
    "currency": "USD",
    "line_items": [
        {
            "line_item_id": "L1",
            "provider_line_item_id": 11,
            "sku": "MUG",
            "quantity": 2,
            "reason": "damaged",
            "disposition": None,
            "refund": "25.00",
        }
    ],
    "label": {"tracking_number": "RT1", "in_transit_at": None},
    "received_at": None,
    "graded_at": None,
    "restocked_at": None,
    "refunded_at": None,
}


def finished() -> dict[str, Any]:
    """Return the example after all its stages."""
    done = copy.deepcopy(RETURN) | {
        "state": "closed",
        "updated_at": "2026-06-09T00:00:00Z",
        "received_at": "2026-06-05T12:00:00Z",
        "graded_at": "2026-06-06T12:00:00Z",
        "restocked_at": "2026-06-07T12:00:00Z",
        "refunded_at": "2026-06-08T12:00:00Z",
    }
    done["label"]["in_transit_at"] = "2026-06-03T12:00:00Z"
    done["line_items"][0]["disposition"] = "Restock A"
    return done


def parse(folder: Path, content: object) -> ParsedBatch:
    """Write JSON and read it as returns."""
    path = folder / "returns.json"
    path.write_text(json.dumps(content))
    assert recognise(SourceFile(path, path.name)) == "returns"
    return apply_row_contracts(returns.parse([SourceFile(path, path.name)], AdapterContext()), source="returns")


def test_every_stage_reached_is_an_event(tmp_path: Path) -> None:
    frame = parse(tmp_path, {"returns": [finished()]}).events["return"]
    assert frame.select("event_type", "disposition", "amount").rows() == [
        ("rma.created", None, None),
        ("return.in_transit", None, None),
        ("return.received", None, None),
        ("return.graded", "restock_a", None),
        ("return.restocked", "restock_a", None),
        ("refund.issued", None, Decimal("25.00")),
    ]
    assert set(frame.select("rma_id", "order_id", "line_id", "quantity", "node_id").rows()) == {
        ("R1", "100123", "11", Decimal(2), "dc_columbus")
    }
    assert frame["event_at"][0] == datetime.fromisoformat("2026-06-01T14:00")
    assert frame["tracking_number"][1] == "RT1"


def test_a_closed_return_without_receipt_is_not_received(tmp_path: Path) -> None:
    closed = copy.deepcopy(RETURN) | {"state": "closed"}
    assert parse(tmp_path, {"returns": [closed]}).events["return"]["event_type"].to_list() == ["rma.created"]


def test_an_updated_snapshot_brings_only_its_new_stages(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    reports = []
    for number, state in enumerate((RETURN, finished())):
        (inbox / f"returns-{number}.json").write_text(json.dumps({"returns": [state]}))
        reports += ingest(Settings(home=tmp_path), [inbox], judge=lambda *_: Verdict())
    assert [(report.events_landed, report.events_duplicate) for report in reports] == [(1, 0), (5, 1)]


def test_a_faulty_return_is_rejected_and_the_rest_lands(tmp_path: Path) -> None:
    empty = copy.deepcopy(RETURN) | {"line_items": []}
    undated = copy.deepcopy(RETURN) | {"created_at": "01/06/2026"}
    unknown = finished()
    unknown["line_items"][0]["disposition"] = "eaten"
    batch = parse(tmp_path, {"returns": [empty, undated, RETURN, unknown]})
    reasons = batch.rejects.select("source_ref", "reason").rows()
    assert reasons[0] == ("returns.json#/returns/0", "line_items is empty: a return without lines says nothing")
    assert reasons[1][1].startswith("created_at: '01/06/2026' is not an ISO time")
    assert [ref for ref, reason in reasons[2:] if reason.startswith("disposition is not one of")] == [
        "returns.json#/returns/3",
        "returns.json#/returns/3",
    ]
    assert batch.events["return"].height == 1 + 4


def test_a_period_without_returns_is_an_empty_document_not_an_unknown_file(tmp_path: Path) -> None:
    path = tmp_path / "returns.json"
    path.write_text('{"returns":[]}')
    assert recognise(SourceFile(path, path.name)) == "returns"
    assert returns.parse([SourceFile(path, path.name)], AdapterContext()).rows_in == {"returns.json": 0}
