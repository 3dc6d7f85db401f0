"""Mutilated messages of every JSON source: no adapter raises, and whatever is sound beside them lands."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.registry import load_source

PLACE = {"city": "Austin", "state": "TX", "zip": "78756", "country": "US"}
WHOLE: dict[str, dict[str, Any]] = {
    "shipstation": {
        "orderId": 1, "orderNumber": "100123", "orderKey": "k", "orderDate": "2026-06-29T08:46:27.0000000",
        "modifyDate": "2026-06-30T10:00:00", "paymentDate": None, "shipByDate": "2026-07-05",
        "orderStatus": "on_hold",
        "holdUntilDate": "2026-07-01", "shipTo": PLACE, "shippingAmount": 5, "advancedOptions": {"source": "web"},
        "items": [{"orderItemId": 1, "lineItemKey": "11", "sku": "MUG", "quantity": 3, "unitPrice": 9.99}],
    },
    "carrier": {
        "id": "trk_1", "tracking_code": "EZ1", "carrier": "USPS", "est_delivery_date": "2026-05-09T00:00:00Z",
        "carrier_detail": {"est_delivery_date_local": "2026-05-09"}, "updated_at": "2026-05-02T00:00:00Z",
        "tracking_details": [
            {
                "status": "in_transit", "status_detail": "x", "datetime": "2026-05-01T00:00:00Z",
                "tracking_location": PLACE,
            },
            {"status": "delivered", "status_detail": "x", "datetime": "2026-05-02T00:00:00Z", "tracking_location": {}},
        ],
    },
    "easypost": {
        "id": "shp_1", "object": "Shipment", "reference": "100123", "tracking_code": "EZ1",
        "refund_status": "submitted", "updated_at": "2026-05-02T00:00:00Z",
        "postage_label": {"created_at": "2026-05-01T00:00:00Z"},
        "selected_rate": {"carrier": "USPS", "rate": "8.20"}, "to_address": PLACE, "tracker": None,
    },
    "aftership": {
        "event": "edd_revise", "event_id": "e", "ts": 1777800000,
        "msg": {
            "id": "a", "tracking_number": "9405", "slug": "usps", "tag": "InTransit", "order_number": "100123",
            "first_estimated_delivery": {"datetime": "2026-05-03"}, "expected_delivery": "2026-05-04",
            "checkpoints": [
                {"checkpoint_time": "2026-05-01T08:00:00", "tag": "InTransit", "subtag": "InTransit_002", **PLACE},
            ],
        },
    },
    "shipengine": {
        "tracking_number": "1Z", "status_code": "DE", "carrier_code": "ups", "carrier_status_code": "D",
        "estimated_delivery_date": "2026-05-04", "actual_delivery_date": "2026-05-03T10:00:00Z",
        "events": [{"occurred_at": "2026-05-01T12:32:00Z", "status_code": "AC", "state_province": "CA"}],
    },
    "returns": {
        "topic": "return", "trigger": "return.updated", "id": "1", "state": "open",
        "created_at": "2026-05-01T10:00:00Z",
        "order_name": "#90507", "provider_order_id": "2", "label_status": "in_transit",
        "label_updated_at": "2026-05-02T10:00:00Z",
        "line_items": [{"line_item_id": "1", "provider_line_item_id": "5", "sku": "A", "refund": "1.00"}],
    },
    "signifyd": {
        "caseId": 1, "orderId": "100123", "createdAt": "2026-05-01T10:00:00Z", "updatedAt": "2026-05-01T11:00:00Z",
        "guaranteeDisposition": "APPROVED", "testInvestigation": False,
    },
    "kount": {
        "orderId": "K", "merchantOrderId": "100123", "creationDateTime": "2026-05-01T10:00:00Z",
        "riskInquiry": {"decision": "REVIEW", "omniscore": 1},
    },
}  # fmt: skip
ODD: list[Any] = [None, "", " ", "x", -1, 0, 10**400, 1.5, True, [], {}, [1], {"a": 1}, "2026-13-45",
                  "0001-01-01T00:00:00",
                  "9999-12-31T23:59:59", "\ud800", "\x00", "é" * 300]  # fmt: skip


def paths(value: object, trail: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [trail] if trail else []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [path for key, inner in entries for path in paths(inner, (*trail, key))]


def changed(message: dict[str, Any], trail: tuple[Any, ...], odd: object) -> dict[str, Any]:
    made = copy.deepcopy(message)
    place: Any = made
    for key in trail[:-1]:
        place = place[key]
    place[trail[-1]] = odd
    return made


def read(folder: Path, source: str, *messages: object) -> ParsedBatch:
    path = folder / "messages.jsonl"
    path.write_text("\n".join(json.dumps(message) for message in messages))
    parsed = load_source(source).parse([SourceFile(path, path.name)], AdapterContext())
    return apply_row_contracts(parsed, source=source)


def count(batch: ParsedBatch) -> int:
    return sum(frame.height for frame in batch.events.values())


@pytest.mark.parametrize("source", sorted(WHOLE))
def test_one_odd_value_costs_at_most_its_own_message(tmp_path, source):
    whole = WHOLE[source]
    alone = count(read(tmp_path, source, whole))
    assert alone > 0
    odd = [changed(whole, trail, value) for trail in paths(whole) for value in ODD]
    batch = read(tmp_path, source, *odd, whole)
    assert batch.rows_in == {"messages.jsonl": len(odd) + 1}
    last = f"messages.jsonl#{len(odd) + 1}"
    assert sum(frame.filter(frame["source_ref"] == last).height for frame in batch.events.values()) == alone
    assert all(
        reason and ref.startswith("messages.jsonl#")
        for ref, reason in batch.rejects.select("source_ref", "reason").rows()
    )
    assert batch.rejects.height > len(paths(whole))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_json_at_all_makes_an_adapter_raise(tmp_path, data):
    source = data.draw(st.sampled_from(sorted(WHOLE)))
    whole = WHOLE[source]
    trail = data.draw(st.sampled_from(paths(whole)))
    message = changed(whole, trail, data.draw(JSON))
    batch = read(tmp_path, source, message, data.draw(JSON), whole)
    assert count(batch) >= count(read(tmp_path, source, whole))
