"""BigCommerce orders, products, shipments, refunds and webhooks → events."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources import bigcommerce
from pipelines.sources.base import AdapterContext

PRODUCTS: list[dict[str, Any]] = [
    {
        "id": 21,
        "order_id": 100,
        "product_id": 7,
        "sku": "MUG",
        "type": "physical",
        "quantity": 3,
        "quantity_shipped": 2,
        "price_ex_tax": "10.0000",
        "total_ex_tax": "30.0000",
        "applied_discounts": [{"id": "coupon", "amount": "1.5000"}],
    },
    {
        "id": 22,
        "order_id": 100,
        "product_id": 8,
        "sku": "CARD",
        "type": "giftcertificate",
        "quantity": 1,
        "quantity_shipped": 0,
        "price_ex_tax": "25.0000",
        "total_ex_tax": "25.0000",
        "applied_discounts": [],
    },
]
ORDER: dict[str, Any] = {
    "id": 100,
    "customer_id": 12,
    "date_created": "Tue, 10 Mar 2026 14:00:00 +0000",
    "date_modified": "Wed, 11 Mar 2026 09:30:00 +0000",
    "date_shipped": "",
    "status_id": 11,
    "status": "Awaiting Fulfillment",
    "items_total": 4,
    "order_source": "www",
    "currency_code": "USD",
    "shipping_cost_ex_tax": "5.9500",
    "external_id": None,
    "shipping_addresses": [{"state": "California", "country_iso2": "US", "zip": "01234", "shipping_method": "Ground"}],
    "products": PRODUCTS,
}
LINKED = ORDER | {"products": {"url": "https://api.bigcommerce.com/stores/x/v2/orders/100/products"}}
SHIPMENT: dict[str, Any] = {
    "id": 500,
    "order_id": 100,
    "date_created": "Thu, 12 Mar 2026 20:00:00 +0000",
    "tracking_number": "1Z1",
    "shipping_provider": "ups",
    "tracking_carrier": "ups",
    "order_address_id": 1,
    "items": [{"order_product_id": 21, "product_id": 7, "quantity": 2}],
}


def at(text: str) -> datetime:
    """Return a naive UTC instant."""
    return datetime.fromisoformat(text)


CAPTURED = ("event_at", "order_id", "line_id", "sku", "quantity", "unit_price", "freight_amount", "order_type")
LINES = [
    (at("2026-03-10T14:00"), "100", "21", "MUG", Decimal(3), Decimal("9.5"), Decimal("5.95"), "standard"),
    (at("2026-03-10T14:00"), "100", "22", "CARD", Decimal(1), Decimal(25), None, "no_ship"),
]


def captured(batch, seen):
    """Return the captured lines of a batch."""
    return [row[1:] for row in seen(batch, "order", "event_type", *CAPTURED) if row[0] == "order.captured"]


@pytest.mark.parametrize(
    "content",
    [
        [ORDER],
        {"data": [ORDER | {"date_created": "2026-03-10T14:00:00+00:00"}], "meta": {"pagination": {}}},
        [LINKED, *PRODUCTS],
        [*PRODUCTS, LINKED],
        ORDER
        | {
            "products": {"url": "x"},
            "consignments": [{"shipping": [ORDER["shipping_addresses"][0] | {"line_items": PRODUCTS}]}],
        },
    ],
    ids=["v2 with products", "v3", "products as records", "products first", "consignments"],
)
def test_products_give_the_same_lines_wherever_they_stand(read, seen, content):
    assert captured(read("bigcommerce", content), seen) == LINES


def test_products_without_their_order_are_rejected_because_they_have_no_date(read):
    batch = read("bigcommerce", PRODUCTS)
    assert batch.events == {}
    assert set(batch.rejects["reason"]) == {
        "products of order 100 came without the order, which has their date: deliver both together"
    }


def test_states_written_out_have_their_code_and_their_zone(read, seen):
    rows = seen(read("bigcommerce", ORDER), "order", "ship_to_region", "clock_zone")
    assert rows[0] == ("CA", "America/Los_Angeles")


def test_a_shipment_tells_its_quantities_per_line(read, seen):
    columns = ("event_type", "event_at", "order_id", "line_id", "quantity", "tracking_number", "carrier")
    assert seen(read("bigcommerce", [SHIPMENT]), "shipment", *columns) == [
        ("ship.confirmed", at("2026-03-12T20:00"), "100", "21", Decimal(2), "1Z1", "ups")
    ]


@pytest.mark.parametrize(("status", "actor"), [(5, "unknown"), (6, "payment")])
def test_a_cancelled_order_counts_from_the_first_snapshot(read, seen, status, actor):
    first = ORDER | {"status_id": status}
    later = first | {"date_modified": "Fri, 13 Mar 2026 09:30:00 +0000"}
    rows = seen(read("bigcommerce", [later, first]), "order", "event_type", "event_at", "actor")
    assert [row for row in rows if row[0] == "order.cancelled"] == [("order.cancelled", at("2026-03-11T09:30"), actor)]


def test_a_manual_review_is_a_fraud_hold_until_a_snapshot_has_another_status(read, seen):
    held = ORDER | {"status_id": 12}
    free = ORDER | {"date_modified": "Thu, 12 Mar 2026 08:00:00 +0000"}
    rows = seen(read("bigcommerce", [held, free]), "order", "event_type", "event_at", "hold_type")
    assert [row for row in rows if row[2] == "fraud"] == [
        ("hold.placed", at("2026-03-11T09:30"), "fraud"),
        ("hold.released", at("2026-03-12T08:00"), "fraud"),
    ]


def test_an_unfinished_checkout_is_a_draft(read, seen):
    assert seen(read("bigcommerce", LINKED | {"status_id": 0}), "order", "order_type") == [("draft",)]


def test_a_refund_names_its_products(read, seen):
    refund = {
        "id": 3,
        "order_id": 100,
        "created": "2026-03-20T10:00:00+00:00",
        "reason": "broken",
        "total_amount": 9.5,
        "items": [{"item_type": "PRODUCT", "item_id": 21, "quantity": 1, "requested_amount": 9.5}],
    }
    columns = ("event_type", "rma_id", "line_id", "quantity", "amount", "reason")
    assert seen(read("bigcommerce", {"data": [refund]}), "return", *columns) == [
        ("refund.issued", "bigcommerce-refund-3", "21", Decimal(1), Decimal("9.5"), "broken")
    ]


def test_a_webhook_is_recognised_as_a_reference(read):
    body = {
        "scope": "store/order/statusUpdated",
        "store_id": "1",
        "data": {"type": "order", "id": 100},
        "hash": "x",
        "created_at": 1773900000,
        "producer": "stores/x",
    }
    batch = read("bigcommerce", body)
    assert batch.rejects["reason"].to_list() == [
        "only a reference: store/order/statusUpdated of order 100. Fetch it from the API (otif pull does)"
    ]


def test_a_time_that_is_none_is_rejected(read):
    batch = read("bigcommerce", ORDER | {"date_created": "tomorrow"})
    assert batch.rejects["reason"].to_list() == [
        "date_created: 'tomorrow' is not a time such as Tue, 20 Nov 2026 00:00:00 +0000"
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(sorted(ORDER)), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(sorted(ORDER)), JSON, max_size=3))
def test_any_json_in_any_field_lands_or_is_rejected(changes, write):
    batch = bigcommerce.parse([write("any.json", [ORDER | changes])], AdapterContext())
    assert batch.events or batch.rejects.height
