"""`otif scorecard` on the sample company: the slipping 3PL stands out, with proof; nothing is claimed unagreed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from otif.cli import app


def ask(home: Path, *arguments: str) -> list[dict[str, Any]]:
    told = CliRunner().invoke(app, ["--home", str(home), "scorecard", *arguments, "--format", "json"])
    assert told.exit_code == 0, told.output
    rows: list[dict[str, Any]] = json.loads(told.stdout)["rows"]
    return rows


def test_the_node_that_slipped_is_last_and_its_misses_have_proof(sample_home: Path) -> None:
    cards = ask(sample_home, "3pl", "--week", "2026-W45")
    assert cards[0]["party_id"] == "tpl_west"
    assert cards[0]["adjusted"] < 0.5 < min(card["adjusted"] for card in cards[1:])
    cases = ask(sample_home, "3pl", "--week", "2026-W45", "--node", "tpl_west", "--cases")
    assert len(cases) == cards[0]["cases"] - cards[0]["kept"]
    for case in cases:
        assert case["cut_off_time"] == "14:00"
        assert case["started_at"] < case["due_at"]
        assert case["stopped_at"] is None or case["stopped_at"] >= case["due_at"]


def test_nothing_is_claimed_that_was_not_agreed(sample_home: Path) -> None:
    assert ask(sample_home, "3pl", "--claims") == []
    told = CliRunner().invoke(app, ["--home", str(sample_home), "scorecard", "3pl", "--claims"])
    assert "Nothing to claim" in told.stdout


@pytest.mark.parametrize("arguments", [["3pl"], ["carrier"], ["carrier", "--carrier", "ironroad", "--cases"]])
def test_the_tables_show(sample_home: Path, arguments: list[str]) -> None:
    told = CliRunner().invoke(app, ["--home", str(sample_home), "scorecard", *arguments])
    assert told.exit_code == 0, told.output
    assert "ironroad" in told.stdout or "tpl_west" in told.stdout
