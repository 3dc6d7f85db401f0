"""The same Shopify order told by REST, GraphQL, a bulk operation and webhooks is the same events."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources import shopify
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from storage.contracts import EVENT_TABLES

REST: dict[str, Any] = {
    "id": 450789469,
    "name": "#1001",
    "created_at": "2026-05-20T09:59:00-04:00",
    "processed_at": "2026-05-20T10:00:00-04:00",
    "updated_at": "2026-05-24T08:00:00-04:00",
    "cancelled_at": None,
    "cancel_reason": None,
    "test": False,
    "source_name": "web",
    "financial_status": "partially_refunded",
    "fulfillment_status": "partial",
    "currency": "USD",
    "presentment_currency": "CAD",
    "customer": {"id": 77},
    "shipping_address": {"province_code": "CA", "country_code": "US", "zip": "01234"},
    "shipping_lines": [{"title": "Ground", "code": "GROUND", "price": "5.95"}],
    "note_attributes": [{"name": "promised_delivery_date", "value": "2026-05-25"}],
    "line_items": [
        {
            "id": 11,
            "sku": "MUG",
            "quantity": 3,
            "current_quantity": 2,
            "price": "10.00",
            "total_discount": "0.00",
            "discount_allocations": [{"amount": "1.50"}],
        },
        {"id": 12, "sku": "CARD", "quantity": 1, "current_quantity": 1, "price": "25.00", "gift_card": True},
    ],
    "fulfillments": [
        {
            "id": 700,
            "order_id": 450789469,
            "name": "#1001.1",
            "status": "success",
            "created_at": "2026-05-21T15:00:00-07:00",
            "updated_at": "2026-05-21T15:00:00-07:00",
            "tracking_company": "UPS",
            "tracking_number": "1Z1",
            "tracking_numbers": ["1Z1"],
            "line_items": [{"id": 11, "sku": "MUG", "quantity": 2}],
        }
    ],
    "refunds": [
        {
            "id": 900,
            "order_id": 450789469,
            "created_at": "2026-05-23T10:00:00Z",
            "note": "broken",
            "refund_line_items": [
                {
                    "line_item_id": 11,
                    "quantity": 1,
                    "restock_type": "return",
                    "subtotal": 13.0,
                    "subtotal_set": {
                        "shop_money": {"amount": "9.50", "currency_code": "USD"},
                        "presentment_money": {"amount": "13.00", "currency_code": "CAD"},
                    },
                    "line_item": {"id": 11, "sku": "MUG"},
                }
            ],
        }
    ],
}


def shop_money(amount: str) -> dict[str, Any]:
    """Return a money bag in which the buyer's currency differs from the shop's."""
    return {
        "shopMoney": {"amount": amount, "currencyCode": "USD"},
        "presentmentMoney": {"amount": "999.99", "currencyCode": "CAD"},
    }


LINES: list[dict[str, Any]] = [
    {
        "id": "gid://shopify/LineItem/11",
        "sku": "MUG",
        "quantity": 3,
        "currentQuantity": 2,
        "originalUnitPriceSet": shop_money("10.00"),
        "totalDiscountSet": shop_money("0.00"),
        "discountAllocations": [{"allocatedAmountSet": shop_money("1.50")}],
        "requiresShipping": True,
        "isGiftCard": False,
    },
    {
        "id": "gid://shopify/LineItem/12",
        "sku": "CARD",
        "quantity": 1,
        "currentQuantity": 1,
        "originalUnitPriceSet": shop_money("25.00"),
        "totalDiscountSet": shop_money("0.00"),
        "discountAllocations": [],
        "isGiftCard": True,
    },
]
FULFILMENT_LINES = [
    {"id": "gid://shopify/FulfillmentLineItem/1", "lineItem": {"id": "gid://shopify/LineItem/11"}, "quantity": 2}
]
REFUND_LINES = [
    {
        "lineItem": {"id": "gid://shopify/LineItem/11", "sku": "MUG"},
        "quantity": 1,
        "restockType": "RETURN",
        "subtotalSet": shop_money("9.50"),
    }
]
GRAPHQL: dict[str, Any] = {
    "id": "gid://shopify/Order/450789469",
    "name": "#1001",
    "createdAt": "2026-05-20T13:59:00Z",
    "processedAt": "2026-05-20T14:00:00Z",
    "updatedAt": "2026-05-24T12:00:00Z",
    "cancelledAt": None,
    "cancelReason": None,
    "test": False,
    "sourceName": "web",
    "displayFinancialStatus": "PARTIALLY_REFUNDED",
    "currencyCode": "USD",
    "presentmentCurrencyCode": "CAD",
    "customer": {"id": "gid://shopify/Customer/77"},
    "shippingAddress": {"provinceCode": "CA", "countryCodeV2": "US", "zip": "01234"},
    "shippingLine": {"title": "Ground", "code": "GROUND", "originalPriceSet": shop_money("5.95")},
    "customAttributes": [{"key": "promised_delivery_date", "value": "2026-05-25"}],
    "lineItems": {"nodes": LINES, "pageInfo": {"hasNextPage": False}},
    "fulfillments": [
        {
            "id": "gid://shopify/Fulfillment/700",
            "status": "SUCCESS",
            "createdAt": "2026-05-21T22:00:00Z",
            "updatedAt": "2026-05-21T22:00:00Z",
            "trackingInfo": [{"company": "UPS", "number": "1Z1"}],
            "fulfillmentLineItems": {"edges": [{"node": line} for line in FULFILMENT_LINES]},
        }
    ],
    "refunds": [
        {
            "id": "gid://shopify/Refund/900",
            "createdAt": "2026-05-23T10:00:00Z",
            "note": "broken",
            "refundLineItems": {"edges": [{"node": line} for line in REFUND_LINES]},
        }
    ],
}


def bulk_rows() -> list[dict[str, Any]]:
    """Return the same order as a bulk operation writes it: children in rows of their own, here far from the parent."""
    order = {key: value for key, value in GRAPHQL.items() if key not in ("lineItems", "fulfillments", "refunds")}
    fulfilment = {k: v for k, v in GRAPHQL["fulfillments"][0].items() if k != "fulfillmentLineItems"}
    refund = {k: v for k, v in GRAPHQL["refunds"][0].items() if k != "refundLineItems"}
    return [
        order | {"fulfillments": [fulfilment], "refunds": [refund]},
        *(line | {"__parentId": order["id"]} for line in LINES),
        *(line | {"__parentId": fulfilment["id"]} for line in FULFILMENT_LINES),
        *(line | {"__parentId": refund["id"]} for line in REFUND_LINES),
    ]


def parse(folder: Path, *contents: object) -> ParsedBatch:
    """Read contents, each as a file of its own; a list of objects with parents as JSON lines."""
    files = []
    for position, content in enumerate(contents):
        lines = isinstance(content, list)
        path = folder / f"{position}.{'jsonl' if lines else 'json'}"
        texts = [json.dumps(row) for row in content] if isinstance(content, list) else [json.dumps(content)]
        path.write_text("\n".join(texts))
        files.append(SourceFile(path, path.name))
        assert shopify.recognises(files[-1]), content
    return apply_row_contracts(shopify.parse(files, AdapterContext()), source="shopify")


def facts(batch: ParsedBatch) -> set[tuple[object, ...]]:
    """Return what identifies the events, as landing hashes it."""
    return {
        (family, *row)
        for family, frame in batch.events.items()
        for row in frame.select(EVENT_TABLES[family].business_names).iter_rows()
    }


def rows(batch: ParsedBatch, event_type: str) -> list[dict[str, Any]]:
    """Return the rows of one event type."""
    return [row for frame in batch.events.values() for row in frame.to_dicts() if row["event_type"] == event_type]


@pytest.mark.parametrize(
    "content",
    [
        {"data": {"order": GRAPHQL}},
        {"data": {"orders": {"edges": [{"node": GRAPHQL, "cursor": "c"}], "pageInfo": {"hasNextPage": True}}}},
        {"data": {"orders": {"nodes": [GRAPHQL]}}, "extensions": {"cost": {}}},
        {"data": {"nodes": [GRAPHQL]}},
        [GRAPHQL],
        bulk_rows(),
    ],
    ids=["order", "edges", "nodes", "by id", "lines", "bulk"],
)
def test_every_way_an_order_is_told_gives_the_same_event_ids(tmp_path: Path, content: object) -> None:
    batch = parse(tmp_path, content)
    assert batch.rejects.is_empty()
    told = parse(tmp_path, REST)
    assert facts(batch) == facts(told)
    assert {kind for _, kind, *_ in facts(told)} == {
        "order.captured",
        "order.promised",
        "ship.confirmed",
        "refund.issued",
    }


def test_money_is_the_shops_not_the_buyers(tmp_path: Path) -> None:
    for content in (REST, {"data": {"order": GRAPHQL}}):
        batch = parse(tmp_path, content)
        assert [(row["unit_price"], row["currency"]) for row in rows(batch, "order.captured")] == [
            (Decimal("9.5"), "USD"),
            (Decimal(25), "USD"),
        ]
        (refund,) = rows(batch, "refund.issued")
        assert (refund["amount"], refund["currency"]) == (Decimal("9.5"), "USD")


def test_webhooks_of_parts_are_the_events_of_the_order_they_belong_to(tmp_path: Path) -> None:
    fulfilment = REST["fulfillments"][0] | {"destination": {"province_code": "CA"}}
    parts = parse(tmp_path, fulfilment, REST["refunds"][0], REST)
    assert facts(parts) == facts(parse(tmp_path, REST))


def test_a_part_that_comes_without_its_order_names_it_by_the_shops_internal_id(tmp_path: Path) -> None:
    nameless = {key: value for key, value in REST["fulfillments"][0].items() if key != "name"}
    batch = parse(tmp_path, REST["refunds"][0], nameless)
    (refund,) = rows(batch, "refund.issued")
    (shipped,) = rows(batch, "ship.confirmed")
    assert refund["order_id"] == shipped["order_id"] == "450789469"
    assert json.loads(shipped["attributes"])["shop_order_id"] == "450789469"


def test_an_order_whose_lines_are_cut_off_by_paging_is_rejected_not_landed_short(tmp_path: Path) -> None:
    cut = GRAPHQL | {"lineItems": {"nodes": LINES[:1], "pageInfo": {"hasNextPage": True}}}
    batch = parse(tmp_path, {"data": {"order": cut}})
    assert batch.events == {}
    assert batch.rejects["reason"].item().startswith("lineItems has further pages")


def test_a_bulk_row_without_its_parent_is_rejected_and_the_rest_lands(tmp_path: Path) -> None:
    stray = LINES[0] | {"__parentId": "gid://shopify/Order/1"}
    batch = parse(tmp_path, [*bulk_rows(), stray])
    assert facts(batch) == facts(parse(tmp_path, REST))
    assert batch.rejects.rows() == [
        (
            "0.jsonl#6",
            "__parentId: 'gid://shopify/Order/1' is not in this file; deliver the whole bulk result",
            json.dumps(stray),
        )
    ]


FULFILMENT_ORDER: dict[str, Any] = {
    "id": 51,
    "order_id": 450789469,
    "status": "on_hold",
    "created_at": "2026-05-20T14:00:00Z",
    "updated_at": "2026-05-20T15:00:00Z",
    "assigned_location_id": 9,
    "fulfill_at": "2026-05-22T00:00:00Z",
    "fulfillment_holds": [{"reason": "high_risk_of_fraud", "reason_notes": "check the card"}],
    "line_items": [{"id": 1, "line_item_id": 11, "quantity": 3}],
}


def test_a_hold_begins_when_a_snapshot_shows_it_and_ends_when_a_later_one_no_longer_does(tmp_path: Path) -> None:
    seen_again = FULFILMENT_ORDER | {"updated_at": "2026-05-20T16:00:00Z"}
    free = FULFILMENT_ORDER | {"status": "open", "updated_at": "2026-05-21T09:00:00Z", "fulfillment_holds": []}
    batch = parse(tmp_path, seen_again, free, {"fulfillment_order": FULFILMENT_ORDER}, REST)
    (placed,) = rows(batch, "hold.placed")
    assert (placed["order_id"], placed["line_id"], placed["hold_type"]) == ("1001", "11", "fraud")
    assert (placed["reason"], placed["event_at"]) == ("check the card", datetime.fromisoformat("2026-05-20T15:00"))
    released = [row for row in rows(batch, "hold.released") if row["hold_type"] == "fraud"]
    assert [row["event_at"] for row in released] == [datetime.fromisoformat("2026-05-21T09:00")]
    window = [row["ship_window_start_at"] for row in rows(batch, "order.promised") if row["ship_window_start_at"]]
    assert set(window) == {datetime.fromisoformat("2026-05-22T00:00")}


def test_a_fulfilment_order_that_was_never_touched_says_nothing_of_holds(tmp_path: Path) -> None:
    fresh = FULFILMENT_ORDER | {"status": "open", "updated_at": FULFILMENT_ORDER["created_at"], "fulfill_at": None}
    assert parse(tmp_path, fresh | {"fulfillment_holds": []}).events == {}


@pytest.mark.parametrize(
    "body",
    [
        {"order_edit": {"id": 1, "order_id": 450789469, "committed_at": "2026-05-20T15:00:00Z"}},
        {
            "fulfillment_order": {"id": "gid://shopify/FulfillmentOrder/1", "status": "on_hold"},
            "created_fulfillment_hold": {"id": "gid://shopify/FulfillmentHold/1"},
        },
    ],
)
def test_a_body_that_names_no_order_is_rejected_as_a_reference(tmp_path: Path, body: dict[str, Any]) -> None:
    batch = parse(tmp_path, body)
    assert batch.rejects["reason"].item().startswith("only a reference")


def test_a_delivery_status_counts_from_the_first_snapshot_that_shows_it(tmp_path: Path) -> None:
    delivered = REST["fulfillments"][0] | {"shipment_status": "delivered", "updated_at": "2026-05-23T18:00:00Z"}
    later = delivered | {"updated_at": "2026-05-25T18:00:00Z"}
    (row,) = rows(parse(tmp_path, later, delivered), "delivered")
    assert (row["event_at"], row["time_quality"], row["quantity"]) == (
        datetime.fromisoformat("2026-05-23T18:00"),
        "estimated",
        Decimal(2),
    )


def test_graphql_states_when_a_parcel_was_delivered(tmp_path: Path) -> None:
    parcel = GRAPHQL["fulfillments"][0] | {"deliveredAt": "2026-05-23T17:00:00Z", "displayStatus": "DELIVERED"}
    (row,) = rows(parse(tmp_path, {"data": {"order": GRAPHQL | {"fulfillments": [parcel]}}}), "delivered")
    assert (row["event_at"], row["time_quality"]) == (datetime.fromisoformat("2026-05-23T17:00"), "instant")


def test_a_tracking_event_gets_its_parcels_number_where_the_batch_knows_it(tmp_path: Path) -> None:
    event = {
        "id": 1,
        "fulfillment_id": 700,
        "order_id": 450789469,
        "status": "delivered",
        "happened_at": "2026-05-23T17:00:00Z",
    }
    (row,) = rows(parse(tmp_path, event, REST["fulfillments"][0], REST), "delivered")
    assert (row["order_id"], row["tracking_number"]) == ("1001", "1Z1")


def test_a_return_is_authorised_when_created_and_its_closing_is_no_receipt(tmp_path: Path) -> None:
    webhook = {
        "id": 33,
        "name": "#1001-R1",
        "status": "closed",
        "created_at": "2026-05-26T10:00:00Z",
        "order": {"id": 450789469},
        "return_line_items": [
            {"id": 1, "quantity": 1, "return_reason": "DEFECTIVE", "fulfillment_line_item": {"line_item": {"id": 11}}}
        ],
    }
    node = {
        "id": "gid://shopify/Return/33",
        "name": "#1001-R1",
        "status": "CLOSED",
        "createdAt": "2026-05-26T10:00:00Z",
        "order": {"id": GRAPHQL["id"]},
        "returnLineItems": {
            "nodes": [
                {
                    "id": "gid://shopify/ReturnLineItem/1",
                    "quantity": 1,
                    "returnReason": "DEFECTIVE",
                    "fulfillmentLineItem": {"lineItem": {"id": "gid://shopify/LineItem/11"}},
                }
            ]
        },
    }
    told, asked = parse(tmp_path, webhook), parse(tmp_path, {"data": {"return": node}})
    assert facts(told) == facts(asked)
    frame = told.events["return"]
    assert frame["event_type"].to_list() == ["rma.created"]
    assert frame.select("rma_id", "order_id", "line_id", "reason").row(0) == (
        "shopify-return-33",
        "1001",
        "11",
        "defective",
    )


def test_no_internal_mark_leaves_the_adapter(tmp_path: Path) -> None:
    batch = parse(tmp_path, REST["refunds"][0], FULFILMENT_ORDER, REST)
    for frame in batch.events.values():
        assert not any("\x00" in value for value in frame.select(pl.col(pl.String)).to_numpy().ravel() if value)
