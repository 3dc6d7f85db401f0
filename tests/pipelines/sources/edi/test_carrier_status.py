# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""214: what a carrier did, what it expects and what it agreed."""

from __future__ import annotations

from datetime import datetime

import pytest

HEAD = "B10*PRO77*BOL5*ABCD~L11*45001*PO~N1*SH*US~N4*X*GA*30120~N1*CN*THEM~N4*Y*FL*32810~LX*1~"


def told(batch, *columns):
    return batch.events["shipment"].select("event_type", *columns).rows()


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("AF", "carrier.accepted"),
        ("CP", "carrier.accepted"),
        ("X6", "in_transit"),
        ("P1", "in_transit"),
        ("X1", "arrived"),
        ("x1", "arrived"),
        ("D1", "delivered"),
        ("A7", "exception"),
        ("AP", "exception"),
        ("SD", "exception"),
        ("AH", "exception"),
    ],
)
def test_each_status_is_its_event(read_document, code, event):
    batch = read_document("214", HEAD + f"AT7*{code}*NS***20260310*0815*LT~MS1*ORLANDO*FL*US~")
    assert told(batch, "event_at", "time_quality", "tracking_number", "shipment_id", "carrier", "status_code") == [
        (event, datetime(2026, 3, 10, 13, 15), "instant", "PRO77", "BOL5", "abcd", code.upper())
    ]
    assert told(batch, "order_id", "origin_region", "ship_to_region", "reason") == [(event, "45001", "GA", "FL", None)]


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        ("", datetime(2026, 3, 10, 13, 15)),
        ("LT", datetime(2026, 3, 10, 13, 15)),
        ("ET", datetime(2026, 3, 10, 12, 15)),
        ("UT", datetime(2026, 3, 10, 8, 15)),
        ("PT", datetime(2026, 3, 10, 15, 15)),
    ],
)
def test_the_time_code_names_the_zone(read_document, zone, moment):
    batch = read_document("214", HEAD + f"AT7*D1*NS***20260310*0815*{zone}~")
    assert told(batch, "event_at") == [("delivered", moment)]


def test_an_estimate_is_a_forecast_never_an_actual(read_document):
    batch = read_document("214", HEAD + "AT7*AG*NS***20260311*1159*ET~LX*2~AT7*X2*NS***20260312~")
    assert told(batch, "event_at", "estimated_delivery_at") == [
        ("eta.updated", datetime(2026, 3, 2, 15, 30), datetime(2026, 3, 11, 15, 59)),
        ("eta.updated", datetime(2026, 3, 2, 15, 30), datetime(2026, 3, 13, 5)),
    ]


def test_appointments_are_agreed_not_kept(read_document):
    batch = read_document("214", HEAD + "AT7***AB*NA*20260311*0900*CT~AT7***AA*NA*20260309*0700*CT~")
    assert told(batch, "event_at", "appointment_at", "status_code") == [
        ("appt.scheduled", datetime(2026, 3, 2, 15, 30), datetime(2026, 3, 11, 14), "AB"),
        ("appt.scheduled", datetime(2026, 3, 2, 15, 30), datetime(2026, 3, 9, 12), "AA"),
    ]
    assert ['"stop":"delivery"' in text for text in batch.events["shipment"]["attributes"]] == [True, False]


def test_statuses_that_move_no_goods_are_named_with_the_document(read_document):
    batch = read_document("214", HEAD + "AT7*X3*NS***20260310*0815~AT7*Q9*NS***20260310*0815~")
    assert set(batch.events) == {"document"}
    assert '"other_statuses":["X3","Q9"]' in batch.events["document"]["attributes"][0]


def test_a_reason_that_is_not_normal_is_kept(read_document):
    batch = read_document("214", HEAD + "AT7*SD*AO***20260310*0815~")
    assert told(batch, "reason") == [("exception", "AO")]


def test_the_century_of_old_releases_stands_between_date_and_time(read_document):
    batch = read_document("214", HEAD + "AT7*D1*NS***260310*20*0815*ET~", version="003070")
    assert told(batch, "event_at") == [("delivered", datetime(2026, 3, 10, 12, 15))]


def test_a_status_without_time_is_a_date(read_document):
    batch = read_document("214", HEAD + "AT7*D1*NS***20260310~")
    assert told(batch, "event_at", "time_quality") == [("delivered", datetime(2026, 3, 10, 5), "date")]


def test_broken_statuses_are_rejects(read_document):
    batch = read_document("214", HEAD + "AT7*D1*NS***soon~AT7*X1*NS***20260310*0815~")
    assert batch.rejects["reason"].to_list() == ["AT705/06 'soon' is not a date and time"]
    assert len(told(batch)) == 1
    assert read_document("214", "B10***ABCD~").rejects["reason"].to_list() == [
        "B1001 (PRO number) and B1002 (shipment) are missing"
    ]
    assert read_document("214", "B10*P1**ABCD~").rejects["reason"].to_list() == ["214 without AT7: it tells no status"]
