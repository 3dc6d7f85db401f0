"""What every benchmark shares: timing in the same run, and a result that names its peer."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison.

    Attributes:
        name: What was measured.
        data: The data it was measured on.
        peer: Whom it was compared with, with version.
        ours: Our figure.
        theirs: The peer's figure in the same run.
        unit: Unit of both figures.
        note: What the comparison leaves out.
    """

    name: str
    data: str
    peer: str
    ours: float
    theirs: float
    unit: str
    note: str = ""

    @property
    def ratio(self) -> float:
        """Theirs over ours: above 1 we need less."""
        return self.theirs / self.ours if self.ours else float("inf")


def best_of(action: Callable[[], object], rounds: int = 3) -> float:
    """Return the shortest of several wall times in seconds."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def machine() -> str:
    """Describe the machine in a line."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
