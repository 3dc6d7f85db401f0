"""From a `plan.Problem` to the arrays of the kernels and back.

Belongs here: the translation, and which rules the kernels know. A problem with a rule they do not know is not compiled:
`unsupported` names it, and solve.py takes another path. Nothing is dropped silently.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from optimizer.allocation.kernels.problem import NONE, UNLIMITED, Flags, Index, Ints, KernelPlan, KernelProblem
from optimizer.allocation.plan import Plan, Problem

MOST_NODES: Final = 64
"""Node limits from here on are none."""


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A compiled problem.

    Attributes:
        problem: The arrays.
        arc: [A] row of `Arcs.frame` of each kernel arc.
        holder: [B] holder whose units a bucket keeps, -1 for the pool.
        offset: Cents that any plan has: what it costs to ship nothing, missed floors left out.
        holders: Holders of the problem.
    """

    problem: KernelProblem
    arc: Ints
    holder: Ints
    offset: int
    holders: int

    def plan(self, found: KernelPlan) -> Plan:
        """Return a kernel plan in the terms of the arcs and holders."""
        units = np.zeros(self.arc.size, np.int64)
        units[self.arc] = found.units
        released = np.zeros(self.holders, np.int64)
        kept = self.holder >= 0
        np.add.at(released, self.holder[kept], found.foreign[kept])
        return Plan(units, released)


def unsupported(problem: Problem) -> tuple[str, ...]:
    """Return the rules of a problem that the kernels do not know; empty when they know all."""
    return tuple(_unsupported(problem))


def _unsupported(problem: Problem) -> Iterator[str]:
    stock, frame = problem.stock, problem.arcs.frame
    lines = problem.data.lines.join(frame.select("line").unique(), on="line", how="semi")
    checks = {
        "lots with expiry": stock.lots.height > 0,
        "caps and buffers of channels": stock.limits.height > 0,
        "reserves of single customers": stock.holders["customer_id"].is_not_null().any(),
        "thresholds of scorecards and orders": problem.cliffs.frame.height > 0,
        "pack multiples": bool((lines["pack_multiple"] > 1).any()),
        "minimum fill": bool(((lines["min_units"] > 0) & ~lines["is_complete"]).any()),
        "single shipments": bool(lines["is_single_shipment"].any()),
        "single sources of more than one unit": bool((lines["is_single_source"] & (lines["limit"] > 1)).any()),
        "kits and lines that ship whole": bool((lines["group"].is_not_null() & ~lines["is_complete"]).any()),
        "dock appointments": bool(frame["needs_appointment"].any()),
        "reserves that end": _has_ending_reserves(problem),
        "arcs with more than two shared capacities": bool((_uses_per_arc(problem) > 2).any()),
        "commitments other than floors": not _is_grouped(problem),
    }
    yield from (name for name, is_there in checks.items() if is_there)


def _uses_per_arc(problem: Problem) -> Ints:
    return np.bincount(problem.resources.arc, minlength=problem.arcs.count)


def _has_ending_reserves(problem: Problem) -> bool:
    stock = problem.stock
    inner = np.ones(stock.pool.size, np.bool_)
    inner[stock.starts[:-1]] = False
    falls = bool((np.diff(stock.pool, prepend=0)[inner] < 0).any())
    return falls or any(bool((np.diff(kept) < 0).any()) for kept in stock.reserved)


def _is_grouped(problem: Problem) -> bool:
    """Tell whether commitments are floors over whole lines, at most one per line."""
    commitments = problem.commitments
    if commitments.frame.height == 0:
        return True
    if (commitments.frame["kind"] != "floor").any():
        return False
    line = problem.arcs.column("line")
    members = np.bincount(commitments.arc, minlength=problem.arcs.count)
    if (members > 1).any():
        return False
    per_line = np.bincount(line, weights=members > 0)
    arcs = np.bincount(line)
    return bool(((per_line == 0) | (per_line == arcs)).all())


def compile_problem(problem: Problem) -> Compiled:
    """Return the arrays of a problem of which `unsupported` is empty."""
    frame = (
        problem.arcs.frame.select(
            "line", "order", "sku", "channel", "cell", "row", "limit", "gain_cents", "is_complete"
        )
        .with_row_index("arc")
        .sort("sku", "line", "arc")
    )
    arc = frame["arc"].to_numpy().astype(np.int64)
    starts = np.flatnonzero(np.diff(frame["line"].to_numpy(), prepend=-1)).astype(np.int64)
    lines = frame[starts.tolist()] if starts.size else frame.clear()
    skus = lines.select("sku").unique(maintain_order=True).with_row_index("place")
    line_sku = lines.join(skus, on="sku", how="left", maintain_order="left")["place"].to_numpy()
    cells = problem.stock.cells.join(skus, on="sku", how="inner", maintain_order="left").sort("place", "cell")
    cell_at = np.full(problem.stock.cells.height, NONE, np.int64)
    cell_at[cells["cell"].to_numpy()] = np.arange(cells.height)
    channels = sorted(set(problem.data.lines["channel"].drop_nulls().unique().to_list()))
    buckets, holder = _buckets(problem, cells["cell"].to_numpy(), channels)
    nodes = problem.data.nodes["node_id"].to_list()
    data, node_of = problem.data, {node_id: number for number, node_id in enumerate(nodes)}
    stock_step = np.arange(problem.stock.pool.size) - np.repeat(
        problem.stock.starts[:-1], np.diff(problem.stock.starts)
    )
    rows, uses = _rows(problem, arc)
    group, floors, prices = _groups(problem, frame, starts)
    orders, order = np.unique(lines["order"].to_numpy(), return_inverse=True)
    complete, most = _orders(problem, lines, order, orders.size)
    count = len(skus)
    channel_at = {channel: number for number, channel in enumerate(channels)}
    compiled = KernelProblem(
        sku_lines=np.searchsorted(line_sku, np.arange(count + 1)).astype(np.int64),
        sku_cells=np.searchsorted(cells["place"].to_numpy(), np.arange(count + 1)).astype(np.int64),
        sku_quotas=np.zeros(count + 1, np.int64),
        line_arcs=np.concatenate([starts, [arc.size]]).astype(np.int64),
        line_quantity=lines["limit"].to_numpy().astype(np.int64),
        line_order=order.astype(np.int32),
        line_holder=np.array([channel_at.get(name, NONE) for name in lines["channel"]], np.int32),
        line_group=group,
        line_quota=np.full(starts.size, NONE, np.int32),
        line_single=np.zeros(starts.size, np.bool_),
        arc_cell=cell_at[frame["cell"].to_numpy()].astype(np.int32),
        arc_step=stock_step[frame["row"].to_numpy()].astype(np.int32),
        arc_gain=frame["gain_cents"].to_numpy().astype(np.int64),
        arc_node_row=rows[0],
        arc_lane_row=rows[1],
        arc_use=uses[0],
        arc_lane_use=uses[1],
        cell_node=np.array([node_of[node_id] for node_id in cells["node_id"]], np.int32),
        **buckets,
        row_capacity=problem.resources.frame["limit"].to_numpy().astype(np.int64),
        group_floor=floors,
        group_floor_price=prices,
        group_cap=np.full(floors.size, UNLIMITED, np.int64),
        quota_floor=np.zeros(0, np.int64),
        quota_floor_price=np.zeros(0, np.int64),
        quota_cap=np.zeros(0, np.int64),
        order_complete=complete,
        order_max_nodes=most,
        order_split_cents=np.full(orders.size, data.options.weights.split_cents, np.int64),
    )
    offset = -int((data.lines["short_cents"] * data.lines["quantity"]).sum())
    return Compiled(compiled, arc, holder, offset, problem.stock.holders.height)


def _buckets(problem: Problem, cells: Ints, channels: list[str]) -> tuple[dict[str, Any], Ints]:
    """Return the buckets of the given cells: what each step adds to the pool and to every holder."""
    stock, weights = problem.stock, problem.data.options.weights
    sizes = np.diff(stock.starts)
    row_cell = np.repeat(np.arange(sizes.size), sizes)
    row_step = np.arange(stock.pool.size) - np.repeat(stock.starts[:-1], sizes)
    parts = [(row_cell, row_step, _increments(stock.pool, row_step), np.full(row_cell.size, NONE))]
    names = {channel: number for number, channel in enumerate(channels)}
    keeper, release = [NONE], [-1]
    held = stock.holders.select("cell", "channel", "is_decided").iter_rows()
    for number, (cell, channel, decided) in enumerate(held):
        steps = np.arange(sizes[cell])
        kept = _increments(stock.reserved[number], steps)
        parts.append((np.full(steps.size, cell), steps, kept, np.full(steps.size, number)))
        # The safety stock and channels without lines keep units that no line owns.
        keeper.append(names.get(channel, len(names)))
        release.append(weights.release_cents if decided else -1)
    cell, step, supply, holder = (np.concatenate(part).astype(np.int64) for part in zip(*parts, strict=True))
    place = np.full(sizes.size, NONE)
    place[cells] = np.arange(cells.size)
    chosen = np.flatnonzero((supply > 0) & (place[cell] >= 0))
    chosen = chosen[np.lexsort((holder[chosen], step[chosen], place[cell[chosen]]))]
    holder = holder[chosen]
    made: dict[str, Any] = {
        "cell_buckets": np.searchsorted(place[cell[chosen]], np.arange(cells.size + 1)).astype(np.int64),
        "bucket_step": step[chosen].astype(np.int32),
        "bucket_supply": supply[chosen],
        "bucket_holder": np.array(keeper)[holder + 1].astype(np.int32),
        "bucket_release": np.array(release, np.int64)[holder + 1],
    }
    return made, holder


def _increments(cumulative: Ints, step: Ints) -> Ints:
    return np.where(step == 0, cumulative, cumulative - np.concatenate([[0], cumulative[:-1]]))


def _rows(problem: Problem, arc: Ints) -> tuple[tuple[Index, Index], tuple[Index, Index]]:
    """Return the two shared capacities an arc may use, in the order of the kernels' arcs."""
    resources, count = problem.resources, problem.arcs.count
    place = np.argsort(resources.arc, kind="stable")
    owner = resources.arc[place]
    second = np.concatenate([[False], owner[1:] == owner[:-1]]) if owner.size else np.zeros(0, np.bool_)
    rows = np.full((2, count), NONE, np.int32)
    uses = np.ones((2, count), np.int32)
    for number, mask in enumerate((~second, second)):
        rows[number, owner[mask]] = resources.resource[place][mask]
        uses[number, owner[mask]] = resources.use[place][mask]
    return (rows[0][arc], rows[1][arc]), (uses[0][arc], uses[1][arc])


def _groups(problem: Problem, frame: pl.DataFrame, starts: Ints) -> tuple[Index, Ints, Ints]:
    commitments = problem.commitments
    member = np.full(problem.arcs.count, NONE, np.int32)
    member[commitments.arc] = commitments.commitment
    group = member[frame["arc"].to_numpy()[starts]].astype(np.int32)
    floors = commitments.frame["target"].to_numpy().astype(np.int64)
    return group, floors, commitments.frame["price_cents"].to_numpy().astype(np.int64)


def _orders(problem: Problem, lines: pl.DataFrame, order: Ints, count: int) -> tuple[Flags, Index]:
    limits = problem.data.lines.select("line", "max_nodes")
    most = lines.join(limits, on="line", how="left", maintain_order="left")["max_nodes"].fill_null(MOST_NODES)
    least = np.full(count, MOST_NODES, np.int64)
    np.minimum.at(least, order, np.minimum(most.to_numpy(), MOST_NODES).astype(np.int64))
    complete = np.zeros(count, np.bool_)
    complete[order[lines["is_complete"].to_numpy()]] = True
    return complete, np.where(least >= MOST_NODES, 0, least).astype(np.int32)
