"""What the systems of the company will have told, by ISO week: the only thing writers read.

Something told after the end of the simulation is never written.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

from pipelines.simulator.inbound import ReceiptNews
from pipelines.simulator.model import Order, Shipment

TrackerKind = Literal["accepted", "exception", "delivered"]


@dataclass(slots=True, eq=False)
class Interchange:
    """One X12 interchange with one group.

    Attributes:
        at: When it was sent.
        outbound: We sent it.
        retailer: Index of the partner.
        set_type: Transaction set, e.g. 850.
        control: Interchange and group control number.
        bodies: Per transaction set: segments between ST and SE.
    """

    at: int
    outbound: bool
    retailer: int
    set_type: str
    control: int
    bodies: list[list[str]]


@dataclass(slots=True, eq=False)
class ReturnCase:
    """A return of one order line; stamps 0 = has not happened (yet)."""

    number: int
    order: Order
    line_id: str
    sku: int
    quantity: int
    reason: str
    disposition: str
    refund: int
    node: int
    created_at: int
    in_transit_at: int = 0
    received_at: int = 0
    graded_at: int = 0
    restocked_at: int = 0
    refunded_at: int = 0
    ended_at: int = 0
    end_state: str = ""

    def stamps(self) -> tuple[int, ...]:
        """Return the instants at which the return changed."""
        stamps = (
            self.created_at, self.in_transit_at, self.received_at, self.graded_at, self.restocked_at,
            self.refunded_at, self.ended_at,
        )  # fmt: skip
        return tuple(stamp for stamp in stamps if stamp)


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A row of the holds file; released_at 0 = still on."""

    at: int
    order_id: str
    hold_type: str
    placed_at: int
    released_at: int
    placed_by: str
    note: str


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A row of the disputes file."""

    at: int
    number: str
    deduction: str
    retailer: int
    order_id: str
    amount: int
    filed_at: int
    deadline_day: int
    status: str
    resolved_at: int
    recovered: int


@dataclass(slots=True)
class WeekJournal:
    """Everything that becomes known in one week."""

    released: list[Shipment] = field(default_factory=list)
    shipped: list[Shipment] = field(default_factory=list)
    trackers: list[tuple[int, Shipment, TrackerKind]] = field(default_factory=list)
    interchanges: list[Interchange] = field(default_factory=list)
    returns: dict[int, ReturnCase] = field(default_factory=dict)
    receipts: list[ReceiptNews] = field(default_factory=list)
    snapshots: list[tuple[int, list[list[int]], list[list[int]], list[list[int]]]] = field(default_factory=list)
    holds: list[HoldRow] = field(default_factory=list)
    disputes: list[DisputeRow] = field(default_factory=list)
    touched: dict[int, Order] = field(default_factory=dict)


class Journal:
    """The weeks that are not written yet."""

    def __init__(self, week_starts: list[int]) -> None:
        """Open a journal.

        Args:
            week_starts: Instant at which each week begins; the last entry is the end of the simulation.
        """
        self._starts = week_starts
        self._weeks: dict[int, WeekJournal] = {}

    @property
    def end(self) -> int:
        """Instant after which nothing is told."""
        return self._starts[-1]

    def week(self, at: int) -> WeekJournal:
        """Return the week in which something becomes known."""
        index = bisect_right(self._starts, at) - 1
        if index not in self._weeks:
            self._weeks[index] = WeekJournal()
        return self._weeks[index]

    def take(self, week: int) -> WeekJournal:
        """Remove and return a finished week."""
        return self._weeks.pop(week, WeekJournal())

    def add_return(self, case: ReturnCase) -> None:
        """Tell of a return in each week in which it changes."""
        for stamp in case.stamps():
            if stamp < self.end:
                self.week(stamp).returns[case.number] = case
