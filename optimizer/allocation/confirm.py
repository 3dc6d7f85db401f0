"""What a customer is told of each line: confirmed units, new date, what stays open, in a sentence and as an 855 code.

A date is promised only for units that the plan ships. For the rest the next confirmed receipt is named, never promised.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from optimizer.allocation.data import AllocationData
from optimizer.allocation.result import AllocationResult

CONFIRMATIONS: Final = pl.Schema(
    {
        "order_id": pl.String(),
        "line_id": pl.String(),
        "customer_id": pl.String(),
        "sku": pl.String(),
        "ordered": pl.Int64(),
        "confirmed": pl.Int64(),
        "confirmed_date": pl.Date(),
        "next_date": pl.Date(),
        "code": pl.String(),
        "text": pl.String(),
    }
)
"""One row per open line. `confirmed_date` is the last planned arrival; `next_date` the next confirmed receipt.

Codes are those of X12 element 668: IA accepted, DR accepted with another date, IQ quantity changed, IB back-ordered,
IH on hold, IR rejected (its cancel date has passed).
"""


def confirmations(
    data: AllocationData, result: AllocationResult, *, allocations: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the CONFIRMATIONS frame of a plan.

    Args:
        data: The problem.
        result: Its plan.
        allocations: What ships, where more than the plan's own (an earlier stage of it).
    """
    key = ["order_id", "line_id"]
    shipped = (
        (result.allocations if allocations is None else allocations)
        .group_by(key)
        .agg(
            pl.col("quantity").sum().alias("confirmed"),
            pl.col("arrival_date").max().alias("confirmed_date"),
            pl.col("days_late").max().alias("days_late"),
        )
    )
    lines = data.lines.select(*key, "customer_id", "sku", pl.col("quantity").alias("ordered"), "is_on_hold")
    reasons = result.shorts.select(*key, "reason")
    joined = (
        lines.join(shipped, on=key, how="left", maintain_order="left")
        .join(reasons, on=key, how="left", maintain_order="left")
        .join(_next_receipts(data), on="sku", how="left", maintain_order="left")
        .with_columns(pl.col("confirmed", "days_late").fill_null(0))
        .with_columns(_code().alias("code"))
        .with_columns(
            pl.when(pl.col("confirmed") < pl.col("ordered"), pl.col("code").is_in(["IQ", "IB"]))
            .then(pl.col("next_date"))
            .alias("next_date")
        )
    )
    texts = [_text(row) for row in joined.iter_rows(named=True)]
    return (
        joined.with_columns(pl.Series("text", texts, dtype=pl.String)).select(CONFIRMATIONS.names()).cast(CONFIRMATIONS)
    )


def _next_receipts(data: AllocationData) -> pl.DataFrame:
    """Return per SKU the first confirmed receipt still to come: sku, next_date (ready to ship)."""
    zones = dict(data.nodes.select("node_id", "zone").iter_rows())
    moment = data.options.moment.replace(tzinfo=None)
    days: dict[str, date] = {}
    counted = data.receipts.filter(pl.col("is_confirmed").fill_null(value=False), pl.col("expected_at") >= moment)
    for sku, node, expected in counted.select("sku", "node_id", "expected_at").iter_rows():
        ready = _local(expected, zones.get(node)) + timedelta(days=data.options.dock_days)
        days[sku] = min(ready, days.get(sku, ready))
    return pl.DataFrame(
        {"sku": list(days), "next_date": list(days.values())}, schema={"sku": pl.String, "next_date": pl.Date}
    )


def _local(moment: datetime, zone: str | None) -> date:
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone or "UTC")).date()


def _code() -> pl.Expr:
    short = pl.col("confirmed") < pl.col("ordered")
    return (
        pl.when(pl.col("is_on_hold") & (pl.col("confirmed") == 0))
        .then(pl.lit("IH"))
        .when(short & (pl.col("reason") == "PAST_CANCEL").fill_null(value=False))
        .then(pl.lit("IR"))
        .when(short & (pl.col("confirmed") == 0))
        .then(pl.lit("IB"))
        .when(short)
        .then(pl.lit("IQ"))
        .when(pl.col("days_late") > 0)
        .then(pl.lit("DR"))
        .otherwise(pl.lit("IA"))
    )


def _text(row: dict[str, object]) -> str:
    ordered, confirmed = int(str(row["ordered"])), int(str(row["confirmed"]))
    name = f"Order {row['order_id']}, {row['sku']}"
    match row["code"]:
        case "IH":
            return f"{name}: your order is on hold; we will confirm a date as soon as it is released."
        case "IR":
            return f"{name}: the cancel date has passed; please tell us whether you still want the {ordered:,} units."
        case "IA":
            return f"{name}: we confirm {_units(ordered)}, arriving by {_day(row['confirmed_date'])}."
        case "DR":
            return f"{name}: we confirm {_units(ordered)}; the new arrival date is {_day(row['confirmed_date'])}."
    rest = ordered - confirmed
    soon = f" The next stock is expected on {_day(row['next_date'])}." if row["next_date"] else ""
    if not confirmed:
        return f"{name}: {_units(rest)} {_are(rest)} on back order; we will confirm a date.{soon}"
    return (
        f"{name}: we confirm {confirmed:,} of {_units(ordered)}, arriving by {_day(row['confirmed_date'])}. "
        f"{_units(rest)} {_are(rest)} on back order; we will confirm a date.{soon}"
    )


def _units(count: int) -> str:
    return f"{count:,} unit{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _day(day: object) -> str:
    return f"{day.day} {day:%B}" if isinstance(day, date) else "a date to be confirmed"
