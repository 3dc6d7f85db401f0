"""Synthetic instances of any size for benchmarks and tests: Zipf SKUs, few nodes, scarce stock, coupling at will.

No company's data: demand about 1.37 times supply, wholesale orders few in number and large in units, freight
that grows with distance, so that the nearest node is often not the one with stock. All draws come from one
seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from optimizer.allocation.kernels.problem import UNLIMITED, Ints, KernelProblem

_FLOORS: Final = (0.45, 0.60, 0.65, 0.35)
"""Share of each channel's units (wholesale, own shop, marketplace, stores) that its floor asks for."""

_SHORT_CENTS: Final = 2_000
_CHUNK: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What an instance is made of.

    Attributes:
        lines: Order lines, about.
        seed: Seed of all draws.
        nodes: Nodes that ship.
        days: Ship days.
        arcs: Most arcs per line, its best by gain.
        lines_per_sku: Lines per SKU on average (popularity is Zipf).
        head: Flattens the head of the popularity, 1 / (rank + head): 0 gives the top SKU 8-10 % of all lines.
        scarcity: Demand over supply.
        wholesale: Share of orders that are wholesale.
        is_coupled: Node days, lane days and channel floors tie SKUs together.
        floors: Factor on the channel floors (1: in full).
        has_reserves: Units kept for wholesale in a third of the cells and caps per channel in a third of the SKUs.
        has_orders: Ship-complete orders, node limits and prices of splits.
        complete: Share of wholesale and of consumer orders that ship whole.
    """

    lines: int
    seed: int
    nodes: int = 10
    days: int = 4
    arcs: int = 5
    lines_per_sku: int = 20
    head: float = 0.0
    scarcity: float = 1.37
    wholesale: float = 0.05
    is_coupled: bool = False
    floors: float = 1.0
    has_reserves: bool = False
    has_orders: bool = False
    complete: tuple[float, float] = (0.4, 0.2)


def make(recipe: Recipe) -> KernelProblem:
    """Return the instance of a recipe."""
    return _Maker(recipe).make()


class _Maker:
    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.random = np.random.default_rng(recipe.seed)
        self._draw_orders()
        self._draw_stock()

    def _draw_orders(self) -> None:
        recipe, random = self.recipe, self.random
        size = 1 + random.poisson(1.5, max(recipe.lines * 2 // 5, 1))
        orders = size.size
        wholesale = random.random(orders) < recipe.wholesale
        self.channel_of = np.where(wholesale, 0, random.choice(3, orders, p=[0.6, 0.3, 0.1]) + 1)
        order = np.repeat(np.arange(orders), size)
        lines, skus = order.size, max(recipe.lines // recipe.lines_per_sku, 1)
        weight = 1 / (np.arange(1, skus + 1) + recipe.head)
        sku = random.choice(skus, lines, p=weight / weight.sum())
        # An order asks for a SKU once.
        keep = np.unique(order * np.int64(skus) + sku, return_index=True)[1]
        keep = keep[np.argsort(sku[keep], kind="stable")]
        self.order, self.sku = np.unique(order[keep], return_inverse=True)[1], sku[keep]
        self.channel_of = self.channel_of[np.unique(order[keep])]
        self.skus, self.orders, lines = skus, self.channel_of.size, keep.size
        self.channel = self.channel_of[self.order]
        big = self.channel == 0
        self.quantity = np.where(big, random.integers(12, 120, lines), 1 + random.poisson(0.4, lines))
        price = np.exp(random.normal(8.2, 0.5, skus))[self.sku]
        share = np.where(big, random.uniform(0.2, 0.35, lines), random.uniform(0.35, 0.6, lines))
        chargeback = np.where(big, price * random.uniform(0.0, 0.12, lines), 0)
        self.worth = (price * share + chargeback + np.where(big, 0, 300)).astype(np.int64)
        self.due = random.integers(0, recipe.days, lines)
        self.region = random.random((self.orders, 2))
        self.cube = random.integers(1, 4, skus)

    def _draw_stock(self) -> None:
        recipe, random = self.recipe, self.random
        demand = np.bincount(self.sku, weights=self.quantity, minlength=self.skus)
        held = random.random((self.skus, recipe.nodes)) < 0.45
        held[np.arange(self.skus), random.integers(0, recipe.nodes, self.skus)] = True
        share = random.exponential(1.0, held.shape) * held
        share /= share.sum(axis=1, keepdims=True)
        supply = np.floor(demand[:, None] / recipe.scarcity * share + random.random(held.shape) * held)
        day = random.integers(1, recipe.days, held.shape) if recipe.days > 1 else np.zeros(held.shape, np.int64)
        later = np.floor(supply * (random.random(held.shape) < 0.4) * random.uniform(0.2, 0.7, held.shape))
        self.on_hand, self.inbound, self.inbound_day = supply - later, later, day
        self.kept = np.zeros(held.shape, np.int64)
        if recipe.has_reserves:
            self.kept = np.floor(self.on_hand * (random.random(held.shape) < 1 / 3) * 0.3).astype(np.int64)

    def make(self) -> KernelProblem:
        recipe = self.recipe
        has = (self.on_hand + self.inbound) > 0
        cell_id = np.full(has.shape, -1, np.int64)
        cell_id[has] = np.arange(int(has.sum()))
        arcs = self._arcs(cell_id)
        line, cell, day, gain, node, lane = (np.concatenate(part) for part in zip(*arcs, strict=True))
        count = self.quantity.size
        load_rows = self._capacities(line, node, day, lane)
        node_row, lane_row, capacity = load_rows
        none_lines = np.full(count, -1, np.int32)
        quota, quota_cap, sku_quotas = self._quotas()
        buckets = self._buckets(has)
        units = np.bincount(self.channel, weights=self.quantity, minlength=4)
        floors = (
            (units * np.array(_FLOORS) * recipe.floors).astype(np.int64) if recipe.is_coupled else np.zeros(0, np.int64)
        )
        order_is_big = self.channel_of == 0
        whole = self.random.random(self.orders) < np.where(order_is_big, *recipe.complete)
        split = np.where(order_is_big, 2_500, 600) if recipe.has_orders else np.zeros(self.orders)
        return KernelProblem(
            sku_lines=np.searchsorted(self.sku, np.arange(self.skus + 1)).astype(np.int64),
            sku_cells=np.concatenate([[0], np.cumsum(has.sum(axis=1))]).astype(np.int64),
            sku_quotas=sku_quotas,
            line_arcs=np.searchsorted(line, np.arange(count + 1)).astype(np.int64),
            line_quantity=self.quantity.astype(np.int64),
            line_order=self.order.astype(np.int32),
            line_holder=np.where(self.channel == 0, 0, -1).astype(np.int32),
            line_group=self.channel.astype(np.int32) if recipe.is_coupled else none_lines,
            line_quota=quota,
            line_single=np.zeros(count, np.bool_),
            arc_cell=cell.astype(np.int32),
            arc_step=day.astype(np.int32),
            arc_gain=gain.astype(np.int64),
            arc_node_row=node_row,
            arc_lane_row=lane_row,
            arc_use=self.cube[self.sku[line]].astype(np.int32),
            arc_lane_use=np.ones(line.size, np.int32),
            cell_node=np.nonzero(has)[1].astype(np.int32),
            **buckets,
            row_capacity=capacity,
            group_floor=floors,
            group_floor_price=np.full(floors.size, _SHORT_CENTS, np.int64),
            group_cap=np.full(floors.size, UNLIMITED, np.int64),
            quota_floor=np.zeros(quota_cap.size, np.int64),
            quota_floor_price=np.zeros(quota_cap.size, np.int64),
            quota_cap=quota_cap,
            order_complete=whole & recipe.has_orders,
            order_max_nodes=np.where(order_is_big, 3, 2).astype(np.int32) * np.int32(recipe.has_orders),
            order_split_cents=split.astype(np.int64),
        )

    def _arcs(self, cell_id: Ints) -> list[tuple[Ints, ...]]:
        recipe, random = self.recipe, self.random
        place = random.random((recipe.nodes, 2))
        away = np.linalg.norm(self.region[:, None, :] - place[None, :, :], axis=2)
        days = np.arange(recipe.days)
        first = np.where(self.on_hand > 0, 0, self.inbound_day)
        made = []
        for start in range(0, self.quantity.size, _CHUNK):
            part = slice(start, min(start + _CHUNK, self.quantity.size))
            size = part.stop - start
            big = self.channel[part] == 0
            distance = away[self.order[part]]
            freight = np.where(big, 0.45, 1.0)[:, None] * (300 + 900 * distance)
            late = np.maximum(days[None, :] - self.due[part, None], 0) * np.where(big, 0.06, 0.04)[:, None]
            worth = self.worth[part, None, None]
            gain = worth - freight[:, :, None] - (late * self.worth[part, None])[:, None, :] - 3 * days
            cells = cell_id[self.sku[part]]
            open_ = (cells[:, :, None] >= 0) & (days >= first[self.sku[part]][:, :, None])
            gain = np.where(open_, np.rint(gain), -1).astype(np.int64).reshape(size, -1)
            best = np.argsort(-gain, axis=1, kind="stable")[:, : recipe.arcs]
            best.sort(axis=1)
            chosen = np.take_along_axis(gain, best, axis=1)
            row, column = np.nonzero(chosen > 0)
            flat = best[row, column]
            node, day = flat // recipe.days, flat % recipe.days
            zone = (self.region[self.order[part], 0] * 5).astype(np.int64)[row]
            made.append((row + start, cells[row, node], day, chosen[row, column], node, zone))
        return made

    def _capacities(self, line: Ints, node: Ints, day: Ints, zone: Ints) -> tuple[npt.NDArray[np.int32], ...]:
        recipe = self.recipe
        none = np.full(line.size, -1, np.int32)
        if not recipe.is_coupled:
            return none, none, np.zeros(0, np.int64)
        # What would ship if every line took its arcs in equal parts, cut to what supply allows.
        fan = np.bincount(line, minlength=self.quantity.size)[line]
        load = self.quantity[line] / fan / recipe.scarcity
        node_row = node * recipe.days + day
        lane_row = (node * 5 + zone) * recipe.days + day
        size = recipe.nodes * recipe.days
        expected = np.bincount(node_row, weights=load * self.cube[self.sku[line]], minlength=size)
        lanes = np.bincount(lane_row, weights=load, minlength=size * 5)
        rates = self.random.uniform(0.7, 1.2, size), self.random.uniform(0.8, 1.6, size * 5)
        capacity = np.concatenate([expected * rates[0], lanes * rates[1]]).astype(np.int64)
        return node_row.astype(np.int32), (lane_row + size).astype(np.int32), capacity

    def _quotas(self) -> tuple[npt.NDArray[np.int32], Ints, Ints]:
        none = np.full(self.quantity.size, -1, np.int32)
        if not self.recipe.has_reserves:
            return none, np.zeros(0, np.int64), np.zeros(self.skus + 1, np.int64)
        capped = np.arange(self.skus) % 3 == 0
        wanted = np.bincount(self.sku, weights=self.quantity * (self.channel == 2), minlength=self.skus)
        number = np.cumsum(capped) - 1
        quota = np.where(capped[self.sku] & (self.channel == 2), number[self.sku], -1).astype(np.int32)
        starts = np.concatenate([[0], np.cumsum(capped)]).astype(np.int64)
        return quota, np.ceil(wanted[capped] * 0.5).astype(np.int64), starts

    def _buckets(self, has: npt.NDArray[np.bool_]) -> dict[str, npt.NDArray[np.int64]]:
        kept = self.kept[has]
        parts = [(np.zeros(kept.size), self.on_hand[has] - kept, -1), (np.zeros(kept.size), kept, 0)]
        parts.append((self.inbound_day[has], self.inbound[has], -1))
        cell = np.tile(np.arange(kept.size), 3)
        step = np.concatenate([part[0] for part in parts])
        supply = np.concatenate([part[1] for part in parts]).astype(np.int64)
        holder = np.repeat([part[2] for part in parts], kept.size)
        chosen = np.flatnonzero(supply > 0)
        chosen = chosen[np.argsort(cell[chosen], kind="stable")]
        return {
            "cell_buckets": np.searchsorted(cell[chosen], np.arange(kept.size + 1)).astype(np.int64),
            "bucket_step": step[chosen].astype(np.int32),
            "bucket_supply": supply[chosen],
            "bucket_holder": holder[chosen].astype(np.int32),
            "bucket_release": np.full(chosen.size, -1, np.int64),
        }
