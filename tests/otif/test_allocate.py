"""`otif allocate` on the sample company: scenarios by name, comparison, reasons, clear refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from optimizer.errors import InvalidScenarioError
from otif.cli import app, main
from otif.decisions import LIBRARY, list_scenarios, read_scenario
from storage.errors import ConfigError
from storage.ledger import open_ledger
from storage.settings import Settings


@pytest.fixture
def home(sample_home: Path, tmp_path: Path) -> Path:
    """A copy of the sample company to write into."""
    return Path(shutil.copytree(sample_home, tmp_path / "home"))


def run(home: Path, *arguments: str):
    return CliRunner().invoke(app, ["--home", str(home), "allocate", *arguments])


def test_a_named_scenario_is_compared_explained_and_recorded(home):
    told = run(home, "credit-release", "--compare", "baseline,channel-rebalancing", "--why", "1", "--json")
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    names = {row["scenario"] for row in answer["measures"]}
    assert names == {"baseline", "credit release", "channel rebalancing"}
    assert len(answer["explained"]) == 1
    assert answer["objective_cents"] > answer["baseline_objective_cents"]
    with open_ledger(Settings.load(home)) as ledger:
        record = ledger.get_plan(answer["plan_id"])
        lines = ledger.plan_lines(answer["plan_id"])
    assert record.scenario == "credit release"
    assert record.kpis["comparison"]["names"] == ["baseline", "credit release", "channel rebalancing"]
    assert all(line["text"] for line in lines)


def test_every_scenario_of_the_library_fits_the_sample_company(home):
    from optimizer.scenarios.apply import apply_later, apply_scenario
    from otif.decisions import todays_world

    world = todays_world(Settings.load(home))
    for name, path in list_scenarios(Settings.load(home)).items():
        scenario = read_scenario(path)
        changed, notes = apply_scenario(world, scenario)
        assert len(notes) >= len(scenario.changes), name
        assert not changed.data().validate(), name
        if scenario.later is not None:
            apply_later(changed, scenario.later)


def test_the_list_names_ten_scenarios_and_a_new_workspace_has_them(tmp_path):
    assert CliRunner().invoke(app, ["init", str(tmp_path / "new")]).exit_code == 0
    told = run(tmp_path / "new", "--list", "--json")
    listed = json.loads(told.stdout)
    assert len(listed) == 10
    assert {item["file"] for item in listed} == {path.stem for path in (tmp_path / "new/scenarios").glob("*.yml")}
    assert all(item["description"] for item in listed)


def test_an_unknown_scenario_and_a_typo_are_refused_with_a_guess(home, tmp_path):
    with pytest.raises(ConfigError, match="Did you mean peak-season"):
        read_scenario("peak-seasn", Settings.load(home))
    bad = tmp_path / "bad.yml"
    bad.write_text("name: x\nchanges:\n  - {change: supply, sku: NOPE, node: dc_columbs, add: 1}\n", encoding="utf-8")
    told = run(home, str(bad))
    assert told.exit_code != 0
    assert isinstance(told.exception, InvalidScenarioError)
    assert "did you mean dc_columbus?" in str(told.exception)


def test_the_library_is_where_it_is_said_to_be():
    assert len(list(LIBRARY.glob("*.yml"))) == 10
    assert main is not None
