"""The command line as people and scripts use it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from otif.cli import app
from pipelines.transform import BuildReport

MAPPING = """
name: shop
zone: UTC
tables:
  orders: {files: "*orders*.csv"}
events:
  - type: order.captured
    from: orders
    at: placed
    columns: {order_id: order, line_id: {constant: "1"}, sku: sku, quantity: qty, channel: {constant: dtc}}
"""


def otif(*arguments: object, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "otif.cli", *(["--home", str(home)] if home else []), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "160"})


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    home = tmp_path / "company"
    assert otif("init", home).returncode == 0
    (home / "mappings" / "shop.yml").write_text(MAPPING)
    return home


def test_every_command_of_the_readme_exists(project_root: Path) -> None:
    readme = (project_root / "README.md").read_text()
    commands = set(
        re.findall(
            r"^otif (?:--home \S+ )?([a-z-]+(?: (?:list|diff|approve|push|rollback|show|weekly))?)", readme, re.M
        )
    )
    assert {"demo", "kpis", "ingest", "rules push"} <= commands
    for command in commands:
        told = otif(*command.split(), "--help")
        assert told.returncode == 0, f"otif {command}: {told.stderr}"


def test_the_readme_is_short(project_root: Path) -> None:
    assert len((project_root / "README.md").read_text().splitlines()) <= 150


def test_a_folder_without_workspace_is_bad_input_and_says_what_to_do(tmp_path: Path) -> None:
    told = otif("kpis", home=tmp_path)
    assert told.returncode == 2
    assert "otif init" in told.stderr
    assert "Traceback" not in told.stderr


def test_init_without_a_folder_makes_the_workspace_that_home_names(tmp_path: Path) -> None:
    assert otif("init", home=tmp_path / "named").returncode == 0
    assert (tmp_path / "named" / "otif.toml").exists()


def test_init_does_not_touch_an_existing_workspace(workspace: Path) -> None:
    before = (workspace / "otif.toml").read_text()
    told = otif("init", workspace)
    assert told.returncode == 2
    assert "exists already" in told.stderr
    assert (workspace / "otif.toml").read_text() == before


def test_kpis_before_a_build_say_what_to_do(workspace: Path) -> None:
    told = otif("kpis", home=workspace)
    assert told.returncode == 1
    assert "otif build" in told.stderr


def test_ingest_prints_one_json_document_and_strict_tells_rejects_by_its_exit_code(workspace: Path) -> None:
    (workspace / "inbox" / "orders.csv").write_text("order,sku,qty,placed\nA1,S,1,2026-03-01\nA2,S,one,2026-03-01\n")
    told = otif("ingest", "--json", "--strict", home=workspace)
    assert told.returncode == 3
    [batch] = json.loads(told.stdout)["batches"]
    assert (batch["status"], batch["events_landed"], batch["rows_rejected"]) == ("landed", 1, 1)
    again = otif("ingest", "--json", "--strict", home=workspace)
    assert again.returncode == 0
    assert json.loads(again.stdout)["batches"][0]["status"] == "unchanged"


def test_a_missing_path_and_an_unknown_source_are_bad_input(workspace: Path) -> None:
    assert otif("ingest", workspace / "nowhere", home=workspace).returncode == 2
    told = otif("ingest", workspace / "mappings", "--source", "carrier-pigeon", home=workspace)
    assert told.returncode == 2
    assert "carrier-pigeon" in told.stderr


def test_doctor_finds_what_is_missing_and_says_how_to_mend_it(workspace: Path) -> None:
    told = otif("doctor", "--json", home=workspace)
    findings = {finding["subject"]: finding for finding in json.loads(told.stdout)}
    assert findings["workspace"]["level"] == "ok"
    assert findings["publication"]["level"] == "warn"
    assert findings["landing"]["mend"] == "otif ingest PATH"


def test_an_unknown_kpi_dimension_and_format_are_refused(sample_home: Path) -> None:
    assert otif("kpis", "--kpi", "happiness", home=sample_home).returncode == 2
    assert "otif" in otif("kpis", "--kpi", "happiness", home=sample_home).stderr
    assert otif("kpis", "--by", "mood", home=sample_home).returncode == 2
    assert otif("kpis", "--format", "xml", home=sample_home).returncode == 2


def test_formats_tell_the_same_figures(sample_home: Path) -> None:
    rows = json.loads(otif("kpis", "--kpi", "otif", "--by", "channel", "--format", "json", home=sample_home).stdout)
    csv = otif("kpis", "--kpi", "otif", "--by", "channel", "--format", "csv", home=sample_home).stdout.splitlines()
    header = csv[0].split(",")
    told = {line.split(",")[header.index("channel")]: float(line.split(",")[header.index("value")]) for line in csv[1:]}
    assert {row["channel"]: row["value"] for row in rows} == told
    assert set(told) == {"dtc", "amazon", "ebay", "wholesale"}
    for row in rows:
        assert row["value"] == pytest.approx(row["numerator"] / row["denominator"])


def test_a_build_of_old_data_names_the_instant_to_look_from(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def built(_settings: object, as_of: datetime, **_options: object) -> BuildReport:
        return BuildReport(Path("p.duckdb"), as_of, 1, 1, (), 1.0, last_event_at=datetime(2018, 1, 5, 9, tzinfo=UTC))

    monkeypatch.setattr("otif.jobs.run_build", built)
    for as_of, is_told in (("2018-02-01", False), ("2026-11-16", True)):
        told = CliRunner().invoke(app, ["--home", str(workspace), "build", "--as-of", as_of])
        assert told.exit_code == 0
        assert ("--as-of 2018-01-06 looks from there" in told.output) == is_told
