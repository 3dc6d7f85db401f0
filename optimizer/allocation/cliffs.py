"""Fines that a threshold decides: a retailer's scorecard of a period, and the flat fine of an order.

Such a fine makes the worth of a case depend on the standing so far: far above the threshold a missed case costs
nothing, far below it every missed case costs its rate, and near it one case may save the whole fine. A cliff is met
when the score of the plan's units reaches `need`; if not it costs `fixed_cents` (flat fine and what the period has run
up so far) and each line's `fine_cents` per unit that does not comply. What a unit scores, and what does not comply:

    on_time_in_full, fill   1 for a unit that complies; every unit of the line that does not
    on_time                 1 - threshold for a unit that ships on time, - threshold for one that ships late (in basis
                            points); units that ship late, since what does not ship is not measured
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from optimizer.allocation.arcs import Arcs
from optimizer.allocation.data import AllocationData
from optimizer.allocation.options import BASIS
from optimizer.allocation.stock import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Cliffs:
    """Thresholds that are not passed yet.

    Attributes:
        frame: One row per cliff: cliff, kind (scorecard or order), label, need (score), reach (most that the score can
            lack), fixed_cents; threshold (basis points), measured and compliant units so far of measure on_time, null
            for the others.
        lines: One row per cliff and line: cliff, line, quantity, base (units that do not comply if nothing ships),
            fine_cents per unit.
        cliff: [E] cliff of each member.
        arc: [E] arc whose units count.
        member: [E] row of `lines` of each member.
        score: [E] what a unit on the arc adds to the score.
        fined: [E] what a unit on the arc adds to the units of its line that do not comply.
    """

    frame: pl.DataFrame
    lines: pl.DataFrame
    cliff: Ints
    arc: Ints
    member: Ints
    score: Ints
    fined: Ints

    def scores(self, units: Ints) -> Ints:
        """Return the score of each cliff under a plan's units per arc."""
        total = np.zeros(self.frame.height, dtype=np.int64)
        np.add.at(total, self.cliff, units[self.arc] * self.score)
        return total

    def cost(self, units: Ints) -> Ints:
        """Return the fine of each cliff in cents under a plan's units per arc, 0 where its threshold is met."""
        missed = self.lines["base"].to_numpy().astype(np.int64)
        np.add.at(missed, self.member, units[self.arc] * self.fined)
        fine = self.frame["fixed_cents"].to_numpy().astype(np.int64)
        np.add.at(fine, self.lines["cliff"].to_numpy().astype(np.int64), missed * self.lines["fine_cents"].to_numpy())
        return np.where(self.scores(units) >= self.frame["need"].to_numpy(), 0, fine)


_SCHEMA: Final = {
    "cliff": pl.Int64(),
    "kind": pl.String(),
    "label": pl.String(),
    "need": pl.Int64(),
    "reach": pl.Int64(),
    "fixed_cents": pl.Int64(),
    "threshold": pl.Int64(),
    "measured": pl.Int64(),
    "compliant": pl.Int64(),
}
_LINES: Final = {
    "cliff": pl.Int64(),
    "line": pl.Int64(),
    "quantity": pl.Int64(),
    "base": pl.Int64(),
    "fine_cents": pl.Int64(),
}


def build_cliffs(data: AllocationData, arcs: Arcs) -> Cliffs:
    """Return the thresholds that the plan can still miss, with what counts for them."""
    if data.extras["scorecards"].is_empty() and not (data.lines["order_fine_cents"] > 0).any():
        nothing = np.empty(0, dtype=np.int64)
        empty = (pl.DataFrame(schema=_SCHEMA), pl.DataFrame(schema=_LINES))
        return Cliffs(*empty, nothing, nothing, nothing, nothing, nothing)
    cards, members = _scorecards(data)
    fines, ordered = _order_fines(data)
    both = pl.concat([cards, fines], how="diagonal").filter(pl.col("reach") > 0)
    frame = both.with_row_index("cliff").with_columns(pl.col("cliff").cast(pl.Int64))
    shown = frame.select("cliff", "kind", "key", "measure", "threshold", "period_end")
    is_rate = pl.col("measure") == "on_time"
    lines = (
        pl.concat([members, ordered])
        .join(shown, on=["kind", "key"], how="inner")
        .sort("cliff", "line")
        .with_row_index("member")
        .with_columns(
            pl.col("member").cast(pl.Int64), pl.when(is_rate).then(0).otherwise(pl.col("quantity")).alias("base")
        )
    )
    complies = (
        pl.when(pl.col("measure") == "fill")
        .then(pl.col("ship_date") <= pl.col("period_end"))
        .otherwise(pl.col("days_late") == 0)
    )
    arc = arcs.frame.with_row_index("arc").select("arc", "line", "days_late", "ship_date")
    met = (
        arc.join(lines, on="line", how="inner")
        .with_columns(complies.alias("complies"))
        .filter(pl.col("complies") | is_rate)
        .with_columns(
            pl.when(is_rate)
            .then(pl.col("complies").cast(pl.Int64) * BASIS - pl.col("threshold"))
            .otherwise(1)
            .alias("score"),
            pl.when(is_rate).then((~pl.col("complies")).cast(pl.Int64)).otherwise(-1).alias("fined"),
        )
        .sort("cliff", "arc")
    )
    return Cliffs(
        frame.select(*_SCHEMA),
        lines.select(*_LINES),
        *(met[name].to_numpy().astype(np.int64) for name in ("cliff", "arc", "member", "score", "fined")),
    )


def _scorecards(data: AllocationData) -> tuple[pl.DataFrame, pl.DataFrame]:
    cards = data.extras["scorecards"].with_row_index("key").with_columns(pl.col("key").cast(pl.Int64))
    quantities = data.lines.select("line", "quantity")
    members = data.scored.join(quantities, on="line", how="inner").select(
        pl.lit("scorecard").alias("kind"), pl.col("scorecard").alias("key"), "line", "quantity", "fine_cents"
    )
    open_units = members.group_by("key").agg(pl.col("quantity").sum().alias("open"))
    so_far, compliant = pl.col("units_measured").fill_null(0), pl.col("units_compliant").fill_null(0)
    is_rate = pl.col("measure").str.to_lowercase() == "on_time"
    need = ((so_far + pl.col("open")) * pl.col("threshold") + BASIS - 1) // BASIS - compliant
    lacking = so_far * pl.col("threshold") - compliant * BASIS
    frame = cards.join(open_units, on="key", how="inner", maintain_order="left").select(
        pl.lit("scorecard").alias("kind"),
        "key",
        pl.format("{} {} {}", "customer_id", "measure", "period_start").alias("label"),
        pl.col("measure").str.to_lowercase(),
        "period_end",
        pl.when(is_rate).then(lacking).otherwise(need).alias("need"),
        pl.when(is_rate).then(lacking + pl.col("open") * pl.col("threshold")).otherwise(need).alias("reach"),
        (pl.col("fine_flat").fill_null(0) + pl.col("fine_so_far").fill_null(0)).alias("fixed_cents"),
        *(
            pl.when(is_rate).then(value).alias(name)
            for name, value in (("threshold", pl.col("threshold")), ("measured", so_far), ("compliant", compliant))
        ),
    )
    return frame, members


def _order_fines(data: AllocationData) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the flat fines of orders that are not delivered in full and on time; lines on hold are not asked for."""
    lines = data.lines.filter(pl.col("order_fine_cents") > 0, ~pl.col("is_on_hold")).with_columns(
        pl.col("order_id").rank("dense").cast(pl.Int64).alias("key")
    )
    frame = (
        lines.group_by("key", "order_id")
        .agg(pl.col("quantity").sum(), pl.col("order_fine_cents").first())
        .sort("key")
        .select(
            pl.lit("order").alias("kind"),
            "key",
            pl.col("order_id").alias("label"),
            pl.lit("on_time_in_full").alias("measure"),
            pl.lit(None, pl.Date).alias("period_end"),
            pl.col("quantity").alias("need"),
            pl.col("quantity").alias("reach"),
            pl.col("order_fine_cents").alias("fixed_cents"),
        )
    )
    members = lines.select(
        pl.lit("order").alias("kind"), "key", "line", "quantity", pl.lit(0, pl.Int64).alias("fine_cents")
    )
    return frame, members
