"""How far a reservation that a plan broke into should come down: to what its holder really needs.

A plan releases only the units that today's open lines want. A reservation far above its holder's own demand would
starve the other channels again tomorrow, so the proposal keeps what the holder needs and gives up the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import polars as pl

from optimizer.errors import InvalidRulesError
from optimizer.rules.distil import Release
from optimizer.rules.kinds import ChannelReservation
from optimizer.rules.model import RuleSet

_NEEDS = ("sku", "channel", "open_units", "weekly_units")


def size_releases(
    current: RuleSet,
    releases: pl.DataFrame,
    *,
    needs: pl.DataFrame,
    sellable: pl.DataFrame,
    cover_weeks: float,
    gain_cents: int,
    lines_served: pl.DataFrame,
) -> tuple[Release, ...]:
    """Turn a plan's releases into changes of channel reservations.

    Kept per SKU and channel: its open units plus `cover_weeks` of its usual weekly demand, spread over the nodes in
    proportion to today's reservations and rounded up. Never more than what the plan leaves of what is really there.

    Args:
        current: Rules the plan was made under.
        releases: RELEASES frame of the plan: sku, node_id, holder, released.
        needs: sku, channel, open_units, weekly_units: the holder's own demand; absent = none.
        sellable: sku, node_id, quantity: units on hand less quarantine and safety stock.
        cover_weeks: Weeks of usual demand to keep.
        gain_cents: What the whole plan gains; shared out by released units.
        lines_served: sku, lines: lines that the plan serves and today's rules do not.

    Raises:
        InvalidRulesError: A frame lacks a column.
    """
    missing = [f"needs.{name}: missing" for name in _NEEDS if name not in needs.columns]
    if missing:
        raise InvalidRulesError(missing)
    rules = [rule for rule in current.rules if isinstance(rule, ChannelReservation)]
    planned = {(s, n, h): int(r) for s, n, h, r in releases.select("sku", "node_id", "holder", "released").iter_rows()}
    touched = {(sku, holder) for sku, _, holder in planned}
    concerned = [rule for rule in rules if (rule.sku, rule.channel) in touched]
    shares = _gain_shares(planned, gain_cents)
    kept = _kept(concerned, needs, cover_weeks)
    stock = {(s, n): max(int(q), 0) for s, n, q in sellable.select("sku", "node_id", "quantity").iter_rows()}
    served = dict(lines_served.select("sku", "lines").iter_rows())
    return tuple(_sized(concerned, planned, kept=kept, stock=stock, shares=shares, served=served))


def _kept(rules: list[ChannelReservation], needs: pl.DataFrame, cover_weeks: float) -> dict[str, int]:
    need = {(s, c): float(o) + cover_weeks * float(w) for s, c, o, w in needs.select(*_NEEDS).iter_rows()}
    total: dict[tuple[str, str], int] = {}
    for rule in rules:
        total[rule.sku, rule.channel] = total.get((rule.sku, rule.channel), 0) + rule.qty
    # A hair is taken off before rounding up, so that 3.0000000001 keeps 3.
    return {
        rule.rule_id: math.ceil(
            need.get((rule.sku, rule.channel), 0.0) * rule.qty / total[rule.sku, rule.channel] - 1e-9
        )
        for rule in rules
        if rule.qty
    }


def _gain_shares(planned: dict[tuple[str, str, str], int], gain_cents: int) -> dict[tuple[str, str, str], int]:
    """Share whole cents by released units, the remainder to the first: the parts add up to the gain."""
    units = sum(planned.values())
    if not units:
        return {}
    shares = {key: gain_cents * released // units for key, released in planned.items()}
    first = min(shares)
    shares[first] += gain_cents - sum(shares.values())
    return shares


def _sized(
    rules: list[ChannelReservation],
    planned: dict[tuple[str, str, str], int],
    *,
    kept: dict[str, int],
    stock: dict[tuple[str, str], int],
    shares: dict[tuple[str, str, str], int],
    served: dict[str, int],
) -> Iterator[Release]:
    counted: set[str] = set()
    for rule in rules:
        key = (rule.sku, rule.location, rule.channel)
        there = min(rule.qty, stock.get((rule.sku, rule.location), 0))
        target = min(kept.get(rule.rule_id, 0), max(there - planned.get(key, 0), 0), rule.qty)
        if target == rule.qty:
            continue
        lines = 0 if rule.sku in counted else served.get(rule.sku, 0)
        counted.add(rule.sku)
        yield Release(
            kind="channel_reservation",
            sku=rule.sku,
            node_id=rule.location,
            channel=rule.channel,
            released_units=rule.qty - target,
            lines_served=lines,
            gain_cents=shares.get(key, 0),
            reason=(
                f"{rule.channel} needs {kept.get(rule.rule_id, 0)} units here for its open orders and usual demand; "
                f"{there} of the {rule.qty} reserved are really there and the plan takes {planned.get(key, 0)}"
            ),
        )
