"""Shopify REST orders → order, shipment and refund events."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.checks.contracts import apply_row_contracts
from pipelines.checks.verdict import Verdict
from pipelines.landing import ingest
from pipelines.sources import shopify
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.registry import recognise
from storage.settings import Settings

ORDER: dict[str, Any] = {
    "id": 5100001,
    "name": "#100123",
    "created_at": "2026-05-20T09:59:00-04:00",
    "processed_at": "2026-05-20T10:00:00-04:00",
    "updated_at": "2026-05-21T08:00:00-04:00",
    "cancelled_at": None,
    "cancel_reason": None,
    "test": False,
    "source_name": "web",
    "financial_status": "paid",
    "currency": "USD",
    "customer": {"id": 77},
    "shipping_address": {"province_code": "CA", "country_code": "US", "zip": "01234"},
    "shipping_lines": [{"title": "Ground", "code": "GROUND", "price": "5.95"}],
    "note_attributes": [{"name": "promised_delivery_date", "value": "2026-05-25"}],
    "line_items": [
        {"id": 11, "sku": "MUG", "quantity": 3, "current_quantity": 3, "price": "10.00", "total_discount": "1.50"},
        {"id": 12, "sku": "GIFT", "quantity": 1, "current_quantity": 1, "price": "25.00", "gift_card": True},
    ],
    "fulfillments": [],
    "refunds": [],
}


def order(**changes: Any) -> dict[str, Any]:
    """Return the example order with some fields changed."""
    return copy.deepcopy(ORDER) | changes


def parse(folder: Path, content: object, name: str = "orders.json") -> ParsedBatch:
    """Write JSON and read it as Shopify."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    batch = shopify.parse([SourceFile(path, name)], AdapterContext())
    return apply_row_contracts(batch, source="shopify")


def events(batch: ParsedBatch, event_type: str) -> list[dict[str, Any]]:
    """Return the rows of one event type."""
    return [row for frame in batch.events.values() for row in frame.to_dicts() if row["event_type"] == event_type]


@pytest.mark.parametrize(
    ("name", "wrap"),
    [
        ("one.json", lambda o: {"order": o}),
        ("many.json", lambda o: {"orders": [o]}),
        ("list.json", lambda o: [o]),
        ("bare.json", lambda o: o),
        ("lines.jsonl", lambda o: json.dumps(o) + "\n\n" + json.dumps(o)),
    ],
)
def test_every_shape_of_order_json_gives_the_same_lines(tmp_path: Path, name: str, wrap: Any) -> None:
    batch = parse(tmp_path, wrap(order()), name)
    assert recognise(SourceFile(tmp_path / name, name)) == "shopify"
    lines = {(row["order_id"], row["line_id"], row["quantity"]) for row in events(batch, "order.captured")}
    assert lines == {("100123", "11", Decimal(3)), ("100123", "12", Decimal(1))}
    assert batch.rejects.is_empty()


def test_a_line_carries_net_price_clock_and_address(tmp_path: Path) -> None:
    first, gift = events(parse(tmp_path, {"orders": [order()]}), "order.captured")
    assert first["event_at"] == datetime.fromisoformat("2026-05-20T14:00")
    assert first["channel"] == "dtc"
    assert first["customer_id"] == "77"
    assert first["unit_price"] == Decimal("9.5")
    assert (first["freight_amount"], gift["freight_amount"]) == (Decimal("5.95"), None)
    assert (first["ship_to_postal_code"], first["clock_zone"]) == ("01234", "America/Los_Angeles")
    assert (first["order_type"], gift["order_type"]) == (None, "no_ship")


def test_the_promise_is_the_end_of_the_customers_day(tmp_path: Path) -> None:
    (promise,) = events(parse(tmp_path, order()), "order.promised")
    assert promise["promise_at"] == datetime.fromisoformat("2026-05-26T07:00")
    assert promise["line_id"] is None


def test_a_promise_that_is_no_date_is_rejected_and_the_order_lands(tmp_path: Path) -> None:
    broken = order(note_attributes=[{"name": "promised_delivery_date", "value": "soon"}])
    batch = parse(tmp_path, broken)
    assert len(events(batch, "order.captured")) == 2
    assert "promised_delivery_date: 'soon' is not a date" in batch.rejects["reason"].item()


def test_a_test_order_is_marked(tmp_path: Path) -> None:
    assert {row["order_type"] for row in events(parse(tmp_path, order(test=True)), "order.captured")} == {"test"}


def test_an_edit_gives_the_new_total_and_a_later_snapshot_does_not_repeat_it(tmp_path: Path) -> None:
    edited = order()
    edited["line_items"][0]["current_quantity"] = 1
    later = edited | {"updated_at": "2026-05-30T08:00:00-04:00"}
    (change,) = events(parse(tmp_path, {"orders": [later, edited]}), "order.changed")
    assert (change["line_id"], change["quantity"], change["actor"]) == ("11", Decimal(1), "customer")
    assert (change["event_at"], change["time_quality"]) == (datetime.fromisoformat("2026-05-21T12:00"), "estimated")


REFUND = {
    "id": 900,
    "created_at": "2026-06-10T10:00:00Z",
    "note": "inventory",
    "refund_line_items": [{"line_item_id": 11, "quantity": 1, "restock_type": "cancel", "subtotal": "9.50"}],
}


def test_a_cancelling_refund_is_a_cancellation_not_an_edit_and_not_a_return(tmp_path: Path) -> None:
    cut = order(refunds=[REFUND])
    cut["line_items"][0]["current_quantity"] = 2
    batch = parse(tmp_path, cut)
    (cancelled,) = events(batch, "order.cancelled")
    assert (cancelled["line_id"], cancelled["quantity"], cancelled["actor"]) == ("11", Decimal(1), "seller_oos")
    assert events(batch, "order.changed") == []
    assert events(batch, "refund.issued") == []


def test_a_refund_of_shipped_goods_is_a_refund_and_changes_nothing_else(tmp_path: Path) -> None:
    line = {"line_item_id": 11, "quantity": 1, "restock_type": "return", "subtotal": "9.50"}
    refunded = order(refunds=[REFUND | {"refund_line_items": [line]}])
    refunded["line_items"][0]["current_quantity"] = 2
    batch = parse(tmp_path, refunded)
    (refund,) = events(batch, "refund.issued")
    assert (refund["rma_id"], refund["amount"], refund["line_id"]) == ("shopify-refund-900", Decimal("9.50"), "11")
    assert events(batch, "order.changed") == []
    assert events(batch, "order.cancelled") == []


@pytest.mark.parametrize(
    ("reason", "actor"),
    [
        ("customer", "customer"),
        ("declined", "payment"),
        ("fraud", "fraud"),
        ("inventory", "seller_oos"),
        ("other", "seller_other"),
        ("staff", "seller_other"),
        (None, "unknown"),
    ],
)
def test_a_cancelled_order_names_its_actor_once(tmp_path: Path, reason: str | None, actor: str) -> None:
    with_refund = order(cancelled_at=REFUND["created_at"], cancel_reason=reason, refunds=[REFUND])
    (cancelled,) = events(parse(tmp_path, with_refund), "order.cancelled")
    assert (cancelled["actor"], cancelled["line_id"], cancelled["quantity"]) == (actor, None, None)


def fulfilment(**changes: Any) -> dict[str, Any]:
    """Return a fulfilment of two units of the first line."""
    return {
        "id": 700,
        "status": "success",
        "created_at": "2026-05-21T15:00:00-07:00",
        "tracking_number": "SP1",
        "tracking_company": "SwiftParcel",
        "line_items": [{"id": 11, "sku": "MUG", "quantity": 2}],
    } | changes


def test_only_successful_fulfilments_are_shipments(tmp_path: Path) -> None:
    batch = parse(tmp_path, order(fulfillments=[fulfilment(), fulfilment(id=701, status="failure")]))
    (shipped,) = events(batch, "ship.confirmed")
    assert (shipped["shipment_id"], shipped["quantity"], shipped["carrier"]) == ("700", Decimal(2), "swiftparcel")
    assert shipped["event_at"] == datetime.fromisoformat("2026-05-21T22:00")


def test_a_cancelled_fulfilment_voids_its_shipment(tmp_path: Path) -> None:
    (voided,) = events(parse(tmp_path, order(fulfillments=[fulfilment(status="cancelled")])), "label.voided")
    assert (voided["shipment_id"], voided["order_id"]) == ("700", "100123")


def test_a_snapshot_that_only_moved_its_update_stamp_brings_no_new_event(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    full = order(fulfillments=[fulfilment()], refunds=[REFUND])
    reports = []
    for week, updated_at in enumerate(("2026-06-11T00:00:00Z", "2026-06-18T00:00:00Z"), start=1):
        snapshot = full | {"updated_at": updated_at, "fulfillment_status": f"partial {week}"}
        (inbox / f"orders-{week}.json").write_text(json.dumps({"orders": [snapshot]}))
        reports += ingest(Settings(home=tmp_path), [inbox], judge=lambda *_: Verdict())
    assert [(report.events_landed, report.events_duplicate) for report in reports] == [(5, 0), (0, 5)]


def test_a_record_that_cannot_be_read_is_rejected_and_the_others_land(tmp_path: Path) -> None:
    faulty = [
        order(name=None),
        order(processed_at="yesterday"),
        order(line_items=[{"id": 1, "quantity": "many"}]),
        "text",
    ]
    batch = parse(tmp_path, {"orders": [*faulty, order()]})
    assert len(events(batch, "order.captured")) == 2
    assert dict(batch.rejects.select("source_ref", "reason").rows()) == {
        "orders.json#/orders/0": "name is missing: the order has no number",
        "orders.json#/orders/1": "processed_at: 'yesterday' is not an ISO time such as 2026-11-16T08:30:00-05:00",
        "orders.json#/orders/2": "quantity: 'many' is not a number",
        "orders.json#/orders/3": "expected a JSON object, found str",
    }
    assert batch.rows_in == {"orders.json": 5}


def test_a_truncated_file_is_rejected_whole_and_a_truncated_line_alone(tmp_path: Path) -> None:
    whole = parse(tmp_path, json.dumps({"orders": [order()]})[:-40])
    assert whole.events == {}
    assert whole.rejects["reason"].item().startswith("not valid JSON")
    lines = parse(tmp_path, json.dumps(order()) + "\n" + json.dumps(order())[:-5], "orders.jsonl")
    assert len(events(lines, "order.captured")) == 2
    assert lines.rejects["source_ref"].to_list() == ["orders.jsonl#2"]


@pytest.mark.parametrize(
    "content",
    [
        {"draft_order": {"name": "#D1", "status": "open", "line_items": [], "order_id": None}},
        {"data": {"draftOrders": {"edges": [{"node": {"id": "gid://shopify/DraftOrder/1", "name": "#D1"}}]}}},
        {"data": {"products": {"nodes": [{"id": "gid://shopify/Product/1", "title": "Mug"}]}}},
        {"id": 1, "number": "7", "order_key": "wc_order_1", "created_via": "rest-api", "line_items": []},
        [],
    ],
)
def test_what_is_no_order_is_not_recognised(tmp_path: Path, content: object) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    assert not shopify.recognises(SourceFile(path, "x.json"))


def test_real_payloads_are_read_and_their_neighbours_left_alone(shared_data: Path) -> None:
    root = shared_data / "json_payloads"
    files = [SourceFile(p, p.relative_to(root).as_posix()) for p in sorted(root.rglob("*.json"))]
    own = {file.name for file in files if shopify.recognises(file)}
    ruby = ("assigned_fulfillment_orders", "fulfillment", "fulfillment_event", "fulfillment_order",
            "fulfillment_orders", "fulfillments", "order", "order_with_properties", "orders", "refund")  # fmt: skip
    python = ("fulfillment", "fulfillment_event", "order", "orders", "refund")
    assert own == {
        *(f"Shopify+shopify_api/{name}.json" for name in ruby),
        *(f"Shopify+shopify_python_api/{name}.json" for name in python),
    }
    (fixture,) = (file for file in files if file.name == "Shopify+shopify_python_api/order.json")
    batch = apply_row_contracts(shopify.parse([fixture], AdapterContext()), source="shopify")
    captured = events(batch, "order.captured")
    assert [row["sku"] for row in captured] == ["IPOD2008GREEN", "IPOD2008RED", "IPOD2008BLACK"]
    assert {row["event_at"] for row in captured} == {datetime.fromisoformat("2008-01-10T16:00")}
    assert events(batch, "ship.confirmed") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(sorted(ORDER)), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=80, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(sorted(ORDER)), JSON, max_size=3))
def test_any_json_in_any_field_lands_or_is_rejected(
    changes: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    batch = parse(tmp_path_factory.mktemp("any"), {"orders": [order(**changes)]})
    assert batch.rows_in == {"orders.json": 1}
    assert events(batch, "order.captured") or batch.rejects.height


def test_a_period_without_orders_is_an_empty_document_not_an_unknown_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    path.write_text('{"orders":[]}')
    assert recognise(SourceFile(path, path.name)) == "shopify"
    assert shopify.parse([SourceFile(path, path.name)], AdapterContext()).rows_in == {"orders.json": 0}
