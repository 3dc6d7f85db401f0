"""Histories and rule sets for replays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from optimizer.rules.kinds import Rule
from optimizer.rules.model import RuleSet

MONDAY = datetime(2026, 5, 18, tzinfo=UTC)
LINES = {
    "order_id": pl.String,
    "line_id": pl.String,
    "sku": pl.String,
    "channel": pl.String,
    "priority_rank": pl.Int64,
    "captured_at": pl.Datetime("us", "UTC"),
    "need_at": pl.Datetime("us", "UTC"),
    "quantity": pl.Int64,
    "unit_price": pl.Float64,
    "unit_cost": pl.Float64,
}


def make_lines(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Frame of order lines: unless said, 10 units of A for dtc at $10 (cost $4), needed 3 days after day 0."""
    base = {"sku": "A", "channel": "dtc", "priority_rank": 1, "quantity": 10, "unit_price": 10.0, "unit_cost": 4.0}
    made = []
    for number, row in enumerate(rows):
        day, need = row.get("day", 0), row.get("need", row.get("day", 0) + 3)
        times = {
            "captured_at": MONDAY + timedelta(days=day, hours=9),
            "need_at": None if need is None else MONDAY + timedelta(days=need, hours=17),
        }
        kept = {name: value for name, value in row.items() if name not in ("day", "need")}
        made.append(base | {"order_id": f"{number:06d}", "line_id": "1"} | times | kept)
    return pl.DataFrame(made, schema=LINES)


def make_stock(*rows: tuple[str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"sku": pl.String, "node_id": pl.String, "quantity": pl.Int64}, orient="row")


def make_receipts(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    dated = [(sku, node, MONDAY + timedelta(days=day, hours=8), quantity) for sku, node, day, quantity in rows]
    schema = {"sku": pl.String, "node_id": pl.String, "received_at": pl.Datetime("us", "UTC"), "quantity": pl.Int64}
    return pl.DataFrame(dated, schema=schema, orient="row")


def make_rules(*rules: Rule) -> RuleSet:
    return RuleSet(id="live", effective_from="2026-05-18T00:00:00Z", rules=rules)


@pytest.fixture(scope="session")
def lines() -> Callable[[Sequence[dict[str, Any]]], pl.DataFrame]:
    """Maker of order lines."""
    return make_lines


@pytest.fixture(scope="session")
def stock() -> Callable[..., pl.DataFrame]:
    """Maker of opening stock from (sku, node, units)."""
    return make_stock


@pytest.fixture(scope="session")
def receipts() -> Callable[..., pl.DataFrame]:
    """Maker of receipts from (sku, node, day, units)."""
    return make_receipts


@pytest.fixture(scope="session")
def rules() -> Callable[..., RuleSet]:
    """Maker of rule sets."""
    return make_rules
