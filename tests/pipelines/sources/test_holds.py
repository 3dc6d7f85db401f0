"""Signifyd, Kount and hold logs → holds placed and released, with every flip kept."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines.sources import kount
from pipelines.sources.base import AdapterContext
from pipelines.sources.registry import recognise


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def case(disposition: str, updated: str, **more: Any) -> dict[str, Any]:
    return {
        "caseId": 44, "orderId": "100123", "uuid": "u", "createdAt": "2026-05-01T10:00:00+0000", "updatedAt": updated,
        "status": "OPEN", "score": 262.6, "reviewDisposition": "UNSET", "guaranteeDisposition": disposition,
        "testInvestigation": False,
    } | more  # fmt: skip


def test_a_guarantee_that_flips_keeps_its_whole_history(read, seen):
    """Declined, reviewed again, approved: one stay on hold from the submission to the final decision."""
    cases = [
        case("DECLINED", "2026-05-01T10:05:00+0000"),
        case("IN_REVIEW", "2026-05-01T12:00:00+0000"),
        case("APPROVED", "2026-05-01T15:00:00+0000"),
    ]
    batch = read("signifyd", cases)
    rows = sorted(set(seen(batch, "order", "event_at", "event_type", "reason")))
    assert rows == [
        (at("2026-05-01T10:00"), "hold.placed", "submitted"),
        (at("2026-05-01T10:05"), "hold.placed", "declined"),
        (at("2026-05-01T12:00"), "hold.placed", "in_review"),
        (at("2026-05-01T15:00"), "hold.released", "approved"),
    ]
    assert set(batch.events["order"]["hold_type"]) == {"fraud"}


def test_a_declined_order_is_neither_released_nor_cancelled(read, seen):
    batch = read("signifyd", case("DECLINED", "2026-05-01T10:05:00+0000"))
    assert {row[0] for row in seen(batch, "order", "event_type")} == {"hold.placed"}


def test_nothing_submitted_and_test_cases_say_nothing(read):
    batch = read("signifyd", [
        case("UNREQUESTED", "2026-05-01T10:05:00+0000"),
        case("APPROVED", "2026-05-01T10:05:00+0000", testInvestigation=True),
    ])  # fmt: skip
    assert (batch.events, batch.rejects.height) == ({}, 0)


@pytest.mark.parametrize(
    ("action", "event_type"), [("ACCEPT", "hold.released"), ("HOLD", "hold.placed"), ("REJECT", "hold.placed")]
)
def test_v3_decisions_are_recognised_by_their_checkpoint(read, seen, action, event_type):
    decision = {"createdAt": "2026-05-01T10:05:00Z", "checkpointAction": action, "score": 850,
                "checkpointActionReason": "Low Risk", "checkpointActionPolicy": "SIGNIFYD"}  # fmt: skip
    batch = read("signifyd", {"signifydId": 123, "checkpointId": "c", "orderId": "#100123", "decision": decision})
    assert seen(batch, "order", "event_type", "event_at", "order_id") == [
        (event_type, at("2026-05-01T10:05"), "100123")
    ]
    assert json.loads(batch.events["order"]["attributes"][0])["policy_reason"] == "Low Risk"


def test_a_decision_that_nobody_knows_is_refused(read):
    batch = read("signifyd", case("MAYBE", "2026-05-01T10:05:00+0000"))
    assert batch.rejects["reason"][0].startswith("guaranteeDisposition: 'MAYBE' is not one of approved")


@pytest.mark.parametrize(
    ("decision", "event_type"),
    [("APPROVE", "hold.released"), ("REVIEW", "hold.placed"), ("DECLINE", "hold.placed"), ("ESCALATE", "hold.placed")],
)
def test_kount_orders_hold_unless_approved(read, seen, decision, event_type):
    order = {"orderId": "K1", "merchantOrderId": "100123", "channel": "DEFAULT",
             "creationDateTime": "2026-05-01T10:00:00Z",
             "riskInquiry": {"decision": decision, "omniscore": 42.1}}  # fmt: skip
    batch = read("kount", {"version": "v2", "order": order, "warnings": []})
    assert seen(batch, "order", "event_type", "event_at", "order_id", "hold_type") == [
        (event_type, at("2026-05-01T10:00"), "100123", "fraud"),
    ]


def test_a_kount_review_ends_when_its_status_changes(read, seen):
    changed = {"merchantOrderId": "100123", "oldStatus": "REVIEW", "newStatus": "APPROVE",
               "creationDateTime": "2026-05-01T10:00:00Z", "occurredAt": "2026-05-01T14:00:00Z"}  # fmt: skip
    batch = read("kount", {"data": changed})
    assert seen(batch, "order", "event_type", "event_at") == [
        ("hold.placed", at("2026-05-01T10:00")), ("hold.released", at("2026-05-01T14:00")),
    ]  # fmt: skip


ENS = """<?xml version="1.0" encoding="utf-8"?>
<events merchant="999999" total="3">
  <event><name>WORKFLOW_STATUS_EDIT</name><key order_number="100123" site="DEFAULT">P1</key>
    <old_value>R</old_value><new_value>A</new_value><agent>a@b.c</agent>
    <occurred>2026-05-01 06:47:47.413756</occurred></event>
  <event><name>WORKFLOW_NOTES_ADD</name><key order_number="100123" site="DEFAULT">P1</key>
    <old_value/><new_value>hi</new_value><agent>a@b.c</agent><occurred>2026-05-01 06:48:00</occurred></event>
  <event><name>WORKFLOW_STATUS_EDIT</name><key order_number="100124" site="DEFAULT">P2</key>
    <old_value>R</old_value><new_value>Q</new_value><agent>a@b.c</agent><occurred>2026-05-01 06:49:00</occurred></event>
</events>"""


def test_kount_notifications_tell_status_changes(read, seen):
    batch = read("kount", ENS, "ens.xml", zone=ZoneInfo("America/Boise"))
    assert seen(batch, "order", "event_type", "event_at", "time_quality", "reason") == [
        ("hold.released", at("2026-05-01T12:47:47.413756"), "estimated", "approve"),
    ]
    assert batch.rejects["source_ref"].to_list() == ["ens.xml#3"]
    assert batch.rows_in == {"ens.xml": 3}


def test_a_risk_answer_without_time_and_hostile_xml_are_refused(read, write):
    batch = read("kount", {"VERS": "0720", "MODE": "Q", "TRAN": "P1", "ORDR": "100123", "AUTO": "R", "SCOR": 40})
    assert "has no time" in batch.rejects["reason"][0]
    bomb = ENS.replace("<events", '<!DOCTYPE x [<!ENTITY a "b">]><events', 1)
    file = write("bomb.xml", bomb)
    assert recognise(file) == "kount"
    assert "DOCTYPE" in kount.parse([file], AdapterContext()).rejects["reason"][0]


HOLDS = (
    "Sales Order,Hold Type,Hold Date,Release Date,Hold Reason,Analyst\n"
    "#100123,Credit Hold,2026-05-01 09:00,2026-05-02 10:00,over limit,kim\n"
    "100124,Export Check,2026-05-01 09:00,,,\n"
    "100125,fraud,,,,\n"
)


def test_a_hold_log_has_a_stay_per_row_and_an_open_one_has_no_end(read, seen):
    batch = read("hold_log", HOLDS, "holds.csv", zone=ZoneInfo("America/New_York"))
    assert seen(batch, "order", "event_type", "event_at", "order_id", "hold_type", "reason") == [
        ("hold.placed", at("2026-05-01T13:00"), "100123", "credit", "over limit"),
        ("hold.placed", at("2026-05-01T13:00"), "100124", "other", None),
        ("hold.released", at("2026-05-02T14:00"), "100123", "credit", "over limit"),
    ]
    assert json.loads(batch.events["order"]["attributes"][1]) == {"Hold Type": "Export Check"}
    assert batch.rejects["reason"].to_list() == ["hold.placed needs a time, but column Hold Date is empty"]


def test_a_log_without_kinds_is_a_credit_desks_only_if_it_says_so(write, read, seen):
    plain_log = "order,hold_date,release_date\n100123,2026-05-01,\n"
    assert recognise(write("log.csv", plain_log)) is None
    batch = read("hold_log", plain_log.replace("hold_date", "credit_hold_date"), "b.csv")
    assert seen(batch, "order", "hold_type") == [("credit",)]


def test_the_sample_companys_log_reads_the_same_with_and_without_its_mapping(project_root: Path):
    from pipelines.landing import find_files
    from pipelines.sources import hold_log
    from pipelines.sources.mapping.claims import load_mapping

    home = project_root / "data" / "sample"
    files = find_files([home / "inbox" / "holds"])[-5:]
    mapped = load_mapping(home / "mappings" / "holds.yml").parse(files, AdapterContext()).events["order"]
    own = hold_log.parse(files, AdapterContext(zone=ZoneInfo("America/New_York"))).events["order"]
    columns = ["event_type", "event_at", "order_id", "hold_type", "reason", "source_ref"]
    assert own.select(columns).sort(columns).equals(mapped.select(columns).sort(columns))
    assert own.height > 50
