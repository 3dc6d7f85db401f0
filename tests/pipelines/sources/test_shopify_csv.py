"""Shopify's orders export → events; what the export cannot tell stays unknown."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources import shopify_csv
from pipelines.sources.base import AdapterContext, SourceFile

FIRST = {
    "Name": "#1001",
    "Email": "jane@example.com",
    "Financial Status": "paid",
    "Fulfillment Status": "fulfilled",
    "Fulfilled at": "2025-10-08 10:00:00 +0200",
    "Currency": "EUR",
    "Shipping": "5.95",
    "Shipping Method": "Ground",
    "Created at": "2025-10-07 09:50:26 +0200",
    "Lineitem quantity": "3",
    "Lineitem name": "Mug",
    "Lineitem price": "10.00",
    "Lineitem sku": "MUG",
    "Lineitem requires shipping": "true",
    "Lineitem fulfillment status": "fulfilled",
    "Shipping Zip": "'01234",
    "Shipping Province": "CA",
    "Shipping Country": "US",
    "Note Attributes": "colour: green\npromised_delivery_date: 2025-10-10",
    "Cancelled at": "",
    "Refunded Amount": "0.00",
    "Id": "450789469",
    "Source": "web",
    "Lineitem discount": "1.50",
}
SECOND = dict.fromkeys(FIRST, "") | {
    "Name": "#1001",
    "Lineitem quantity": "1",
    "Lineitem name": "Card",
    "Lineitem price": "25.00",
    "Lineitem sku": "CARD",
    "Lineitem requires shipping": "false",
    "Lineitem fulfillment status": "pending",
    "Lineitem discount": "0",
}


def export(*rows: dict[str, str], columns: tuple[str, ...] = tuple(FIRST)) -> str:
    """Return an export as the admin writes it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def at(text: str) -> datetime:
    """Return a naive UTC instant."""
    return datetime.fromisoformat(text)


def test_what_only_the_first_row_says_holds_for_the_others_and_money_counts_once(read, seen):
    batch = read("shopify_csv", export(FIRST, SECOND), "orders_export.csv")
    columns = ("event_at", "order_id", "line_id", "sku", "quantity", "unit_price", "freight_amount", "currency")
    rows = [row[1:] for row in seen(batch, "order", "event_type", *columns) if row[0] == "order.captured"]
    moment = at("2025-10-07T07:50:26")
    assert rows == [
        (moment, "1001", "1", "MUG", Decimal(3), Decimal("9.5"), Decimal("5.95"), "EUR"),
        (moment, "1001", "2", "CARD", Decimal(1), Decimal(25), None, "EUR"),
    ]


def test_the_apostrophe_that_guards_a_postal_code_is_not_part_of_it(read, seen):
    batch = read("shopify_csv", export(FIRST, SECOND), "orders_export.csv")
    assert set(seen(batch, "order", "ship_to_postal_code")) >= {("01234",)}
    assert seen(batch, "order", "clock_zone")[0] == ("America/Los_Angeles",)


def test_goods_that_need_no_shipping_are_marked(read, seen):
    batch = read("shopify_csv", export(FIRST, SECOND), "orders_export.csv")
    assert seen(batch, "order", "line_id", "order_type")[:2] == [("1", None), ("2", "no_ship")]


def test_a_promise_stands_in_the_note_attributes(read, seen):
    batch = read("shopify_csv", export(FIRST, SECOND), "orders_export.csv")
    rows = [row for row in seen(batch, "order", "event_type", "promise_at") if row[0] == "order.promised"]
    assert rows == [("order.promised", at("2025-10-11T07:00"))]


def test_a_fulfilled_order_has_a_mark_without_quantities(read, seen):
    batch = read("shopify_csv", export(FIRST, SECOND), "orders_export.csv")
    columns = ("event_type", "event_at", "line_id", "quantity", "time_quality")
    assert seen(batch, "shipment", *columns) == [("ship.confirmed", at("2025-10-08T08:00"), None, None, "instant")]


def test_of_a_part_fulfilled_order_only_the_fulfilled_lines_are_marked_at_an_estimated_time(read, seen):
    part = FIRST | {"Fulfillment Status": "partial"}
    batch = read("shopify_csv", export(part, SECOND), "orders_export.csv")
    columns = ("event_type", "line_id", "quantity", "time_quality")
    assert seen(batch, "shipment", *columns) == [("ship.confirmed", "1", None, "estimated")]


def test_a_cancellation_has_a_time_but_no_actor(read, seen):
    gone = FIRST | {"Cancelled at": "2025-10-09 10:00:00 +0200"}
    batch = read("shopify_csv", export(gone, SECOND), "orders_export.csv")
    rows = [row for row in seen(batch, "order", "event_type", "event_at", "line_id", "actor") if "cancel" in row[0]]
    assert rows == [("order.cancelled", at("2025-10-09T08:00"), None, "unknown")]


def test_refunds_have_no_date_and_are_no_events(read):
    batch = read("shopify_csv", export(FIRST | {"Refunded Amount": "9.50"}, SECOND), "orders_export.csv")
    assert "return" not in batch.events
    assert '"refunded_amount":"9.50"' in batch.events["order"]["attributes"][0]


def test_columns_nobody_knows_are_kept_and_people_are_not(read):
    odd = FIRST | {"*": 'a "q"\nb', "^x$": "y"}
    text = export(odd, SECOND, columns=(*FIRST, "*", "^x$"))
    batch = read("shopify_csv", text, "orders_export.csv")
    import json

    kept = json.loads(batch.events["order"]["attributes"][0])
    assert (kept["*"], kept["^x$"]) == ('a "q"\nb', "y")
    assert "jane@example.com" not in str(batch.events["order"].to_dicts())


def test_a_row_whose_order_begins_in_another_file_is_rejected(read):
    batch = read("shopify_csv", export(SECOND), "orders_export.csv")
    assert batch.rejects["reason"].to_list() == [
        "Created at of order #1001 is not in this file: its first row is missing"
    ]


def test_bad_rows_are_rejected_with_place_and_text_and_the_others_land(read, seen):
    text = export(FIRST, SECOND | {"Lineitem quantity": "many"}, SECOND) + "#1004,a@b.c\n"
    batch = read("shopify_csv", text, "orders_export.csv")
    assert [row for row in seen(batch, "order", "event_type", "line_id") if row[0] == "order.captured"] == [
        ("order.captured", "1"),
        ("order.captured", "3"),
    ]
    assert dict(batch.rejects.select("source_ref", "reason").rows()) == {
        "orders_export.csv#3": "column quantity: 'many' is not a number written like 1234.5",
        "orders_export.csv#5": "expected 24 cells, found 2",
    }
    assert batch.rows_in == {"orders_export.csv": 4}


def test_an_export_without_a_needed_column_is_refused_and_says_which(write):
    text = export(FIRST, columns=tuple(name for name in FIRST if name != "Created at"))
    batch = shopify_csv.parse([write("orders_export.csv", text)], AdapterContext())
    assert batch.events == {}
    assert batch.rejects["reason"].item().startswith("column missing: created_at (createdat)")


def test_of_the_real_header_only_two_columns_are_kept_as_they_are(shared_data: Path) -> None:
    path = shared_data / "source_exports" / "shopify_orders_export_header_only.csv"
    file = SourceFile(path, path.name)
    assert shopify_csv.recognises(file)
    from pipelines.sources.sheets import header_of, plain

    layout = shopify_csv.LAYOUT
    known = {name for names in layout.columns.values() for name in names} | set(layout.ignored)
    header = header_of(file, ",")
    assert len(header) == 79
    assert [name for name in header if plain(name) not in known] == ["Location", "Risk Level"]
    assert shopify_csv.parse([file], AdapterContext()).rows_in == {path.name: 0}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(sorted(FIRST)), st.text(max_size=12), max_size=3))
def test_any_text_in_any_cell_lands_or_is_rejected(changes, write):
    text = export(FIRST | {key: value.encode("utf-8", "replace").decode() for key, value in changes.items()}, SECOND)
    batch = shopify_csv.parse([write("any.csv", text)], AdapterContext())
    captured = (
        batch.events["order"].filter(batch.events["order"]["event_type"] == "order.captured").height
        if ("order" in batch.events)
        else 0
    )
    assert captured + batch.rejects.height == batch.rows_in["any.csv"]


@pytest.mark.parametrize("content", ["", "\n", "Name,Email\n", "\x00\x01\x02"])
def test_what_is_no_orders_export_is_not_recognised(write, content):
    assert not shopify_csv.recognises(write("x.csv", content))
