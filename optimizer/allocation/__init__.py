"""Allocation: which open order line gets which units, from where, on which day.

    data = AllocationData.from_frames(open_lines, inventory, ..., options=AllocationOptions(as_of=...))
    plan = allocate(data)             # the best plan found, with a proven bound
    rules = baseline(data)            # what priority, first come first served and nearest node would do
    compare(rules, plan)              # side by side, per channel and in total

The mathematics is in FORMULATION.md beside this file; every result has been re-checked by verify.py.
"""

from __future__ import annotations

from optimizer.allocation.backend import Status
from optimizer.allocation.data import AllocationData
from optimizer.allocation.options import AllocationOptions, CarrierCap, Reserve, Weights
from optimizer.allocation.planning import allocate, baseline, compare
from optimizer.allocation.result import AllocationResult
from optimizer.allocation.verify import verify

__all__ = [
    "AllocationData",
    "AllocationOptions",
    "AllocationResult",
    "CarrierCap",
    "Reserve",
    "Status",
    "Weights",
    "allocate",
    "baseline",
    "compare",
    "verify",
]
