"""Salesforce orders and approvals → order and hold events."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources import salesforce
from pipelines.sources.base import AdapterContext
from pipelines.sources.registry import recognise

ORDERS = (
    '"Id","OrderNumber","Status","CreatedDate","ActivatedDate","LastModifiedDate","AccountId","PoNumber",'
    '"External_Order_Id__c","ShippingStateCode","ShippingCountryCode","IsDeleted","Priority__c"\n'
    '"801xx0000000001AAA","00000100","Activated","2026-03-01T10:00:00.000Z","2026-03-02T09:00:00.000+0000",'
    '"2026-03-02T09:00:00.000Z","001xx","PO7","#1001","CA","US","false","High"\n'
    '"801xx0000000002AAA","00000101","Draft","2026-03-01T10:00:00.000Z","","2026-03-03T09:00:00.000Z","001xx","","",'
    '"CA","US","false",""\n'
)
ITEMS = (
    '"Id","OrderId","OrderItemNumber","Product2.StockKeepingUnit","Quantity","UnitPrice"\n'
    '"802xx0000000001","801xx0000000001","0001","MUG","3.0","9.5"\n'
)
APPROVALS = (
    '"Id","TargetObjectId","Status","CreatedDate","CompletedDate","ProcessDefinition.DeveloperName"\n'
    '"04gxx0000000001AAA","801xx0000000001","Approved","2026-03-01T11:00:00.000Z","2026-03-02T08:30:00.000Z",'
    '"Credit_Check"\n'
    '"04gxx0000000002AAA","801xx0000000002AAA","Rejected","2026-03-01T11:00:00.000Z","2026-03-02T08:30:00.000Z",'
    '"Order_Approval"\n'
    '"04gxx0000000003AAA","801xx0000000002AAA","Removed","2026-03-03T11:00:00.000Z","2026-03-03T12:00:00.000Z",'
    '"Order_Approval"\n'
    '"04gxx0000000004AAA","006xx0000000003AAA","Pending","2026-03-01T11:00:00.000Z","","Opportunity_Discount"\n'
)
STEPS = (
    '"Id","ProcessInstanceId","StepStatus","Comments","ActorId","CreatedDate"\n'
    '"04hxx1","04gxx0000000001","Started","","005xx","2026-03-01T11:00:00.000Z"\n'
    '"04hxx2","04gxx0000000001","Approved","limit raised","005xx","2026-03-02T08:30:00.000Z"\n'
)
HISTORY = (
    '"Id","OrderId","Field","OldValue","NewValue","CreatedDate"\n'
    '"1","801xx0000000002AAA","Status","Draft","Cancelled","2026-03-05T10:00:00.000Z"\n'
    '"2","801xx0000000002AAA","TotalAmount","1","2","2026-03-05T10:00:00.000Z"\n'
)


@pytest.fixture
def parse(write):
    def parse_files(**contents: str):
        files = [write(f"{name}.csv", content) for name, content in contents.items()]
        assert {recognise(file) for file in files} == {"salesforce"}
        return apply_row_contracts(salesforce.parse(files, AdapterContext()), source="salesforce")

    return parse_files


def at(text: str) -> datetime:
    """Return a naive UTC instant."""
    return datetime.fromisoformat(text)


def test_an_approval_holds_its_order_from_submission_to_decision(parse, seen):
    batch = parse(order=ORDERS, approvals=APPROVALS, steps=STEPS)
    rows = seen(batch, "order", "event_type", "event_at", "order_id", "hold_type", "reason")
    holds = sorted(row for row in rows if row[0].startswith("hold"))
    assert holds == [
        ("hold.placed", at("2026-03-01T11:00"), "00000100", "credit", "Credit_Check"),
        ("hold.placed", at("2026-03-01T11:00"), "00000101", "other", "Order_Approval"),
        ("hold.placed", at("2026-03-03T11:00"), "00000101", "other", "Order_Approval"),
        ("hold.released", at("2026-03-02T08:30"), "00000100", "credit", "limit raised"),
        ("hold.released", at("2026-03-03T12:00"), "00000101", "other", "recalled"),
    ]


def test_ids_of_15_and_18_characters_are_the_same_record(parse, seen):
    batch = parse(order=ORDERS, items=ITEMS)
    rows = seen(batch, "order", "event_type", "order_id", "line_id", "sku", "quantity", "unit_price", "event_at")
    assert [row[1:] for row in rows if row[0] == "order.captured" and row[2]] == [
        ("00000100", "0001", "MUG", Decimal(3), Decimal("9.5"), at("2026-03-01T10:00"))
    ]


def test_an_approval_without_its_order_names_it_by_record_id(parse, seen):
    batch = parse(approvals=APPROVALS)
    assert ("hold.placed", "801xx0000000001") in seen(batch, "order", "event_type", "order_id")


def test_activation_is_approval_and_a_draft_is_no_order_yet(parse, seen):
    batch = parse(order=ORDERS)
    rows = seen(batch, "order", "event_type", "order_id", "order_type", "event_at")
    assert ("order.approved", "00000100", None, at("2026-03-02T09:00")) in rows
    assert [row[2] for row in rows if row[0] == "order.captured"] == ["standard", "draft"]


def test_the_history_says_when_an_order_was_cancelled(parse, seen):
    batch = parse(order=ORDERS, history=HISTORY)
    rows = seen(batch, "order", "event_type", "order_id", "event_at", "actor", "time_quality")
    assert [row for row in rows if row[0] == "order.cancelled"] == [
        ("order.cancelled", "00000101", at("2026-03-05T10:00"), "unknown", "instant")
    ]


def test_numbers_of_other_systems_and_unknown_fields_are_kept(parse):
    attributes = parse(order=ORDERS).events["order"]["attributes"][0]
    for member in ('"external_order_id":"1001"', '"po_number":"PO7"', '"Priority__c":"High"', '"status":"Activated"'):
        assert member in attributes


def test_orphans_are_rejected_and_say_what_to_export(parse):
    batch = parse(items=ITEMS, steps=STEPS)
    assert batch.events == {}
    assert {(ref, reason) for ref, reason, _ in batch.rejects.rows()} == {
        (
            "items.csv#2",
            "order item of order 801xx0000000001 came without its Order, which has its date: export both together",
        ),
        ("steps.csv#2", "step of 04gxx0000000001 came without its ProcessInstance, which names the order: export both"),
        ("steps.csv#3", "step of 04gxx0000000001 came without its ProcessInstance, which names the order: export both"),
    }
    assert batch.rows_in == {"items.csv": 1, "steps.csv": 2}


def test_an_unknown_status_of_an_approval_is_rejected(parse):
    batch = parse(order=ORDERS, approvals=APPROVALS.replace('"Approved"', '"Waved through"'))
    assert batch.rejects["reason"].to_list() == [
        "Status: 'Waved through' is not known (expected Approved, Rejected, Removed, Pending or Started)"
    ]


@pytest.mark.parametrize(
    "header",
    ["Id,OrderNumber,CreatedDate\n", "Id,Name,Status\n", "order_number,status,created_at\n", ""],
)
def test_what_could_be_anybodys_is_not_recognised(write, header):
    assert not salesforce.recognises(write("x.csv", header))
