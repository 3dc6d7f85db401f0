"""What the terminal says of a KPI besides its value."""

from __future__ import annotations

from typing import Any

import polars as pl
from rich.console import Console

from otif.tables import kpi_terminal_table

ROW: dict[str, Any] = {
    "kpi_id": "otif", "kpi_name": "OTIF", "unit": "ratio", "lens": "headline", "period": None, "channel": "dtc",
    "stage_id": None, "value": 0.9, "worst": 0.88, "best": 0.93, "p90": None, "p95": None, "km_median": None,
    "numerator": 90.0, "denominator": 100.0, "observations": 100, "doubtful": 5, "excluded": 0, "still_open": None,
    "low": 0.82, "high": 0.95, "target": 0.95, "meets_target": False, "is_provisional": False, "is_available": True,
    "reason": None,
}  # fmt: skip


def shown(**more: Any) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(kpi_terminal_table(pl.DataFrame([ROW | more])))
    return capture.get()


def test_rows_in_doubt_show_how_far_they_could_move_a_kpi() -> None:
    assert "misses target, 88.0 % to 93.0 %: 5 in doubt" in shown()


def test_a_kpi_without_doubt_says_nothing_of_it() -> None:
    assert "in doubt" not in shown(worst=0.9, best=0.9, doubtful=0)


def test_only_dimensions_are_shown_as_columns() -> None:
    assert "channel" in shown()
    assert "km_median" not in shown()
    assert "still_open" not in shown()


def test_a_stage_tells_how_many_are_in_it_and_what_they_make_of_the_median() -> None:
    stage = shown(kpi_id="cycle_time", unit="hours", value=26.0, worst=26.0, best=26.0, still_open=223, km_median=26.7)
    assert "223 still open, with them the median is 26.7 h" in stage
    assert "2 still open" in shown(unit="hours", still_open=2, km_median=None)
    assert "still open" not in shown(unit="hours", still_open=0, km_median=26.7)
