"""WooCommerce orders and refunds → events."""

from __future__ import annotations

import copy
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ORDER: dict[str, Any] = {
    "id": 727,
    "parent_id": 0,
    "number": "W-1001",
    "order_key": "wc_order_1",
    "created_via": "checkout",
    "status": "processing",
    "currency": "EUR",
    "date_created": "2026-03-22T16:28:02",
    "date_created_gmt": "2026-03-22T15:28:02",
    "date_modified_gmt": "2026-03-22T16:00:00",
    "date_paid_gmt": "2026-03-22T15:28:30",
    "date_completed_gmt": None,
    "shipping_total": "10.00",
    "customer_id": 0,
    "payment_method": "stripe",
    "shipping": {"state": "CA", "country": "US", "postcode": "01234"},
    "shipping_lines": [{"method_id": "flat_rate", "method_title": "Flat"}],
    "meta_data": [{"id": 1, "key": "promised_delivery_date", "value": "2026-03-25"}],
    "line_items": [
        {"id": 11, "sku": "MUG", "quantity": 3, "subtotal": "30.00", "total": "28.50", "price": 9.5},
        {"id": 9, "sku": "", "quantity": 1, "subtotal": "5.00", "total": "5.00", "price": 5},
    ],
    "refunds": [{"id": 1, "total": "-5.00"}],
    "_links": {"self": [{"href": "https://shop.example/wp-json/wc/v3/orders/727"}]},
}
REFUND: dict[str, Any] = {
    "id": 800,
    "date_created_gmt": "2026-03-30T10:00:00",
    "amount": "9.50",
    "reason": "broken",
    "line_items": [
        {
            "id": 50,
            "sku": "MUG",
            "quantity": -1,
            "total": "-9.50",
            "meta_data": [{"key": "_refunded_item_id", "value": "11"}],
        }
    ],
    "_links": {"up": [{"href": "https://shop.example/wp-json/wc/v3/orders/727"}]},
}


def order(**changes: Any) -> dict[str, Any]:
    """Return the example order with some fields changed."""
    return copy.deepcopy(ORDER) | changes


def at(text: str) -> datetime:
    """Return a naive UTC instant."""
    return datetime.fromisoformat(text)


def test_lines_are_captured_in_utc_net_of_discounts_with_the_freight_once(read, seen):
    batch = read("woocommerce", order())
    columns = ("event_at", "order_id", "line_id", "sku", "quantity", "unit_price", "freight_amount", "currency")
    captured = [row for row in seen(batch, "order", "event_type", *columns) if row[0] == "order.captured"]
    moment = at("2026-03-22T15:28:02")
    assert [row[1:] for row in captured] == [
        (moment, "W-1001", "9", None, Decimal(1), Decimal(5), Decimal(10), "EUR"),
        (moment, "W-1001", "11", "MUG", Decimal(3), Decimal("9.5"), None, "EUR"),
    ]


def test_the_promise_ends_with_the_customers_day(read, seen):
    promises = [row for row in seen(read("woocommerce", order()), "order", "event_type", "promise_at") if row[1]]
    assert promises == [("order.promised", at("2026-03-26T07:00"))]


@pytest.mark.parametrize(
    ("version", "content"),
    [
        ("wc/v1", {k: v for k, v in order(date_paid=None).items() if not k.endswith("_gmt")}),
        (
            "legacy",
            {
                "order": {
                    "id": 727,
                    "order_number": "W-1001",
                    "created_at": "2026-03-22T20:28:02Z",
                    "status": "processing",
                    "total_line_items_quantity": 4,
                    "total_shipping": "10.00",
                    "shipping_address": ORDER["shipping"],
                    "line_items": ORDER["line_items"],
                }
            },
        ),
    ],
)
def test_older_versions_are_known_by_their_marks_and_local_stamps_are_in_the_workspaces_zone(
    read, seen, version, content
):
    batch = read("woocommerce", content, zone=ZoneInfo("America/New_York"))
    captured = [row for row in seen(batch, "order", "event_type", "event_at", "line_id") if row[0] == "order.captured"]
    moment = at("2026-03-22T20:28:02")
    assert [row[1:] for row in captured] == [(moment, "9"), (moment, "11")], version


def test_a_version_nobody_knows_is_refused_by_name(read):
    later = order(_links={"self": [{"href": "https://shop.example/wp-json/wc/v9/orders/727"}]})
    batch = read("woocommerce", later)
    assert batch.events == {}
    assert batch.rejects["reason"].to_list() == [
        "_links: API version wc/v9 is not known (expected wc/v1, wc/v2 or wc/v3)"
    ]


def test_a_stage_before_the_order_is_not_believed(read, seen):
    old = {k: v for k, v in order(status="completed").items() if not k.endswith("_gmt")}
    batch = read("woocommerce", old | {"date_completed": "2026-03-22T13:00:00"})
    assert seen(batch, "shipment", "event_type") == []
    assert batch.rejects["reason"].item().startswith("the order landed without its date_completed")


def test_an_unpaid_order_is_a_draft_until_it_is_paid(read, seen):
    for status, kind in (
        ("pending", "draft"),
        ("failed", "draft"),
        ("checkout-draft", "draft"),
        ("on-hold", "standard"),
    ):
        types = seen(read("woocommerce", order(status=status, date_paid_gmt=None)), "order", "order_type")
        assert types[0] == (kind,), status


def test_offline_payment_holds_the_order_from_its_creation_to_the_money(read, seen):
    held = order(status="on-hold", payment_method="bacs", date_paid_gmt=None)
    paid = order(payment_method="bacs", date_paid_gmt="2026-03-24T09:00:00")
    rows = seen(read("woocommerce", [held, paid]), "order", "event_type", "event_at", "hold_type")
    assert sorted(row for row in rows if row[0].startswith("hold")) == [
        ("hold.placed", at("2026-03-22T15:28:02"), "payment"),
        ("hold.released", at("2026-03-24T09:00"), "payment"),
    ]


def test_a_cancellation_counts_from_the_first_snapshot_and_names_nobody(read, seen):
    cancelled = order(status="cancelled")
    later = cancelled | {"date_modified_gmt": "2026-04-01T00:00:00"}
    rows = seen(read("woocommerce", [later, cancelled]), "order", "event_type", "event_at", "time_quality", "actor")
    assert [row for row in rows if row[0] == "order.cancelled"] == [
        ("order.cancelled", at("2026-03-22T16:00"), "estimated", "unknown")
    ]


def test_completed_is_a_mark_for_the_whole_order_without_quantities(read, seen):
    done = order(status="completed", date_completed_gmt="2026-03-24T12:00:00")
    columns = ("event_type", "event_at", "order_id", "line_id", "quantity")
    assert seen(read("woocommerce", done), "shipment", *columns) == [
        ("ship.confirmed", at("2026-03-24T12:00"), "W-1001", None, None)
    ]


def test_a_tracking_plugin_names_the_parcels(read, seen):
    parcel = {
        "tracking_id": "t1",
        "tracking_provider": "UPS",
        "tracking_number": "1Z1",
        "date_shipped": "1774224000",
    }
    done = order(
        status="completed",
        date_completed_gmt="2026-03-24T12:00:00",
        meta_data=[{"key": "_wc_shipment_tracking_items", "value": [parcel]}],
    )
    columns = ("event_type", "event_at", "time_quality", "carrier", "tracking_number")
    assert seen(read("woocommerce", done), "shipment", *columns) == [
        ("ship.confirmed", at("2026-03-23T00:00"), "date", "ups", "1Z1")
    ]


def test_a_refund_is_about_the_order_its_link_names_and_the_line_its_meta_names(read, seen):
    columns = ("event_type", "rma_id", "order_id", "line_id", "quantity", "amount")
    alone = seen(read("woocommerce", REFUND), "return", *columns)
    assert alone == [("refund.issued", "woocommerce-refund-800", "727", "11", Decimal(1), Decimal("9.5"))]
    together = seen(read("woocommerce", [REFUND, order()]), "return", *columns)
    assert together == [("refund.issued", "woocommerce-refund-800", "W-1001", "11", Decimal(1), Decimal("9.5"))]


def test_a_refund_without_lines_is_of_the_order_and_one_without_order_is_rejected(read, seen):
    whole = seen(read("woocommerce", REFUND | {"line_items": []}), "return", "line_id", "amount")
    assert whole == [(None, Decimal("9.5"))]
    batch = read("woocommerce", {"order_refund": {k: v for k, v in REFUND.items() if k != "_links"}})
    assert batch.rejects["reason"].item().startswith("the refund names no order")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(sorted(ORDER)), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(sorted(ORDER)), JSON, max_size=3))
def test_any_json_in_any_field_lands_or_is_rejected(changes, write):
    from pipelines.sources import woocommerce
    from pipelines.sources.base import AdapterContext

    batch = woocommerce.parse([write("any.json", [order(**changes)])], AdapterContext())
    assert batch.events or batch.rejects.height


def test_an_order_asked_for_with_few_fields_is_still_known(read):
    few = {
        key: ORDER[key] for key in ("id", "number", "status", "currency", "date_created_gmt", "line_items", "parent_id")
    }
    assert read("woocommerce", [few]).events["order"]["order_id"].unique().to_list() == ["W-1001"]
