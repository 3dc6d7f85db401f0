"""docs/allocation.md says what the code does."""

from __future__ import annotations

import re

import pytest

from optimizer.allocation import AllocationOptions, allocate
from optimizer.allocation.explain import REASONS, WORTH_A_PARCEL
from optimizer.allocation.result import TERMS
from optimizer.scenarios import parse_scenario
from optimizer.scenarios.document import CHANGES


@pytest.fixture(scope="module")
def page(project_root):
    return (project_root / "docs/allocation.md").read_text(encoding="utf-8")


def test_every_reason_is_explained_in_the_order_of_evidence(page):
    table = page.split("## Why is my line short?", 1)[1].split("##", 1)[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = [name for cell in cells for name in re.findall(r"`([A-Z_]+)`", cell) if not name.startswith("HOLD_")]
    assert named == [*REASONS, WORTH_A_PARCEL]


def test_the_scenario_on_the_page_is_one_and_every_change_is_named(page):
    scenario = parse_scenario(re.search(r"```yaml\n(.*?)```", page, re.DOTALL).group(1))
    assert [change.change for change in scenario.changes] == ["node", "window"]
    told = page.split("Changes: ", 1)[1].split("`later:`", 1)[0]
    assert re.findall(r"`(\w+)`", told) == list(CHANGES)


def test_every_term_of_the_objective_is_explained(page):
    table = page.split("| term |", 1)[1].split("\n\n", 1)[0]
    named = [name.strip().replace(" ", "_") for row in table.splitlines()[2:] for name in row.split("|")[1].split(",")]
    assert sorted(named) == sorted(TERMS)


def test_words_for_reserves_are_taken_as_they_are(world):
    data = world.make([world.line(open_quantity=3)], reservations=[world.reservation("amazon", 9)])
    decided = data.with_options(AllocationOptions(as_of=world.AS_OF, reservations="decide"))
    assert allocate(decided).releases["released"].to_list() == [2]
