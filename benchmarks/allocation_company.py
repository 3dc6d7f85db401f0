"""The sample company's open orders enlarged: its own mix of channels, sizes and rules, at any number of orders.

A copy of the company has its own SKUs with its stock, receipts and reservations; its orders are drawn with replacement
from the company's. Copies share the nodes, whose capacity grows with them.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl

from optimizer.allocation import AllocationData
from otif.decisions import allocation_problem
from storage.settings import PROJECT_ROOT, Settings


def home() -> Path:
    """Return the workspace of `make demo`; OTIF_HOME names another."""
    return Path(os.environ.get("OTIF_HOME", PROJECT_ROOT / "demo"))


def enlarged(seed: int, *, orders: int) -> AllocationData:
    """Return a problem with about so many orders.

    Args:
        seed: Seed of the draws of orders.
        orders: Orders, rounded up to whole copies of the company.
    """
    data = allocation_problem(Settings.load(home()), {"reservations": "decide"})
    lines, stock, receipts, reserves, nodes, lanes = data.sources[:6]
    random = np.random.default_rng(seed)
    names = lines["order_id"].unique().sort()
    copies = -(-orders // names.len())
    drawn = pl.DataFrame(
        {
            "order_id": names.gather(random.integers(0, names.len(), copies * names.len())),
            "copy": np.repeat(np.arange(copies), names.len()),
        }
    ).with_row_index("draw")
    every = pl.DataFrame({"copy": np.arange(copies)})
    own = pl.format("{}~{}", "sku", "copy").alias("sku")
    made = drawn.join(lines, on="order_id", how="inner", maintain_order="left").with_columns(
        own, pl.format("{}~{}", "order_id", "draw").alias("order_id")
    )

    def copied(frame: pl.DataFrame) -> pl.DataFrame:
        named = frame.join(every, how="cross").with_columns(own)
        key = "receipt_id"
        return named.with_columns(pl.format("{}~{}", key, "copy").alias(key)) if key in frame.columns else named

    return AllocationData.from_frames(
        made.select(lines.columns),
        copied(stock).select(stock.columns),
        inbound_receipts=copied(receipts).select(receipts.columns),
        channel_reservations=copied(reserves).select(reserves.columns),
        nodes=nodes.with_columns((pl.col("daily_capacity_units") * copies).cast(nodes["daily_capacity_units"].dtype)),
        lanes=lanes,
        options=data.options,
    )
