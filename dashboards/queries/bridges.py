"""Bridges: why two figures of the same orders differ, in steps that add up."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from dashboards.errors import QuestionError
from dashboards.queries.frames import read
from storage.duck import Connection

BRIDGE_COLUMNS: Final = ("bridge_id", "step_number", "step", "numerator", "denominator", "orders", "value", "change")
"""Columns of `lens_bridge`."""


def lens_bridge(
    connection: Connection,
    bridge: str,
    *,
    customer: str | None = None,
    date_from: date | None = None,
    date_to: date | None = None,
) -> pl.DataFrame:
    """Return the way from one lens's OTIF to another's, one row a step.

    Args:
        connection: Open publication.
        bridge: Bridge id of seed `lens_bridges`.
        customer: Only this customer (wholesale: the retailer).
        date_from: First due day (inclusive), under the rules of each step.
        date_to: Last due day (inclusive).

    Returns:
        `BRIDGE_COLUMNS`: value = numerator / denominator after the step, change = value less the step before (null at
        the start, and where a step has nothing due). The changes add up to last value less first value.

    Raises:
        QuestionError: Unknown bridge, or no order that both lenses judge.
    """
    bridges = read(connection, "select distinct bridge_id from metrics.kpi_lens_bridges order by bridge_id")
    known = bridges["bridge_id"].to_list()
    if bridge not in known:
        message = (
            f"unknown bridge {bridge!r}; with orders in common: {', '.join(known) or 'none'}. "
            "Bridges are rows of seed lens_bridges."
        )
        raise QuestionError(message)
    frame = read(
        connection,
        """
        select
            bridge_id, step_number, step, sum(numerator) as numerator, sum(denominator) as denominator,
            cast(sum(orders) as bigint) as orders
        from metrics.kpi_lens_bridges
        where bridge_id = $bridge and ($customer is null or customer_id = $customer)
            and ($date_from is null or period_date >= $date_from) and ($date_to is null or period_date <= $date_to)
        group by all
        order by step_number
        """,
        {"bridge": bridge, "customer": customer, "date_from": date_from, "date_to": date_to},
    )
    if frame.is_empty():
        message = f"bridge {bridge}: nothing was due for {customer or 'anybody'} in these days"
        raise QuestionError(message)
    value = pl.when(pl.col("denominator") != 0).then(pl.col("numerator") / pl.col("denominator"))
    return frame.with_columns(value=value).with_columns(change=pl.col("value").diff()).select(BRIDGE_COLUMNS)
