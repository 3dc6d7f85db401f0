"""`otif allocate --problem`: a stranger's folder is solved, told in words and written, or refused with a guess."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from optimizer.errors import InvalidDataError
from otif.cli import app

TABLES = {
    "instance.yaml": "as_of: 2026-11-16T05:00:00Z\noptions: {horizon_days: 2}\n",
    "open_lines.csv": "order_id,line_id,sku,channel,open_quantity,unit_price,unit_cost\n"
    "1,1,A,dtc,4,40,10\n2,1,A,dtc,9,30,10\n",
    "inventory.csv": "sku,node_id,on_hand\nA,n1,6\n",
    "nodes.csv": "node_id\nn1\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirteen units of one SKU are wanted, six are there."""
    made = tmp_path / "problem"
    made.mkdir()
    for name, text in TABLES.items():
        (made / name).write_text(text, encoding="utf-8")
    return made


def run(folder: Path, *arguments: str):
    return CliRunner().invoke(app, ["allocate", "--problem", str(folder), *arguments])


def test_the_answer_says_how_good_it_is_and_why_lines_are_short(folder):
    told = run(folder)
    assert told.exit_code == 0, told.output
    assert "no better plan exists (proven)" in told.stdout
    assert "LOWER_PRIORITY  other lines got the units and bring more" in told.stdout


def test_the_tables_are_written_with_who_took_the_units(folder, tmp_path):
    told = run(folder, "--out", str(tmp_path / "out"), "--json")
    shorts = pl.read_csv(tmp_path / "out" / "shorts.csv")
    assert shorts.select("order_id", "short_quantity", "competing_lines").row(0) == (2, 7, "1/1")
    assert json.loads(told.stdout)["shorts"][0]["competing_lines"] == ["1/1"]
    assert {path.stem for path in (tmp_path / "out").iterdir()} >= {"allocations", "lates", "splits", "thresholds"}


def test_a_misspelt_weight_is_refused_with_a_guess(folder):
    text = "as_of: 2026-11-16T05:00:00Z\noptions: {weights: {splitt_cents: 0}}\n"
    (folder / "instance.yaml").write_text(text, encoding="utf-8")
    told = run(folder)
    assert isinstance(told.exception, InvalidDataError)
    assert "did you mean split_cents?" in str(told.exception)
