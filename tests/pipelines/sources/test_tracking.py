"""EasyPost, AfterShip, ShipEngine and plain scan tables: the same rules of acceptance, delivery and estimates."""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.checks.verdict import Verdict
from pipelines.landing import ingest
from pipelines.sources.statuses import Status
from pipelines.sources.tracking import Scan, scan_events
from storage.settings import Settings

NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- EasyPost -------------------------------------------------------------------------------------------------------


def tracker(*details: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "trk_1", "object": "Tracker", "tracking_code": "EZ1", "status": "in_transit", "carrier": "USPS",
        "updated_at": "2026-05-12T00:00:00Z", "est_delivery_date": None, "tracking_details": list(details),
        "carrier_detail": None, "is_return": False,
    } | more  # fmt: skip


def detail(day: int, status: str, **more: Any) -> dict[str, Any]:
    place = {"city": "HOUSTON", "state": "TX", "country": None, "zip": "77063"}
    return {"status": status, "status_detail": "status_update", "datetime": f"2026-05-{day:02d}T12:00:00Z",
            "message": "m", "tracking_location": place} | more  # fmt: skip


def test_an_unknown_status_is_no_milestone_and_loses_no_other_scan(read, seen):
    batch = read("carrier", tracker(detail(1, "in_transit"), detail(2, "teleported"), detail(3, "delivered")))
    assert seen(batch, "shipment", "event_type") == [("carrier.accepted",), ("delivered",)]
    assert batch.rejects["source_ref"].to_list() == ["file.json#/tracking_details/1"]
    assert "status 'teleported' of USPS is not among the carrier statuses" in batch.rejects["reason"][0]
    assert json.loads(batch.rejects["raw"][0])["status"] == "teleported"


def test_a_parcel_that_went_back_is_not_delivered_to_the_customer(read, seen):
    batch = read("carrier", tracker(detail(1, "in_transit"), detail(2, "return_to_sender"), detail(5, "delivered")))
    assert seen(batch, "shipment", "event_type", "reason") == [
        ("carrier.accepted", None), ("exception", None), ("exception", "returned_to_sender"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("carrier_detail", "estimate", "expected"),
    [
        ({"est_delivery_date_local": "2026-05-09", "est_delivery_time_local": "20:00:00"}, None, "2026-05-10T01:00"),
        ({"est_delivery_date_local": "2026-05-09"}, None, "2026-05-10T05:00"),
        ({}, "2026-05-09T00:00:00Z", "2026-05-10T05:00"),
        ({}, "2026-05-09T20:40:17Z", "2026-05-09T20:40:17"),
    ],
)
def test_an_estimated_date_is_the_whole_local_day(read, seen, carrier_detail, estimate, expected):
    place = {"destination_tracking_location": {"state": "TX", "country": "US"}}
    told = tracker(detail(1, "in_transit"), carrier_detail=carrier_detail | place, est_delivery_date=estimate)
    batch = read("carrier", told)
    assert seen(batch, "shipment", "reason", "estimated_delivery_at")[-1] == ("estimate", at(expected))


def test_the_first_estimate_stays_when_the_carrier_moves_it_between_two_scans(tmp_path, seen):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    days = [detail(1, "in_transit"), detail(2, "in_transit")]
    for number, estimate in ((1, "2026-05-05T20:00:00Z"), (2, "2026-05-08T20:00:00Z")):
        told = tracker(*days, est_delivery_date=estimate, updated_at=f"2026-05-02T1{number + 2}:00:00Z")
        (inbox / f"{number}.json").write_text(json.dumps({"trackers": [told], "has_more": False}))
        ingest(Settings(home=tmp_path), [inbox], judge=lambda *_: Verdict())
    from storage.duck import connect

    connection = connect(Settings(home=tmp_path).database, read_only=True)
    rows = connection.execute(
        "select event_at, estimated_delivery_at from landing.shipment_events where reason = 'estimate' order by 1"
    ).fetchall()
    connection.close()
    assert rows == [(at("2026-05-02T13:00"), at("2026-05-05T20:00")), (at("2026-05-02T14:00"), at("2026-05-08T20:00"))]


def test_api_and_webhook_tell_the_same_scan_as_the_same_event(tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    told = tracker(detail(1, "in_transit"), detail(3, "delivered"))
    (inbox / "a.json").write_text(json.dumps({"trackers": [told], "has_more": False}))
    event = {"object": "Event", "id": "evt_1", "created_at": "2026-05-03T12:05:00Z", "result": told}
    (inbox / "b.json").write_text(json.dumps(event))
    bought = {"id": "shp_1", "object": "Shipment", "reference": None, "refund_status": None, "tracking_code": "EZ1",
              "updated_at": "2026-05-01T00:00:00Z", "tracker": told,
              "selected_rate": {"carrier": "USPS", "rate": "8.20"},
              "postage_label": {"created_at": "2026-05-01T00:00:00Z"}, "to_address": {"state": "TX"}}  # fmt: skip
    (inbox / "c.json").write_text(json.dumps({"shipments": [bought]}))
    reports = ingest(Settings(home=tmp_path), [inbox], judge=lambda *_: Verdict())
    assert [(report.source, report.events_landed) for report in reports] == [("carrier", 2), ("easypost", 1)]


# --- EasyPost labels ------------------------------------------------------------------------------------------------


def test_a_bought_shipment_is_a_label_and_its_refund_voids_it(read, seen):
    label = {"object": "PostageLabel", "created_at": "2026-05-01T10:00:00Z", "label_date": "2026-05-04T10:00:00Z"}
    bought = {"id": "shp_1", "object": "Shipment", "reference": "#100123", "tracking_code": "EZ1", "is_return": False,
              "updated_at": "2026-05-02T10:00:00Z", "postage_label": label, "refund_status": "refunded",
              "selected_rate": {"carrier": "USPS", "service": "Priority", "rate": "8.20", "currency": "USD"},
              "to_address": {"state": "TX"}, "tracker": None}  # fmt: skip
    unbought = bought | {"id": "shp_2", "postage_label": None}
    coming_back = bought | {"id": "shp_3", "is_return": True}
    batch = read("easypost", {"shipments": [bought, unbought, coming_back], "has_more": False})
    assert seen(batch, "shipment", "event_type", "event_at", "time_quality", "order_id", "cost_amount") == [
        ("label.created", at("2026-05-01T10:00"), "instant", "100123", Decimal("8.20")),
        ("label.voided", at("2026-05-02T10:00"), "estimated", "100123", None),
    ]
    refund = {"id": "rfnd_1", "object": "Refund", "created_at": "2026-05-01T20:00:00Z", "status": "submitted",
              "tracking_code": "EZ1", "confirmation_number": None, "carrier": "USPS",
              "shipment_id": "shp_1"}  # fmt: skip
    voided = read(
        "easypost", {"refunds": [refund, refund | {"status": "rejected"}, refund | {"status": "?"}]}, "r.json"
    )
    assert seen(voided, "shipment", "event_type", "shipment_id") == [("label.voided", "shp_1")]
    assert voided.rejects["source_ref"].to_list() == ["r.json#/refunds/2"]


# --- AfterShip ------------------------------------------------------------------------------------------------------


def checkpoint(time: str, tag: str, subtag: str, **more: Any) -> dict[str, Any]:
    return {"slug": "usps", "checkpoint_time": time, "tag": tag, "subtag": subtag, "subtag_message": subtag,
            "message": "m", "city": "Austin", "state": "TX", "country_iso3": "USA"} | more  # fmt: skip


CHECKPOINTS = [
    checkpoint("2026-05-01T08:00:00", "InfoReceived", "InfoReceived_001"),
    checkpoint("2026-05-01T20:00:00", "InTransit", "InTransit_002", hash="h1"),
    checkpoint("2026-05-01T20:00:00", "InTransit", "InTransit_002", hash="h1"),
    checkpoint("2026-05-03T15:00:00-05:00", "Delivered", "Delivered_001", hash="h2"),
]


def message(*checkpoints: dict[str, Any], event: str = "tracking_update", **more: Any) -> dict[str, Any]:
    tracking = {
        "id": "as1", "tracking_number": "9405", "slug": "usps", "tag": "InTransit", "subtag": "InTransit_001",
        "order_number": "#100123", "checkpoints": list(checkpoints), "destination_state": "TX",
        "destination_country_iso3": "USA",
    }  # fmt: skip
    return {
        "event": event,
        "event_id": "94dadd60",
        "is_tracking_first_tag": True,
        "ts": 1777800000,
        "msg": tracking | more,
    }


def test_aftership_checkpoints_are_local_and_a_hash_counts_once(read, seen):
    batch = read("aftership", message(*CHECKPOINTS))
    assert seen(batch, "shipment", "event_type", "event_at", "time_quality", "order_id", "shipment_id") == [
        ("carrier.accepted", at("2026-05-02T01:00"), "instant", "100123", "as1"),
        ("delivered", at("2026-05-03T20:00"), "instant", "100123", "as1"),
    ]
    assert set(batch.events["shipment"]["observed_at"]) == {at("2026-05-03T09:20")}


def test_aftership_keeps_its_first_estimate_at_the_acceptance(read, seen):
    moved = message(
        *CHECKPOINTS[:2], checkpoint("2026-05-02T09:00:00", "InTransit", "InTransit_007"), event="edd_revise",
        first_estimated_delivery={"type": "specific", "datetime": "2026-05-03"},
        latest_estimated_delivery={"type": "range", "datetime_min": "2026-05-04", "datetime_max": "2026-05-05"},
    )  # fmt: skip
    batch = read("aftership", moved)
    estimates = [row for row in seen(batch, "shipment", "event_at", "estimated_delivery_at") if row[1]]
    assert estimates == [
        (at("2026-05-02T01:00"), at("2026-05-04T05:00")),
        (at("2026-05-02T14:00"), at("2026-05-06T05:00")),
    ]


def test_aftership_without_place_is_only_estimated(read, seen):
    lost = checkpoint("2026-05-01T20:00:00", "InTransit", "InTransit_001", state=None, country_iso3=None)
    dated = checkpoint("2026-05-02", "InTransit", "InTransit_007")
    batch = read("aftership", message(lost, dated), zone=NEW_YORK)
    assert seen(batch, "shipment", "event_at", "time_quality") == [
        (at("2026-05-02T00:00"), "estimated"), (at("2026-05-02T05:00"), "date"),
    ]  # fmt: skip


def test_aftership_api_answers_of_all_versions_give_the_webhooks_events(read, seen):
    hook = read("aftership", message(*CHECKPOINTS), "hook.json")
    tracking = message(*CHECKPOINTS)["msg"] | {"updated_at": "2026-05-03T21:00:00+00:00"}
    shapes = [
        {"meta": {"code": 200}, "data": {"trackings": [tracking]}},
        {"meta": {"code": 200}, "data": {"tracking": tracking}},
        {"meta": {"code": 200}, "data": tracking},
    ]
    columns = [name for name in hook.events["shipment"].columns if name not in ("observed_at", "source_ref")]
    for number, shape in enumerate(shapes):
        batch = read("aftership", shape, f"{number}.json")
        assert batch.events["shipment"].select(columns).equals(hook.events["shipment"].select(columns))


def test_aftership_events_and_tags_that_nobody_knows_are_refused(read, seen):
    batch = read("aftership", message(*CHECKPOINTS, event="warranty_filed"), "a.json")
    assert batch.rejects["reason"][0].startswith("event: 'warranty_filed' is not an event this source reads")
    batch = read(
        "aftership", message(CHECKPOINTS[1], checkpoint("2026-05-02T09:00:00", "Beamed", "Beamed_001")), "b.json"
    )
    assert seen(batch, "shipment", "event_type") == [("carrier.accepted",)]
    assert batch.rejects["source_ref"].to_list() == ["b.json#/checkpoints/1"]


def test_aftership_expired_says_nothing_about_the_parcel(read):
    batch = read("aftership", message(checkpoint("2026-06-01T08:00:00", "Expired", "Expired_001")))
    assert (batch.events, batch.rejects.height) == ({}, 0)


# --- ShipEngine -----------------------------------------------------------------------------------------------------


def answer(*events: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "tracking_number": "1Z932", "status_code": "IT", "status_description": "In transit", "carrier_code": "ups",
        "carrier_status_code": "I", "ship_date": "2026-04-30T00:00:00Z", "estimated_delivery_date": None,
        "actual_delivery_date": None, "events": list(events),
    } | more  # fmt: skip


def event(occurred: str, local: str | None = None, **more: Any) -> dict[str, Any]:
    return {"occurred_at": occurred, "carrier_occurred_at": local, "city_locality": "OCEANSIDE", "state_province": "CA",
            "country_code": "US", "description": "d"} | more  # fmt: skip


def test_shipengine_events_come_newest_first_and_local_times_are_not_utc(read, seen):
    told = answer(
        event("2026-05-02T12:32:00Z", "2026-05-02T12:32:00", status_code="IT"),
        event("2026-05-01T12:32:00Z", "2026-05-01T05:32:00", status_code="AC"),
    )
    batch = read("shipengine", told)
    assert seen(batch, "shipment", "event_type", "event_at", "time_quality") == [
        ("carrier.accepted", at("2026-05-01T12:32"), "instant"),
        ("in_transit", at("2026-05-02T19:32"), "instant"),
    ]


def test_shipengine_scans_of_old_answers_are_known_by_the_carriers_own_code(read, seen):
    old = answer(event("2026-05-01T12:00:00Z", event_code="OR"), event("2026-05-02T12:00:00Z", event_code="ZZ"))
    batch = read("shipengine", old)
    assert seen(batch, "shipment", "event_type") == [("carrier.accepted",)]
    assert "status 'ZZ' of ups" in batch.rejects["reason"][0]


def test_shipengine_events_of_old_messages_have_another_name_for_their_time(read, seen):
    old = event("", status_code="AC", event_date="2026-05-01T12:00:00Z")
    del old["occurred_at"]
    assert seen(read("shipengine", answer(old)), "shipment", "event_at") == [(at("2026-05-01T12:00"),)]


def test_shipengine_states_a_delivery_that_no_scan_tells(read, seen):
    told = answer(
        event("2026-05-01T12:00:00Z", status_code="AC"), status_code="DE", actual_delivery_date="2026-05-03T16:00:00Z"
    )
    batch = read(
        "shipengine", {"resource_type": "API_TRACK", "resource_url": "https://api.shipengine.com/v1/x", "data": told}
    )
    assert seen(batch, "shipment", "event_type", "event_at") == [
        ("carrier.accepted", at("2026-05-01T12:00")), ("delivered", at("2026-05-03T16:00")),
    ]  # fmt: skip


def test_shipengine_labels_are_made_and_voided_and_return_labels_left_out(read, seen):
    label = {
        "label_id": "se-9", "status": "voided", "shipment_id": "se-1", "external_order_id": "#100123", "voided": True,
        "tracking_number": "1Z932", "ship_date": "2026-05-09T00:00:00Z", "created_at": "2026-05-01T21:06:39Z",
        "voided_at": "2026-05-02T10:00:00Z", "shipment_cost": {"currency": "usd", "amount": 95.41},
        "is_return_label": False, "carrier_code": "ups", "service_code": "ups_ground",
    }  # fmt: skip
    batch = read("shipengine", {"labels": [label, label | {"is_return_label": True}], "total": 2})
    assert seen(batch, "shipment", "event_type", "event_at", "order_id", "cost_amount", "currency") == [
        ("label.created", at("2026-05-01T21:06:39"), "100123", Decimal("95.41"), "USD"),
        ("label.voided", at("2026-05-02T10:00"), "100123", None, None),
    ]


# --- plain tables of scans ------------------------------------------------------------------------------------------

SCANS = (
    "Tracking Number;Carrier;Status;Event Time;State;Order;Station\n"
    "SP1;ACME;Label Created;2026-05-01 08:00:00;TX;#100123;A\n"
    "SP1;ACME;Delivered;2026-05-03 10:00:00;CA;#100123;C\n"
    "SP1;ACME;Picked Up;2026-05-01 18:00:00;TX;#100123;B\n"
    "SP1;ACME;Beamed;2026-05-02 18:00:00;TX;#100123;B\n"
    "SP2;FedEx;DE;2026-05-02;;;\n"
    "SP2;FedEx;DL;;;;\n"
    ";FedEx;DL;2026-05-02;;;\n"
)


def test_a_table_of_scans_is_read_by_the_carriers_codes_and_common_words(read, seen):
    batch = read("carrier", SCANS, "scans.csv", zone=NEW_YORK)
    assert seen(batch, "shipment", "event_type", "event_at", "time_quality", "tracking_number", "order_id") == [
        ("carrier.accepted", at("2026-05-01T23:00"), "instant", "SP1", "100123"),
        ("delivered", at("2026-05-03T17:00"), "instant", "SP1", "100123"),
        ("carrier.accepted", at("2026-05-02T04:00"), "estimated", "SP2", None),
        ("exception", at("2026-05-02T04:00"), "date", "SP2", None),
    ]
    assert json.loads(batch.events["shipment"]["attributes"][0])["Station"] == "B"
    reasons = dict(batch.rejects.select("source_ref", "reason").rows())
    assert sorted(reasons) == ["scans.csv#5", "scans.csv#7", "scans.csv#8"]
    assert "status 'Beamed' of acme" in reasons["scans.csv#5"]
    assert reasons["scans.csv#7"] == "in_transit needs a time, but column Event Time is empty"


WORDS = {
    "label": "Label Created", "accepted": "Accepted", "moving": "In Transit", "trouble": "Exception",
    "cancelled": "Cancelled", "back": "Returned to Sender", "delivered": "Delivered",
}  # fmt: skip


def test_a_table_follows_the_same_rules_as_a_document_for_every_history_of_four_scans(read):
    start = at("2026-05-01T00:00")
    histories = dict(enumerate(itertools.product(sorted(KINDS), repeat=4)))
    rows = [
        f"SP{number},{WORDS[kind]},2026-05-01T{hour:02d}:00:00Z"
        for hour in (2, 0, 3, 1)  # out of order, parcels mixed
        for number, history in histories.items()
        for kind in (history[hour],)
    ]
    batch = read("carrier", "\n".join(["tracking_number,status,scanned_at", *rows]), "scans.csv")
    assert batch.rejects.is_empty()
    columns = ("tracking_number", "event_type", "event_at", "time_quality", "reason")
    expected = set()
    for number, history in histories.items():
        scans = [Scan(start.replace(hour=hour), "instant", KINDS[kind], kind) for hour, kind in enumerate(history)]
        for columns_of in scan_events(scans):
            expected.add((f"SP{number}", *(columns_of[name] for name in columns[1:])))
    assert set(batch.events["shipment"].select(columns).iter_rows()) == expected


# --- properties -----------------------------------------------------------------------------------------------------

KINDS = {
    "label": Status(None, False, False, ""),
    "accepted": Status("carrier.accepted", True, False, ""),
    "moving": Status("in_transit", True, False, ""),
    "trouble": Status("exception", True, False, ""),
    "cancelled": Status("exception", False, False, ""),
    "back": Status("exception", True, True, ""),
    "delivered": Status("delivered", True, False, ""),
}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.sampled_from(sorted(KINDS)), max_size=12))
def test_any_history_has_one_acceptance_at_its_first_physical_scan_and_no_delivery_after_a_return(history):
    start = at("2026-05-01T00:00")
    scans = [Scan(start.replace(hour=hour), "instant", KINDS[kind], kind) for hour, kind in enumerate(history)]
    events = list(scan_events(scans))
    accepted = [event["event_at"] for event in events if event["event_type"] == "carrier.accepted"]
    physical = [scan.at for scan in scans if scan.status.is_physical]
    assert accepted == physical[:1]
    turned = next((scan.at for scan in scans if scan.status.is_return_leg), None)
    delivered = [event["event_at"] for event in events if event["event_type"] == "delivered"]
    assert delivered == [s.at for s in scans if s.code == "delivered" and (turned is None or s.at < turned)]
    assert pl.Series([event["event_at"] for event in events], dtype=pl.Datetime).is_sorted()
