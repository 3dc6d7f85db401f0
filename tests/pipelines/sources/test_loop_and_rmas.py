"""Loop's own messages and RMA tables → return events."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def item(number: int, **more: Any) -> dict[str, Any]:
    return {
        "line_item_id": str(number), "provider_line_item_id": "5896375795809", "product_id": "1", "variant_id": "2",
        "sku": "AU1022", "title": "Hoop", "price": "120.00", "discount": "0.00", "tax": "0.01", "refund": "60.005",
        "returned_at": "2026-05-01 16:07:31", "return_reason": "Item was too big",
        "parent_return_reason": "Item didn't fit", "outcome": "default",
    } | more  # fmt: skip


def loop(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "topic": "return", "trigger": "return.updated", "shop_id": 1, "id": "6042537", "state": "closed",
        "created_at": "2026-05-01T16:07:31+00:00", "edited_at": "2026-05-04T00:00:00+00:00", "order_id": "26442641",
        "order_name": "#90507", "provider_order_id": "2773679177825", "currency": "USD", "refund": "120.01",
        "refunds": [{"gateway": "manual", "amount": "120.01"}], "gift_card": "0.00", "handling_fee": "0.00",
        "line_items": list(items), "exchanges": [], "carrier": "USPS", "tracking_number": "N/A",
        "label_status": "pre_transit", "label_updated_at": "2026-05-02T16:07:35+00:00",
    } | more  # fmt: skip


def test_items_of_one_unit_add_up_to_the_order_line(read, seen):
    batch = read("returns", loop(item(1), item(2), item(3, provider_line_item_id="7", sku="B")))
    assert seen(batch, "return", "event_type", "order_id", "line_id", "sku", "quantity", "reason") == [
        ("rma.created", "90507", "5896375795809", "AU1022", Decimal(2), "Item was too big"),
        ("rma.created", "90507", "7", "B", Decimal(1), "Item was too big"),
    ]
    assert json.loads(batch.events["return"]["attributes"][0])["shop_order_id"] == "2773679177825"


def test_units_of_one_line_stay_one_line_when_only_some_are_inspected_or_reasons_differ(read, seen):
    """Otherwise two events of one unit each would be alike, and one of them lost as a repetition."""
    inspected = {"outcome": "Resellable", "inspected_at": "2026-05-09T10:00:00Z"}
    batch = read("returns", loop(item(1, disposition=inspected), item(2), item(3, return_reason="Changed my mind")))
    assert seen(batch, "return", "event_type", "quantity", "reason", "disposition") == [
        ("rma.created", Decimal(3), "Item was too big", None),
        ("return.graded", Decimal(1), None, "restock_a"),
    ]
    assert json.loads(batch.events["return"]["attributes"][0])["reasons"] == "2 × Item was too big; 1 × Changed my mind"


def test_closed_and_refunded_is_not_received(read, seen):
    """Loop may close and refund on the carrier's first scan; no stamp, no stage."""
    batch = read("returns", loop(item(1)))
    assert seen(batch, "return", "event_type") == [("rma.created",)]


@pytest.mark.parametrize("state", ["open", "closed", "cancelled", "expired", "needs review"])
def test_every_state_is_kept_as_an_attribute_only(read, seen, state):
    batch = read("returns", loop(item(1), state=state))
    assert seen(batch, "return", "event_type") == [("rma.created",)]
    assert json.loads(batch.events["return"]["attributes"][0])["state"] == state


def test_only_the_first_scan_of_the_label_is_the_return_under_way(read, seen):
    moving = read("returns", loop(item(1), label_status="in_transit", tracking_number="94612"), "a.json")
    assert seen(moving, "return", "event_type", "event_at", "tracking_number")[1:] == [
        ("return.in_transit", at("2026-05-02T16:07:35"), "94612"),
    ]
    many = loop(item(1), labels=[{"status": "in_transit", "updated_at": "2026-05-03T08:00:00Z"}, {"status": "new"}])
    assert seen(read("returns", many, "c.json"), "return", "event_at")[1:] == [(at("2026-05-03T08:00"),)]
    arrived = read("returns", loop(item(1), label_status="delivered"), "b.json")
    assert seen(arrived, "return", "event_type") == [("rma.created",)], "the stamp is no longer the first scan's"


def test_an_inspection_is_a_grade_with_its_disposition(read, seen):
    inspected = {"outcome": "Restock", "inspected_at": "2026-05-06T10:00:00+00:00", "return_processor": "3pl"}
    batch = read("returns", loop(item(1, disposition=inspected)))
    assert seen(batch, "return", "event_type", "event_at", "disposition")[1:] == [
        ("return.graded", at("2026-05-06T10:00"), "restock_a"),
    ]


def test_a_label_message_knows_the_parcel_and_not_the_lines(read, seen):
    told = {
        "topic": "label", "trigger": "label.updated", "shop_id": "9876", "id": "12345", "order_id": "1",
        "provider_order_id": 1029384756, "carrier": "USPS", "tracking_number": "287", "label_status": "in_transit",
        "label_updated_at": "2026-04-01T12:00:00+00:00", "shipment_id": "6789",
    }  # fmt: skip
    batch = read("returns", told)
    assert seen(batch, "return", "event_type", "rma_id", "tracking_number", "sku") == [
        ("return.in_transit", "12345", "287", None),
    ]


def test_other_topics_are_refused_by_name(read):
    batch = read("returns", loop(item(1), topic="giftcard"))
    assert batch.rejects["reason"].to_list() == [
        "topic: 'giftcard' is not one this source reads (expected return, label)"
    ]


RMAS = (
    "RMA Number,Order,SKU,Qty,Return Reason,RMA Date,Received Date,Inspected At,Disposition,Refund Date,Refund,"
    "Warehouse,Agent\n"
    "R1,#100123,MUG,2,damaged,5/1/2026 9:00 AM,5/6/2026,5/7/2026,Return to Vendor,5/8/2026,19.98,dc_columbus,kim\n"
    "R2,100124,BOWL,1,too small,5/2/2026,,,,,,,\n"
    "R3,100125,BOWL,1,,,,,,,,,\n"
    "R4,100126,BOWL,1,,5/2/2026,5/3/2026,5/4/2026,eaten,,,,\n"
)


def test_an_rma_table_gives_each_stage_that_has_a_date(read, seen):
    batch = read("returns", RMAS, "rmas.csv", zone=ZoneInfo("America/New_York"))
    assert seen(batch, "return", "event_type", "event_at", "rma_id", "quantity", "disposition", "amount")[:2] == [
        ("rma.created", at("2026-05-01T13:00"), "R1", Decimal(2), None, None),
        ("rma.created", at("2026-05-02T04:00"), "R2", Decimal(1), None, None),
    ]
    assert [
        row for row in seen(batch, "return", "rma_id", "event_type", "disposition", "amount") if row[0] == "R1"
    ] == [
        ("R1", "rma.created", None, None),
        ("R1", "return.received", None, None),
        ("R1", "return.graded", "rtv", None),
        ("R1", "refund.issued", None, Decimal("19.98")),
    ]
    reasons = dict(batch.rejects.select("source_ref", "reason").rows())
    assert reasons["rmas.csv#4"] == "rma.created needs a time, but column RMA Date is empty"
    assert reasons["rmas.csv#5"].startswith("disposition is not one of restock_a")
    attributes = json.loads(batch.events["return"]["attributes"][0])
    assert (attributes["Agent"], attributes["Disposition"]) == ("kim", "Return to Vendor")


def test_a_column_whose_stage_has_no_date_is_kept_and_a_bare_day_is_no_instant(read, seen):
    batch = read(
        "returns", "RMA;Order;SKU;Qty;RMA Date;Received;Refund\nR1;1;A;1;2026-05-01 09:00;2026-05-03;10,50\n", "r.csv"
    )
    assert seen(batch, "return", "event_type", "time_quality") == [
        ("rma.created", "instant"),
        ("return.received", "date"),
    ]
    assert json.loads(batch.events["return"]["attributes"][0])["Refund"] == "10,50"


def test_decimal_commas_of_an_rma_table_are_read_and_a_doubtful_comma_is_refused(read, seen):
    header = "RMA Number;Order Number;SKU;Quantity;Requested Date;Refund Date;Refund Amount\n"
    batch = read("returns", f"{header}R1;1;A;2,5;15.03.2026;16.03.2026;1.012,50\n", "r.csv")
    assert seen(batch, "return", "event_type", "quantity", "amount") == [
        ("rma.created", Decimal("2.5"), None),
        ("refund.issued", Decimal("2.5"), Decimal("1012.5")),
    ]
    doubtful = read("returns", f"{header}R1;1;A;1,200;15.03.2026;;\n", "r.csv")
    assert doubtful.events == {}
    assert doubtful.rejects["reason"][0].startswith("the comma in 1,200 can part thousands or decimals")
