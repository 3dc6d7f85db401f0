"""Great Expectations judges real batches: what fails is named with its values, and Data Docs are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.checks import expectations
from pipelines.checks.expectations import data_docs_index, load_suites
from pipelines.errors import PipelineError
from pipelines.landing import ingest
from storage.duck import connect
from storage.settings import Settings

MAPPING = """
name: shop
zone: UTC
tables:
  orders: {files: "*orders*.csv"}
events:
  - type: order.captured
    from: orders
    at: placed
    columns: {order_id: order, line_id: line, sku: sku, quantity: qty, currency: currency}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "shop.yml").write_text(MAPPING)
    return Settings(home=tmp_path)


def write_orders(folder: Path, rows: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "orders.csv").write_text("order,line,sku,placed,qty,currency\n" + "\n".join(rows) + "\n")
    return folder


def good_rows(count: int) -> list[str]:
    return [f"A{n},1,S,2026-03-01 10:00:00,2,USD" for n in range(count)]


def test_a_sound_batch_lands_and_data_docs_are_written(settings: Settings, tmp_path: Path) -> None:
    [report] = ingest(settings, [write_orders(tmp_path / "in", good_rows(60))])
    assert (report.status, report.events_landed, report.failures) == ("landed", 60, ())
    assert "shop.order" in data_docs_index(settings).read_text()


EVERY_FAMILY = {
    "order": {"event_type": "order.captured", "order_id": "A", "currency": "IDR", "unit_price": "1250000"},
    "shipment": {"event_type": "ship.confirmed", "order_id": "A", "quantity": "1"},
    "return": {"event_type": "return.received", "rma_id": "R", "order_id": "A", "quantity": "1"},
    "inventory": {"event_type": "inventory.snapshot", "sku": "S", "node_id": "dc", "quantity": "5"},
    "finance": {"event_type": "invoice.sent", "document_id": "I", "order_id": "A", "amount": "1250000"},
    "document": {"event_type": "document.received", "document_type": "850", "partner_id": "acme", "direction": "in"},
}


def test_every_family_is_judged_by_its_suite_and_shown_in_data_docs(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rows = [row | {"event_at": "2026-03-01T10:00:00Z"} for row in EVERY_FAMILY.values()]
    (folder / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    [report] = ingest(settings, [folder])
    assert (report.status, report.events_landed, report.failures) == ("landed", 6, ())
    docs = data_docs_index(settings).read_text()
    assert [family for family in EVERY_FAMILY if f"canonical.{family}" not in docs] == []


def test_shipments_that_come_before_their_orders_land_with_a_warning(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rows = [EVERY_FAMILY["shipment"] | {"order_id": f"A{n}", "event_at": "2026-03-01T10:00:00Z"} for n in range(60)]
    (folder / "shipped.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    [report] = ingest(settings, [folder])
    assert (report.status, report.events_landed) == ("warned", 60)
    assert "at least half of the orders that are referred to are known" in report.failures[0]


def test_later_batches_of_a_source_are_judged_too(settings: Settings, tmp_path: Path) -> None:
    for number in range(2):
        folder = write_orders(tmp_path / f"in{number}", good_rows(60 + number))
        assert [report.status for report in ingest(settings, [folder])] == ["landed"]


def test_a_batch_that_breaks_a_suite_is_quarantined_and_the_values_are_named(
    settings: Settings, tmp_path: Path
) -> None:
    rows = [*good_rows(60), "A900,1,S,2026-03-01 10:00:00,90000000,USD"]
    [report] = ingest(settings, [write_orders(tmp_path / "in", rows)])
    assert (report.status, report.events_landed) == ("quarantined", 0)
    [failure] = report.failures
    assert "order quantities are plausible" in failure
    assert "90000000" in failure


def test_a_row_in_no_currency_or_of_before_our_time_is_rejected_and_the_others_land(
    settings: Settings, tmp_path: Path
) -> None:
    rows = [*good_rows(60), "A900,1,S,2026-03-01 10:00:00,2,dollars", "A901,1,S,1970-01-01 00:00:00,2,USD"]
    [report] = ingest(settings, [write_orders(tmp_path / "in", rows)])
    assert (report.status, report.events_landed, report.rows_rejected) == ("landed", 60, 2)
    with connect(settings.database, read_only=True) as connection:
        reasons = connection.execute("select reason from landing.rejects order by reason").fetchall()
    assert reasons == [
        ("currency is no ISO 4217 code (three capital letters)",),
        ("event_at is before 1990",),
    ]


def test_one_event_in_the_future_does_not_hold_up_a_small_batch(settings: Settings, tmp_path: Path) -> None:
    rows = [*good_rows(60), "A900,1,S,2126-03-01 10:00:00,2,USD"]
    [report] = ingest(settings, [write_orders(tmp_path / "in", rows)])
    assert (report.status, report.events_landed) == ("warned", 61)
    assert "no event lies more than a day in the future" in report.failures[0]


def test_many_events_in_the_future_hold_up_a_batch(settings: Settings, tmp_path: Path) -> None:
    rows = [*good_rows(990), *(f"B{n},1,S,2126-03-01 10:00:00,2,USD" for n in range(10))]
    [report] = ingest(settings, [write_orders(tmp_path / "in", rows)])
    assert report.status == "quarantined"


def test_a_batch_of_mostly_rejected_rows_is_quarantined(settings: Settings, tmp_path: Path) -> None:
    rows = [*good_rows(40), *(f"B{n},1,S,whenever,2,USD" for n in range(30))]
    [report] = ingest(settings, [write_orders(tmp_path / "in", rows)])
    assert report.status == "quarantined"
    assert report.rows_rejected == 30
    assert "at most 20 %" in report.failures[0]


def test_a_file_without_any_readable_row_is_quarantined(settings: Settings, tmp_path: Path) -> None:
    [report] = ingest(settings, [write_orders(tmp_path / "in", ["A1,1,S,whenever,2,USD"])])
    assert report.status == "quarantined"
    assert "at least one readable event" in report.failures[0]


def test_an_export_without_rows_is_no_fault(settings: Settings, tmp_path: Path) -> None:
    [report] = ingest(settings, [write_orders(tmp_path / "in", [])])
    assert (report.status, report.events_landed) == ("landed", 0)


def test_a_workspace_may_replace_a_family_of_expectations(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "checks.yml").write_text(
        "order:\n  - {expectation: expect_column_values_to_be_between, column: quantity, max_value: 1,\n"
        "     meaning: single units}\n"
    )
    assert [entry["meaning"] for entry in load_suites(settings)["order"]] == ["single units"]
    [report] = ingest(settings, [write_orders(tmp_path / "in", good_rows(3))])
    assert report.status == "quarantined"
    assert "single units" in report.failures[0]


def test_a_malformed_suite_file_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "checks.yml").write_text("order: nonsense")
    with pytest.raises(PipelineError, match=r"checks\.yml: order"):
        load_suites(settings)


def test_values_judged_once_with_their_counts_give_the_verdict_over_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checks.yml").write_text(
        """
order:
  - {expectation: expect_column_values_to_be_between, column: quantity, min_value: 1, max_value: 5, mostly: 0.9}
  - {expectation: expect_column_values_to_be_between, column: quantity, min_value: 1, max_value: 5, mostly: 0.99}
  - {expectation: expect_column_values_to_be_between, column: event_at, min_value: "2026-03-02"}
  - {expectation: expect_column_values_to_match_regex, column: currency, regex: "^[A-Z]{3}$", mostly: 0.5}
  - {expectation: expect_column_values_to_not_be_null, column: currency, mostly: 0.8}
  - {expectation: expect_column_values_to_not_be_null, column: currency, mostly: 0.9}
  - {expectation: expect_column_values_to_be_in_set, column: sku, value_set: [S]}
  - {expectation: expect_column_values_to_be_unique, column: order_id}
  - {expectation: expect_column_values_to_be_unique, column: sku}
  - {expectation: expect_column_mean_to_be_between, column: quantity, min_value: 2, max_value: 3}
  - {expectation: expect_table_row_count_to_be_between, min_value: 100, max_value: 100}
"""
    )
    settings = Settings(home=tmp_path)
    lines = [
        f"order.captured,2026-03-{1 + n % 9:02d} 10:00:00,A{n},1,S,{9 if n < 5 else 2},{'' if n % 7 == 0 else 'USD'}\n"
        for n in range(100)
    ]
    path = tmp_path / "events.csv"
    path.write_text("event_type,event_at,order_id,line_id,sku,quantity,currency\n" + "".join(lines))

    def failures(whole_rows: int) -> list[tuple[str, str]]:
        monkeypatch.setattr(expectations, "WHOLE_ROWS", whole_rows)
        [report] = ingest(settings, [path])  # quarantined, so nothing lands and the file stays new
        assert report.status == "quarantined"
        return [tuple(sentence.split("; found ")) for sentence in report.failures]  # type: ignore[misc]

    by_row, by_value = failures(1000), failures(10)
    assert [expected for expected, _ in by_value] == [expected for expected, _ in by_row]
    assert len(by_row) == 4  # quantity at 99 %, event_at, currency null at 90 %, sku unique
    shares = [[text.partition("(")[2] for _, text in found] for found in (by_row, by_value)]
    assert shares[0] == shares[1]
