"""Re-checks a kernel plan against every rule of the array problem and its value: plain numpy, no solver code.

Stock is checked by Hall's condition: within a cell, units drawn by arcs up to a step must fit what is there
by then, holder by holder and in all; which units of others are taken is read off the plan and must be enough
and allowed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.allocation.kernels.problem import Index, Ints, KernelPlan, KernelProblem


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What a check found: the recomputed value in cents and every violation."""

    objective_cents: int
    faults: tuple[str, ...]


def check(problem: KernelProblem, plan: KernelPlan) -> Checked:
    """Check a plan and value it."""
    if plan.units.shape != (problem.arcs,) or plan.foreign.shape != problem.bucket_supply.shape:
        return Checked(0, ("the plan has not one number per arc and bucket",))
    faults = []
    if (plan.units < 0).any() or (plan.foreign < 0).any():
        faults.append("units below 0")
    line = np.repeat(np.arange(problem.lines), np.diff(problem.line_arcs))
    shipped = np.bincount(line, weights=plan.units, minlength=problem.lines).astype(np.int64)
    faults += _line_faults(problem, plan, line, shipped)
    faults += _limit_faults(problem, plan, shipped)
    faults += _stock_faults(problem, plan, line)
    faults += _order_faults(problem, plan, line, shipped)
    return Checked(_value(problem, plan, line, shipped), tuple(faults))


def _line_faults(problem: KernelProblem, plan: KernelPlan, line: Ints, shipped: Ints) -> list[str]:
    faults = []
    over = np.flatnonzero(shipped > problem.line_quantity)
    if over.size:
        faults.append(f"{over.size} lines ship more than is open, the first is {over[0]}")
    arcs_used = np.bincount(line[plan.units > 0], minlength=problem.lines)
    broken = problem.line_single & (shipped > 0) & ((arcs_used > 1) | (shipped != problem.line_quantity))
    if broken.any():
        faults.append(f"{int(broken.sum())} single-source lines are split or in part")
    return faults


def _limit_faults(problem: KernelProblem, plan: KernelPlan, shipped: Ints) -> list[str]:
    load = np.zeros(problem.row_capacity.size, np.int64)
    for rows, use in ((problem.arc_node_row, problem.arc_use), (problem.arc_lane_row, problem.arc_lane_use)):
        bound = rows >= 0
        np.add.at(load, rows[bound], plan.units[bound] * use[bound])
    faults = [
        f"row {row}: load {load[row]} above {problem.row_capacity[row]}"
        for row in np.flatnonzero(load > problem.row_capacity)
    ]
    for name, member, cap in (
        ("group", problem.line_group, problem.group_cap),
        ("quota", problem.line_quota, problem.quota_cap),
    ):
        count = _counts(member, shipped, cap.size)
        faults += [f"{name} {at}: {count[at]} units above {cap[at]}" for at in np.flatnonzero(count > cap)]
    return faults


def _counts(member: Index, shipped: Ints, size: int) -> Ints:
    bound = member >= 0
    count = np.zeros(size, np.int64)
    np.add.at(count, member[bound], shipped[bound])
    return count


def _stock_faults(problem: KernelProblem, plan: KernelPlan, line: Ints) -> list[str]:
    """Check by flow in each used cell: own units first, then the pool, then units that others release."""
    faults = []
    if (plan.foreign[problem.bucket_release < 0] > 0).any():
        faults.append("units are taken from a holder that releases none")
    used = np.flatnonzero(plan.units)
    used = used[np.lexsort((problem.arc_step[used], problem.arc_cell[used]))]
    cells, starts = np.unique(problem.arc_cell[used], return_index=True)
    for cell, arcs in zip(cells, np.split(used, starts[1:]), strict=True):
        fault = _cell_fault(problem, plan, int(cell), arcs, line)
        if fault:
            faults.append(f"cell {cell}: {fault}")
    return faults


def _cell_fault(problem: KernelProblem, plan: KernelPlan, cell: int, arcs: Ints, line: Ints) -> str:
    buckets = range(int(problem.cell_buckets[cell]), int(problem.cell_buckets[cell + 1]))
    kept = {b: int(problem.bucket_supply[b]) for b in buckets if problem.bucket_holder[b] >= 0}
    pool = {b: int(problem.bucket_supply[b]) for b in buckets if problem.bucket_holder[b] < 0}
    freed = {b: int(plan.foreign[b]) for b in kept}
    for b, units in freed.items():
        if units > kept[b]:
            return f"{units} units released of {kept[b]}"
        kept[b] -= units
    shared = {**pool, **{b: units for b, units in freed.items() if units}}
    for arc in arcs:
        need, holder = int(plan.units[arc]), problem.line_holder[line[arc]]
        for source, is_own in ((kept, True), (shared, False)):
            # Later steps first: what is there early stays for arcs that need it early.
            for b in sorted(source, key=lambda b: -int(problem.bucket_step[b])):
                if problem.bucket_step[b] <= problem.arc_step[arc] and (
                    not is_own or problem.bucket_holder[b] == holder
                ):
                    part = min(need, source[b])
                    source[b] -= part
                    need -= part
        if need:
            return f"{need} units too many by step {problem.arc_step[arc]}"
    return ""


def _nodes_used(problem: KernelProblem, plan: KernelPlan, line: Ints) -> Ints:
    used = plan.units > 0
    order = problem.line_order[line[used]].astype(np.int64)
    node = problem.cell_node[problem.arc_cell[used]].astype(np.int64)
    pairs = np.unique(order * (int(problem.cell_node.max(initial=0)) + 1) + node)
    return np.bincount(pairs // (int(problem.cell_node.max(initial=0)) + 1), minlength=problem.orders).astype(np.int64)


def _order_faults(problem: KernelProblem, plan: KernelPlan, line: Ints, shipped: Ints) -> list[str]:
    faults = []
    nodes = _nodes_used(problem, plan, line)
    many = (problem.order_max_nodes > 0) & (nodes > problem.order_max_nodes)
    if many.any():
        faults.append(
            f"{int(many.sum())} orders ship from more nodes than they may, the first is {np.flatnonzero(many)[0]}"
        )
    started = np.bincount(problem.line_order, weights=shipped, minlength=problem.orders) > 0
    short = np.bincount(problem.line_order, weights=problem.line_quantity - shipped, minlength=problem.orders) > 0
    part = problem.order_complete & started & short
    if part.any():
        faults.append(f"{int(part.sum())} ship-complete orders ship in part, the first is {np.flatnonzero(part)[0]}")
    return faults


def _value(problem: KernelProblem, plan: KernelPlan, line: Ints, shipped: Ints) -> int:
    total = int((plan.units * problem.arc_gain).sum())
    total -= int((plan.foreign * np.maximum(problem.bucket_release, 0)).sum())
    for member, floor, price in (
        (problem.line_group, problem.group_floor, problem.group_floor_price),
        (problem.line_quota, problem.quota_floor, problem.quota_floor_price),
    ):
        total -= int((np.maximum(floor - _counts(member, shipped, floor.size), 0) * price).sum())
    extra = np.maximum(_nodes_used(problem, plan, line) - 1, 0)
    return total - int((extra * problem.order_split_cents).sum())
