"""The planner's view of demand: what stock levels, reservations and node capacities are made from."""

from __future__ import annotations

import math
from typing import Final

from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.company import NODES, PREFERENCE, RETAILERS
from pipelines.simulator.demand import (
    CONSUMER_UNITS_PER_ORDER,
    UNITS_PER_PURCHASE_ORDER,
    Scale,
    consumer_shares,
    week_factor,
    wholesale_shares,
)
from pipelines.simulator.geography import STATES


def _consumer_node_shares() -> list[float]:
    shares = [0.0] * len(NODES)
    total = sum(state.weight for state in STATES)
    for state in STATES:
        shares[PREFERENCE[state.lane_zone][0]] += state.weight / total
    return shares


def _wholesale_node_shares() -> list[float]:
    shares = [0.0] * len(NODES)
    for retailer in RETAILERS:
        for _, _, node in retailer.centres:
            shares[node] += retailer.share / len(retailer.centres)
    return shares


CONSUMER_NODE_SHARES: Final = _consumer_node_shares()
WHOLESALE_NODE_SHARES: Final = _wholesale_node_shares()


class Forecast:
    """The planner's view of mean demand a day by node and SKU."""

    def __init__(self, scale: Scale) -> None:
        self._consumer_units = scale.consumer_per_day * CONSUMER_UNITS_PER_ORDER
        self._wholesale_units = scale.wholesale_per_day * UNITS_PER_PURCHASE_ORDER
        self._wholesale = wholesale_shares()
        self._shares: dict[int, list[float]] = {}

    def consumer(self, node: int, sku: int, day: int) -> float:
        """Return expected consumer units a day."""
        week = day // 7
        if week not in self._shares:
            self._shares = {week: consumer_shares(day)}
        return self._consumer_units * self._shares[week][sku] * CONSUMER_NODE_SHARES[node] * week_factor(day)

    def wholesale(self, node: int, sku: int) -> float:
        """Return expected wholesale units a day."""
        return self._wholesale_units * self._wholesale.get(sku, 0.0) * WHOLESALE_NODE_SHARES[node]

    def cover(self, node: int, sku: int, day: int, days: float) -> int:
        """Return units that cover the demand of so many days with usual luck."""
        consumer = self.consumer(node, sku, day) * days
        wholesale = self.wholesale(node, sku) * days
        spread = math.sqrt(1.6 * consumer + 2.2 * SKUS[sku].pack * 1.7 * wholesale)
        return math.ceil(consumer + wholesale + 1.45 * spread)

    def node_units(self, node: int) -> float:
        """Return mean units that a node ships a day."""
        return self._consumer_units * CONSUMER_NODE_SHARES[node] + self._wholesale_units * WHOLESALE_NODE_SHARES[node]


def cases_up(units: int, pack: int) -> int:
    """Return units rounded up to whole cases."""
    return -(-units // pack) * pack
