"""The answer as frames: what ships, what stays short and why, what arrives late and why, and the money by term.

Belongs here: shapes. Every frame's schema is stated here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from optimizer.allocation.backend import Status

ALLOCATIONS: Final = pl.Schema(
    {
        "order_id": pl.String(),
        "line_id": pl.String(),
        "sku": pl.String(),
        "channel": pl.String(),
        "node_id": pl.String(),
        "ship_date": pl.Date(),
        "quantity": pl.Int64(),
        "carrier": pl.String(),
        "service": pl.String(),
        "arrival_date": pl.Date(),
        "days_late": pl.Int64(),
        "cost_cents": pl.Int64(),
    }
)
"""One row per order line, node, ship date, carrier and service. `cost_cents` is the freight of the row's units."""

SHORTS: Final = pl.Schema(
    {
        "order_id": pl.String(),
        "line_id": pl.String(),
        "sku": pl.String(),
        "channel": pl.String(),
        "short_quantity": pl.Int64(),
        "reason": pl.String(),
        "competing_lines": pl.List(pl.String()),
    }
)
"""One row per line with units that do not ship; `competing_lines` ("order/line", most units first) took the stock."""

LATES: Final = pl.Schema(
    {
        "order_id": pl.String(),
        "line_id": pl.String(),
        "sku": pl.String(),
        "channel": pl.String(),
        "late_quantity": pl.Int64(),
        "days_late": pl.Int64(),
        "reason": pl.String(),
        "competing_lines": pl.List(pl.String()),
    }
)
"""One row per line with units that ship but arrive late; `days_late` is the latest of them."""

SPLITS: Final = pl.Schema(
    {
        "order_id": pl.String(),
        "line_id": pl.String(),
        "sku": pl.String(),
        "channel": pl.String(),
        "main_node": pl.String(),
        "split_quantity": pl.Int64(),
        "reason": pl.String(),
        "competing_lines": pl.List(pl.String()),
    }
)
"""One row per line with units that ship from another node than `main_node`, from which most of its order ships."""

SUMMARY: Final = pl.Schema(
    {
        "channel": pl.String(),
        "lines": pl.Int64(),
        "lines_full_on_time": pl.Int64(),
        "units_open": pl.Int64(),
        "units_allocated": pl.Int64(),
        "units_on_time": pl.Int64(),
        "units_short": pl.Int64(),
        "objective_cents": pl.Int64(),
    }
)
"""One row per channel; `objective_cents` leaves out what belongs to no line (splits, releases)."""

RELEASES: Final = pl.Schema(
    {
        "sku": pl.String(),
        "node_id": pl.String(),
        "holder": pl.String(),
        "quantity": pl.Int64(),
        "released": pl.Int64(),
        "lines_served": pl.Int64(),
        "gain_cents": pl.Int64(),
    }
)
"""One row per channel reservation or safety stock (holder '(safety stock)') that gives up units.

`quantity` is what it holds before. The evidence is cautious: of the units that other channels draw at that SKU and
node, the `released` ones that gain least, against leaving them short and after the price of the release: the lines that
get them and their gain.
"""

COMMITMENTS: Final = pl.Schema(
    {
        "kind": pl.String(),
        "label": pl.String(),
        "target": pl.Int64(),
        "missed": pl.Int64(),
        "price_cents": pl.Int64(),
        "cost_cents": pl.Int64(),
    }
)
"""One row per commitment that is not kept in full; kinds as in `commitments.KINDS`, units, cents per unit."""

THRESHOLDS: Final = pl.Schema(
    {
        "kind": pl.String(),
        "label": pl.String(),
        "need": pl.Int64(),
        "complying": pl.Int64(),
        "is_met": pl.Boolean(),
        "fine_cents": pl.Int64(),
    }
)
"""One row per fine with a threshold that was open: units it still needs, units the plan gives it, fine if not met."""

TERMS: Final = (
    "margin",
    "freight",
    "expedite",
    "chargeback",
    "cancellation",
    "lateness",
    "churn",
    "waiting",
    "split",
    "appointment",
    "release",
    "commitment",
    "fairness",
    "plan_change",
    "override",
)
"""Terms of the objective, in cents; costs are negative.

margin of shipped units; freight at the cheapest rate of the node and zone, expedite what is paid above it; chargeback
fines of short and late units (γ · rate), of orders and of scorecards; cancellation by late consumers; lateness contact
costs of late and short consumer units; churn of short consumers and goodwill of short accounts; waiting (tie-break);
split, appointment and release as `Weights` prices them; commitment locks, class win and confirmations not kept;
fairness units below floors; plan_change units moved against the last plan; override what planners add to units.
"""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AllocationResult:
    """A verified plan.

    Attributes:
        status: How to read it.
        objective_cents: Its value; `bound_cents` is a proven upper bound on any plan's.
        bound_cents: See above.
        terms: The objective by term (see TERMS).
        allocations: See ALLOCATIONS.
        shorts: See SHORTS.
        lates: See LATES.
        splits: See SPLITS.
        summary: See SUMMARY.
        releases: See RELEASES.
        commitments: See COMMITMENTS.
        thresholds: See THRESHOLDS.
        notes: What was switched off or assumed.
        path: How it was found: exact, kernel, prices, greedy, empty or rules.
        seconds: Time to solve.
        seed: Seed of the solver.
        fingerprint: Hash of data and options.
        size: Variables, rows and coefficients of the program.
        is_reproducible: False when the wall clock stopped the solver.
        prices: What a like problem can start from, of the path prices (see solve.PRICES).
    """

    status: Status
    objective_cents: int
    bound_cents: int
    terms: dict[str, int]
    allocations: pl.DataFrame
    shorts: pl.DataFrame
    lates: pl.DataFrame
    splits: pl.DataFrame
    summary: pl.DataFrame
    releases: pl.DataFrame
    commitments: pl.DataFrame
    thresholds: pl.DataFrame
    notes: tuple[str, ...]
    path: str
    seconds: float
    seed: int
    fingerprint: str
    size: dict[str, int]
    is_reproducible: bool
    prices: pl.DataFrame | None = None

    @property
    def gap(self) -> float:
        """Distance to the bound relative to the larger of the two; 0 is proven optimal."""
        scale = max(abs(self.objective_cents), abs(self.bound_cents), 1)
        return (self.bound_cents - self.objective_cents) / scale
