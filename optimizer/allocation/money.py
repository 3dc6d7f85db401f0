"""Cents per unit of an open line: margin, fine, cost of being short. Integer arithmetic only."""

from __future__ import annotations

import polars as pl

from optimizer.allocation.options import BASIS, Weights


def rounded(product: pl.Expr, base: int) -> pl.Expr:
    """Return a non-negative product divided by `base`, half up, in integers."""
    return (product + base // 2) // base


def with_money(lines: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """Return the lines with `cost_cents` filled and `margin_cents`, `fine_cents`, `short_cents` added, all per unit.

    A line on hold costs nothing while it is held: that delay is not the plan's choice.
    """
    price = pl.col("price_cents")
    fee_bp = (
        pl.when(~pl.col("is_consumer"))
        .then(0)
        .when(pl.col("channel_type") == "marketplace")
        .then(weights.marketplace_fee_bp)
        .otherwise(weights.payment_fee_bp)
    )
    account = rounded(price * weights.account_bp, BASIS)
    # The retailer's fine is a share of what the goods cost the retailer, which is our price.
    gated = rounded(price * pl.col("fine_bp") * weights.gate_bp, BASIS * BASIS)
    unserved = pl.when(pl.col("is_consumer")).then(weights.contact_cents + weights.churn_cents).otherwise(account)
    return (
        lines.with_columns(
            pl.col("cost_cents").fill_null(price - rounded(price * weights.assumed_margin_bp, BASIS)),
        )
        .with_columns(
            (price - pl.col("cost_cents") - weights.pick_pack_cents - rounded(price * fee_bp, BASIS)).alias(
                "margin_cents"
            ),
            gated.alias("fine_cents"),
        )
        .with_columns(
            pl.when(pl.col("is_on_hold"))
            .then(0)
            .otherwise(pl.col("fine_cents") + unserved)
            .cast(pl.Int64)
            .alias("short_cents"),
        )
    )


def late_cents(weights: Weights) -> pl.Expr:
    """Return the cost per unit of shipping `days_late` days late, from a line's columns.

    Consumers may cancel (probability grows with the days) and ask; a retailer's fine applies once.
    """
    chance = pl.min_horizontal(pl.col("days_late") * weights.cancel_bp_per_day, pl.lit(weights.cancel_cap_bp))
    cancelled = rounded(pl.col("margin_cents").clip(lower_bound=0) * chance, BASIS)
    consumer = pl.when(pl.col("is_consumer")).then(cancelled + weights.contact_cents).otherwise(0)
    return pl.when(pl.col("days_late") > 0).then(consumer + pl.col("fine_cents")).otherwise(0).cast(pl.Int64)
