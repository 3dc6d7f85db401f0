"""Amazon orders: Orders API v0 and 2026-01-01, notifications, the all-orders report → events."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources import amazon, amazon_report
from pipelines.sources.base import AdapterContext

ORDER: dict[str, Any] = {
    "AmazonOrderId": "902-1845936-5435065",
    "SellerOrderId": "M-1",
    "PurchaseDate": "2019-05-14T15:42:57Z",
    "LastUpdateDate": "2019-05-17T08:00:00Z",
    "OrderStatus": "Unshipped",
    "FulfillmentChannel": "MFN",
    "SalesChannel": "Amazon.com",
    "ShipServiceLevel": "Std US D2D Dom",
    "OrderTotal": {"CurrencyCode": "USD", "Amount": "20.99"},
    "OrderType": "StandardOrder",
    "EarliestShipDate": "2019-05-15T07:00:00Z",
    "LatestShipDate": "2019-05-17T06:59:59Z",
    "EarliestDeliveryDate": "2019-05-20T07:00:00Z",
    "LatestDeliveryDate": "2019-05-23T06:59:59Z",
    "ShippingAddress": {"StateOrRegion": "WA", "CountryCode": "US", "PostalCode": "98121"},
}
ITEMS: dict[str, Any] = {
    "AmazonOrderId": "902-1845936-5435065",
    "OrderItems": [
        {
            "ASIN": "B1",
            "OrderItemId": "05015851154158",
            "SellerSKU": "MUG",
            "QuantityOrdered": 2,
            "QuantityShipped": 0,
            "ItemPrice": {"CurrencyCode": "USD", "Amount": "20.00"},
            "PromotionDiscount": {"CurrencyCode": "USD", "Amount": "1.00"},
            "BuyerRequestedCancel": {"IsBuyerRequestedCancel": "true"},
        }
    ],
}
NEW: dict[str, Any] = {
    "orderId": "902-1845936-5435065",
    "createdTime": "2019-05-14T15:42:57Z",
    "lastUpdatedTime": "2019-05-17T08:00:00Z",
    "salesChannel": {"channelName": "AMAZON", "marketplaceName": "Amazon.com"},
    "recipient": {"deliveryAddress": {"stateOrRegion": "WA", "countryCode": "US", "postalCode": "98121"}},
    "fulfillment": {
        "fulfillmentStatus": "SHIPPED",
        "fulfilledBy": "MERCHANT",
        "fulfillmentServiceLevel": "Std US D2D Dom",
        "shipByWindow": {"earliestDateTime": "2019-05-15T07:00:00Z", "latestDateTime": "2019-05-17T06:59:59Z"},
        "deliverByWindow": {"earliestDateTime": "2019-05-20T07:00:00Z", "latestDateTime": "2019-05-23T06:59:59Z"},
    },
    "orderItems": [
        {
            "orderItemId": "05015851154158",
            "quantityOrdered": 2,
            "product": {"sellerSku": "MUG", "price": {"unitPrice": {"amount": "9.50", "currencyCode": "USD"}}},
            "fulfillment": {"quantityFulfilled": 2},
        }
    ],
    "packages": [
        {
            "packageReferenceId": "P1",
            "carrier": "UPS",
            "shipTime": "2019-05-16T23:30:00Z",
            "trackingNumber": "1Z1",
            "packageStatus": {"status": "IN_TRANSIT"},
            "packageItems": [{"orderItemId": "05015851154158", "quantity": 2}],
        }
    ],
}


def at(text: str) -> datetime:
    """Return a naive UTC instant."""
    return datetime.fromisoformat(text)


def of_type(rows, event_type):
    """Return the rows of one event type, the type left out."""
    return [row[1:] for row in rows if row[0] == event_type]


LINE = ("event_type", "event_at", "order_id", "line_id", "sku", "quantity", "unit_price", "channel", "currency")
CAPTURED = (
    at("2019-05-14T15:42:57"),
    "902-1845936-5435065",
    "05015851154158",
    "MUG",
    Decimal(2),
    Decimal("9.5"),
    "amazon",
    "USD",
)


@pytest.mark.parametrize(
    "content",
    [
        [{"payload": {"Orders": [ORDER]}}, {"payload": ITEMS}],
        [{"payload": ITEMS}, {"payload": ORDER}],
        {"payload": {"Orders": [ORDER | {"OrderItems": ITEMS["OrderItems"]}]}},
        {"orders": [NEW], "pagination": {}},
        {"order": NEW},
    ],
    ids=["v0 orders and items", "items first", "items inside", "2026 list", "2026 order"],
)
def test_each_version_gives_the_same_line_with_the_date_of_its_order(read, seen, content):
    batch = read("amazon", content)
    lines = [row for row in of_type(seen(batch, "order", *LINE), "order.captured") if row[2] is not None]
    assert lines == [CAPTURED]
    assert batch.rejects.is_empty()


def test_the_last_second_of_a_pacific_day_is_an_instant_not_the_next_utc_date(read, seen):
    columns = ("event_type", "ship_window_start_at", "ship_by_at", "promise_at", "window_start_at", "window_end_at")
    for content in ({"payload": {"Orders": [ORDER]}}, {"orders": [NEW]}):
        assert of_type(seen(read("amazon", content), "order", *columns), "order.promised") == [
            (
                at("2019-05-15T07:00"),
                at("2019-05-17T07:00"),
                at("2019-05-23T07:00"),
                at("2019-05-20T07:00"),
                at("2019-05-23T07:00"),
            )
        ]


def test_what_amazon_ships_itself_is_another_channel_without_a_ship_by(read, seen):
    rows = seen(read("amazon", {"payload": ORDER | {"FulfillmentChannel": "AFN"}}), "order", "event_type", "channel")
    assert rows == [("order.captured", "amazon_fba")]


def test_nobody_ships_is_rejected(read):
    batch = read("amazon", {"payload": ORDER | {"FulfillmentChannel": "DRONE"}})
    assert batch.rejects["reason"].to_list() == [
        "'DRONE' is neither MFN (MERCHANT) nor AFN (AMAZON): who ships this order?"
    ]


def test_a_request_to_cancel_is_not_a_cancellation(read, seen):
    rows = seen(read("amazon", [{"payload": ORDER}, {"payload": ITEMS}]), "order", "event_type", "attributes")
    assert of_type(rows, "order.cancelled") == []
    assert '"cancel_requested": true' in of_type(rows, "order.captured")[0][0]


def test_a_cancelled_order_counts_from_the_first_snapshot(read, seen):
    first = ORDER | {"OrderStatus": "Canceled"}
    later = first | {"LastUpdateDate": "2019-06-01T00:00:00Z"}
    rows = seen(
        read("amazon", [{"payload": later}, {"payload": first}]),
        "order",
        "event_type",
        "event_at",
        "time_quality",
        "actor",
    )
    assert of_type(rows, "order.cancelled") == [(at("2019-05-17T08:00"), "estimated", "unknown")]


@pytest.mark.parametrize(
    ("cancellation", "actor"),
    [
        ({"cancellationExecution": {"cancelledBy": "MERCHANT", "cancelReason": "no stock"}}, "seller_other"),
        ({"cancellationExecution": {"cancelledBy": "BUYER"}}, "customer"),
        (
            {
                "cancellationRequest": {"requester": "BUYER"},
                "cancellationExecution": {"cancelledBy": "MERCHANT"},
            },
            "customer",
        ),
        ({"cancellationRequest": {"requester": "BUYER"}}, None),
    ],
)
def test_2026_says_who_cancelled_what_was_not_yet_fulfilled(read, seen, cancellation, actor):
    item = NEW["orderItems"][0] | {"cancellation": cancellation, "fulfillment": {"quantityFulfilled": 1}}
    rows = seen(
        read("amazon", {"order": NEW | {"orderItems": [item]}}), "order", "event_type", "line_id", "quantity", "actor"
    )
    wanted = [("05015851154158", Decimal(1), actor)] if actor else []
    assert of_type(rows, "order.cancelled") == wanted


def test_2026_without_items_is_an_order_whose_lines_are_unknown(read, seen):
    bare = NEW | {"orderItems": [], "fulfillment": NEW["fulfillment"] | {"fulfillmentStatus": "CANCELLED"}}
    rows = seen(read("amazon", {"order": bare}), "order", "event_type", "order_id", "line_id", "actor")
    assert ("order.captured", "902-1845936-5435065", None, None) in rows
    assert of_type(rows, "order.cancelled") == [("902-1845936-5435065", None, "unknown")]


def test_only_2026_knows_when_a_package_left(read, seen):
    columns = ("event_type", "event_at", "shipment_id", "line_id", "sku", "quantity", "tracking_number")
    assert seen(read("amazon", {"order": NEW}), "shipment", *columns) == [
        ("ship.confirmed", at("2019-05-16T23:30"), "P1", "05015851154158", "MUG", Decimal(2), "1Z1")
    ]
    shipped = ORDER | {"OrderStatus": "Shipped", "NumberOfItemsShipped": 2}
    assert seen(read("amazon", {"payload": shipped}), "shipment", "event_type") == []


def test_an_order_of_no_known_version_is_a_clear_error(write):
    odd = {"order": {"orderId": "1", "created": "2027-01-01T00:00:00Z"}}
    batch = amazon.parse([write("odd.json", odd)], AdapterContext())
    assert batch.rejects["reason"].item().startswith("not an order of the Orders API v0 or 2026-01-01")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(sorted(NEW)), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(sorted({*ORDER, *NEW})), JSON, max_size=3))
def test_any_json_in_any_field_lands_or_is_rejected(changes, write):
    old = {key: value for key, value in changes.items() if key in ORDER}
    new = {key: value for key, value in changes.items() if key in NEW}
    batch = amazon.parse([write("any.json", [ORDER | old, NEW | new])], AdapterContext())
    assert batch.events or batch.rejects.height


HEADER = (
    "amazon-order-id\tmerchant-order-id\tpurchase-date\tlast-updated-date\torder-status\tfulfillment-channel\t"
    "sales-channel\tship-service-level\tproduct-name\tsku\tasin\titem-status\tquantity\tcurrency\titem-price\t"
    "item-promotion-discount\tshipping-price\tship-state\tship-postal-code\tship-country\tis-business-order\n"
)


def report(*rows: str) -> str:
    """Return a report; cells are separated by bars."""
    return HEADER + "".join(row.replace("|", "\t") + "\n" for row in rows)


NEWEST = (
    "111-1|M1|2026-03-01T06:59:59+00:00|2026-03-02T10:00:00+00:00|Shipped|Merchant|Amazon.com|Standard|Mug|MUG|B1|"
    "Shipped|2|USD|20.00|1.00|3.99|California|01234|US|false"
)


def test_of_an_item_that_comes_again_the_newest_row_counts(read, seen):
    older = NEWEST.replace("03-02T10", "03-01T10").replace("Shipped", "Unshipped").replace("|20.00|", "||")
    batch = read("amazon_report", report(NEWEST, older), "report.txt")
    assert seen(batch, "order", "line_id", "quantity", "unit_price", "freight_amount", "ship_to_region") == [
        ("MUG", Decimal(2), Decimal("9.5"), Decimal("3.99"), "CA")
    ]
    assert seen(batch, "order", "event_at") == [(at("2026-03-01T06:59:59"),)]


def test_a_cancelled_row_shows_0_and_no_longer_says_what_was_ordered(read, seen):
    row = NEWEST.replace("Shipped", "Cancelled").replace("|2|USD|20.00", "|0|USD|")
    rows = seen(
        read("amazon_report", report(row), "report.txt"), "order", "event_type", "quantity", "actor", "event_at"
    )
    assert rows == [
        ("order.captured", None, None, at("2026-03-01T06:59:59")),
        ("order.cancelled", None, "unknown", at("2026-03-02T10:00")),
    ]


def test_two_rows_of_a_sku_are_two_lines_and_the_same_row_twice_is_one(read, seen):
    other = NEWEST.replace("|B1|", "|B2|")
    rows = seen(read("amazon_report", report(NEWEST, NEWEST, other), "report.tsv"), "order", "line_id", "sku")
    assert rows == [("MUG", "MUG"), ("MUG#2", "MUG")]


def test_the_report_is_read_in_the_encoding_it_has(write):
    path = write("report.txt", report(NEWEST)).path
    path.write_bytes(report(NEWEST.replace("Mug|MUG", "Mug|TASSE-GRÜN")).encode("windows-1252"))
    from pipelines.sources.base import SourceFile

    batch = amazon_report.parse([SourceFile(path, "report.txt")], AdapterContext())
    assert batch.events["order"]["sku"].to_list() == ["TASSE-GRÜN"]


def test_bad_rows_are_rejected_with_their_place_and_text_and_the_others_land(read, seen):
    rows = (NEWEST, NEWEST.replace("Merchant", "Martian"), NEWEST.replace("|2|USD", "|two|USD"), "111-9|x")
    batch = read("amazon_report", report(*rows), "report.txt")
    assert len(seen(batch, "order", "line_id")) == 1
    assert {ref: reason for ref, reason, _ in batch.rejects.rows()} == {
        "report.txt#3": "fulfillment-channel: 'Martian' is neither Merchant (MFN) nor Amazon (AFN)",
        "report.txt#4": "column quantity: 'two' is not a number written like 1234.5",
        "report.txt#5": "expected 21 cells, found 2",
    }
    assert all(raw for raw in batch.rejects["raw"])
    assert batch.rows_in == {"report.txt": 4}


def test_without_the_date_of_the_last_update_the_purchase_stands_in(read, seen):
    lines = [line.split("\t") for line in report(NEWEST).splitlines()]
    text = "".join("\t".join([*cells[:3], *cells[4:]]) + "\n" for cells in lines)
    rows = seen(read("amazon_report", text, "report.tsv"), "order", "event_type", "observed_at")
    assert rows == [("order.captured", at("2026-03-01T06:59:59"))]


def test_the_report_gives_neither_ship_by_nor_shipments(read, seen):
    batch = read("amazon_report", report(NEWEST), "report.txt")
    assert set(batch.events) == {"order"}
    assert "ship_by_at" not in batch.events["order"].drop_nulls().columns or seen(batch, "order", "ship_by_at") == [
        (None,)
    ]
