"""Today's rules out of the marts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from optimizer.errors import InvalidRulesError
from optimizer.rules.current import current_rules, rule_name
from optimizer.rules.model import RuleSet

START = datetime(2026, 11, 16, 5, tzinfo=UTC)
QUANTITY = pl.Decimal(18, 3)


def reservations(*rows: tuple[Any, ...]) -> pl.DataFrame:
    schema = {"sku": pl.String, "node_id": pl.String, "channel": pl.String, "quantity": QUANTITY}
    return pl.DataFrame([(*row[:3], Decimal(row[3])) for row in rows], schema=schema, orient="row")


def inventory(*rows: tuple[Any, ...]) -> pl.DataFrame:
    schema = {"sku": pl.String, "node_id": pl.String, "on_hand": pl.Int64, "safety_stock": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def read(reserved: pl.DataFrame, stock: pl.DataFrame) -> RuleSet:
    return current_rules(reserved, stock, rule_set_id="live", effective_from=START)


def test_reservations_and_safety_stock_become_rules_whatever_the_order_of_rows() -> None:
    rows = [("B", "n1", "dtc", "3.000"), ("A", "n2", "ebay", "4"), ("A", "n1", "dtc", "0")]
    stock = [("B", "n1", 9, 2.0), ("A", "n1", 9, None), ("A", "n2", 9, 0.0)]
    found = read(reservations(*rows), inventory(*stock))
    assert [(rule.rule_id, rule.values) for rule in found.rules] == [
        ("channel_reservation/ebay/A/n2", {"qty": 4}),
        ("channel_reservation/dtc/B/n1", {"qty": 3}),
        ("safety_stock/B/n1", {"qty": 2}),
    ]
    assert found.effective_from == "2026-11-16T05:00:00Z"
    assert read(reservations(*rows[::-1]), inventory(*stock[::-1])) == found


def test_empty_marts_are_an_empty_rule_set() -> None:
    assert read(reservations(), inventory()).rules == ()


def test_every_fault_is_told() -> None:
    with pytest.raises(InvalidRulesError) as caught:
        read(
            reservations(("A", "n1", "dtc", "1.5"), ("B", "n1", "dtc", "1"), ("B", "n1", "dtc", "2")),
            inventory(("A", "n1", 9, -2.0), ("C", "n1", 9, float("nan"))),
        )
    assert len(caught.value.faults) == 5
    with pytest.raises(InvalidRulesError, match="fct_inventory has no column safety_stock"):
        read(reservations(), inventory().drop("safety_stock"))
    with pytest.raises(InvalidRulesError, match="scope: sku is missing"):
        read(reservations((None, "n1", "dtc", "1")), inventory())


def test_different_rules_have_different_names() -> None:
    assert rule_name("x", "a/b", "c") != rule_name("x", "a", "b/c")
