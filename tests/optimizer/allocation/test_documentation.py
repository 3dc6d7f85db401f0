"""docs/optimizer.md says what the code does."""

from __future__ import annotations

import re

import pytest
import yaml

from optimizer.allocation import AllocationOptions, allocate
from optimizer.allocation.explain import REASONS


@pytest.fixture(scope="module")
def page(project_root):
    return (project_root / "docs/optimizer.md").read_text(encoding="utf-8")


def test_every_reason_is_explained_in_the_order_of_evidence(page):
    table = page.split("### Reasons", 1)[1].split("##", 1)[0]
    named = [name for name in re.findall(r"`([A-Z_]+)`", table) if not name.startswith("HOLD_")]
    assert named == list(REASONS)


def test_the_scenario_on_the_page_can_be_solved(page, world):
    text = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    scenario = yaml.safe_load(text.group(1))
    options = AllocationOptions.from_document(scenario["options"], as_of=world.AS_OF)
    data = world.make([world.line()]).with_options(options)
    assert allocate(data).allocations.height == 1


def test_words_for_reserves_are_taken_as_they_are(world):
    data = world.make([world.line(open_quantity=3)], reservations=[world.reservation("amazon", 9)])
    decided = data.with_options(AllocationOptions(as_of=world.AS_OF, reservations="decide"))
    assert allocate(decided).releases["released"].to_list() == [2]
