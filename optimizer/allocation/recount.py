"""The objective of a plan recomputed from the frames alone, in plain integers; used by verify.py only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from optimizer.allocation.facts import Facts, Key, Row, rows_of, shipped_units, utc
from optimizer.allocation.options import BASIS, Weights


def worth_cents(facts: Facts, rows: list[Row], freed: dict[tuple[str, str, str], int]) -> int:
    """Return what a plan is worth: units shipped, units left short, and what is paid by the order or the plan."""
    weights, shipped = facts.options.weights, shipped_units(rows)
    total = sum(_row_cents(facts, row) for row in rows)
    for key, line in facts.lines.items():
        if not line["is_on_hold"]:
            total -= (line["quantity"] - shipped.get(key, 0)) * _short_cents(line, weights)
    nodes: dict[str, set[str]] = defaultdict(set)
    docks: set[tuple[Any, ...]] = set()
    for row in rows:
        nodes[row["order_id"]].add(row["node_id"])
        if (facts.lane(row) or {})["needs_appointment"]:
            docks.add((row["order_id"], row["node_id"], row["ship_date"]))
    total -= weights.split_cents * sum(len(used) - 1 for used in nodes.values())
    total -= weights.appointment_cents * len(docks)
    total -= weights.release_cents * sum(freed.values())
    total -= sum(missed * price for missed, price in _missed(facts, rows))
    return total - sum(_scorecard_fines(facts, rows)) - sum(_order_fines(facts, rows))


def half_up(value: int, base: int) -> int:
    """Return a quotient rounded half up."""
    return (2 * value + base) // (2 * base)


def _row_cents(facts: Facts, row: Row) -> int:
    line, weights = facts.line(row), facts.options.weights
    waiting = (row["ship_date"] - facts.first).days * weights.waiting_cents
    margin = _margin_cents(line, weights)
    each = margin - facts.freight(row) - waiting - _late_cents(line, margin, row["days_late"], weights)
    each += sum(rule["value_per_unit"] for rule in facts.decisions["override"] if facts.in_scope(rule, row))
    return int(row["quantity"] * each)


def _margin_cents(line: Row, weights: Weights) -> int:
    fees = {"wholesale": 0, "marketplace": weights.marketplace_fee_bp}
    fee = half_up(line["price_cents"] * fees.get(line["channel_type"], weights.payment_fee_bp), BASIS)
    return int(line["price_cents"] - line["cost_cents"] - weights.pick_pack_cents - fee)


def _fine_cents(line: Row, weights: Weights) -> int:
    return half_up(line["price_cents"] * line["fine_bp"] * weights.gate_bp, BASIS * BASIS)


def _short_cents(line: Row, weights: Weights) -> int:
    if line["channel_type"] == "wholesale":
        return _fine_cents(line, weights) + half_up(line["price_cents"] * weights.account_bp, BASIS)
    return _fine_cents(line, weights) + weights.contact_cents + weights.churn_cents


def _late_cents(line: Row, margin: int, days: int, weights: Weights) -> int:
    if not days:
        return 0
    if line["channel_type"] == "wholesale":
        return _fine_cents(line, weights)
    chance = min(days * weights.cancel_bp_per_day, weights.cancel_cap_bp)
    return _fine_cents(line, weights) + weights.contact_cents + half_up(max(0, margin) * chance, BASIS)


def _missed(facts: Facts, rows: list[Row]) -> Iterator[tuple[int, int]]:
    """Yield the missed units and the price of every lock, class, confirmation, unit of the last plan and floor."""
    weights = facts.options.weights
    by_line: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        by_line[row["order_id"], row["line_id"]].append(row)
    placed = [(rule, weights.lock_cents) for rule in facts.decisions["lock"]]
    placed += [(rule, weights.change_cents) for rule in rows_of(facts.data.extras["last_plan"])]
    for rule, price in placed:
        line = facts.lines.get((rule["order_id"], rule["line_id"]))
        if line is not None:
            kept = sum(row["quantity"] for row in by_line[rule["order_id"], rule["line_id"]] if _is_there(rule, row))
            yield max(0, min(rule["quantity"], line["quantity"]) - kept), price
    for key, line in facts.lines.items():
        if not line["is_on_hold"]:
            yield from _class_missed(facts, line, by_line[key])
    yield from _floor_missed(facts, shipped_units(rows))


def _is_there(rule: Row, row: Row) -> bool:
    return all(rule[name] is None or rule[name] == row[name] for name in ("node_id", "ship_date", "carrier", "service"))


def _class_missed(facts: Facts, line: Row, rows: list[Row]) -> Iterator[tuple[int, int]]:
    weights, kind = facts.options.weights, line["allocation_class"]
    if kind == "win":
        on_time = sum(row["quantity"] for row in rows if facts.days_late(row) == 0)
        yield line["quantity"] - on_time, weights.win_cents
    elif kind in ("gain", "improve", "skip") and line["confirmed_quantity"]:
        by = line["confirmed_at"] if kind != "improve" else None
        kept = sum(row["quantity"] for row in rows if by is None or facts.arrive_at(row) <= utc(by))
        yield max(0, min(line["confirmed_quantity"], line["quantity"]) - kept), weights.keep_cents


def _floor_missed(facts: Facts, shipped: dict[Key, int]) -> Iterator[tuple[int, int]]:
    supply: dict[str, int] = defaultdict(int)
    for (sku, _), there in facts.supply.items():
        supply[sku] += sum(there.values())
    demand: dict[str, int] = defaultdict(int)
    for line in facts.lines.values():
        demand[line["sku"]] += 0 if line["is_on_hold"] else line["quantity"]
    for rule in rows_of(facts.data.extras["service_floors"]):
        price = facts.options.weights.floor_cents if rule["shortfall_per_unit"] is None else rule["shortfall_per_unit"]
        asked: dict[str, int] = defaultdict(int)
        served: dict[str, int] = defaultdict(int)
        for key, line in facts.lines.items():
            fits = all(rule[name] in (None, line[name]) for name in ("channel", "customer_id", "sku"))
            if fits and not line["is_on_hold"]:
                asked[line["sku"]] += line["quantity"]
                served[line["sku"]] += shipped.get(key, 0)
        units = sum(asked.values())
        target = min(max(-(-units * (rule["floor_rate"] or 0) // BASIS), rule["floor_quantity"] or 0), units)
        yield max(0, target - sum(served.values())), price
        for sku, wanted in asked.items():
            most = min(supply[sku], demand[sku])
            share = (rule["fair_share_rate"] or 0) * wanted * most // (demand[sku] * BASIS)
            yield max(0, share - served[sku]), price


def _scorecard_fines(facts: Facts, rows: list[Row]) -> Iterator[int]:
    """Yield the fine of every scorecard whose threshold the period misses."""
    cards = list(rows_of(facts.data.extras["scorecards"]))
    lines: dict[str, dict[Key, Row]] = {card["customer_id"]: {} for card in cards}
    for key, line in facts.lines.items():
        if line["customer_id"] in lines:
            lines[line["customer_id"]][key] = line
    shipped: dict[Key, list[Row]] = defaultdict(list)
    for row in rows if cards else ():
        shipped[row["order_id"], row["line_id"]].append(row)
    for card in cards:
        counted = {key: line for key, line in lines[card["customer_id"]].items() if _is_due(line, card)}
        if not counted:
            continue
        good = {key: sum(row["quantity"] for row in shipped[key] if _complies(facts, row, card)) for key in counted}
        asked = {key: line["quantity"] for key, line in counted.items()}
        if card["measure"].lower() == "on_time":
            asked = {key: sum(row["quantity"] for row in shipped[key]) for key in counted}
        measured = (card["units_measured"] or 0) + sum(asked.values())
        if ((card["units_compliant"] or 0) + sum(good.values())) * BASIS >= measured * card["threshold"]:
            continue
        fine = (card["fine_flat"] or 0) + (card["fine_so_far"] or 0)
        for key, line in counted.items():
            rate = half_up(line["price_cents"] * (card["fine_rate"] or 0), BASIS)
            fine += rate * (asked[key] - good[key])
        yield fine


def _complies(facts: Facts, row: Row, card: Row) -> bool:
    if card["measure"].lower() == "fill":
        return bool(row["ship_date"] <= card["period_end"])
    return facts.days_late(row) == 0


def _is_due(line: Row, card: Row) -> bool:
    due = line["need_at"] or line["ship_by_at"]
    return due is not None and card["period_start"] <= due.date() <= card["period_end"]


def _order_fines(facts: Facts, rows: list[Row]) -> Iterator[int]:
    """Yield the flat fine of every order whose lines, those on hold apart, are not all delivered on time."""
    on_time: dict[str, int] = defaultdict(int)
    for row in rows:
        on_time[row["order_id"]] += row["quantity"] if facts.days_late(row) == 0 else 0
    for order_id, lines in facts.orders.items():
        asked = sum(line["quantity"] for line in lines if not line["is_on_hold"])
        if asked and on_time[order_id] < asked:
            yield max(line["order_fine_cents"] for line in lines)
