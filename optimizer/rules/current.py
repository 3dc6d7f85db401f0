"""The rule set that is in force today, read from what the marts say about reservations and safety stock.

Priorities, routing and carrier limits are not in the marts; a rule set from a document has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from urllib.parse import quote

import polars as pl

from optimizer.errors import InvalidRulesError
from optimizer.rules.kinds import ChannelReservation, Rule, SafetyStock
from optimizer.rules.model import RuleSet, instant_text


def current_rules(
    channel_reservations: pl.DataFrame, inventory: pl.DataFrame, *, rule_set_id: str, effective_from: datetime
) -> RuleSet:
    """Return today's rules, sorted by kind, SKU, location and channel. Keeping back 0 units is no rule.

    Args:
        channel_reservations: `fct_channel_reservations`: sku, node_id, channel, quantity; one row per the first three.
        inventory: `fct_inventory`: sku, node_id, safety_stock (null means none); one row per the first two.
        rule_set_id: Name of the rule set.
        effective_from: Since when, with zone.

    Raises:
        InvalidRulesError: A column is missing, a quantity is no whole number, or a row is there twice; all are listed.
    """
    faults = [
        *_missing("fct_channel_reservations", channel_reservations, ("sku", "node_id", "channel", "quantity")),
        *_missing("fct_inventory", inventory, ("sku", "node_id", "safety_stock")),
    ]
    if faults:
        raise InvalidRulesError(faults)
    rules: list[Rule] = []
    reserved = channel_reservations.select("sku", "node_id", "channel", "quantity")
    for sku, node_id, channel, quantity in reserved.sort("sku", "node_id", "channel").iter_rows():
        qty = _whole(quantity, f"fct_channel_reservations {sku} at {node_id} for {channel}: quantity", faults)
        name = rule_name(ChannelReservation.kind, channel, sku, node_id)
        if qty:
            rules.append(ChannelReservation(rule_id=name, channel=channel, sku=sku, location=node_id, qty=qty))
    for sku, node_id, quantity in inventory.select("sku", "node_id", "safety_stock").sort("sku", "node_id").iter_rows():
        qty = _whole(quantity, f"fct_inventory {sku} at {node_id}: safety_stock", faults)
        if qty:
            name = rule_name(SafetyStock.kind, sku, node_id)
            rules.append(SafetyStock(rule_id=name, sku=sku, location=node_id, qty=qty))
    found = RuleSet(id=rule_set_id, effective_from=instant_text(effective_from), rules=tuple(rules))
    faults.extend(found.validate())
    if faults:
        raise InvalidRulesError(faults)
    return found


def rule_name(kind: str, *scope: str) -> str:
    """Return the stable name of a rule: kind and scope, so that the same rule has the same name in every run."""
    return "/".join([kind, *(quote(str(part), safe="") for part in scope)])


def _missing(name: str, frame: pl.DataFrame, columns: tuple[str, ...]) -> Iterator[str]:
    yield from (f"{name} has no column {column}" for column in columns if column not in frame.columns)


def _whole(value: Decimal | float | None, where: str, faults: list[str]) -> int:
    if value is None:
        return 0
    try:
        whole = int(value)
    except (ValueError, OverflowError):
        whole = -1
    if whole < 0 or whole != value:
        faults.append(f"{where} is {value}, expected a whole number not below 0")
        return 0
    return whole
