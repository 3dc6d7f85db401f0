"""dbt's unit tests, run on tables of a real build: they imitate the columns of those tables."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime

import pytest

from pipelines.transform import dbt_command
from storage.settings import Settings

pytestmark = pytest.mark.slow

GOLDEN = {
    "test_int_service_units_windowed__golden_orders",
    "test_int_service_units_assessed__golden_orders",
    "test_int_service_orders_assessed__golden_orders",
    "test_kpi_sums_of_orders_due__golden_orders",
    "test_kpi_sums_of_lines_due__golden_orders",
    "test_fct_receivables__dso_of_the_golden_case",
    "test_int_order_lines_ship_due__the_cut_off_decides_the_operating_day",
}


def test_every_dbt_unit_test_passes(golden_settings: Settings, golden_as_of: datetime) -> None:
    arguments, environment = dbt_command(golden_settings, "test", as_of=golden_as_of)
    finished = subprocess.run(
        [*arguments, "--select", "test_type:unit"], env=environment, capture_output=True, text=True, check=False
    )
    outcome = golden_settings.var / "dbt" / "target" / "run_results.json"
    assert outcome.exists(), finished.stdout
    results = {row["unique_id"].split(".")[-1]: row for row in json.loads(outcome.read_text())["results"]}
    assert {name: row["message"] for name, row in results.items() if row["status"] != "pass"} == {}
    assert finished.returncode == 0, finished.stdout
    assert results.keys() >= GOLDEN
