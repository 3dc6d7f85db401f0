# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""846: stock on hand, what of it can be sold, and what is no stock."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

HEAD = "BIA*00*DD*R1*20260302*0600~N1*WH*DC EAST*92*EAST~"


def cells(batch, *columns):
    return batch.events["inventory"].select(*columns).rows()


@pytest.mark.parametrize(
    ("quantities", "expected"),
    [
        ("QTY*17*100*EA~", (100, None, None)),
        ("QTY*33*80*EA~", (80, None, None)),
        ("QTY*17*100*EA~QTY*33*80*EA~", (100, 20, None)),
        ("QTY*17*100*EA~QTY*33*80*EA~QTY*QH*5*EA~", (100, 15, 5)),
        ("QTY*17*100*EA~QTY*27*30*EA~QTY*29*500*EA~", (100, 30, None)),
        ("QTY*33*80*EA~QTY*27*15*EA~QTY*20*5*EA~", (100, 15, 5)),
        ("QTY*17*0~", (0, None, None)),
        ("QTY*17*10~UIT*DZ~", (120, None, None)),
    ],
)
def test_stock_is_what_is_on_hand(read_document, quantities, expected):
    batch = read_document("846", HEAD + "LIN*1*VN*AB~" + quantities + "CTT*1~")
    assert cells(batch, "sku", "node_id", "quantity", "reserved_quantity", "quarantine_quantity") == [
        ("AB", "EAST", *(None if number is None else Decimal(number) for number in expected))
    ]
    assert batch.rejects.is_empty()


def test_a_projection_is_no_stock(read_document):
    batch = read_document("846", HEAD + "LIN*1*VN*AB~QTY*29*500*EA~QTY*63*20*EA~LIN*2*VN*CD~QTY*17*1~")
    assert batch.rejects["reason"].to_list() == [
        "neither stock on hand (17) nor stock available for sale (33) is told, only QTY 29, 63"
    ]
    assert cells(batch, "sku") == [("CD",)]


def test_the_count_has_its_own_moment_and_zone(read_document):
    body = "LIN*1*VN*AB~QTY*17*1~"
    assert cells(read_document("846", HEAD + body), "event_at", "time_quality") == [
        (datetime(2026, 3, 2, 12), "instant")
    ]
    dated = HEAD + "DTM*007*20260301*2300*GM~" + body
    assert cells(read_document("846", dated), "event_at", "time_quality") == [(datetime(2026, 3, 1, 23), "instant")]
    undated = "BIA*00*DD*R1*20260302*00999999~" + body
    assert cells(read_document("846", undated), "event_at", "time_quality") == [(datetime(2026, 3, 2, 6), "date")]


def test_places_lots_and_expiry_of_an_item_are_kept_apart(read_document):
    batch = read_document(
        "846",
        HEAD + "LIN*1*VN*AB*LT*L7~DTM*036*20270131~QTY*17*5~N1*LW*WEST*92*WEST~QTY*17*7~N1*LW*SOUTH*92*SOUTH~QTY*17*9~",
    )
    assert cells(batch, "node_id", "quantity", "lot", "expiry_date") == [
        ("EAST", Decimal(5), "L7", date(2027, 1, 31)),
        ("WEST", Decimal(7), "L7", date(2027, 1, 31)),
        ("SOUTH", Decimal(9), "L7", date(2027, 1, 31)),
    ]


def test_without_a_place_the_sender_is_the_node(read_document):
    batch = read_document("846", "BIA*00*DD*R1*20260302~LIN**VN*AB~QTY*17*5~")
    assert cells(batch, "node_id") == [("walmart",)]


def test_broken_items_are_rejects_and_the_others_land(read_document):
    batch = read_document("846", HEAD + "LIN*1~QTY*17*5~LIN*2*VN*AB~QTY*17*x~LIN*3*VN*CD~LIN*4*VN*EF~QTY*17*1~CTT*9~")
    assert batch.rejects["reason"].to_list() == [
        "LIN names no item",
        "QTY17 'x' is no quantity",
        "no QTY says how much there is",
        "CTT01 says 9 lines, 4 came; the lines landed",
    ]
    assert cells(batch, "sku") == [("EF",)]


@pytest.mark.parametrize("purpose", ["01", "07", "13"])
def test_cancelled_duplicate_and_requested_reports_tell_no_stock(read_document, purpose):
    batch = read_document("846", f"BIA*{purpose}*DD*R1*20260302~LIN*1*VN*AB~QTY*17*5~")
    assert set(batch.events) == {"document"}
    assert batch.rejects.height == 1


def test_what_we_tell_a_retailer_is_only_filed(read_document):
    assert set(read_document("846", HEAD + "LIN*1*VN*AB~QTY*33*5~", outbound=True).events) == {"document"}
