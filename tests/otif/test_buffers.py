"""`otif buffers` on the sample company: less regret than the rules, idle reserves named, a proposal in the ledger."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from otif.buffers import spread_over_nodes
from otif.cli import app
from storage.ledger import VersionState, open_ledger
from storage.settings import Settings


@pytest.fixture(scope="module")
def home(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample company to write into."""
    return Path(shutil.copytree(sample_home, tmp_path_factory.mktemp("buffers") / "home"))


@pytest.fixture(scope="module")
def answer(home: Path) -> dict:
    told = CliRunner().invoke(app, ["--home", str(home), "buffers", "--propose", "--by", "Dana", "--json"])
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)


def test_regret_is_least_on_the_held_out_weeks(answer):
    regret = {row["policy"]: row["regret_cents"] for row in answer["regret"]}
    ours = regret.pop("sample average")
    assert all(ours < other for other in regret.values()), regret


def test_the_reservations_typed_in_the_wrong_unit_protected_nothing(answer, sample_home):
    idle = {(row["sku"], row["channel"]) for row in answer["today"] if row["protected_nothing"]}
    largest = sorted(answer["today"], key=lambda row: -row["units"])[:5]
    assert {(row["sku"], row["channel"]) for row in largest} <= idle


def test_the_proposal_waits_in_the_ledger_over_the_version_in_force(answer, home):
    with open_ledger(Settings.load(home)) as ledger:
        version = ledger.get_version("live", answer["proposed"]["version"])
    assert version.state is VersionState.PROPOSED
    assert version.created_by == "Dana"
    assert version.parent_version == 1
    assert "sample average" in version.reason


def test_a_reserve_is_spread_over_the_nodes_by_stock_and_adds_up(home):
    reserves = pl.DataFrame({"sku": ["LK-BED-118"], "channel": ["dtc"], "units": [10]})
    shared = spread_over_nodes(Settings.load(home), reserves)
    assert sum(shared.values()) == 10
    assert {channel for _, _, channel in shared} == {"dtc"}


def test_too_little_history_is_said(home):
    told = CliRunner().invoke(app, ["--home", str(home), "buffers", "--weeks", "40"])
    assert told.exit_code != 0
    assert "weeks of order history" in str(told.exception)
