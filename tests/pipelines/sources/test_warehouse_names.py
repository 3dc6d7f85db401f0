"""3PL files whatever they call their columns: picks, packs, ships, stock and dock logs."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines.errors import MappingError
from pipelines.sources import wms
from pipelines.sources.base import AdapterContext
from pipelines.sources.layout_docs import page
from pipelines.sources.registry import recognise

COLUMBUS = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_shipments_under_other_names_and_separators(read, seen):
    content = (
        "Facility|Load ID|Sales Order|Line|Item Number|Shipped Qty|Ship Date|SCAC|PRO Number|Pallets\n"
        'tpl_east|L1|#100123|1|MUG|12|05/20/2026 16:30|ABFS|PRO9|"2 ""half"""\n'
    )
    batch = read("wms", content, "x.txt", zone=COLUMBUS)
    assert seen(
        batch, "shipment", "event_type", "event_at", "order_id", "line_id", "quantity", "carrier", "attributes"
    ) == [
        ("ship.confirmed", at("2026-05-20T20:30"), "100123", "1", Decimal(12), "abfs", '{"Pallets": "2 \\"half\\""}'),
    ]


def test_without_a_shipment_number_the_parcel_is_the_shipment(read, seen):
    content = "Order Number,SKU,Qty Shipped,Shipped On,Tracking Number\n#100123,MUG,2,2026-05-20T10:00:00Z,SP1\n"
    batch = read("wms", content, "x.csv")
    assert seen(batch, "shipment", "event_type", "shipment_id", "tracking_number", "node_id") == [
        ("ship.confirmed", "SP1", "SP1", None),
    ]


PICKS = (
    "order_number,sku,qty_picked,pick_start_time,pick_end_time{head}\n"
    "100123,MUG,2,2026-05-20 09:00,2026-05-20 09:10{cell}\n"
)
PACKS = "order_number,sku,qty_packed,pack_time,carton_id{head}\n100123,MUG,2,2026-05-20 09:30,C1{cell}\n"


@pytest.mark.parametrize(("template", "types"), [(PICKS, ["pick.started", "pick.completed"]), (PACKS, ["packed"])])
def test_a_pick_or_pack_counts_units_only_where_it_names_its_shipment(read, seen, template, types):
    """Without the shipment its units would count beside the shipment's own."""
    alone = read("wms", template.format(head="", cell=""), "a.csv", zone=COLUMBUS)
    assert seen(alone, "shipment", "event_type", "quantity") == [(name, None) for name in types]
    assert "2" in json.loads(alone.events["shipment"]["attributes"][0]).values()
    named = read("wms", template.format(head=",shipment_id", cell=",S1"), "b.csv", zone=COLUMBUS)
    assert seen(named, "shipment", "event_type", "quantity", "shipment_id") == [
        (name, Decimal(2), "S1") for name in types
    ]


@pytest.mark.parametrize(
    ("zone", "dates", "readable"),
    [
        ("America/New_York", ("05/06/2026", "05/07/2026"), True),
        ("America/New_York", ("05/06/2026", "25/06/2026"), False),
        ("Europe/Berlin", ("05/06/2026", "05/07/2026"), False),
        ("America/Sao_Paulo", ("05/06/2026", "05/07/2026"), False),
        ("Europe/Berlin", ("2026-06-05", "2026-06-06"), True),
    ],
)
def test_a_date_that_could_be_either_is_not_guessed(read, zone, dates, readable):
    rows = "".join(f"100123,MUG,2,{day}\n" for day in dates)
    batch = read("wms", "order_number,sku,qty_picked,pick_date\n" + rows, "picks.csv", zone=ZoneInfo(zone))
    assert batch.rejects.is_empty() == readable
    assert batch.rejects.height in (0, 2), "of a file with days first not a single date is read month first"


def test_one_defective_file_does_not_stop_the_others(write):
    good = write("good.csv", PICKS.format(head="", cell=""))
    bad = write("bad.csv", "order_number,sku,qty_picked\n1,A,2\n")
    batch = wms.parse([good, bad], AdapterContext())
    assert batch.events["shipment"].height == 2
    assert batch.rejects["source_ref"].to_list() == ["bad.csv#1"]
    with pytest.raises(MappingError, match="pick_completed_at"):
        wms.parse([bad], AdapterContext())


def test_stock_under_other_names_with_lots(read, seen):
    content = (
        "As Of,Warehouse Code,Item,Qty On Hand,Committed,Damaged,Lot Number,Exp Date,Bin\n"
        "2026-05-20 23:00,tpl,MUG,10,3,1,L7,2027-01-31,A-1\n"
    )
    batch = read("inventory", content, "stock.csv", zone=COLUMBUS)
    columns = ("event_at", "quantity", "reserved_quantity", "quarantine_quantity", "lot", "expiry_date", "attributes")
    assert seen(batch, "inventory", *columns) == [
        (at("2026-05-21T03:00"), Decimal(10), Decimal(3), Decimal(1), "L7", date(2027, 1, 31), '{"Bin": "A-1"}'),
    ]


def test_a_dock_log_gives_check_in_and_stock_and_an_open_receipt_has_none(read, seen):
    content = (
        "PO Number,Warehouse,SKU,Check In Time,Putaway Time,Qty Received\n"
        "PO1,tpl,MUG,2026-05-20 08:00,2026-05-20 15:00,100\n"
        "PO2,tpl,MUG,2026-05-20 09:00,,\n"
    )
    batch = read("inventory", content, "dock.csv", zone=COLUMBUS)
    assert seen(batch, "inventory", "event_type", "receipt_id", "event_at", "quantity") == [
        ("receipt.checked_in", "PO1", at("2026-05-20T12:00"), None),
        ("receipt.checked_in", "PO2", at("2026-05-20T13:00"), None),
        ("receipt.received", "PO1", at("2026-05-20T19:00"), Decimal(100)),
    ]
    assert batch.rejects.is_empty()


@pytest.mark.parametrize(
    "header",
    [
        "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Currency,Lineitem quantity,Lineitem sku",
        "amazon-order-id,merchant-order-id,purchase-date,sku,quantity,item-status",
        "order_id,customer_id,order_status,order_purchase_timestamp,order_delivered_carrier_date",
        "sku,description,unit_cost",
        "warehouse,sku,available",
        "order_number,sku,quantity",
    ],
)
def test_tables_of_others_are_left_to_others(write, header):
    assert recognise(write("x.csv", header + "\n")) not in (
        "wms",
        "inventory",
        "returns",
        "hold_log",
        "carrier",
        "shipstation",
    )


def test_the_page_of_column_names_is_in_step_with_the_layouts(project_root):
    assert (project_root / "docs" / "sources" / "columns.md").read_text(encoding="utf-8") == page()
