# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""753: a pickup is asked for. 754: it is scheduled."""

from __future__ import annotations

from datetime import datetime

REQUEST = (
    "BGN*00*RR1*20260303~N1*SF*LARK*92*V1~N4*X*GA*30120~LX*1~N1*ST*DC*92*6094~N4*Y*AR*72201~G62*10*20260306~"
    "OID*SO1*45001**CT*12*L*340*E*55~OID*SO2*45002**CT*3*L*80*E*9~N1*ST*DC*92*6021~N4*Z*TX*75001~G62*10*20260307~"
    "OID*SO3*45003**CT*5*L*99*E*7~"
)


def told(batch, *columns):
    return batch.events["shipment"].select("event_type", *columns).rows()


def test_a_request_names_each_order_with_its_day_and_destination(read_document):
    batch = read_document("753", REQUEST)
    assert told(batch, "order_id", "shipment_id", "appointment_at", "origin_region", "ship_to_region") == [
        ("appt.requested", "walmart-45001", "RR1", datetime(2026, 3, 6, 6), "GA", "AR"),
        ("appt.requested", "walmart-45002", "RR1", datetime(2026, 3, 6, 6), "GA", "AR"),
        ("appt.requested", "walmart-45003", "RR1", datetime(2026, 3, 7, 6), "GA", "TX"),
    ]
    assert told(batch, "event_at")[0] == ("appt.requested", datetime(2026, 3, 2, 14, 30))
    assert '"quantity":"12","uom":"CT","weight":"340"' in batch.events["shipment"]["attributes"][0]
    assert batch.events["shipment"]["quantity"].null_count() == 3


def test_an_answer_schedules_load_carrier_and_pickup(read_document):
    batch = read_document(
        "754",
        "BGN*00*RI1*20260304~N1*SF*LARK~LX*1~L11*LOAD9*LO~BLR*ABCD~OID*SO1*45001~G62*69*20260306*U*1400*CT~"
        "LX*2~L11*LOAD10*LO~BLR*EFGH~OID**45003~G62*69*20260307~",
    )
    assert told(batch, "shipment_id", "order_id", "carrier", "appointment_at") == [
        ("appt.scheduled", "LOAD9", "walmart-45001", "abcd", datetime(2026, 3, 6, 20)),
        ("appt.scheduled", "LOAD10", "walmart-45003", "efgh", datetime(2026, 3, 7, 6)),
    ]
    assert all('"stop":"pickup"' in attributes for attributes in batch.events["shipment"]["attributes"])


def test_a_load_without_orders_is_scheduled_all_the_same(read_document):
    batch = read_document("754", "BGN*00*RI1*20260304~LX*1~L11*LOAD9*LO~BLR*ABCD~G62*69*20260306~")
    assert told(batch, "shipment_id", "order_id") == [("appt.scheduled", "LOAD9", None)]


def test_cancelled_and_empty_documents_are_rejects(read_document):
    assert read_document("753", REQUEST.replace("BGN*00", "BGN*01")).rejects["reason"].to_list() == [
        "BGN01 is '01': a cancelled or duplicate document routes nothing"
    ]
    assert read_document("754", "BGN*00*RI1~").rejects["reason"].to_list() == [
        "754 without LX, OID or ship-to: it names no load"
    ]
    batch = read_document("754", "BGN*00*RI1~LX*1~G62*69*soon~OID**1~")
    assert batch.rejects["reason"].to_list() == ["G6269 'soon' is not a date"]
    assert told(batch, "appointment_at") == [("appt.scheduled", None)]
