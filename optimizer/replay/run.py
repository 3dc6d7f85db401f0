"""`replay`: two rule sets on the same history, and whether the difference is more than chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from optimizer.replay.compare import Measure, Verdict, compare, judge
from optimizer.replay.history import History, read_history
from optimizer.replay.options import ReplayOptions
from optimizer.replay.policy import Policy, read_policy
from optimizer.replay.simulate import Outcome, simulate, stock_frame
from optimizer.rules.model import RuleSet


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReplayResult:
    """What both rule sets would have done.

    Attributes:
        weekly: One row per week of capture: week (its first day), ordered_units, filled_a, filled_b, on_time_a,
            on_time_b, margin_cents_a, margin_cents_b; weeks without lines are there with 0.
        stock: One row per SKU and node: supplied, shipped_a, left_a, shipped_b, left_b.
        measures: Unit fill, on-time units and margin with their intervals.
        verdict: How B compares with A over all measures.
        digest_a: Digest of rule set A.
        digest_b: Digest of rule set B.
        seed: Seed of the bootstrap.
        notes: What was left out or assumed.
    """

    weekly: pl.DataFrame
    stock: pl.DataFrame
    measures: tuple[Measure, ...]
    verdict: Verdict
    digest_a: str
    digest_b: str
    seed: int
    notes: tuple[str, ...]

    def words(self) -> tuple[str, ...]:
        """Return the result in sentences for people, the verdict first."""
        return f"B against A over {self.weekly.height} weeks: {self.verdict}", *(m.words() for m in self.measures)


def replay(
    order_lines: pl.DataFrame,
    opening_stock: pl.DataFrame,
    receipts: pl.DataFrame,
    rules_a: RuleSet,
    rules_b: RuleSet,
    *,
    weeks: int,
    seed: int,
    options: ReplayOptions | None = None,
) -> ReplayResult:
    """Allocate the same history under two rule sets and compare them week by week.

    Each day new stock arrives, then the waiting lines are served: lower rank first, then older capture, then order and
    line. Safety stock and other channels' reservations are left alone; a channel draws on its own reservation first,
    which is full again every `options.refill_days`. Without a routing rule nodes are tried by name.

    Ignored: transit and cut-offs (`options.lead_days` stands for both), node, carrier and dock capacity, holds, ship
    windows and ship-complete orders, packs and lots, split and freight costs, fines, cancellations by the customer
    (`options.patience_days` stands for them), expiry dates of rules, and customers' reaction to better service. Order
    lines are those that were placed: demand that never was an order, because a page said "sold out", is not there.

    Args:
        order_lines: One row per line: order_id, line_id, sku, channel, priority_rank, captured_at, need_at, quantity,
            unit_price, unit_cost. Null: rank last, never late, no margin, free.
        opening_stock: Units at the start, one row per sku and node_id: quantity.
        receipts: Units that came in: sku, node_id, received_at, quantity.
        rules_a: The rules to compare with.
        rules_b: The rules to judge.
        weeks: Number of weeks of order lines, from the start.
        seed: Seed of the bootstrap; the simulation has no chance in it.
        options: What else may be chosen.

    Raises:
        InvalidDataError: The frames or `weeks` are malformed; all faults are listed.
        InvalidRulesError: A rule set has faults; all are listed.
    """
    chosen = options or ReplayOptions()
    history = read_history(order_lines, opening_stock, receipts, weeks=weeks, options=chosen)
    policies = read_policy(rules_a), read_policy(rules_b)
    a, b = (
        simulate(history, policy, lead_days=chosen.lead_days, refill_days=chosen.refill_days) for policy in policies
    )
    weekly = _weekly(history, a, b)
    measures = compare(weekly, seed=seed, options=chosen)
    return ReplayResult(
        weekly=weekly,
        stock=stock_frame(history, a, b),
        measures=measures,
        verdict=judge(measures),
        digest_a=rules_a.digest,
        digest_b=rules_b.digest,
        seed=seed,
        notes=tuple(_notes(history, policies, measures, chosen)),
    )


def _weekly(history: History, a: Outcome, b: Outcome) -> pl.DataFrame:
    margin = pl.col("margin_cents")
    lines = history.lines.select("week", "quantity", "margin_cents").with_columns(
        pl.Series("filled_a", a.filled),
        pl.Series("filled_b", b.filled),
        pl.Series("on_time_a", a.on_time),
        pl.Series("on_time_b", b.on_time),
    )
    sums = lines.group_by("week").agg(
        pl.col("quantity").sum().alias("ordered_units"),
        pl.col("filled_a", "filled_b", "on_time_a", "on_time_b").sum(),
        (margin * pl.col("filled_a")).sum().alias("margin_cents_a"),
        (margin * pl.col("filled_b")).sum().alias("margin_cents_b"),
    )
    first = history.start or date.min
    weeks = pl.DataFrame({"week": range(history.weeks)}, schema={"week": pl.Int64})
    days = [first + timedelta(days=7 * week) for week in range(history.weeks)]
    joined = weeks.join(sums, on="week", how="left", validate="1:1").sort("week").fill_null(0)
    return joined.with_columns(pl.Series("week", days, dtype=pl.Date))


def _notes(
    history: History, policies: tuple[Policy, Policy], measures: tuple[Measure, ...], options: ReplayOptions
) -> Iterator[str]:
    yield from history.notes
    for name, policy in zip("AB", policies, strict=True):
        yield from (f"rule set {name}: {note}" for note in policy.notes)
    if 0 < history.weeks < options.min_weeks:
        yield f"{history.weeks} weeks are too few for a verdict; expected {options.min_weeks} or more"
    if len({measure.verdict for measure in measures} - {Verdict.NOT_DISTINGUISHABLE}) > 1:
        yield "some measures are better and some worse: weigh them yourself"
