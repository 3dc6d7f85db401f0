"""Prices of the rows and groups that tie SKUs together.

First sweeps: SKUs are solved in chunks, each exactly at its prices; after each chunk the prices move by how much the
newest loads of all SKUs are over or under the limits (an incremental subgradient method: a sweep costs one pass and
moves the prices many times). Then steps: subgradient steps with momentum, each a pass over all SKUs that also proves a
bound; the best is kept. Both move prices in shares of each limit, by lengths that fall geometrically; counts are the
only stops. The first sweeps run on a sample of a very large instance: small SKUs whole with the sample's probability,
large SKUs always but with that share of their lines and stock, so that one hit SKU does not decide the prices.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from optimizer.allocation.kernels.flow import SCALE
from optimizer.allocation.kernels.passes import Passed, Prices, certified_bound, row_loads, solve_skus
from optimizer.allocation.kernels.problem import UNLIMITED, Ints, KernelProblem

Floats = npt.NDArray[np.float64]

SAMPLE_LINES: Final = 120_000
"""Instances above it learn their first prices on a sample of about this many lines."""

SWEEPS: Final = 12
SWEEP: Final = (0.4, 0.006)
CHUNKS: Final = 16
STEPS: Final = 16
STEP: Final = (0.1, 0.003)
"""Lengths at the start and the end, of a sweep and of a step, in median gains per relative overload."""

MOMENTUM: Final = 0.75
PACES: Final = 100
PACE: Final = 0.05
"""Median gains by which a price rises when the load is ahead of pace by the whole limit."""


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """Prices, the best bound they proved, and the exact pass at them."""

    prices: Prices
    bound_cents: int
    lots: Ints
    quotas: Ints
    passes: int


class _Ascent:
    """State of the subgradient method: real-valued prices and their momentum."""

    def __init__(self, problem: KernelProblem, prices: Prices) -> None:
        self.problem = problem
        self.rows, self.groups = prices.rows.astype(np.float64), prices.groups.astype(np.float64)
        self.scale = gain_scale(problem)
        self._row_pull, self._group_pull = np.zeros_like(self.rows), np.zeros_like(self.groups)

    @property
    def prices(self) -> Prices:
        return Prices(np.rint(self.rows).astype(np.int64), np.rint(self.groups).astype(np.int64))

    def step(self, length: float, loads: tuple[Ints, Ints]) -> None:
        """Move prices by the loads that they led to."""
        row_pull, group_pull = pulls(self.problem, loads, 1.0, self.groups)
        self._row_pull = MOMENTUM * self._row_pull + (1 - MOMENTUM) * np.clip(row_pull, -1, 1)
        self._group_pull = MOMENTUM * self._group_pull + (1 - MOMENTUM) * np.clip(group_pull, -1, 1)
        self.rows = np.maximum(self.rows + length * self.scale * self._row_pull, 0)
        self.groups = legal_groups(self.problem, self.groups + length * self.scale * self._group_pull)


def gain_scale(problem: KernelProblem) -> float:
    """Return the median gain of an arc in the kernels' money."""
    return float(np.median(problem.arc_gain)) * SCALE if problem.arcs else 1.0


def legal_groups(problem: KernelProblem, groups: Floats) -> Floats:
    """Cut group prices: a subsidy up to the floor's price, a charge only where there is a cap."""
    most = np.where(problem.group_cap < UNLIMITED, np.inf, 0.0)
    return np.clip(groups, -problem.group_floor_price * float(SCALE), most)


def pulls(problem: KernelProblem, loads: tuple[Ints, Ints], share: float, priced: Floats) -> tuple[Floats, Floats]:
    """Return by how much rows and groups are ahead of `share` of their limits, relative to the limits.

    A subsidised group (price below 0) is measured by its floor, a charged one by its cap, a free one by what it breaks.
    """
    rows, groups = loads
    to_floor = (groups - problem.group_floor * share) / np.maximum(problem.group_floor, 1)
    to_cap = (groups - problem.group_cap * share) / np.maximum(problem.group_cap, 1)
    free = np.minimum(to_floor, 0) + np.maximum(to_cap, 0)
    pull = np.where(priced < 0, to_floor, np.where(priced > 0, to_cap, free))
    return (rows - problem.row_capacity * share) / np.maximum(problem.row_capacity, 1), pull


def sweep(problem: KernelProblem, start: Prices | None = None, *, sweeps: int, seed: int) -> Prices:
    """Return prices after so many sweeps over all SKUs."""
    into, prices, scale = Passed.empty(problem), start or Prices.zero(problem), gain_scale(problem)
    rows, groups = prices.rows.astype(np.float64), prices.groups.astype(np.float64)
    loads = np.zeros(rows.size, np.int64), np.zeros(groups.size, np.int64)
    sequence = np.random.default_rng(seed).permutation(problem.skus)
    sequence = sequence[np.argsort(-np.diff(problem.sku_lines)[sequence], kind="stable")]
    chunks = [sequence[number::CHUNKS].astype(np.int64) for number in range(min(CHUNKS, problem.skus))]
    known = [(np.zeros_like(loads[0]), np.zeros_like(loads[1])) for _ in chunks]
    moves = sweeps * len(chunks)
    for number in range(moves):
        at = number % len(chunks)
        now = Prices(np.rint(rows).astype(np.int64), np.rint(groups).astype(np.int64))
        solve_skus(problem, now, chunks[at], into)
        fresh = row_loads(problem, into.units, chunks[at])
        loads = loads[0] + fresh[0] - known[at][0], loads[1] + fresh[1] - known[at][1]
        known[at] = fresh
        share = min((number + 1) / len(chunks), 1.0)
        length = SWEEP[0] * (SWEEP[1] / SWEEP[0]) ** (number / max(moves - 1, 1)) / len(chunks)
        row_pull, group_pull = pulls(problem, loads, share, groups)
        rows = np.maximum(rows + length * scale * np.clip(row_pull, -1, 1), 0)
        groups = legal_groups(problem, groups + length * scale * np.clip(group_pull, -1, 1))
    return Prices(np.rint(rows).astype(np.int64), np.rint(groups).astype(np.int64))


def learn(problem: KernelProblem, start: Prices, *, steps: int) -> Learnt:
    """Descend on the dual function for so many steps; the best prices met are returned.

    Raises:
        ValueError: No step is to be taken.
    """
    ascent = _Ascent(problem, start)
    everyone, into, best = balanced(problem), Passed.empty(problem), None
    for number in range(steps):
        prices = ascent.prices
        solve_skus(problem, prices, everyone, into)
        bound = certified_bound(problem, prices, into.lots, into.quotas)
        if best is None or bound < best.bound_cents:
            best = Learnt(prices, bound, into.lots.copy(), into.quotas.copy(), steps)
        falling = (STEP[1] / STEP[0]) ** (number / max(steps - 1, 1))
        ascent.step(STEP[0] * falling, row_loads(problem, into.units))
    if best is None:
        raise ValueError(steps)
    return best


def balanced(problem: KernelProblem) -> Ints:
    """Return all SKUs in an order that spreads the large ones over threads."""
    by_size = np.argsort(-np.diff(problem.sku_lines), kind="stable")
    return np.concatenate([by_size[0::2], by_size[1::2]]).astype(np.int64)


def pace(problem: KernelProblem, prices: Prices, *, seed: int) -> Ints:
    """Return units per arc of one pass in chunks that keeps near the limits of rows and groups, not yet within them.

    A chunk's prices are the given ones, raised where the load so far is ahead of the share of units looked at so far.
    """
    into, scale = Passed.empty(problem), gain_scale(problem)
    sequence = np.random.default_rng(seed).permutation(problem.skus)
    sequence = sequence[np.argsort(-np.diff(problem.sku_lines)[sequence], kind="stable")]
    count = min(PACES, problem.skus)
    ends = np.cumsum(problem.line_quantity)
    begun = np.concatenate([[0], ends])[problem.sku_lines]
    weight, done = np.diff(begun), 0
    loads = np.zeros(problem.row_capacity.size, np.int64), np.zeros(problem.group_cap.size, np.int64)
    now = prices
    for number in range(count):
        chunk = sequence[number::count].astype(np.int64)
        solve_skus(problem, now, chunk, into)
        fresh = row_loads(problem, into.units, chunk)
        loads, done = (loads[0] + fresh[0], loads[1] + fresh[1]), done + int(weight[chunk].sum())
        rows, groups = pulls(problem, loads, done / max(int(ends[-1]), 1), prices.groups.astype(np.float64))
        paced = np.maximum(prices.rows + PACE * scale * rows, 0)
        shifted = legal_groups(problem, prices.groups + PACE * scale * groups)
        now = Prices(np.rint(paced).astype(np.int64), np.rint(shifted).astype(np.int64))
    return into.units


def sample(problem: KernelProblem, share: float, seed: int) -> KernelProblem:
    """Return an instance with about `share` of the lines, stock and capacity; order rules are dropped."""
    random = np.random.default_rng(seed)
    size = np.diff(problem.sku_lines)
    is_large = size * share >= 20
    kept_sku = is_large | (random.random(problem.skus) < share)
    line_sku = np.repeat(np.arange(problem.skus), size)
    kept_line = np.where(is_large[line_sku], random.random(problem.lines) < share, kept_sku[line_sku])
    thinned = np.where(is_large, share, 1.0)
    real = float((problem.line_quantity * kept_line).sum()) / max(float(problem.line_quantity.sum()), 1.0)
    return _cut(problem, kept_sku, kept_line, thinned, real, random)


def _cut(
    problem: KernelProblem,
    kept_sku: npt.NDArray[np.bool_],
    kept_line: npt.NDArray[np.bool_],
    thinned: Floats,
    share: float,
    random: np.random.Generator,
) -> KernelProblem:
    cell_sku = np.repeat(np.arange(problem.skus), np.diff(problem.sku_cells))
    quota_sku = np.repeat(np.arange(problem.skus), np.diff(problem.sku_quotas))
    bucket_cell = np.repeat(np.arange(problem.cell_node.size), np.diff(problem.cell_buckets))
    arc_line = np.repeat(np.arange(problem.lines), np.diff(problem.line_arcs))
    kept_cell, kept_quota, kept_arc = kept_sku[cell_sku], kept_sku[quota_sku], kept_line[arc_line]
    kept_bucket = kept_cell[bucket_cell]
    cell_at, quota_at = np.cumsum(kept_cell) - 1, np.cumsum(kept_quota) - 1
    part = {"line": kept_line, "arc": kept_arc, "cell": kept_cell, "bucket": kept_bucket, "quota": kept_quota}
    made: dict[str, Any] = {}
    for item in fields(problem):
        mask = part.get(item.name.split("_", 1)[0])
        if mask is not None and item.name not in {"line_arcs", "cell_buckets"}:
            made[item.name] = getattr(problem, item.name)[mask]
    made["arc_cell"] = cell_at[made["arc_cell"]].astype(np.int32)
    quota = made["line_quota"]
    made["line_quota"] = np.where(quota >= 0, quota_at[np.maximum(quota, 0)] if quota_at.size else -1, -1).astype(
        np.int32
    )
    factor = thinned[cell_sku[bucket_cell]][kept_bucket]
    made["bucket_supply"] = np.floor(made["bucket_supply"] * factor + random.random(factor.size) * (factor < 1)).astype(
        np.int64
    )
    quota_factor = thinned[quota_sku][kept_quota]
    for name in ("quota_floor", "quota_cap"):
        made[name] = np.rint(made[name] * quota_factor).astype(np.int64)
    return replace(
        problem,
        **made,
        sku_lines=_starts(kept_line, problem.sku_lines, kept_sku),
        sku_cells=_starts(kept_cell, problem.sku_cells, kept_sku),
        sku_quotas=_starts(kept_quota, problem.sku_quotas, kept_sku),
        line_arcs=_starts(kept_arc, problem.line_arcs, kept_line),
        cell_buckets=_starts(kept_bucket, problem.cell_buckets, kept_cell),
        row_capacity=np.rint(problem.row_capacity * share).astype(np.int64),
        group_floor=np.rint(problem.group_floor * share).astype(np.int64),
        group_cap=np.where(problem.group_cap < UNLIMITED, np.rint(problem.group_cap * share), UNLIMITED).astype(
            np.int64
        ),
    )


def _starts(kept: npt.NDArray[np.bool_], starts: Ints, owners: npt.NDArray[np.bool_]) -> Ints:
    counted = np.concatenate([[0], np.cumsum(kept)])
    sizes = np.diff(counted[starts])[owners]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
