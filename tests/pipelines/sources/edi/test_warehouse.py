# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""940: what a warehouse is asked to ship. 945: what it shipped."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

RELEASE = (
    "W05*N*SO1001*45001~N1*WH*DC EAST*92*EAST~N1*ST*RETAIL DC*92*6094~N4*LITTLE ROCK*AR*72201~"
    "G62*10*20260306~G62*37*20260305~G62*38*20260307~G62*53*20260309~G62*54*20260311~G62*01*20260320~"
)


def orders(batch, *columns):
    return batch.events["order"].select("event_type", *columns).rows()


def shipments(batch, *columns):
    return batch.events["shipment"].select("event_type", *columns).rows()


def test_a_release_has_lines_node_and_windows_by_its_own_date_codes(read_document):
    batch = read_document(
        "940", RELEASE + "LX*1~W01*24*EA**VN*AB~N9*LI*003~LX*2~W01*2*CA*000123456789~W20*12~W76*26*100*LB~"
    )
    assert orders(batch, "order_id", "line_id", "sku", "quantity", "node_id", "ship_to_id", "ship_to_region") == [
        ("order.released", "SO1001", "3", "AB", Decimal(24), "EAST", "6094", "AR"),
        ("order.released", "SO1001", None, "000123456789", Decimal(24), "EAST", "6094", "AR"),
    ]
    dates = ("ship_window_start_at", "ship_by_at", "window_start_at", "window_end_at", "requested_at")
    assert orders(batch, *dates)[0][1:] == (
        datetime(2026, 3, 5, 6),
        datetime(2026, 3, 8, 6),
        datetime(2026, 3, 9, 5),
        datetime(2026, 3, 12, 5),
        datetime(2026, 3, 12, 5),
    )
    assert batch.events["order"]["source"].unique().to_list() == ["edi_wms"]
    assert '"po_number":"45001"' in batch.events["order"]["attributes"][0]
    assert batch.rejects.is_empty()


def test_a_release_without_lines_is_about_the_whole_order(read_document):
    for body in (RELEASE, RELEASE + "LX*1~"):
        batch = read_document("940", body)
        assert orders(batch, "order_id", "line_id", "quantity") == [("order.released", "SO1001", None, None)]


def test_a_shipment_without_lines_is_about_the_whole_order(read_document):
    batch = read_document("945", SHIPPED + "LX*1~")
    assert shipments(batch, "order_id", "sku", "quantity") == [("ship.confirmed", "SO1001", None, None)]


def test_lines_without_loops_are_read_too(read_document):
    assert len(orders(read_document("940", RELEASE + "W01*24*EA**VN*AB~W01*2*EA**VN*CD~"))) == 2
    assert len(shipments(read_document("945", SHIPPED + "W12*CC*1*1**EA**VN*AB~W12*CC*1*1**EA**VN*CD~"))) == 2


@pytest.mark.parametrize("status", ["F", "D", "X"])
def test_a_withdrawn_release_is_a_reject(read_document, status):
    batch = read_document("940", RELEASE.replace("W05*N", f"W05*{status}") + "LX*1~W01*24*EA**VN*AB~")
    assert set(batch.events) == {"document"}
    assert batch.rejects["reason"].to_list() == [
        f"W0501 is '{status}': the order is withdrawn from the warehouse, or was never meant to be shipped"
    ]


def test_a_release_that_does_not_add_up_is_reported_and_lands(read_document):
    batch = read_document("940", RELEASE + "LX*1~W01*24*EA**VN*AB~LX*2~W01*x*EA**VN*CD~W76*30~")
    assert batch.rejects["reason"].to_list() == [
        "W0101 is 'x': expected a quantity",
        "W7601 says 30 units, the lines add up to 24; the lines landed",
    ]
    assert len(orders(batch)) == 1


SHIPPED = (
    "W06*N*SO1001*20260305*SH9**45001~N1*WH*DC EAST*92*EAST~N1*ST*RETAIL DC*92*6094~N4*LITTLE ROCK*AR*72201~"
    "N9*CN*PRO77~G62*11*20260305*8*1430*CT~W27*M*ABCD*GROUND~"
)


def test_a_shipment_is_confirmed_with_what_left_and_where_it_is_packed(read_document):
    batch = read_document(
        "945",
        SHIPPED + "LX*1~MAN*GM*00007121610006156802~W12*CC*60*60*0*EA**VN*AB~N9*LI*1~"
        "LX*2~MAN*GM*00007121610006156819~W12*CP*40*30*10*EA**VN*AB~N9*LI*1~W03*90*500*LB~",
    )
    columns = ("shipment_id", "order_id", "line_id", "sku", "quantity", "sscc", "tracking_number", "status_code")
    assert shipments(batch, *columns) == [
        ("ship.confirmed", "SH9", "SO1001", "1", "AB", Decimal(60), "007121610006156802", "PRO77", "CC"),
        ("ship.confirmed", "SH9", "SO1001", "1", "AB", Decimal(30), "007121610006156819", "PRO77", "CP"),
    ]
    assert shipments(batch, "event_at", "time_quality", "carrier", "node_id", "source")[0] == (
        "ship.confirmed",
        datetime(2026, 3, 5, 20, 30),
        "instant",
        "abcd",
        "EAST",
        "edi_wms",
    )
    assert '"difference":"10"' in batch.events["shipment"]["attributes"][1]
    assert batch.rejects.is_empty()


def test_the_difference_is_computed_not_believed(read_document):
    batch = read_document("945", SHIPPED + "LX*1~W12*CP*100*90*5*EA**VN*AB~W03*95~")
    assert batch.rejects["reason"].to_list() == [
        "W1204 says a difference of 5, but 100 ordered and 90 shipped differ by 10; the line landed",
        "W0301 says 95 units shipped, the lines add up to 90; the lines landed",
    ]
    assert shipments(batch, "quantity") == [("ship.confirmed", Decimal(90))]


def test_a_line_not_shipped_is_an_exception_without_quantity(read_document):
    batch = read_document("945", SHIPPED + "LX*1~W12*DS*100*0*100*EA**VN*AB~LX*2~W12*BO*50***EA**VN*CD~")
    assert shipments(batch, "sku", "quantity", "status_code", "reason") == [
        ("exception", "AB", None, "DS", "not shipped"),
        ("exception", "CD", None, "BO", "not shipped"),
    ]
    assert '"ordered":"100","difference":"100"' in batch.events["shipment"]["attributes"][0]


def test_alike_lines_of_one_shipment_add_up(read_document):
    batch = read_document("945", SHIPPED + "LX*1~W12*CC*10*10**EA**VN*AB~LX*2~W12*CC*10*10**EA**VN*AB~")
    assert shipments(batch, "quantity") == [("ship.confirmed", Decimal(20))]


def test_a_date_told_the_same_day_means_by_now(read_document):
    body = "W06*N*SO1001*20260302*SH9~LX*1~W12*CC*1*1**EA**VN*AB~"
    assert shipments(read_document("945", body), "event_at", "time_quality") == [
        ("ship.confirmed", datetime(2026, 3, 2, 15, 30), "date")
    ]
    late = body.replace("20260302", "20260228")
    assert shipments(read_document("945", late), "event_at", "time_quality") == [
        ("ship.confirmed", datetime(2026, 2, 28, 6), "date")
    ]


def test_an_order_is_found_in_the_references_too(read_document):
    body = "W06*N**20260305*SH9~N9*CO*SO55~LX*1~W12*CC*1*1**EA**VN*AB~"
    assert shipments(read_document("945", body), "order_id") == [("ship.confirmed", "SO55")]
    assert read_document("945", "W06*N**20260305*SH9~LX*1~W12*CC*1*1**EA**VN*AB~").rejects["reason"].to_list() == [
        "W0602 (depositor order) and W0606 (PO number) are missing: the shipment belongs to no order"
    ]
