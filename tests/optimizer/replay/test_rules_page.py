"""docs/rules.md and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

from optimizer.replay.history import OPENING, ORDER_LINES, RECEIVED


def test_the_frames_of_a_replay_are_documented(project_root: Path) -> None:
    page = (project_root / "docs/rules.md").read_text(encoding="utf-8")
    documented = {name: columns.split(", ") for name, columns in re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.M)}
    assert documented == {spec.name: list(spec.columns) for spec in (ORDER_LINES, OPENING, RECEIVED)}
