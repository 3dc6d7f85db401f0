"""The way from one lens's figure to another's, on the sample company."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dashboards.errors import QuestionError
from dashboards.queries import kpi_table, lens_bridge
from storage.publish import open_published
from storage.settings import Settings

BRIDGE = "ours_to_walmart_on_time"


def test_the_steps_of_a_bridge_add_up_to_the_gap_between_the_published_figures(sample_home: Path) -> None:
    with open_published(Settings.load(sample_home)) as connection:
        steps = lens_bridge(connection, BRIDGE)
        ours, theirs = (
            kpi_table(connection, kpis=[kpi], by=["customer"], lens=lens).filter(customer_id="walmart")["value"].item()
            for kpi, lens in (("otif", "acknowledged_ship"), ("otif_case", "walmart_prepaid_ot"))
        )
    assert steps["value"][0] == ours
    assert steps["value"][-1] == pytest.approx(theirs)
    assert math.fsum(steps["change"].drop_nulls()) == pytest.approx(theirs - ours)
    assert steps["change"].drop_nulls().abs().max() > 0.01


def test_an_unknown_bridge_names_the_known_ones(sample_home: Path) -> None:
    with open_published(Settings.load(sample_home)) as connection, pytest.raises(QuestionError, match=BRIDGE):
        lens_bridge(connection, "ours_to_nobody")
