"""Canonical files: typed, judged and numbered in DuckDB, every refused record with its reason, text and position."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.checks.contracts import apply_row_contracts
from pipelines.errors import SourceError
from pipelines.sources import canonical
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, reject_frame
from pipelines.sources.registry import recognise
from storage.contracts import ORDER, conform

HEADER = "event_type,event_at,order_id,line_id,sku,quantity,actor,rma_id\n"
GOOD = "order.captured,2026-03-02T14:00:00Z,A-1,1,MUG,2,,\n"


def read(folder: Path, text: str, name: str = "events.csv") -> ParsedBatch:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return canonical.parse([SourceFile(path, name)], AdapterContext())


def reasons(batch: ParsedBatch) -> dict[str, str]:
    return dict(batch.rejects.select("source_ref", "reason").iter_rows())


def test_a_file_of_our_columns_is_recognised_in_both_formats_and_others_are_not(tmp_path: Path) -> None:
    texts = {
        "a.csv": HEADER + GOOD,
        "b.jsonl": '{"event_type": "order.captured", "event_at": "2026-03-02", "order_id": "A"}\n',
        "c.csv": "event_type,when\norder.captured,2026-03-02\n",
        "d.jsonl": '{"event_type": "something", "event_at": "2026-03-02"}\n',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    found = {name: recognise(SourceFile(tmp_path / name, name)) for name in texts}
    assert found == {"a.csv": "canonical", "b.jsonl": "canonical", "c.csv": None, "d.jsonl": None}


def test_a_file_may_mix_families_and_offsets_count(tmp_path: Path) -> None:
    rows = (
        "order.captured,2026-03-02T14:00:00+02:00,A-1,1,MUG,2,,\n"
        "order.captured,2026-03-02 14:00:00,A-2,1,MUG,2,,\n"
        "rma.created,2026-03-09 10:00:00.5,A-1,1,MUG,1,,R-1\n"
    )
    batch = read(tmp_path, HEADER + rows)
    assert batch.rejects.is_empty()
    assert batch.events["order"]["event_at"].dt.to_string().str.slice(11, 5).to_list() == ["12:00", "14:00"]
    assert batch.events["order"]["source"].unique().to_list() == ["canonical"]
    assert batch.events["return"].select("source_ref", "rma_id").rows() == [("events.csv#4", "R-1")]
    assert batch.rows_in == {"events.csv": 3}


def test_every_refused_row_has_its_reason_its_text_and_its_place_and_the_others_keep_their_numbers(
    tmp_path: Path,
) -> None:
    rows = [
        GOOD,
        "order.captured,soon,A-1,2,MUG,x,,\n",
        "\n",
        "order.captured,2026-03-02 14:00,A-1,3,MUG,-2,,\n",
        "short,row\n",
        "order.cancelled,2026-03-02 14:00,A-1,3,MUG,2,me,R1\n",
        "order.exploded,2026-03-02 14:00,A-1,3,MUG,2,,\n",
        ",0001-01-01,,,,,,\n",
        '"order.captured","2026-03-02 14:00","A\n1","3","MUG",2,,\n',
    ]
    batch = read(tmp_path, HEADER + "".join(rows))
    assert batch.events["order"]["source_ref"].to_list() == ["events.csv#2", "events.csv#10"]
    assert reasons(batch) == {
        "events.csv#3": "column event_at: 'soon' is not a time between 1900 and 2199 (expected e.g. "
        "2026-11-16T14:30:00Z); column quantity: 'x' is not a number",
        "events.csv#5": "quantity is below 0",
        "events.csv#6": "expected 8 cells, found 2",
        "events.csv#7": "actor is not one of customer, seller_oos, seller_other, fraud, payment, retailer_expiry, "
        "unknown; rma_id is no column of order events",
        "events.csv#8": "event_type 'order.exploded' is unknown (docs/events.md)",
        "events.csv#9": "column event_at: '0001-01-01' is not a time between 1900 and 2199 (expected e.g. "
        "2026-11-16T14:30:00Z); event_type is missing",
    }
    raw = dict(batch.rejects.select("source_ref", "raw").iter_rows())
    assert raw["events.csv#6"] == "short,row"
    assert "soon" in raw["events.csv#3"]
    assert batch.rows_in == {"events.csv": 8}


def test_json_lines_keep_nested_attributes_and_refuse_what_is_no_object(tmp_path: Path) -> None:
    good = {"event_type": "order.captured", "event_at": "2026-03-02T14:00:00+01:00", "order_id": "A", "quantity": 1.5}
    lines = [json.dumps(good | {"attributes": {"a": 1}}), "{broken", "", "[1]", json.dumps(good | {"quantity": "two"})]
    batch = read(tmp_path, "\n".join(lines) + "\n", "events.jsonl")
    [row] = batch.events["order"].to_dicts()
    assert (str(row["event_at"]), row["attributes"], str(row["quantity"])) == (
        "2026-03-02 13:00:00",
        '{"a":1}',
        "1.500",
    )
    assert reasons(batch) == {
        "events.jsonl#2": "the line is no JSON object",
        "events.jsonl#4": "the line is no JSON object",
        "events.jsonl#5": "column quantity: 'two' is not a number",
    }


def test_a_column_that_first_appears_deep_in_a_json_file_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canonical, "_JSON_SAMPLE", 2)
    rows = [{"event_type": "order.captured", "event_at": "2026-03-02", "order_id": f"A{n}"} for n in range(5)]
    rows[4]["sku"] = "LATE"
    batch = read(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "events.jsonl")
    assert batch.events["order"]["sku"].to_list() == [None] * 4 + ["LATE"]


def test_a_misspelt_column_refuses_the_file_and_names_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"'unit_prise' is no event column.*did you mean 'unit_price'"):
        read(tmp_path, "event_type,event_at,unit_prise\norder.captured,2026-03-02,1\n")
    with pytest.raises(SourceError, match="'event_at' is missing"):
        read(tmp_path, "event_type,order_id\norder.captured,A\n")


def test_a_gzipped_file_with_another_clock_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "events.csv.gz").write_bytes(gzip.compress((HEADER + GOOD).encode()))
    batch = canonical.parse([SourceFile(tmp_path / "events.csv.gz", "events.csv.gz")], AdapterContext())
    assert batch.events["order"].height == 1


CELL = st.one_of(
    st.sampled_from(
        ["", "A-1", "1", "-1", "2026-03-02", "2026-03-02 10:00:00", "order.captured", "order.cancelled", "customer"]
    ),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=6),
)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.lists(CELL, min_size=8, max_size=8), min_size=1, max_size=6))
def test_any_text_lands_or_is_rejected_and_both_engines_judge_alike(
    rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([HEADER.strip().split(","), *rows])
    batch = read(tmp_path_factory.mktemp("any"), text.getvalue())
    landed = [ref for frame in batch.events.values() for ref in frame["source_ref"]]
    refused = set(batch.rejects["source_ref"])
    assert sorted([*landed, *refused]) == sorted(f"events.csv#{number}" for number in range(2, len(rows) + 2))
    assert not (batch.rejects["reason"] == "").any()
    again = apply_row_contracts(batch, source="canonical")  # the same contract, judged by polars
    assert again.rejects.height == batch.rejects.height


def test_both_engines_read_every_rule_of_the_contract_alike() -> None:
    frame = conform(
        pl.DataFrame(
            {"event_type": ["order.captured", "order.changed"], "order_id": ["A", ""], "quantity": ["1", "-1"]}
        ),
        "order",
    )
    judged = apply_row_contracts(ParsedBatch({"order": frame}, reject_frame(), {}), source="x")
    assert judged.events["order"].is_empty()
    assert all("event_at is missing" in reason for reason in judged.rejects["reason"])
    assert "quantity is below 0" in judged.rejects["reason"][1]
    assert len(ORDER.row_rules()) > 10
