"""ShipStation v1, v2 and the desk's exports → orders, labels and shipments."""

from __future__ import annotations

import copy
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines.sources import shipstation
from pipelines.sources.base import AdapterContext
from pipelines.sources.registry import recognise

ORDER: dict[str, Any] = {
    "orderId": 94113592,
    "orderNumber": "#100123",
    "orderKey": "0f6bec18-9-4771",
    "orderDate": "2026-06-29T08:46:27.0000000",
    "createDate": "2026-06-29T09:00:00.0000000",
    "modifyDate": "2026-06-30T10:00:00.0000000",
    "paymentDate": "2026-06-29T08:50:00.0000000",
    "shipByDate": "2026-07-05T00:00:00.0000000",
    "orderStatus": "awaiting_shipment",
    "customerId": 37701499,
    "customerEmail": "someone@example.com",
    "shipTo": {"name": "Someone", "state": "TX", "postalCode": "78756", "country": "US"},
    "items": [
        {"orderItemId": 1, "lineItemKey": "11", "sku": "MUG", "quantity": 3, "unitPrice": 9.99, "adjustment": False},
        {"orderItemId": 2, "lineItemKey": "discount", "sku": "", "quantity": 1, "unitPrice": -5, "adjustment": True},
    ],
    "shippingAmount": 5.95,
    "holdUntilDate": None,
    "requestedShippingService": "Standard",
    "advancedOptions": {"warehouseId": 24079, "storeId": 26815, "source": "shopify", "parentId": None},
}
SHIPMENT: dict[str, Any] = {
    "shipmentId": 33974374,
    "orderId": 94113592,
    "orderKey": "0f6bec18-9-4771",
    "orderNumber": "#100123",
    "createDate": "2026-06-30T08:53:24.2100000",
    "shipDate": "2026-06-30",
    "shipmentCost": 7.21,
    "insuranceCost": 0,
    "trackingNumber": "9400111899562764290090",
    "isReturnLabel": False,
    "carrierCode": "stamps_com",
    "serviceCode": "usps_priority",
    "warehouseId": 24079,
    "voided": False,
    "voidDate": None,
    "shipTo": {"state": "TX"},
    "shipmentItems": [
        {"orderItemId": 1, "lineItemKey": "11", "sku": "MUG", "quantity": 2},
        {"orderItemId": 3, "lineItemKey": "12", "sku": "BOWL", "quantity": 1},
    ],
}
FULFILLMENT: dict[str, Any] = {
    "fulfillmentId": 38186502,
    "orderId": 94113592,
    "orderNumber": "100124",
    "trackingNumber": "56556565565",
    "createDate": "2026-06-07T08:50:50.0670000",
    "shipDate": "2026-06-07T00:00:00.0000000",
    "voidDate": None,
    "deliveryDate": None,
    "carrierCode": "USPS",
    "fulfillmentProviderCode": None,
    "voidRequested": False,
    "voided": False,
    "shipTo": {"state": "TX"},
}


def order(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(ORDER) | changes


def shipment(**changes: Any) -> dict[str, Any]:
    return {"shipments": [copy.deepcopy(SHIPMENT) | changes], "total": 1, "page": 1, "pages": 1}


def test_stamps_without_offset_are_pacific_in_summer_and_winter(read, seen):
    batch = read("shipstation", {"orders": [order()], "total": 1, "page": 1, "pages": 1})
    assert seen(batch, "order", "event_type", "event_at")[0] == (
        "order.captured", datetime.fromisoformat("2026-06-29T15:46:27"),
    )  # fmt: skip
    winter = read("shipstation", order(orderDate="2026-01-05T08:00:00.0000000"), "winter.json")
    assert seen(winter, "order", "event_at")[0] == (datetime.fromisoformat("2026-01-05T16:00:00"),)


def test_discount_lines_are_no_goods_and_names_are_not_kept(read, seen):
    batch = read("shipstation", order())
    captured = batch.events["order"].row(0, named=True)
    assert seen(batch, "order", "event_type").count(("order.captured",)) == 1
    assert (captured["order_id"], captured["line_id"], captured["quantity"]) == ("100123", "11", Decimal(3))
    assert (captured["unit_price"], captured["freight_amount"]) == (Decimal("9.99"), Decimal("5.95"))
    assert (captured["clock_zone"], captured["channel"]) == ("America/Chicago", "dtc")
    assert "example.com" not in str(batch.events["order"].rows())


def test_a_ship_by_date_is_the_whole_day_of_the_warehouse(read, seen):
    batch = read("shipstation", order(), zone=ZoneInfo("America/New_York"))
    limits = [limit for (limit,) in seen(batch, "order", "ship_by_at") if limit is not None]
    assert limits == [datetime.fromisoformat("2026-07-06T04:00")]


def test_an_unpaid_order_is_held_until_its_payment(read, seen):
    unpaid = read("shipstation", order(orderStatus="awaiting_payment", paymentDate=None), "unpaid.json")
    assert [row for row in seen(unpaid, "order", "event_type", "hold_type") if row[1]] == [("hold.placed", "payment")]
    paid = read("shipstation", order(), "paid.json")
    holds = [row for row in seen(paid, "order", "event_type", "event_at", "hold_type") if row[2]]
    assert holds == [
        ("hold.placed", datetime.fromisoformat("2026-06-29T15:46:27"), "payment"),
        ("hold.released", datetime.fromisoformat("2026-06-29T15:50"), "payment"),
    ]
    at_once = read("shipstation", order(paymentDate=ORDER["orderDate"]), "at_once.json")
    assert not [row for row in seen(at_once, "order", "hold_type") if row[0]]


def test_an_order_on_hold_is_free_at_its_hold_until_date(read, seen):
    batch = read("shipstation", order(orderStatus="on_hold", holdUntilDate="2026-07-10"))
    holds = [
        row for row in seen(batch, "order", "event_type", "event_at", "time_quality", "hold_type") if row[3] == "other"
    ]
    assert holds == [
        ("hold.placed", datetime.fromisoformat("2026-06-30T17:00"), "estimated", "other"),
        ("hold.released", datetime.fromisoformat("2026-07-10T07:00"), "estimated", "other"),
    ]


def test_lines_of_a_split_off_order_do_not_hide_those_of_its_parent(read, seen):
    child = order(orderId=94113593, orderKey="child", items=[ORDER["items"][0] | {"orderItemId": 9, "quantity": 1}])
    child["advancedOptions"] = ORDER["advancedOptions"] | {"parentId": 94113592, "mergedOrSplit": True}
    batch = read("shipstation", {"orders": [order(), child]})
    captured = [row for row in seen(batch, "order", "event_type", "order_id", "line_id") if row[0] == "order.captured"]
    assert captured == [("order.captured", "100123", "11"), ("order.captured", "100123", "9")]


def test_a_cancelled_order_has_an_estimated_time_and_no_known_actor(read, seen):
    batch = read("shipstation", order(orderStatus="cancelled"))
    assert seen(batch, "order", "event_type", "time_quality", "actor")[-1] == (
        "order.cancelled",
        "estimated",
        "unknown",
    )


def test_a_label_is_no_shipment_until_a_future_ship_date(read, seen):
    batch = read("shipstation", shipment(shipDate="2026-07-03"))
    assert seen(batch, "shipment", "event_type", "event_at", "time_quality", "quantity", "cost_amount") == [
        ("label.created", datetime.fromisoformat("2026-06-30T15:53:24.210"), "instant", Decimal(2), Decimal("7.21")),
        ("ship.confirmed", datetime.fromisoformat("2026-07-03T07:00"), "date", Decimal(2), None),
        ("label.created", datetime.fromisoformat("2026-06-30T15:53:24.210"), "instant", Decimal(1), None),
        ("ship.confirmed", datetime.fromisoformat("2026-07-03T07:00"), "date", Decimal(1), None),
    ]


@pytest.mark.parametrize("day", ["2026-06-30", "2026-06-30T00:00:00.0000000", "2026-06-29"])
def test_nothing_ships_before_its_label(read, seen, day):
    batch = read("shipstation", shipment(shipDate=day))
    assert seen(batch, "shipment", "event_at")[1] == (datetime.fromisoformat("2026-06-30T15:53:24.210"),)


def test_a_voided_shipment_is_a_label_made_and_voided(read, seen):
    batch = read("shipstation", shipment(voided=True, voidDate="2026-06-30T12:00:00.0000000", shipmentItems=None))
    assert seen(batch, "shipment", "event_type", "event_at", "quantity") == [
        ("label.created", datetime.fromisoformat("2026-06-30T15:53:24.210"), None),
        ("label.voided", datetime.fromisoformat("2026-06-30T19:00"), None),
    ]


def test_a_return_label_is_not_outbound(read):
    batch = read("shipstation", shipment(isReturnLabel=True))
    assert (batch.events, batch.rejects.height) == ({}, 0)


def test_a_fulfillment_is_a_mark_without_label(read, seen):
    batch = read("shipstation", {"fulfillments": [FULFILLMENT]})
    assert seen(batch, "shipment", "event_type", "order_id", "quantity", "time_quality") == [
        ("ship.confirmed", "100124", None, "date"),
    ]


def test_a_notification_without_data_says_what_to_fetch(read):
    for number, kind in enumerate(("SHIP_NOTIFY", "FULFILLMENT_SHIPPED_V2")):
        url = "https://ssapi.shipstation.com/shipments?batchId=1"
        batch = read("shipstation", {"resource_url": url, "resource_type": kind}, f"{number}.json")
        assert batch.rejects["reason"][0].startswith(f"resource_type {kind}: ")
        assert url in batch.rejects["reason"][0]


def test_an_unknown_status_is_refused_and_the_rest_lands(read, seen):
    batch = read("shipstation", {"orders": [order(orderStatus="teleported"), order()]})
    assert batch.rejects["source_ref"].to_list() == ["file.json#/orders/0"]
    assert "teleported" in batch.rejects["reason"][0]
    assert ("order.captured",) in seen(batch, "order", "event_type")


V2_SHIPMENT: dict[str, Any] = {
    "shipment_id": "se-28529731",
    "shipment_number": "100125",
    "external_shipment_id": "key-1",
    "shipment_status": "pending",
    "service_code": "usps_ground",
    "created_at": "2026-06-29T15:46:27.000Z",
    "modified_at": "2026-06-29T16:00:00.000Z",
    "ship_to": {"state_province": "TX", "postal_code": "78756", "country_code": "US"},
    "items": [{"sku": "MUG", "quantity": 2, "external_order_item_id": "11"}],
    "hold_until_date": None,
    "is_return": False,
}


def test_v2_shipments_are_orders_and_their_stamps_carry_an_offset(read, seen):
    batch = read("shipstation", {"shipments": [V2_SHIPMENT], "total": 1, "links": {}})
    assert seen(batch, "order", "event_type", "event_at", "time_quality", "order_id", "line_id", "quantity") == [
        ("order.captured", datetime.fromisoformat("2026-06-29T15:46:27"), "estimated", "100125", "11", Decimal(2)),
    ]


def test_v2_tracking_events_are_read_through_the_carrier_statuses(read, seen):
    message = {
        "resource_url": "https://api.shipstation.com/v2/labels/se-1/track",
        "resource_type": "TRACK_EVENT_V2",
        "data": {
            "tracking_number": "1Z0",
            "carrier_code": "ups",
            "status_code": "IT",
            "carrier_status_code": "I",
            "estimated_delivery_date": "2026-04-30T00:00:00",
            "actual_delivery_date": None,
            "events": [
                {
                    "occurred_at": "2026-04-28T12:00:00Z",
                    "status_code": "IT",
                    "city_locality": "AUSTIN",
                    "state_province": "TX",
                },
                {"occurred_at": "2026-04-27T12:00:00Z", "status_code": "NY"},
            ],
        },
    }
    batch = read("shipstation", message, zone=ZoneInfo("America/Chicago"))
    assert seen(batch, "shipment", "event_type", "event_at", "estimated_delivery_at") == [
        ("carrier.accepted", datetime.fromisoformat("2026-04-28T12:00"), None),
        ("in_transit", datetime.fromisoformat("2026-04-28T12:00"), datetime.fromisoformat("2026-05-01T05:00")),
    ]


EXPORT = (
    '"Order - Number","Order - Status","Date - Order Date","Date - Paid Date","Date - Shipped Date",'
    '"Item - SKU","Item - Qty","Item - Price","Shipment - Tracking Number","Carrier - Name",'
    '"Ship To - State","Custom - Field 1"\n'
    "100126,Shipped,6/29/2026 8:46:27 AM,6/29/2026 8:50:00 AM,6/30/2026,MUG,2,9.99,SP1,USPS,TX,gift\n"
    "100127,Awaiting Shipment,6/29/2026 9:00:00 PM,,,BOWL,1,4.50,,,CA,\n"
)


def test_an_export_is_read_whatever_columns_the_user_chose(read, seen):
    batch = read("shipstation", EXPORT, "export.csv")
    assert seen(batch, "order", "event_type", "event_at", "order_id", "line_id", "unit_price") == [
        ("order.captured", datetime.fromisoformat("2026-06-29T15:46:27"), "100126", "MUG", Decimal("9.99")),
        ("order.captured", datetime.fromisoformat("2026-06-30T04:00:00"), "100127", "BOWL", Decimal("4.50")),
        ("order.approved", datetime.fromisoformat("2026-06-29T15:50"), "100126", None, None),
    ]
    assert seen(batch, "shipment", "event_type", "event_at", "time_quality", "carrier", "attributes") == [
        (
            "ship.confirmed", datetime.fromisoformat("2026-06-30T07:00"), "date", "usps",
            '{"Custom - Field 1": "gift", "Order - Status": "Shipped"}',
        ),
    ]  # fmt: skip
    assert batch.rejects.is_empty()


@pytest.mark.parametrize("content", ['{"orders": []}', '{"orderNumber": "1"}', "[]", "{", "Order - Number\n1\n"])
def test_what_does_not_show_that_it_is_shipstations_is_left_to_others(write, content):
    for name in ("a.json", "a.csv"):
        assert recognise(write(name, content)) != "shipstation"


def test_every_day_of_a_week_read_twice_is_the_same(write):
    file = write("a.json", {"orders": [order()]})
    first, second = (shipstation.parse([file], AdapterContext()) for _ in range(2))
    assert first.events["order"].equals(second.events["order"])
