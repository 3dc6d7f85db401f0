"""The array interface of the kernels: one allocation problem as flat integer arrays, CSR-like.

Index families (each a contiguous range of integers from 0):

    sku     s   its lines are `sku_lines[s] : sku_lines[s + 1]`, its cells `sku_cells[s] : sku_cells[s + 1]`,
                its quotas `sku_quotas[s] : sku_quotas[s + 1]`
    line    l   sorted by SKU; its arcs are `line_arcs[l] : line_arcs[l + 1]`
    arc     a   one way to ship a line: cell (SKU at a node), step of that cell, day and lane through the rows it uses
    cell    c   SKU at a node; its buckets are `cell_buckets[c] : cell_buckets[c + 1]`
    bucket  b   units that become shippable at a step of a cell and that a holder keeps (or nobody: the pool)
    row     r   a capacity shared by SKUs: a node day, a lane day, a dock slot ...
    group   g   lines with a shared floor or cap over all SKUs (a channel, an account)
    quota   k   the same within one SKU
    order   o   lines that ship together, may be split at a price, or ship whole or not at all

An arc may draw on every bucket of its cell whose step is not later than its own and which is in the pool,
kept for the line's holder, or kept for another holder that releases units at a price. Units are whole; money
is integer cents. All floors are elastic: a unit below a floor costs its price. `-1` in an index array means
none.

The objective (maximise, cents) counts gains of shipping against leaving a unit short:

    sum_a gain x_a - sum_b release x_foreign,b - sum_g price (floor - x_g)^+ - sum_k price (floor - x_k)^+
    - sum_o split_cents (nodes used - 1)^+
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Index = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

NONE: Final = -1
UNLIMITED: Final = 2**40
"""Stands for no cap; far above any sum of units."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class KernelProblem:
    """One allocation problem; S SKUs, L lines, A arcs, C cells, B buckets, R rows, G groups, K quotas, O orders.

    Attributes:
        sku_lines: [S+1] first line of each SKU.
        sku_cells: [S+1] first cell of each SKU.
        sku_quotas: [S+1] first quota of each SKU.
        line_arcs: [L+1] first arc of each line.
        line_quantity: [L] open units, above 0.
        line_order: [L] order.
        line_holder: [L] holder whose kept units the line may draw on, -1 for the pool only.
        line_group: [L] group or -1.
        line_quota: [L] quota or -1; a quota of the line's own SKU.
        line_single: [L] the line ships from one arc only (single source), in full or not at all.
        arc_cell: [A] cell; a cell of the line's SKU.
        arc_step: [A] step of the cell from which on the arc ships.
        arc_gain: [A] cents per unit against leaving it short.
        arc_node_row: [A] row of its node day or -1.
        arc_lane_row: [A] row of its lane day or -1.
        arc_use: [A] units of the node row's capacity that one unit takes, above 0.
        arc_lane_use: [A] units of the lane row's capacity that one unit takes, above 0.
        cell_node: [C] node.
        cell_buckets: [C+1] first bucket of each cell.
        bucket_step: [B] step from which on its units are there.
        bucket_supply: [B] units.
        bucket_holder: [B] holder that keeps them, -1 for the pool.
        bucket_release: [B] cents per unit for use by others; -1: never.
        row_capacity: [R] capacity.
        group_floor: [G] units below which the group is short.
        group_floor_price: [G] cents per unit below the floor.
        group_cap: [G] most units, UNLIMITED for none.
        quota_floor: [K] as for groups.
        quota_floor_price: [K] as for groups.
        quota_cap: [K] as for groups.
        order_complete: [O] the order ships whole or not at all.
        order_max_nodes: [O] most nodes it may ship from, 0 for no limit.
        order_split_cents: [O] price of every node after the first.
    """

    sku_lines: Ints
    sku_cells: Ints
    sku_quotas: Ints
    line_arcs: Ints
    line_quantity: Ints
    line_order: Index
    line_holder: Index
    line_group: Index
    line_quota: Index
    line_single: Flags
    arc_cell: Index
    arc_step: Index
    arc_gain: Ints
    arc_node_row: Index
    arc_lane_row: Index
    arc_use: Index
    arc_lane_use: Index
    cell_node: Index
    cell_buckets: Ints
    bucket_step: Index
    bucket_supply: Ints
    bucket_holder: Index
    bucket_release: Ints
    row_capacity: Ints
    group_floor: Ints
    group_floor_price: Ints
    group_cap: Ints
    quota_floor: Ints
    quota_floor_price: Ints
    quota_cap: Ints
    order_complete: Flags
    order_max_nodes: Index
    order_split_cents: Ints

    @property
    def lines(self) -> int:
        """L."""
        return int(self.line_quantity.size)

    @property
    def arcs(self) -> int:
        """A."""
        return int(self.arc_gain.size)

    @property
    def skus(self) -> int:
        """S."""
        return int(self.sku_lines.size) - 1

    @property
    def orders(self) -> int:
        """O."""
        return int(self.order_complete.size)

    @property
    def is_coupled(self) -> bool:
        """Whether rows or groups tie SKUs together."""
        capped = bool((self.group_cap < UNLIMITED).any()) or bool((self.group_floor > 0).any())
        return bool(self.row_capacity.size) or capped

    @property
    def has_order_rules(self) -> bool:
        """Whether any order ships whole, has a node limit or pays for splits, or a line is single-source."""
        return bool(
            self.order_complete.any()
            or (self.order_max_nodes > 0).any()
            or (self.order_split_cents > 0).any()
            or self.line_single.any()
        )

    def fingerprint(self) -> str:
        """Return a hash of all arrays."""
        digest = hashlib.sha256()
        for item in fields(self):
            array = getattr(self, item.name)
            digest.update(f"{item.name}:{array.dtype}:{array.shape};".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def faults(self) -> tuple[str, ...]:
        """Return what makes the arrays no problem: shapes, ranges, references; empty when sound."""
        found = [*self._shape_faults()]
        return tuple(found or [*self._reference_faults(), *self._range_faults()])

    def _shape_faults(self) -> list[str]:
        sizes = {
            "sku_": self.skus + 1,
            "line_": self.lines,
            "arc_": self.arcs,
            "bucket_": int(self.bucket_supply.size),
            "row_": int(self.row_capacity.size),
            "group_": int(self.group_cap.size),
            "quota_": int(self.quota_cap.size),
            "order_": self.orders,
            "cell_": int(self.cell_node.size),
        }
        own = {"line_arcs": self.lines + 1, "cell_buckets": sizes["cell_"] + 1}
        found = []
        for item in fields(self):
            prefix = item.name.split("_", 1)[0] + "_"
            expected, array = own.get(item.name, sizes[prefix]), getattr(self, item.name)
            if array.shape != (expected,):
                found.append(f"{item.name} has shape {array.shape}; expected ({expected},)")
        return found

    def _reference_faults(self) -> list[str]:
        ends = {
            "sku_lines": self.lines,
            "sku_cells": int(self.cell_node.size),
            "sku_quotas": int(self.quota_cap.size),
            "line_arcs": self.arcs,
            "cell_buckets": int(self.bucket_supply.size),
        }
        found = []
        for name, end in ends.items():
            starts = getattr(self, name)
            if starts[0] != 0 or starts[-1] != end or (np.diff(starts) < 0).any():
                found.append(f"{name} is not an ascending range of starts from 0 to {end}")
        limits = {
            "line_order": (0, self.orders),
            "line_group": (NONE, int(self.group_cap.size)),
            "line_quota": (NONE, int(self.quota_cap.size)),
            "arc_cell": (0, int(self.cell_node.size)),
            "arc_node_row": (NONE, int(self.row_capacity.size)),
            "arc_lane_row": (NONE, int(self.row_capacity.size)),
        }
        for name, (low, end) in limits.items():
            array = getattr(self, name)
            if array.size and not (array.min() >= low and array.max() < end):
                found.append(f"{name} refers outside {low}..{end - 1}")
        return found or self._foreign_faults()

    def _foreign_faults(self) -> list[str]:
        line_sku = np.repeat(np.arange(self.skus), np.diff(self.sku_lines))
        cell_sku = np.repeat(np.arange(self.skus), np.diff(self.sku_cells))
        quota_sku = np.repeat(np.arange(self.skus), np.diff(self.sku_quotas))
        arc_line = np.repeat(np.arange(self.lines), np.diff(self.line_arcs))
        bound = self.line_quota >= 0
        found = []
        if (cell_sku[self.arc_cell] != line_sku[arc_line]).any():
            found.append("arc_cell names a cell of another SKU than the line's")
        if (quota_sku[self.line_quota[bound]] != line_sku[bound]).any():
            found.append("line_quota names a quota of another SKU than the line's")
        return found

    def _range_faults(self) -> list[str]:
        positive = ("line_quantity", "arc_use", "arc_lane_use")
        natural = ["bucket_supply", "row_capacity", "group_floor", "group_floor_price", "group_cap"]
        natural += ["quota_floor", "quota_floor_price", "quota_cap", "order_max_nodes", "order_split_cents"]
        found = [f"{name} has values below 1" for name in positive if (getattr(self, name) < 1).any()]
        found += [f"{name} has values below 0" for name in natural if (getattr(self, name) < 0).any()]
        for name in ("group", "quota"):
            if (getattr(self, f"{name}_floor") > getattr(self, f"{name}_cap")).any():
                found.append(f"a {name} has a floor above its cap")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class KernelPlan:
    """A plan of a `KernelProblem`: [A] units per arc and [B] units of each bucket that lines of other holders take."""

    units: Ints
    foreign: Ints


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class KernelAnswer:
    """What an engine found.

    Attributes:
        plan: The plan, checked.
        objective_cents: Its value by the problem's objective.
        bound_cents: Upper bound on any plan's value, proven by `row_prices` and `group_prices`.
        row_prices: [R] price of each row in 1/SCALE cents per unit of capacity (see `flow.py`).
        group_prices: [G] price per unit of each group; negative: a subsidy that pulls the group up to its floor.
        lot_prices: [B] price per unit of each bucket in 1/SCALE cents, of the last exact pass.
        path: How it was found.
        trace: Figures of the run: passes, sample size, counts of moves.
        is_reproducible: False when the wall clock stopped one of the small programs.
    """

    plan: KernelPlan
    objective_cents: int
    bound_cents: int
    row_prices: Ints
    group_prices: Ints
    lot_prices: Ints
    path: str
    trace: dict[str, float]
    is_reproducible: bool = True

    @property
    def gap(self) -> float:
        """Distance to the bound relative to the larger of the two."""
        scale = max(abs(self.objective_cents), abs(self.bound_cents), 1)
        return (self.bound_cents - self.objective_cents) / scale
