"""`otif map` on tables as strangers export them: what it proposes reads them rightly, or says what it cannot know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from otif.mapping import map_tables
from pipelines.errors import MappingError
from pipelines.landing import find_files
from pipelines.sources.base import AdapterContext, ParsedBatch
from pipelines.sources.mapping import load_mapping
from pipelines.sources.mapping.look import look_at
from pipelines.sources.mapping.propose import Proposal
from tests.pipelines.sources.workbooks import write_book

at = datetime.fromisoformat
GERMAN = """Auftragsbericht;;;;;;;
Stand: 31.03.2026;;;;;;;
;;;;;;;
Auftragsnummer;Position;Artikelnummer;Menge;Einzelpreis;Auftragsdatum;Wunschtermin;Geliefert am
AB-1;1;ART-Größe;2;1.234,50;13.03.2026;16.03.2026;15.03.2026
AB-1;2;ART-2;1;0,99;13.03.2026;16.03.2026;
"""
FRENCH = """N° commande;Ligne;Référence article;Quantité;Prix unitaire;Date de commande;Date de livraison prévue
CMD-1;1;R-1;2;1\u202f234,50 €;13/03/2026 14:30;16/03/2026
CMD-1;2;R-2;1;0,99 €;13/03/2026 14:30;16/03/2026
"""
SPANISH = """Número de pedido\tLínea\tCódigo\tCantidad\tPrecio\tFecha de pedido\tFecha de entrega
P-1\t1\tC-ñ\t2\t1234,50\t2026-03-13\t2026-03-15
P-1\t2\tC-2\t1\t0,99\t2026-03-13\t2026-03-16
"""
ITALIAN = """Numero ordine;Codice articolo;Quantità;Prezzo unitario;Data ordine;Data consegna richiesta
O-1;A-1;2;EUR 1.234,50;13-03-2026;16-03-2026
O-1;A-2;1;EUR 0,99;13-03-2026;16-03-2026
Totale;;3;EUR 1.235,49;;
"""
SWISS = """Bestellnummer|Pos.|Artikel-Nr.|Bestellmenge|Preis|Bestelldatum|Status
B-1|1|A-1|2|1'234.50|13.3.2026|versendet
B-1|2|A-2|1|0.99|13.3.2026|storniert
"""
AMERICAN = """Order #,Line,SKU,,Qty Ordered,Unit Price,Order Date,Promise Date,
1,1,S-1,,2,"$1,234.50",3/13/2026,3/16/2026,
1,2,S-2,,1,$0.99,3/13/2026,3/16/2026,
"""
GROUPED = """Order,,Item,,,
Number,Date,Line,SKU,Qty,Price
Q-1,2026-03-13T09:00:00,1,S-1,2,1234.50
Q-1,2026-03-13T09:00:00,2,S-2,1,0.99
"""
SERIAL = """order_id,line,order_date,sku,qty,price
1,1,46094.375,S-1,2,1234.50
1,2,46094.375,S-2,1,0.99
"""
SECONDS = """order_id,line,created_at,sku,qty,price
1,1,1773392400,S-1,2,1234.50
1,2,1773392400,S-2,1,0.99
"""


@dataclass(frozen=True)
class Mapped:
    """A proposal and what the files became through it."""

    proposal: Proposal
    batch: ParsedBatch

    def column(self, family: str, event_type: str, name: str) -> list[Any]:
        return self.batch.events[family].filter(pl.col("event_type") == event_type)[name].to_list()

    def said(self, words: str) -> bool:
        return any(words in note for note in self.proposal.notes)


@pytest.fixture
def propose(tmp_path: Path) -> Callable[[str, bytes], Proposal]:
    """Write a file and propose its mapping."""

    def proposed(name: str, content: bytes) -> Proposal:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        return map_tables(None, [str(folder / name)], name="shop", zone="UTC").proposal

    return proposed


@pytest.fixture
def mapped(tmp_path: Path, propose: Callable[[str, bytes], Proposal]) -> Callable[..., Mapped]:
    """Write a file, propose its mapping and read the file through it."""

    def read(name: str, content: str | bytes, encoding: str = "utf-8") -> Mapped:
        proposal = propose(name, content if isinstance(content, bytes) else content.encode(encoding))
        path = tmp_path / "mapping.yml"
        path.write_text(proposal.yaml, encoding="utf-8")
        batch = load_mapping(path).parse(find_files([tmp_path / "data"]), AdapterContext())
        return Mapped(proposal, batch)

    return read


@pytest.mark.parametrize(
    ("name", "content", "encoding", "ordered"),
    [
        ("auftraege.csv", GERMAN, "windows-1252", "2026-03-13"),
        ("commandes.csv", FRENCH, "utf-8-sig", "2026-03-13T14:30"),
        ("pedidos.tsv", SPANISH, "latin-1", "2026-03-13"),
        ("ordini.csv", ITALIAN, "utf-8", "2026-03-13"),
        ("schweiz.csv", SWISS, "utf-8", "2026-03-13"),
        ("orders.csv", AMERICAN, "utf-8", "2026-03-13"),
        ("unicode.txt", AMERICAN.replace('"$1,234.50"', "1234.50").replace("$", "").replace(",", "\t"), "utf-16",
         "2026-03-13"),
        ("grouped.csv", GROUPED, "utf-8", "2026-03-13T09:00"),
        ("serial.csv", SERIAL, "utf-8", "2026-03-13T09:00"),
        ("seconds.csv", SECONDS, "utf-8", "2026-03-13T09:00"),
    ],
)  # fmt: skip
def test_the_proposal_reads_a_strangers_export(
    mapped: Callable[..., Mapped], name: str, content: str, encoding: str, ordered: str
) -> None:
    found = mapped(name, content, encoding)
    assert not found.proposal.is_open
    assert found.column("order", "order.captured", "event_at") == [at(ordered)] * 2
    assert found.column("order", "order.captured", "quantity") == [2, 1]
    assert found.column("order", "order.captured", "unit_price") == [Decimal("1234.5"), Decimal("0.99")]
    assert len(set(found.column("order", "order.captured", "line_id"))) == 2
    quality = "instant" if "T" in ordered else "date"
    assert found.column("order", "order.captured", "time_quality") == [quality] * 2
    (cancelled,) = (kpi for kpi in found.proposal.kpis if kpi.kpi_id == "cancellation_rate")
    assert cancelled.is_possible == ("order.cancelled" in found.proposal.yaml), "silence about cancellations is not 0 %"


def test_a_wish_a_promise_and_a_delivery_are_told_apart_in_other_languages(mapped: Callable[..., Mapped]) -> None:
    german = mapped("auftraege.csv", GERMAN, "windows-1252")
    assert german.column("order", "order.captured", "requested_at") == [at("2026-03-17")] * 2
    assert german.column("shipment", "delivered", "event_at") == [at("2026-03-15")]
    assert not german.said("meant to arrive")


def test_a_delivery_date_that_may_be_a_plan_is_pointed_out(mapped: Callable[..., Mapped]) -> None:
    assert mapped("pedidos.tsv", SPANISH, "latin-1").said("Fecha de entrega is taken for the day the goods arrived")


def test_a_currency_is_taken_from_the_prices_or_said_to_be_assumed(mapped: Callable[..., Mapped]) -> None:
    french = mapped("commandes.csv", FRENCH, "utf-8-sig")
    assert set(french.column("order", "order.captured", "currency")) == {"EUR"}
    assert not french.said("is assumed")


def test_a_dollar_sign_may_be_several_currencies(mapped: Callable[..., Mapped]) -> None:
    assert mapped("orders.csv", AMERICAN).said("'$' may be several currencies: USD is assumed")


def test_a_row_of_totals_is_announced_and_rejected(mapped: Callable[..., Mapped]) -> None:
    found = mapped("ordini.csv", ITALIAN)
    assert found.said("1 of 3 rows have no Data ordine")
    assert found.batch.rejects["reason"].to_list() == ["order.captured needs a time, but column Data ordine is empty"]


def test_a_cancelled_status_is_known_in_other_languages(mapped: Callable[..., Mapped]) -> None:
    assert mapped("schweiz.csv", SWISS).column("order", "order.cancelled", "sku") == ["A-2"]


def test_dates_that_can_be_read_in_two_ways_leave_the_mapping_open(
    tmp_path: Path, propose: Callable[[str, bytes], Proposal]
) -> None:
    proposal = propose("orders.csv", b"Order ID,Date,Item,Qty\nA,01/02/2026,X,1\nB,03/04/2026,Y,2\n")
    assert proposal.is_open
    assert any(note.startswith("AMBIGUOUS: Date (01/02/2026, 03/04/2026)") for note in proposal.notes)
    path = tmp_path / "mapping.yml"
    path.write_text(proposal.yaml, encoding="utf-8")
    with pytest.raises(MappingError, match="dates: is empty: it needs at least one entry"):
        load_mapping(path)


def test_numbers_that_can_be_read_in_two_ways_leave_the_mapping_open(propose: Callable[[str, bytes], Proposal]) -> None:
    proposal = propose("orders.csv", b"Order ID;Order Date;Item;Qty\nA;2026-03-01;X;1,500\nB;2026-03-02;Y;2,250\n")
    assert proposal.is_open
    assert any("a comma in Qty (1,500, 2,250) may part thousands or decimals" in note for note in proposal.notes)


def test_columns_written_in_different_ways_are_named(propose: Callable[[str, bytes], Proposal]) -> None:
    proposal = propose("orders.csv", b"Order ID;Order Date;Item;Qty;Price\nA;2026-03-01;X;1.50;1.234,50\n")
    assert proposal.is_open
    assert any("Qty 1234.5" in note and "Unit" not in note for note in proposal.notes)


def test_a_code_with_letters_in_front_is_no_amount(propose: Callable[[str, bytes], Proposal]) -> None:
    proposal = propose("orders.csv", b"Order ID,Order Date,Item,Qty\nA,2026-03-01,X,ABC12\nB,2026-03-01,X,ABC13\n")
    assert "quantity" not in proposal.roles.values()


def test_one_column_is_told_what_is_missing(propose: Callable[[str, bytes], Proposal]) -> None:
    proposal = propose("one.csv", b"order_number\nA1\nA2\n")
    assert proposal.is_open
    assert not any(kpi.is_possible for kpi in proposal.kpis)
    assert any("looks like an order date" in note for note in proposal.notes)


def test_a_book_with_titles_and_idle_sheets_is_read_sheet_by_sheet(
    tmp_path: Path, mapped: Callable[..., Mapped]
) -> None:
    orders: Sequence[Sequence[Any]] = [
        ["Order report"],
        ["Exported 2026-03-31"],
        [],
        ["Order No", "Order Date", "Due Date", "Ship Date", "Status"],
        ["SO-1", datetime.fromisoformat("2026-03-13T09:30"), date(2026, 3, 16), date(2026, 3, 14), "Shipped"],
        ["SO-2", datetime.fromisoformat("2026-03-14T10:30"), date(2026, 3, 17), None, "Cancelled"],
    ]
    lines: Sequence[Sequence[Any]] = [
        ["Order No", "Line No", "Product Code", "Qty", "Unit Price"],
        ["SO-1", 1, "P-1", 2, 9.99],
        ["SO-1", 2, "P-2", 1, 1234.5],
        ["SO-2", 1, "P-1", 3, 9.99],
    ]
    path = tmp_path / "book.xlsx"
    write_book(path, {"Readme": [["Exported by hand"]], "Orders": orders, "Lines": lines, "Empty": []})
    found = mapped("book.xlsx", path.read_bytes())
    assert found.column("order", "order.captured", "event_at") == [
        at("2026-03-13T09:30"),
        at("2026-03-13T09:30"),
        at("2026-03-14T10:30"),
    ]
    assert found.column("order", "order.captured", "unit_price") == [
        Decimal("9.99"),
        Decimal("1234.5"),
        Decimal("9.99"),
    ]
    assert found.column("order", "order.captured", "promise_at")[0] == at("2026-03-17")
    assert found.column("shipment", "ship.confirmed", "time_quality") == ["date", "date"]
    assert found.column("order", "order.cancelled", "order_id") == ["SO-2"]


def test_lines_without_a_quantity_count_as_one_unit_and_orders_without_lines_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "orders.csv").write_text(
        "order_id,order_purchase_timestamp,order_delivered_carrier_date,order_estimated_delivery_date\n"
        "a,2026-03-13 09:00:00,2026-03-14 10:00:00,2026-03-16 00:00:00\nb,2026-03-13 10:00:00,,2026-03-17 00:00:00\n"
    )
    (folder / "items.csv").write_text("order_id,order_item_id,product_id,price\na,1,X,9.99\na,2,X,9.99\n")
    proposal = map_tables(None, [str(folder)], name="shop", zone="UTC").proposal
    path = tmp_path / "mapping.yml"
    path.write_text(proposal.yaml, encoding="utf-8")
    found = Mapped(proposal, load_mapping(path).parse(find_files([folder]), AdapterContext()))
    assert found.said("items has no quantity: each row counts as one unit")
    assert found.said("1 of 2 orders have no row in table items")
    captured = found.batch.events["order"].sort("order_id", "line_id")
    assert captured.select("order_id", "line_id", "quantity").rows() == [
        ("a", "1", 1),
        ("a", "2", 1),
        ("b", None, None),
    ]
    assert captured["promise_at"].to_list() == [at("2026-03-17"), at("2026-03-17"), None]
    assert found.column("shipment", "carrier.accepted", "event_at") == [at("2026-03-14T10:00")] * 2


def test_the_ordered_quantity_is_no_evidence_of_what_shipped(mapped: Callable[..., Mapped]) -> None:
    plain = mapped("orders.csv", "order,line,sku,qty,ordered on,shipped on\n1,1,A,5,2026-03-13,2026-03-14\n", "utf-8")
    assert plain.column("shipment", "ship.confirmed", "quantity") == [None]
    assert plain.said("No column tells how much of a line shipped")
    told = mapped(
        "orders.csv",
        "order,line,sku,qty,ordered on,shipped on,qty shipped\n1,1,A,5,2026-03-13,2026-03-14,3\n",
        "utf-8",
    )
    assert told.column("shipment", "ship.confirmed", "quantity") == [3]
    assert not told.said("No column tells how much of a line shipped")


def test_files_of_the_same_columns_are_one_table(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    head = "order,line,sku,qty,ordered on,customer\n"
    (folder / "2026-03-13.csv").write_bytes((head + "1,1,A,5,2026-03-13,Ann\n").encode())
    (folder / "2026-03-14.csv").write_bytes((head + "2,1,A,2,2026-03-14,Zoë\n").encode("windows-1252"))
    (folder / "2026-03-15.csv").write_bytes(b"line,order,sku,qty,ordered on,customer\n1,3,B,1,2026-03-15,Bob\n")
    (folder / "stores.csv").write_text("store,city\n1,Rome\n")
    found = map_tables(None, [str(folder)], name="shop", zone="UTC")
    assert [look.rows for look in found.looks] == [3, 1]
    assert found.names == ("lines", "stores")
    path = tmp_path / "shop.yml"
    path.write_text(found.proposal.yaml, encoding="utf-8")
    batch = load_mapping(path).parse(find_files([folder]), AdapterContext())
    captured = batch.events["order"].sort("order_id")
    assert captured.select("order_id", "customer_id").rows() == [("1", "Ann"), ("2", "Zoë"), ("3", "Bob")]


def test_a_glob_that_would_claim_a_file_of_another_table_gives_way_to_names(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "1.csv").write_text("order,line,sku,qty\n1,1,A,5\n")
    (folder / "orders.csv").write_text("order,ordered on,customer\n1,2026-03-13,Ann\n")
    found = map_tables(None, [str(folder)], name="shop", zone="UTC")
    path = tmp_path / "shop.yml"
    path.write_text(found.proposal.yaml, encoding="utf-8")
    batch = load_mapping(path).parse(find_files([folder]), AdapterContext())
    assert batch.events["order"].select("order_id", "sku", "customer_id").rows() == [("1", "A", "Ann")]


def test_published_tables_of_the_same_columns_stay_apart_because_each_has_its_address(tmp_path: Path) -> None:
    for name in ("sheet.csv", "sheet1.csv"):
        (tmp_path / name).write_text("order,line,sku,qty\n1,1,A,5\n")
    files = find_files([tmp_path])
    looks = look_at(files, tmp_path / "looks", alone=[file.name for file in files])
    assert [len(look.files) for look in looks] == [1, 1]
