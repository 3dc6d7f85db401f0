"""EasyPost trackers and webhook events → shipment events."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.checks.contracts import apply_row_contracts
from pipelines.checks.verdict import Verdict
from pipelines.landing import ingest
from pipelines.sources import carrier
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.registry import recognise
from storage.settings import Settings

DALLAS = {"city": "Dallas", "state": "TX", "country": "US", "zip": "75201"}


def scan(day: int, status: str, detail: str = "status_update", place: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a tracking detail at noon UTC of a day in May 2026."""
    return {
        "object": "TrackingDetail",
        "datetime": f"2026-05-{day:02d}T12:00:00Z",
        "status": status,
        "status_detail": detail,
        "message": "text",
        "tracking_location": DALLAS if place is None else place,
    }


def event(*scans: dict[str, Any], **tracker: Any) -> dict[str, Any]:
    """Return a webhook event of a tracker with these scans."""
    result = {
        "object": "Tracker",
        "id": "trk_1",
        "tracking_code": "SP1",
        "carrier": "SwiftParcel",
        "status": scans[-1]["status"] if scans else "unknown",
        "est_delivery_date": None,
        "tracking_details": list(scans),
    } | tracker
    return {"object": "Event", "id": "evt_1", "created_at": "2026-05-30T00:00:00Z", "result": result}


def parse(folder: Path, *events: object) -> ParsedBatch:
    """Write events as JSON lines and read them."""
    path = folder / "trackers.jsonl"
    path.write_text("\n".join(e if isinstance(e, str) else json.dumps(e) for e in events))
    return apply_row_contracts(carrier.parse([SourceFile(path, path.name)], AdapterContext()), source="carrier")


def seen(batch: ParsedBatch) -> list[tuple[str, int, str]]:
    """Return (event type, day, status) of all events."""
    frame = batch.events.get("shipment")
    rows = frame.to_dicts() if frame is not None else []
    return [(row["event_type"], row["event_at"].day, row["status_code"]) for row in rows]


def test_the_first_physical_scan_is_the_acceptance_and_a_label_is_not(tmp_path: Path) -> None:
    batch = parse(
        tmp_path,
        event(
            scan(1, "pre_transit"),
            scan(2, "in_transit", "label_created"),
            scan(3, "in_transit"),
            scan(4, "out_for_delivery"),
            scan(5, "delivered"),
        ),
    )
    assert seen(batch) == [
        ("carrier.accepted", 3, "in_transit"),
        ("in_transit", 4, "out_for_delivery"),
        ("delivered", 5, "delivered"),
    ]
    row = batch.events["shipment"].row(0, named=True)
    assert (row["tracking_number"], row["shipment_id"], row["carrier"]) == ("SP1", "trk_1", "swiftparcel")
    assert row["observed_at"] == datetime.fromisoformat("2026-05-30")


def test_a_parcel_first_seen_at_delivery_was_accepted_by_then_at_an_estimated_time(tmp_path: Path) -> None:
    frame = parse(tmp_path, event(scan(5, "delivered"))).events["shipment"]
    assert frame.select("event_type", "time_quality").rows() == [
        ("carrier.accepted", "estimated"),
        ("delivered", "instant"),
    ]


def test_trouble_is_an_exception_with_its_reason(tmp_path: Path) -> None:
    batch = parse(
        tmp_path, event(scan(3, "in_transit"), scan(4, "in_transit", "weather_delay"), scan(6, "failure", "lost"))
    )
    rows = batch.events["shipment"].select("event_type", "reason").rows()
    assert rows == [("carrier.accepted", None), ("exception", "weather_delay"), ("exception", "lost")]


def test_a_scan_without_location_has_an_estimated_time(tmp_path: Path) -> None:
    frame = parse(tmp_path, event(scan(3, "in_transit", place={}))).events["shipment"]
    assert frame["time_quality"].to_list() == ["estimated"]


def test_scans_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    batch = parse(tmp_path, event(scan(5, "delivered"), scan(3, "in_transit")))
    assert seen(batch)[0] == ("carrier.accepted", 3, "in_transit")


def test_the_estimate_is_an_event_of_its_own_so_that_scans_stay_the_same(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    history = [scan(1, "pre_transit"), scan(3, "in_transit"), scan(4, "in_transit", "arrived_at_facility")]
    reports = []
    for number in (2, 3):
        message = event(*history[:number], est_delivery_date=f"2026-05-{10 + number}T00:00:00Z")
        (inbox / f"trackers-{number}.jsonl").write_text(json.dumps(message))
        reports += ingest(Settings(home=tmp_path), [inbox], judge=lambda *_: Verdict())
    assert [(r.source, r.events_landed, r.events_duplicate) for r in reports] == [("carrier", 2, 0), ("carrier", 2, 1)]


def test_a_return_label_makes_no_outbound_events(tmp_path: Path) -> None:
    batch = parse(tmp_path, event(scan(3, "in_transit"), scan(5, "delivered"), is_return=True))
    assert batch.events == {}
    assert batch.rejects.is_empty()


def test_a_broken_line_is_rejected_and_the_rest_lands(tmp_path: Path) -> None:
    nameless = event(scan(3, "in_transit"), tracking_code=None)
    undated = event({"status": "in_transit", "datetime": None})
    batch = parse(tmp_path, "{broken", nameless, undated, event(scan(3, "in_transit")))
    assert len(seen(batch)) == 1
    reasons = dict(batch.rejects.select("source_ref", "reason").rows())
    assert reasons["trackers.jsonl#1"].startswith("not valid JSON")
    assert reasons["trackers.jsonl#2"] == "tracking_code is missing"
    assert reasons["trackers.jsonl#3"] == "datetime is missing"
    assert batch.rows_in == {"trackers.jsonl": 4}


def test_real_trackers_are_recognised_and_a_label_alone_makes_no_event(shared_data: Path) -> None:
    root = shared_data / "json_payloads" / "EasyPost+examples"
    files = [SourceFile(p, p.relative_to(root).as_posix()) for p in sorted(root.rglob("*.json"))]
    own = [file for file in files if recognise(file) == "carrier"]
    assert [file.name for file in own] == [f"trackers/trackers-{name}.json" for name in ("create", "list", "retrieve")]
    batch = carrier.parse(own, AdapterContext())
    assert batch.events == {}
    assert batch.rejects.is_empty()
    assert sum(batch.rows_in.values()) == 3


def test_a_real_tracker_that_moves_gives_its_scans(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "json_payloads" / "EasyPost+examples" / "trackers" / "trackers-retrieve.json"
    tracker = json.loads(path.read_text())
    tracker["tracking_details"] += [scan(12, "in_transit"), scan(14, "delivered")]
    assert seen(parse(tmp_path, tracker)) == [("carrier.accepted", 12, "in_transit"), ("delivered", 14, "delivered")]


def test_a_period_without_trackers_is_an_empty_document_not_an_unknown_file(tmp_path: Path) -> None:
    path = tmp_path / "trackers.json"
    path.write_text('{"trackers":[]}')
    assert recognise(SourceFile(path, path.name)) == "carrier"
    assert carrier.parse([SourceFile(path, path.name)], AdapterContext()).rows_in == {"trackers.json": 0}
