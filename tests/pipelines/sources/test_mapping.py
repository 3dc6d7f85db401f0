"""The generic mapping source: what a YAML file makes of CSV files, and what it says when something is wrong."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.checks.verdict import Verdict
from pipelines.errors import MappingError, SourceError
from pipelines.landing import find_files, ingest
from pipelines.sources.base import AdapterContext, ParsedBatch
from pipelines.sources.mapping import load_mapping
from pipelines.sources.mapping.model import BIRTH_TYPES, EventRule, Expression, MappingSpec, Table
from storage.duck import connect
from storage.settings import Settings

SHOP = """
name: shop
zone: America/Sao_Paulo
tables:
  orders:
    files: "orders*.csv"
events:
  - type: order.captured
    from: orders
    at: bought
    columns:
      order_id: id
      quantity: units
      unit_price: price
      promise_at: {date_end_of_day: promised}
"""

TWO_TABLES = """
name: shop
zone: UTC
tables:
  customers: {files: "customers.csv", required: false}
  orders:
    files: "orders*.csv"
    lookups:
      - {table: customers, by: {buyer: id}, required: true}
  items:
    files: "items.csv"
    lookups:
      - {table: orders, by: order_id, required: true}
      - {table: customers, by: {orders.buyer: id}}
events:
  - type: order.captured
    from: items
    at: orders.bought
    columns: {order_id: order_id, line_id: line, ship_to_region: customers.state}
  - type: order.captured
    from: orders
    at: bought
    where: [{no_row_in: items, by: order_id}]
    columns: {order_id: order_id, ship_to_region: customers.state}
"""


def parse(folder: Path, mapping: str, **files: str | bytes) -> ParsedBatch:
    """Write a mapping and its files, and read them."""
    path = folder / "mapping.yml"
    path.write_text(mapping, encoding="utf-8")
    data = folder / "data"
    data.mkdir(exist_ok=True)
    for name, content in files.items():
        target = data / (name.replace("__", ".") if "__" in name else f"{name}.csv")
        raw = content if isinstance(content, bytes) else content.encode()
        target.write_bytes(gzip.compress(raw) if target.suffix == ".gz" else raw)
    return load_mapping(path).parse(find_files([data]), AdapterContext())


def faults_of(folder: Path, mapping: str) -> str:
    """Return the message with which a mapping is refused."""
    path = folder / "mapping.yml"
    path.write_text(mapping, encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        load_mapping(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_columns_become_a_typed_event(tmp_path: Path) -> None:
    batch = parse(tmp_path, SHOP, orders="id,bought,units,price,promised\n0042,2018-03-01 10:00:00,2,9.90,2018-03-09\n")
    row = batch.events["order"].row(0, named=True)
    assert row["order_id"] == "0042"
    assert row["event_at"] == datetime.fromisoformat("2018-03-01T13:00")
    assert row["quantity"] == Decimal("2.000")
    assert row["unit_price"] == Decimal("9.9000")
    assert row["source"] == "shop"
    assert row["source_ref"] == "orders.csv#2"
    assert batch.rows_in == {"orders.csv": 1}


def test_what_has_no_column_of_its_own_is_kept_as_an_attribute(tmp_path: Path) -> None:
    mapping = SHOP + "    attributes:\n      incoterm: {column: terms, case: upper}\n      note: note\n"
    rows = 'A1,2026-03-01 10:00,1,2,,exw,"say ""hi"""\nA2,2026-03-01 10:00,1,2,,,\n'
    batch = parse(tmp_path, mapping, orders="id,bought,units,price,promised,terms,note\n" + rows)
    kept = [text and json.loads(text) for text in batch.events["order"]["attributes"]]
    assert kept == [{"incoterm": "EXW", "note": 'say "hi"'}, None]


def test_a_date_only_deadline_is_the_end_of_the_local_day_even_where_midnight_is_skipped(tmp_path: Path) -> None:
    # In Sao Paulo summer time began at midnight: 2017-10-15 00:00 does not exist.
    rows = (
        "id,bought,units,price,promised\na,2017-10-15 00:30:00,1,1,2017-10-14\nb,2017-10-01,1,1,2017-12-31 00:00:00\n"
    )
    events = parse(tmp_path, SHOP, orders=rows).events["order"]
    assert events["promise_at"].to_list() == [
        datetime.fromisoformat("2017-10-15T03:00"),
        datetime.fromisoformat("2018-01-01T02:00"),
    ]
    assert events["event_at"].to_list() == [
        datetime.fromisoformat("2017-10-15T03:30"),
        datetime.fromisoformat("2017-10-01T03:00"),
    ]


def test_a_stamp_with_its_own_offset_is_read_with_it(tmp_path: Path) -> None:
    rows = "id,bought,units,price,promised\na,2018-03-01T10:00:00Z,1,1,\nb,2018-03-01 10:00:00 +0400,1,1,\n"
    events = parse(tmp_path, SHOP, orders=rows).events["order"]
    assert events["event_at"].to_list() == [
        datetime.fromisoformat("2018-03-01T10:00"),
        datetime.fromisoformat("2018-03-01T06:00"),
    ]


def test_a_corrupt_row_is_rejected_with_its_reason_and_the_rest_lands(tmp_path: Path) -> None:
    rows = (
        "id,bought,units,price,promised\na,2018-03-01,two,1,\nb,2018-03-01,1,1\nc,2018-03-01,1,1,\n,2018-03-01,1,1,\n"
    )
    batch = parse(tmp_path, SHOP, orders=rows)
    assert batch.events["order"]["order_id"].to_list() == ["c"]
    rejects = {row["source_ref"]: row for row in batch.rejects.to_dicts()}
    assert rejects["orders.csv#2"]["reason"] == "column units: 'two' is not a number written like 1234.5"
    assert rejects["orders.csv#2"]["raw"] == "a,2018-03-01,two,1,"
    assert rejects["orders.csv#3"]["reason"] == "expected 5 cells, found 4"
    assert rejects["orders.csv#5"]["reason"] == "order.captured needs order_id, but column id is empty"


def test_a_row_with_several_faults_is_one_reject_that_names_them_all(tmp_path: Path) -> None:
    batch = parse(tmp_path, SHOP, orders="id,bought,units,price,promised\na,soon,1,cheap,later\n")
    assert batch.rejects.height == 1
    reason = batch.rejects["reason"].item()
    assert "column bought: 'soon'" in reason
    assert "column price: 'cheap'" in reason
    assert "column promised: 'later'" in reason


def test_bom_crlf_quoted_line_breaks_and_gzip_are_no_obstacle(tmp_path: Path) -> None:
    text = '\ufeffid,bought,units,price,promised\r\n"a\nb",2018-03-01,1,"1",\r\n\r\nc,2018-03-02,1,1,\r\n'
    batch = parse(tmp_path, SHOP, orders__csv__gz=text)
    assert batch.events["order"]["order_id"].to_list() == ["a\nb", "c"]
    assert batch.events["order"]["source_ref"].to_list() == ["orders.csv.gz#2", "orders.csv.gz#4"]
    assert batch.rejects.is_empty()


def test_tabs_separate_cells_in_tsv_files(tmp_path: Path) -> None:
    mapping = SHOP.replace("orders*.csv", "orders.tsv")
    batch = parse(tmp_path, mapping, orders__tsv="id\tbought\tunits\tprice\tpromised\na\t2018-03-01\t1\t1\t\n")
    assert batch.events["order"].height == 1


def test_text_in_another_encoding_is_read_when_named_and_rejected_when_not(tmp_path: Path) -> None:
    content = "id,bought,units,price,promised\nS\u00e3o,2018-03-01,1,1,\nb,2018-03-01,1,1,\n".encode("windows-1252")
    batch = parse(tmp_path, SHOP, orders=content)
    assert batch.events["order"]["order_id"].to_list() == ["b"]
    assert "is not utf-8" in batch.rejects["reason"].item()
    named = SHOP.replace('files: "orders*.csv"', 'files: "orders*.csv"\n    encoding: windows-1252')
    assert parse(tmp_path, named, orders=content).events["order"]["order_id"].to_list() == ["S\u00e3o", "b"]


def test_lookups_bring_columns_and_a_missing_partner_rejects_the_row(tmp_path: Path) -> None:
    batch = parse(
        tmp_path,
        TWO_TABLES,
        customers="id,state\n07,SP\n",
        orders="order_id,buyer,bought\n1,07,2018-03-01\n2,07,2018-03-02\n3,99,2018-03-03\n",
        items="order_id,line\n1,1\n1,2\n9,1\n",
    )
    events = batch.events["order"].sort("order_id", "line_id")
    assert events.select("order_id", "line_id", "ship_to_region").rows() == [
        ("1", "1", "SP"),
        ("1", "2", "SP"),
        ("2", None, "SP"),
    ]
    assert dict(batch.rejects.select("source_ref", "reason").rows()) == {
        "orders.csv#4": "column buyer: 99 has no row in table customers",
        "items.csv#4": "column order_id: 9 has no row in table orders; "
        "order.captured needs a time, but column orders.bought is empty",
    }


def test_the_last_row_of_a_lookup_key_counts(tmp_path: Path) -> None:
    batch = parse(
        tmp_path,
        TWO_TABLES,
        customers="id,state\n07,SP\n07,RJ\n",
        orders="order_id,buyer,bought\n1,07,2018-03-01\n",
        items="order_id,line\n1,1\n",
    )
    assert batch.events["order"]["ship_to_region"].to_list() == ["RJ"]


def test_events_that_have_not_happened_are_left_out_and_values_are_translated(tmp_path: Path) -> None:
    mapping = """
name: shop
zone: UTC
empty: ["0000-00-00"]
tables: {orders: {files: "orders.csv"}}
events:
  - {type: delivered, from: orders, at: arrived, columns: {order_id: id}}
  - type: order.cancelled
    from: orders
    at: {greatest: [bought, arrived]}
    time_quality: estimated
    where: [{column: status, not_in: [ok]}, {column: status, is: present}]
    columns:
      order_id: {join: [shop, {column: id, strip_prefix: "#", zero_pad: 3}], separator: "-"}
      actor: {column: status, values: {NO: customer, out: seller_oos}}
      reason: {coalesce: [note, status]}
"""
    rows = (
        "id,shop,bought,arrived,status,note\n#1,x,2018-03-01,0000-00-00,NO,\n#2,x,2018-03-01,2018-03-05,out,gone\n"
        "#3,x,2018-03-01,2018-03-04,ok,\n#4,x,2018-03-01,,odd,\n"
    )
    batch = parse(tmp_path, mapping, orders=rows)
    assert batch.events["shipment"]["order_id"].to_list() == ["#2", "#3"]
    cancelled = batch.events["order"].select("order_id", "event_at", "actor", "reason", "time_quality")
    assert cancelled.rows() == [
        ("x-001", datetime.fromisoformat("2018-03-01"), "customer", "NO", "estimated"),
        ("x-002", datetime.fromisoformat("2018-03-05"), "seller_oos", "gone", "estimated"),
    ]
    assert batch.rejects["reason"].to_list() == ["column status: 'odd' is not one of the values NO, out"]


def test_rows_are_numbered_within_an_order(tmp_path: Path) -> None:
    mapping = SHOP.replace("order_id: id", "order_id: id\n      line_id: {number_within: id}")
    rows = "id,bought,units,price,promised\na,2018-03-01,1,1,\nb,2018-03-01,1,1,\na,2018-03-01,3,1,\n"
    events = parse(tmp_path, mapping, orders=rows).events["order"]
    assert events.select("order_id", "line_id").rows() == [("a", "1"), ("b", "1"), ("a", "2")]


@pytest.mark.parametrize(
    ("style", "written", "meant"), [("1,234.5", "1,234.50", "1234.5"), ("1.234,5", "1.234,50", "1234.5")]
)
def test_numbers_are_read_in_the_style_the_mapping_names(tmp_path: Path, style: str, written: str, meant: str) -> None:
    mapping = f'numbers: "{style}"\n{SHOP}'
    events = parse(tmp_path, mapping, orders=f'id,bought,units,price,promised\na,2018-03-01,1,"{written}",\n').events
    assert events["order"]["unit_price"].to_list() == [Decimal(meant)]


def test_an_optional_table_without_file_leaves_its_columns_empty(tmp_path: Path) -> None:
    mapping = TWO_TABLES.replace("by: {buyer: id}, required: true", "by: {buyer: id}")
    batch = parse(tmp_path, mapping, orders="order_id,buyer,bought\n1,07,2018-03-01\n", items="order_id,line\n")
    assert batch.events["order"].select("order_id", "ship_to_region").rows() == [("1", None)]


def test_a_missing_required_table_says_which_file_it_needs(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"table items needs a file like items\.csv; files given: orders\.csv"):
        parse(tmp_path, TWO_TABLES, orders="order_id,buyer,bought\n")


def test_a_file_without_a_needed_column_is_refused_and_its_sister_lands(tmp_path: Path) -> None:
    good = "id,bought,units,price,promised\na,2018-03-01,1,1,\n"
    batch = parse(tmp_path, SHOP, orders1=good, orders2="<!doctype html>\n")
    assert batch.events["order"].height == 1
    assert "column bought, id, price, promised, units is missing" in batch.rejects["reason"].item()


def test_columns_that_no_file_has_are_a_fault_of_the_mapping(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"tables\.orders: no file can be used.*column price is missing"):
        parse(tmp_path, SHOP, orders="id,bought,units,promised\na,2018-03-01,1,\n")


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("at: bought", "att: bought", "events[1] (order.captured).att: unknown key"),
        (
            "type: order.captured",
            "type: order.capture",
            "'order.capture' is no event type; did you mean 'order.captured'?",
        ),
        ("unit_price: price", "unitprice: price", "did you mean 'unit_price'?"),
        ("from: orders", "from: order", "'order' is no table; did you mean 'orders'?"),
        ("zone: America/Sao_Paulo", "zone: Brazil", "zone: 'Brazil' is not an IANA time zone"),
        ("order_id: id", "channel: id", "columns: order.captured needs order_id"),
        ("unit_price: price", "unit_price: {constant: cheap}", "columns.unit_price: constant: 'cheap' is not a number"),
        ("unit_price: price", "actor: {constant: nobody}", "'nobody' is not one of customer, seller_oos"),
        ("unit_price: price", "unit_price: {columm: price}", "columns.unit_price"),
        (
            "unit_price: price",
            "unit_price: {date_end_of_day: price}",
            "date_end_of_day makes a time, but unit_price is",
        ),
        ("name: shop", "name: shopify", "name: 'shopify' is a built-in source"),
        ("name: shop", "name: My Shop", "'My Shop' is not a plain name"),
        ("at: bought", "at: bought\n    at: paid", "key 'at' is given twice"),
        ("at: bought", "at: {column: bought, format: yesterday}", "'yesterday' is not a date format"),
        ("at: bought", "where: [{column: id}]\n    at: bought", "exactly one of in, not_in, is"),
        ("name: shop", "name: [shop", "not valid YAML"),
    ],
)
def test_a_faulty_mapping_is_refused_with_place_and_expectation(
    tmp_path: Path, wrong: str, right: str, said: str
) -> None:
    assert wrong in SHOP
    assert said in faults_of(tmp_path, SHOP.replace(wrong, right))


def test_all_faults_of_a_mapping_are_listed_at_once(tmp_path: Path) -> None:
    message = faults_of(tmp_path, SHOP.replace("from: orders", "from: order").replace("order_id: id", "orderid: id"))
    assert "3 faults" in message


CELL = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["1", "2018-03-01", "9.5", '"', "9999-12-31"]
)


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(st.lists(CELL, min_size=5, max_size=5), max_size=6))
def test_any_cell_text_is_mapped_or_rejected_and_no_row_is_lost(
    rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([["id", "bought", "units", "price", "promised"], *rows])
    batch = parse(folder, SHOP, orders=text.getvalue())
    mapped = batch.events["order"]["source_ref"].to_list()
    rejected = batch.rejects["source_ref"].to_list()
    assert sorted(mapped + rejected) == sorted(f"orders.csv#{number}" for number in range(2, len(rows) + 2))
    assert batch.rows_in == {"orders.csv": len(rows)}
    assert not batch.rejects["reason"].is_null().any()


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_never_a_crash(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    good = b"id,bought,units,price,promised\na,2018-03-01,1,1,\n"
    batch = parse(folder, SHOP, orders1=good, orders2=b"id,bought,units,price,promised\n" + content)
    assert "orders1.csv#2" in batch.events["order"]["source_ref"].to_list()
    seen = batch.events["order"].height + batch.rejects.height
    assert seen == sum(batch.rows_in.values())


def _land(home: Path, paths: list[Path], mapping: Path | None = None) -> list[tuple[str, int, int, int]]:
    reports = ingest(Settings(home=home), paths, mapping=mapping, judge=lambda *_: Verdict())
    return [(r.status, r.events_landed, r.events_duplicate, r.rows_rejected) for r in reports]


def test_a_corrected_mapping_reads_the_same_files_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "orders.csv").write_text("id,bought,units,price,promised\na,01.03.2018,1,1,\nb,2018-03-01,1,1,\n")
    mapping = tmp_path / "shop.yml"
    mapping.write_text(SHOP)
    assert _land(tmp_path, [data], mapping) == [("landed", 1, 0, 1)]
    assert _land(tmp_path, [data], mapping) == [("unchanged", 0, 0, 0)]
    mapping.write_text('dates: ["%Y-%m-%d", "%d.%m.%Y"]\n' + SHOP)
    assert _land(tmp_path, [data], mapping) == [("landed", 1, 1, 0)]


def test_files_are_offered_to_the_mappings_of_the_workspace_before_the_built_in_sources(tmp_path: Path) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "shop.yml").write_text(SHOP)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "orders-1.csv").write_text("id,bought,units,price,promised\na,2018-03-01,1,1,\n")
    (inbox / "stock.csv").write_text("snapshot_at,warehouse,sku,on_hand\n2018-03-01T00:00:00Z,dc,x,5\n")
    reports = ingest(Settings(home=tmp_path), [inbox], judge=lambda *_: Verdict())
    assert {(report.source, report.events_landed) for report in reports} == {("shop", 1), ("inventory", 1)}


def test_an_explicit_mapping_says_which_files_it_has_no_use_for(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "orders.csv").write_text("id,bought,units,price,promised\n")
    (data / "reviews.csv").write_text("id,stars\n")
    mapping = tmp_path / "shop.yml"
    mapping.write_text(SHOP)
    with pytest.raises(SourceError, match=r"no use for reviews\.csv"):
        _land(tmp_path, [data], mapping)


def test_olist_lands_whole_and_overlapping_extracts_land_as_duplicates(
    tmp_path: Path, shared_data: Path, project_root: Path
) -> None:
    mapping = project_root / "mappings" / "olist.yml"
    folders = [shared_data / "olist" / name for name in ("simonnc_20k", "techbyhemant_4k", "albuquerques_3k")]
    reports = [_land(tmp_path, [folder], mapping)[0] for folder in folders]
    orders = [pl.read_csv(f / "olist_orders_dataset.csv", infer_schema=False) for f in folders]
    items = [pl.read_csv(f / "olist_order_items_dataset.csv", infer_schema=False) for f in folders]
    expected = [_expected_events(o, i) for o, i in zip(orders, items, strict=True)]
    known: set[tuple[str, ...]] = set()
    for report, events in zip(reports, expected, strict=True):
        assert report == ("landed", len(events - known), len(events & known), 0)
        known |= events
    first, second, third = ({*frame["order_id"]} for frame in orders)
    assert (len(first & second), len(first & third)) == (753, 591)
    database = connect(Settings(home=tmp_path).database, read_only=True)
    landed = database.execute("select count(distinct order_id) from landing.order_events").fetchone()
    odd = database.execute(
        "select count(*) from landing.order_events c join landing.shipment_events d using (order_id) "
        "where c.event_type = 'order.cancelled' and d.event_type = 'delivered' and c.event_at <> d.event_at"
    ).fetchone()
    database.close()
    assert landed == (len(first | second | third),)
    assert odd == (0,)


def _expected_events(orders: pl.DataFrame, items: pl.DataFrame) -> set[tuple[str, ...]]:
    """Recount the events of an extract straight from its rows."""
    lines = {("line", *row) for row in items.select("order_id", "order_item_id").iter_rows()}
    bare = orders.join(items, on="order_id", how="anti")["order_id"]
    stamps = ("order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date")
    reached = {(name, order) for name in stamps for order in orders.filter(pl.col(name).is_not_null())["order_id"]}
    ended = orders.filter(pl.col("order_status").is_in(["canceled", "unavailable"]))["order_id"]
    promised = {("promised", order) for order in orders["order_id"]}
    return lines | {("order", order) for order in bare} | reached | promised | {("ended", order) for order in ended}


def test_the_example_of_the_tutorial_does_what_the_tutorial_says(tmp_path: Path, project_root: Path) -> None:
    text = (project_root / "docs" / "mapping.md").read_text()
    blocks = dict(re.findall(r"```(?:csv|yaml) (\S+)\n(.*?)```", text, re.DOTALL))
    files = {name.removesuffix(".csv"): block for name, block in blocks.items() if name.endswith(".csv")}
    batch = parse(tmp_path, blocks["shop.yml"], **files)
    captured = batch.events["order"].filter(pl.col("event_type") == "order.captured")
    assert captured.select("order_id", "line_id", "unit_price").rows() == [
        ("A-0042", "1", Decimal("9.9")),
        ("A-0042", "2", Decimal("24.5")),
        ("A-0043", "1", Decimal("9.9")),
    ]
    assert captured["promise_at"][0] == datetime.fromisoformat("2026-03-11T04:00")
    assert batch.events["shipment"]["order_id"].to_list() == ["A-0042"]
    (rejected,) = batch.rejects.to_dicts()
    assert f"| `{rejected['source_ref']}` | {rejected['reason']} |" in text


def test_every_key_of_a_mapping_file_is_in_the_reference(project_root: Path) -> None:
    reference = (project_root / "docs" / "mapping.md").read_text().split("## 5. Reference")[1]
    for part in (MappingSpec, Table, EventRule, Expression):
        for name, info in part.model_fields.items():
            assert f"`{info.alias or name}`" in reference, f"{part.__name__}.{name} is not documented"
    for kind in BIRTH_TYPES:
        assert kind in reference
