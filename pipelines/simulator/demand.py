"""Who orders what and when: weekly counts, consumer baskets and purchase orders, drawn from the company description."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.simulator.catalogue import SKUS, WHOLESALE_ASSORTMENT
from pipelines.simulator.clock import calendar_date, iso_week, zone
from pipelines.simulator.company import CHANNEL_SHARES, RETAILERS, WHOLESALE, ZONE
from pipelines.simulator.draws import Draws, cumulate
from pipelines.simulator.faults import OUT_OF_STOCK, OUT_OF_STOCK_SKU, STARVED_SKUS
from pipelines.simulator.geography import STATES
from pipelines.simulator.model import Line, Order

GIFT_CARD: Final = -1
FIRST_ORDER: Final = 100001

_WEEK_FACTOR: Final = {
    24: 1.05,
    27: 1.1,
    28: 1.2,
    36: 1.15,
    41: 1.12,
    44: 1.1,
    45: 1.25,
    46: 1.4,
    47: 1.7,
    48: 1.8,
    49: 1.6,
    50: 1.5,
}
_PROMOTIONS: Final = {
    28: ("storage", 2.0),
    33: ("bath", 1.8),
    36: ("tableware", 2.0),
    41: ("cookware", 1.7),
    45: ("lighting", 1.8),
    46: ("cookware", 1.9),
}
_PROMOTION_DISCOUNT: Final = 0.15
_WEEKDAYS: Final = cumulate([1.1, 1.05, 1.0, 0.95, 0.9, 0.95, 1.15])
_HOURS: Final = cumulate([2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 10, 10, 9, 9, 8, 8, 9, 10, 11, 12, 11, 8, 5])
_LINES: Final = cumulate([58, 25, 11, 4, 2])
_UNITS: Final = cumulate([80, 14, 4, 2])
_CASES: Final = cumulate([26, 28, 20, 12, 8, 6])
_STATES: Final = cumulate([state.weight for state in STATES])
_CONSUMER_CHANNELS: Final = cumulate(CHANNEL_SHARES[:WHOLESALE])
_RETAILERS: Final = cumulate([retailer.share for retailer in RETAILERS])

CONSUMER_UNITS_PER_ORDER: Final = 2.13
PURCHASE_ORDER_LINES: Final = (2, 7)
UNITS_PER_PURCHASE_ORDER: Final = 82.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Size of a simulation: orders by week and channel kind, fixed before the first day."""

    consumer_by_week: tuple[int, ...]
    wholesale_by_week: tuple[int, ...]

    @property
    def consumer_per_day(self) -> float:
        """Mean consumer orders a day."""
        return sum(self.consumer_by_week) / (7 * len(self.consumer_by_week))

    @property
    def wholesale_per_day(self) -> float:
        """Mean purchase orders a day."""
        return sum(self.wholesale_by_week) / (7 * len(self.wholesale_by_week))


def week_factor(day: int) -> float:
    """Return the demand factor of a week."""
    return _WEEK_FACTOR.get(iso_week(day), 1.0)


def sku_factor(sku: int, day: int) -> float:
    """Return the demand factor of a SKU in the week of a day: season, promotion, planted surge."""
    category = SKUS[sku].category
    factor = category.season[(calendar_date(day).month - 1) // 3]
    promoted, uplift = _PROMOTIONS.get(iso_week(day), ("", 1.0))
    if category.name == promoted:
        factor *= uplift
    if sku == OUT_OF_STOCK_SKU and iso_week(day) >= 40 and OUT_OF_STOCK.covers(day + 21):
        factor *= 2.2
    return factor


def plan_scale(orders: int, first_day: int, weeks: int) -> Scale:
    """Spread the orders over the weeks by season, to the exact total."""
    factors = np.array([week_factor(first_day + 7 * week) for week in range(weeks)])
    wholesale_total = round(orders * CHANNEL_SHARES[WHOLESALE])
    return Scale(
        consumer_by_week=_spread(orders - wholesale_total, factors),
        wholesale_by_week=_spread(wholesale_total, np.sqrt(factors)),
    )


def _spread(total: int, weights: np.ndarray) -> tuple[int, ...]:
    exact = np.cumsum(weights) / weights.sum() * total
    edges = np.rint(np.concatenate([[0.0], exact])).astype(int)
    return tuple(int(count) for count in np.diff(edges))


class ConsumerDemand:
    """Draws the baskets of one week after the other."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._draws = Draws(seed, 1)
        self._number = FIRST_ORDER
        self._line_number = 0

    def week(self, monday: int, count: int) -> Iterator[Order]:
        """Yield the week's orders by capture time."""
        draws, clock = self._draws, zone(ZONE)
        stamps = []
        for _ in range(count):
            hour = draws.index(_HOURS)
            stamps.append(clock.at(monday + draws.index(_WEEKDAYS), int((hour + draws.uniform()) * 3600)))
        stamps.sort()
        skus = cumulate([SKUS[i].popularity * sku_factor(i, monday) for i in range(len(SKUS))])
        promoted = _PROMOTIONS.get(iso_week(monday), ("", 1.0))[0]
        for stamp in stamps:
            yield self._order(stamp, skus, promoted)

    def _order(self, stamp: int, skus: list[float], promoted: str) -> Order:
        draws = self._draws
        state = STATES[draws.index(_STATES)]
        channel = draws.index(_CONSUMER_CHANNELS)
        number = self._number
        self._number += 1
        order = Order(
            number=number,
            order_id=str(number),
            channel=channel,
            customer=draws.whole(1, 4_000_000),
            captured_at=stamp,
            updated_at=stamp,
            state=state.code,
            lane_zone=state.lane_zone,
            zone=state.zone,
            postal=f"{state.postal_prefix}{draws.whole(1, 99):02d}",
            express=channel == 0 and draws.chance(0.14),
            carrier=0,
            is_test=draws.chance(0.0015),
        )
        for sku in dict.fromkeys(draws.index(skus) for _ in range(draws.index(_LINES) + 1)):
            order.lines.append(self._line(sku, promoted))
        if channel == 0 and draws.chance(0.006):
            order.lines.append(self._gift_card())
        return order

    def _line(self, sku: int, promoted: str) -> Line:
        self._line_number += 1
        units = self._draws.index(_UNITS) + 1
        price = SKUS[sku].price
        discount = round(price * units * _PROMOTION_DISCOUNT) if SKUS[sku].category.name == promoted else 0
        return Line(str(13_000_000_000_000 + 37 * self._line_number), sku, units, units, price, discount)

    def _gift_card(self) -> Line:
        self._line_number += 1
        return Line(str(13_000_000_000_000 + 37 * self._line_number), GIFT_CARD, 1, 1, 5000)


@dataclass(frozen=True, slots=True)
class PurchaseDraft:
    """A purchase order before it has dates: retailer, centre and lines of (sku, cases)."""

    retailer: int
    centre: int
    lines: tuple[tuple[int, int], ...]


class WholesaleDemand:
    """Draws purchase orders."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed, 2)

    def week(self, monday: int, count: int) -> dict[int, list[PurchaseDraft]]:
        """Return the week's drafts by day (Monday to Friday)."""
        weights = cumulate([self._weight(sku, monday) for sku in WHOLESALE_ASSORTMENT])
        drafts: dict[int, list[PurchaseDraft]] = {}
        for _ in range(count):
            drafts.setdefault(monday + self._draws.whole(0, 4), []).append(self._draft(weights))
        return drafts

    def _draft(self, weights: list[float]) -> PurchaseDraft:
        draws = self._draws
        retailer = draws.index(_RETAILERS)
        wanted = draws.whole(*PURCHASE_ORDER_LINES)
        skus = dict.fromkeys(WHOLESALE_ASSORTMENT[draws.index(weights)] for _ in range(wanted))
        lines = tuple((sku, draws.index(_CASES) + 1) for sku in skus)
        return PurchaseDraft(retailer, draws.whole(0, len(RETAILERS[retailer].centres) - 1), lines)

    @staticmethod
    def _weight(sku: int, monday: int) -> float:
        # Retailers build up the starved SKUs before the holidays: that is what makes the reservation contested.
        surge = 1.6 if sku in STARVED_SKUS and iso_week(monday) >= 44 else 1.0
        return float(SKUS[sku].popularity ** 0.6) * sku_factor(sku, monday) * surge


def consumer_shares(day: int) -> list[float]:
    """Return the expected share of each SKU in consumer units around a day."""
    weights = [SKUS[i].popularity * sku_factor(i, day) for i in range(len(SKUS))]
    total = sum(weights)
    return [weight / total for weight in weights]


def wholesale_shares() -> dict[int, float]:
    """Return the expected share of each SKU in wholesale units."""
    weights = {sku: SKUS[sku].popularity ** 0.6 * SKUS[sku].pack for sku in WHOLESALE_ASSORTMENT}
    total = sum(weights.values())
    return {sku: weight / total for sku, weight in weights.items()}
