"""NetSuite saved searches → order, shipment, return and invoice events."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources import netsuite
from pipelines.sources.base import AdapterContext

LABELS = {
    "id": "Internal ID",
    "number": "Document Number",
    "type": "Type",
    "date": "Date",
    "created": "Date Created",
    "modified": "Last Modified",
    "status": "Status",
    "approved": "Approval Date",
    "name": "Name",
    "po": "PO/Check Number",
    "from": "Created From",
    "main": "*",
    "tax": "Tax Line",
    "cogs": "COGS Line",
    "line": "Line ID",
    "item": "Item",
    "item_type": "Item Type",
    "quantity": "Quantity",
    "fulfilled": "Quantity Fulfilled/Received",
    "closed": "Closed",
    "rate": "Item Rate",
    "amount": "Amount",
    "currency": "Currency",
    "ship": "Expected Ship Date",
    "state": "Shipping State/Province",
    "tracking": "Tracking Numbers",
    "rep": "Sales Rep",
}
INTERNAL = {
    "id": "internalid",
    "number": "tranid",
    "type": "type",
    "date": "trandate",
    "created": "datecreated",
    "modified": "lastmodifieddate",
    "status": "statusref",
    "name": "entity",
    "po": "otherrefnum",
    "from": "createdfrom",
    "main": "mainline",
    "line": "line",
    "item": "item",
    "quantity": "quantity",
    "fulfilled": "quantityshiprecv",
    "closed": "closed",
    "rate": "rate",
    "amount": "amount",
    "currency": "currency",
    "ship": "shipdate",
    "state": "shipstate",
}
ORDER = {
    "id": "101",
    "number": "SO123",
    "type": "Sales Order",
    "date": "3/14/2026",
    "created": "3/14/2026 9:15 am",
    "modified": "3/20/2026 1:00 pm",
    "status": "Sales Order : Partially Fulfilled",
    "name": "1042 Jane Doe",
    "po": "#1001",
    "main": "",
    "line": "1",
    "item": "MUGS : MUG",
    "quantity": "10",
    "fulfilled": "6",
    "closed": "F",
    "rate": "10.00",
    "amount": "1,000.00",
    "currency": "USD",
    "ship": "3/20/2026",
    "state": "California",
    "rep": "Bob",
}
SHIPMENT = {
    "id": "201",
    "number": "IF77",
    "type": "Item Fulfillment",
    "date": "3/19/2026",
    "status": "ItemShip:C",
    "from": "Sales Order #SO123",
    "item": "MUG",
    "quantity": "-6",
    "tracking": "1Z1 1Z2",
}


def search(*rows: dict[str, str], labels: dict[str, str] | None = None) -> str:
    """Return a saved search as NetSuite exports it."""
    names = labels or LABELS
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names.values())
    writer.writerows([[row.get(key, "") for key in names] for row in rows])
    return text.getvalue()


def at(text: str) -> datetime:
    """Return a naive UTC instant."""
    return datetime.fromisoformat(text)


def of_type(rows, event_type):
    """Return the rows of one event type, the type left out."""
    return [row[1:] for row in rows if row[0] == event_type]


NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize("labels", [LABELS, INTERNAL], ids=["labels", "internal names"])
def test_order_lines_are_read_by_label_or_internal_name_in_the_accounts_zone(read, seen, labels):
    batch = read("netsuite", search(ORDER, labels=labels), "orders.csv", zone=NEW_YORK)
    columns = ("event_type", "event_at", "order_id", "line_id", "sku", "quantity", "unit_price", "customer_id")
    assert of_type(seen(batch, "order", *columns), "order.captured") == [
        (at("2026-03-14T13:15"), "SO123", "1", "MUG", Decimal(10), Decimal(10), "1042")
    ]


def test_main_line_tax_shipping_and_cost_rows_are_no_lines(read, seen):
    rows = (
        ORDER | {"main": "*", "item": "", "quantity": ""},
        ORDER,
        ORDER | {"tax": "T", "item": "CA_TAX", "line": "2"},
        ORDER | {"item_type": "ShipItem", "item": "UPS", "line": "3"},
        ORDER | {"item_type": "Discount", "item": "10% off", "line": "4", "quantity": ""},
    )
    batch = read("netsuite", search(*rows), "orders.csv")
    assert of_type(seen(batch, "order", "event_type", "line_id"), "order.captured") == [("1",)]
    assert batch.rejects.is_empty()


def test_a_fulfilment_that_posts_each_item_twice_ships_once_and_only_status_c_has_left(read, seen):
    rows = (SHIPMENT, SHIPMENT | {"quantity": "6"}, SHIPMENT | {"number": "IF78", "status": "Picked"},
            SHIPMENT | {"number": "IF79", "status": "ItemShip:B"})  # fmt: skip
    batch = read("netsuite", search(ORDER, *rows), "all.csv")
    columns = ("event_type", "shipment_id", "order_id", "sku", "quantity", "time_quality", "tracking_number")
    assert sorted(seen(batch, "shipment", *columns)) == [
        ("packed", "IF79", "SO123", "MUG", Decimal(6), "date", "1Z1"),
        ("pick.completed", "IF78", "SO123", "MUG", Decimal(6), "date", "1Z1"),
        ("ship.confirmed", "IF77", "SO123", "MUG", Decimal(6), "date", "1Z1"),
    ]


def test_a_fulfilment_is_joined_by_internal_id_where_the_export_has_it(read, seen):
    batch = read("netsuite", search(ORDER | {"number": "WEB-9"}, SHIPMENT | {"from": "101"}), "all.csv")
    assert seen(batch, "shipment", "order_id") == [("WEB-9",)]


def test_transfers_are_no_shipments_to_customers(read, seen):
    batch = read("netsuite", search(ORDER, SHIPMENT | {"from": "Transfer Order #TO1"}), "all.csv")
    assert seen(batch, "shipment", "order_id") == []


def test_what_is_closed_unfulfilled_was_cut_by_the_seller(read, seen):
    columns = ("event_type", "line_id", "quantity", "actor")
    for changes in ({"closed": "T"}, {"status": "SalesOrd:H"}, {"status": "Closed", "closed": ""}):
        batch = read("netsuite", search(ORDER | changes), "orders.csv")
        assert of_type(seen(batch, "order", *columns), "order.cancelled") == [("1", Decimal(4), "seller_other")], (
            changes
        )
    filled = read("netsuite", search(ORDER | {"closed": "T", "fulfilled": "10"}), "orders.csv")
    assert of_type(seen(filled, "order", *columns), "order.cancelled") == []


def test_a_cancelled_order_is_cancelled_whole_by_nobody_in_particular(read, seen):
    batch = read(
        "netsuite", search(ORDER | {"status": "SalesOrd:C"}, ORDER | {"status": "SalesOrd:C", "line": "2"}), "o.csv"
    )
    rows = seen(batch, "order", "event_type", "line_id", "quantity", "actor", "time_quality")
    assert of_type(rows, "order.cancelled") == [(None, None, "unknown", "estimated")]


def test_pending_approval_is_a_hold_that_the_approval_ends(read, seen):
    waiting = ORDER | {"status": "Pending Approval", "modified": ""}
    approved = ORDER | {"approved": "3/16/2026 8:00 am", "status": "SalesOrd:B"}
    batch = read("netsuite", search(waiting, approved), "orders.csv")
    rows = [row for row in seen(batch, "order", "event_type", "event_at", "hold_type") if row[0].startswith("hold")]
    assert rows == [
        ("hold.placed", at("2026-03-14T09:15"), "other"),
        ("hold.released", at("2026-03-16T08:00"), "other"),
    ]
    assert of_type(seen(batch, "order", "event_type", "event_at"), "order.approved") == [(at("2026-03-16T08:00"),)]


def test_an_expected_ship_date_lasts_to_the_end_of_its_day(read, seen):
    batch = read("netsuite", search(ORDER), "orders.csv", zone=NEW_YORK)
    assert of_type(seen(batch, "order", "event_type", "ship_by_at"), "order.promised") == [(at("2026-03-21T04:00"),)]


def test_the_shops_number_in_the_po_field_is_kept_for_matching(read):
    batch = read("netsuite", search(ORDER), "orders.csv")
    attributes = batch.events["order"]["attributes"][0]
    assert '"external_order_id":"1001"' in attributes
    assert '"Sales Rep":"Bob"' in attributes


def test_dates_of_another_preference_are_found_out(read, seen):
    british = ORDER | {"date": "14/3/2026", "created": "", "modified": "", "ship": ""}
    batch = read("netsuite", search(british), "orders.csv")
    assert seen(batch, "order", "event_at", "time_quality")[0] == (at("2026-03-14T00:00"), "date")


def test_dates_that_could_be_either_refuse_the_export_and_lose_nothing(read):
    either = ORDER | {"date": "3/4/2026", "created": "", "modified": "", "ship": ""}
    batch = read("netsuite", search(either, either | {"line": "2"}), "orders.csv")
    assert batch.events == {}
    assert batch.rejects.height == 2
    assert batch.rejects["reason"][0].startswith("dates such as 3/4/2026 can be M/D/YYYY or D/M/YYYY")
    assert "SO123" in batch.rejects["raw"][0]


def test_numbers_are_read_as_the_file_writes_them(read, seen):
    lines = [
        ORDER | {"quantity": "1.200,5", "rate": "5,25", "amount": "1.000,00"},
        ORDER | {"line": "2", "rate": "3,10"},
    ]
    lines[1] |= {"amount": "2,00"}
    batch = read("netsuite", search(*lines), "orders.csv")
    assert batch.rejects.is_empty()
    rows = seen(batch, "order", "event_type", "quantity", "unit_price")
    assert of_type(rows, "order.captured")[0] == (Decimal("1200.5"), Decimal("5.25"))


def test_a_comma_that_can_part_thousands_or_decimals_refuses_the_file_and_loses_nothing(read):
    batch = read("netsuite", search(ORDER | {"quantity": "1,200", "rate": "5", "amount": "6000"}), "orders.csv")
    assert batch.events == {}
    assert batch.rejects["reason"][0].startswith("the comma in 1,200 can part thousands or decimals")
    assert "SO123" in batch.rejects["raw"][0]


def test_points_and_commas_in_one_file_refuse_it(read):
    batch = read("netsuite", search(ORDER | {"rate": "10,00"}), "orders.csv")
    assert batch.rejects["reason"].to_list() == ["1,000.00 has a decimal point and 10,00 a decimal comma"]


def test_a_row_that_does_not_tell_its_kind_is_rejected(read):
    batch = read("netsuite", search(ORDER | {"type": "", "status": "Pending Fulfillment"}), "orders.csv")
    assert batch.events == {}
    assert batch.rejects["reason"][0].startswith("neither a type nor the status (e.g. SalesOrd:B) tells what kind")


def test_an_export_parted_by_semicolons_is_read_by_them(read, seen):
    batch = read("netsuite", search(ORDER | {"amount": "1000"}).replace(",", ";"), "orders.csv")
    assert of_type(seen(batch, "order", "event_type", "sku"), "order.captured") == [("MUG",)]


def test_a_status_nobody_knows_is_rejected_with_what_was_expected(read):
    batch = read("netsuite", search(ORDER | {"status": "Shipped by pigeon"}), "orders.csv")
    assert batch.rejects["reason"].to_list() == [
        "status: 'Shipped by pigeon' is not known (expected e.g. SalesOrd:B, Pending Fulfillment, ItemShip:C)"
    ]


def test_an_export_of_main_lines_only_says_how_to_export(read):
    batch = read("netsuite", search(ORDER | {"main": "*", "item": "", "quantity": ""}), "orders.csv")
    assert batch.rejects["reason"].to_list() == [
        "order SO123 has no item row: let the saved search show line items too (Main Line is any)"
    ]


def test_returns_are_authorised_and_received_and_invoices_sent(read, seen):
    rma = {
        "number": "RMA5",
        "type": "Return Authorization",
        "date": "3/25/2026",
        "status": "Pending Receipt",
        "from": "Sales Order #SO123",
        "item": "MUG",
        "quantity": "-1",
    }
    receipt = rma | {"number": "IR5", "type": "Item Receipt", "status": "", "from": "Return Authorization #RMA5"}
    invoice = rma | {
        "number": "INV1",
        "type": "Invoice",
        "status": "Open",
        "line": "1",
        "quantity": "6",
        "rate": "10",
        "amount": "60.00",
        "currency": "USD",
    }
    batch = read("netsuite", search(ORDER, rma, receipt, invoice), "all.csv")
    assert seen(batch, "return", "event_type", "rma_id", "order_id", "sku", "quantity") == [
        ("rma.created", "RMA5", "SO123", "MUG", Decimal(1)),
        ("return.received", "RMA5", "SO123", "MUG", Decimal(1)),
    ]
    assert seen(batch, "finance", "event_type", "document_id", "order_id", "amount") == [
        ("invoice.sent", "INV1", "SO123", Decimal(60))
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(sorted(LABELS)), st.text(max_size=12), max_size=3))
def test_any_text_in_any_cell_is_read_passed_over_or_rejected(changes, write):
    text = search(ORDER | {key: value.encode("utf-8", "replace").decode() for key, value in changes.items()}, SHIPMENT)
    batch = netsuite.parse([write("any.csv", text)], AdapterContext())
    assert batch.rows_in["any.csv"] == 2
