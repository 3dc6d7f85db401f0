"""The sample company's EDI traffic: nothing is refused, and the documents agree with one another."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from pipelines.checks.contracts import apply_row_contracts
from pipelines.landing import find_files
from pipelines.sources.base import AdapterContext, ParsedBatch
from pipelines.sources.edi import parse, read_interchanges, recognises
from storage.settings import Settings

ANSWER_KEY = ["partner_id", "direction", "document_type", "group_control", "set_control"]


@pytest.fixture(scope="module")
def sample(project_root: Path) -> Path:
    return project_root / "data" / "sample"


@pytest.fixture(scope="module")
def batch(sample: Path) -> ParsedBatch:
    context = AdapterContext.from_settings(Settings.load(sample))
    files = find_files([sample / "inbox" / "edi"])
    assert len(files) > 100
    return apply_row_contracts(parse(files, context), source="edi")


def of_type(batch: ParsedBatch, family: str, event_type: str) -> pl.DataFrame:
    return batch.events[family].filter(pl.col("event_type") == event_type)


def test_only_the_edi_files_are_recognised(sample):
    recognised = {file.name.split("/")[0] for file in find_files([sample / "inbox"]) if recognises(file)}
    assert recognised == {"edi"}


def test_nothing_is_refused_and_every_set_is_filed(batch, sample):
    assert batch.rejects.is_empty()
    filed = batch.events["document"].filter(pl.col("status").is_null())
    sets = sum(len(part.sets) for path in (sample / "inbox" / "edi").rglob("*.gz") for part in read_interchanges(path))
    assert filed.height == sets == sum(batch.rows_in.values())


def test_every_acknowledgement_answers_exactly_one_earlier_document(batch):
    documents = batch.events["document"]
    answers = documents.filter(pl.col("status").is_not_null())
    asked = documents.filter(pl.col("status").is_null() & (pl.col("document_type") != "997"))
    joined = answers.join(asked, on=ANSWER_KEY, how="left", suffix="_asked")
    assert joined.height == answers.height
    assert joined["event_at_asked"].null_count() == 0
    assert (joined["event_at"] > joined["event_at_asked"]).all()


def test_confirmations_and_cuts_add_up_to_the_orders(batch):
    captured = of_type(batch, "order", "order.captured").group_by("order_id", "line_id").agg(pl.col("quantity").sum())
    told = (
        batch.events["order"]
        .filter(pl.col("event_type") != "order.captured")
        .group_by("order_id", "line_id")
        .agg(pl.col("quantity").sum().alias("told"))
    )
    joined = told.join(captured, on=["order_id", "line_id"], how="left")
    assert joined["quantity"].null_count() == 0
    assert (joined["told"] == joined["quantity"]).all()


def test_shipped_and_invoiced_lines_belong_to_orders(batch):
    lines = of_type(batch, "order", "order.captured").select("order_id", "line_id", "sku").unique()
    for frame in (
        of_type(batch, "shipment", "asn.sent"),
        of_type(batch, "finance", "invoice.sent").filter(pl.col("line_id").is_not_null()),
    ):
        assert frame.join(lines, on=["order_id", "line_id", "sku"], how="anti").is_empty()


def test_cartons_have_a_code_of_their_own(batch):
    cartons = of_type(batch, "shipment", "asn.sent")
    assert cartons["sscc"].null_count() == 0
    assert cartons["sscc"].n_unique() == cartons.height


def test_invoice_lines_add_up_to_their_totals(batch):
    invoices = of_type(batch, "finance", "invoice.sent")
    totals = invoices.filter(pl.col("line_id").is_null()).select("document_id", pl.col("amount").alias("total"))
    lines = invoices.filter(pl.col("line_id").is_not_null()).group_by("document_id").agg(pl.col("amount").sum())
    joined = totals.join(lines, on="document_id")
    assert joined.height == totals.height
    assert (joined["total"] == joined["amount"]).all()


def test_deductions_point_at_invoices(batch):
    invoices = of_type(batch, "finance", "invoice.sent").select("document_id").unique()
    deductions = of_type(batch, "finance", "deduction.taken")
    assert deductions.join(invoices, left_on="reference_id", right_on="document_id", how="anti").is_empty()
    assert (deductions["amount"] > 0).all()


def test_the_example_of_the_documentation_runs(sample, project_root, monkeypatch, capsys):
    text = (project_root / "docs" / "edi.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(sample)
    exec(compile(example, "docs/edi.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["850 3 ST 850", "850 4 BEG 00"]
    assert all(line.startswith("850 ") for line in printed)
