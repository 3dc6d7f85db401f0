"""Checks a plan against every rule and recomputes its value, from the cleaned data and the plan's frames alone.

Nothing of the model, the arcs or the solver is used: dates, stock over time, reserves, capacities and money are worked
out again, row by row, in plain Python. A plan that fails is never shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from optimizer.allocation.data import AllocationData
from optimizer.allocation.frames import parse_days, parse_time
from optimizer.allocation.options import BASIS, CarrierCap, Weights
from optimizer.allocation.stock import SAFETY

Row = dict[str, Any]
Cell = tuple[str, str]


def verify(
    data: AllocationData, *, allocations: pl.DataFrame, releases: pl.DataFrame, objective_cents: int
) -> tuple[str, ...]:
    """Return every violation of a plan; empty when it holds.

    Args:
        data: The problem.
        allocations: The plan, as in `result.ALLOCATIONS`.
        releases: What holders give up, as in `result.RELEASES`.
        objective_cents: The value claimed for the plan.
    """
    checker = _Checker(data)
    rows = list(allocations.iter_rows(named=True))
    freed = {(row["sku"], row["node_id"], row["holder"]): row["released"] for row in releases.iter_rows(named=True)}
    faults = [fault for row in rows for fault in checker.row_faults(row)]
    if faults:
        return tuple(faults)
    faults += [*checker.line_faults(rows), *checker.capacity_faults(rows), *checker.release_faults(freed)]
    faults += checker.stock_faults(rows, freed)
    worth = checker.worth(rows, freed)
    if worth != objective_cents:
        faults.append(f"objective: claimed {objective_cents} cents, recomputed {worth} cents")
    return tuple(faults)


class _Checker:
    def __init__(self, data: AllocationData) -> None:
        self.options = data.options
        self.lines: dict[Cell, Row] = {
            (row["order_id"], row["line_id"]): row for row in data.lines.iter_rows(named=True)
        }
        self.nodes: dict[str, Row] = {row["node_id"]: row for row in data.nodes.iter_rows(named=True)}
        self.lanes: dict[tuple[str, str, str, str], Row] = {
            (row["node_id"], row["lane_zone"], row["carrier"], row["service"]): row
            for row in data.lanes.iter_rows(named=True)
        }
        self.data = data

    def zone(self, node_id: str) -> ZoneInfo:
        return ZoneInfo(self.nodes[node_id]["zone"] or "UTC")

    def today(self, node_id: str) -> date:
        return self.options.moment.astimezone(self.zone(node_id)).date()

    def ship_at(self, row: Row) -> datetime:
        cut_off = parse_time(self.nodes[row["node_id"]]["cut_off_time"]) or time()
        local = datetime.combine(row["ship_date"], cut_off, tzinfo=self.zone(row["node_id"]))
        return local.astimezone(UTC)

    def lane(self, row: Row) -> Row | None:
        zone = self.lines[row["order_id"], row["line_id"]]["lane_zone"]
        return self.lanes.get((row["node_id"], zone, row["carrier"], row["service"]))

    def days_late(self, row: Row) -> int:
        line, lane = self.lines[row["order_id"], row["line_id"]], self.lane(row)
        arrival = row["ship_date"] + timedelta(days=lane["transit_days"] if lane else 0)
        arrives = datetime.combine(
            arrival, time(self.options.arrival_hour), tzinfo=self.zone(row["node_id"])
        ).astimezone(UTC)
        ship_at = self.ship_at(row)
        overruns = []
        if line["need_at"] is not None:
            overruns.append(max(arrives, ship_at) - line["need_at"].replace(tzinfo=UTC))
        if line["ship_by_at"] is not None:
            overruns.append(ship_at - line["ship_by_at"].replace(tzinfo=UTC))
        worst = max(overruns, default=timedelta())
        return max(0, -(-worst // timedelta(days=1)))

    def row_faults(self, row: Row) -> Iterator[str]:
        where = f"{row['order_id']}/{row['line_id']} from {row['node_id']} on {row['ship_date']}"
        line = self.lines.get((row["order_id"], row["line_id"]))
        if line is None or row["node_id"] not in self.nodes:
            yield f"{where}: no such line or node"
            return
        if row["quantity"] <= 0:
            yield f"{where}: quantity {row['quantity']}"
        if self.lane(row) is None:
            yield f"{where}: no lane of {row['carrier']} {row['service']}"
        yield from self._date_faults(where, row, line)

    def _date_faults(self, where: str, row: Row, line: Row) -> Iterator[str]:
        ship_at = self.ship_at(row)
        weekdays = parse_days(self.nodes[row["node_id"]]["operating_days"]) or frozenset()
        last = self.today(row["node_id"]) + timedelta(days=self.options.horizon_days - 1)
        checks = {
            "the line is on hold": line["is_on_hold"],
            "before the decision": ship_at <= self.options.moment,
            "beyond the horizon": row["ship_date"] > last,
            "not an operating day": row["ship_date"].isoweekday() not in weekdays,
            "before its window": line["not_before_at"] is not None
            and ship_at < line["not_before_at"].replace(tzinfo=UTC),
            "past its cancel date": line["cancel_after_at"] is not None
            and ship_at > line["cancel_after_at"].replace(tzinfo=UTC),
            "days_late is wrong": row["days_late"] != self.days_late(row),
        }
        yield from (f"{where}: {meaning}" for meaning, is_broken in checks.items() if is_broken)

    def line_faults(self, rows: Iterable[Row]) -> Iterator[str]:
        shipped = _shipped(rows)
        for key, units in shipped.items():
            if units > self.lines[key]["quantity"]:
                yield f"{key[0]}/{key[1]}: {units} units for {self.lines[key]['quantity']} open"
        started = {order_id for order_id, _ in shipped}
        for key, line in self.lines.items():
            if line["is_complete"] and key[0] in started and shipped.get(key, 0) != line["quantity"]:
                yield f"{key[0]}: ship-complete, but line {key[1]} ships {shipped.get(key, 0)} of {line['quantity']}"

    def capacity_faults(self, rows: Iterable[Row]) -> Iterator[str]:
        loads: dict[tuple[str, date], int] = defaultdict(int)
        pick_ups: dict[tuple[str, str, date], int] = defaultdict(int)
        for row in rows:
            loads[row["node_id"], row["ship_date"]] += row["quantity"]
            pick_ups[row["node_id"], row["carrier"], row["ship_date"]] += row["quantity"]
        for (node_id, day), units in loads.items():
            limit = self.nodes[node_id]["daily_capacity_units"]
            if limit is not None and units > limit:
                yield f"{node_id} on {day}: {units} units, capacity {limit}"
        for (node_id, carrier, day), units in pick_ups.items():
            for cap in self.options.carrier_caps:
                if _holds(cap, node_id=node_id, carrier=carrier, day=day) and units > cap.units:
                    yield f"{carrier} at {node_id} on {day}: {units} units, pick-up limit {cap.units}"

    def release_faults(self, freed: dict[tuple[str, str, str], int]) -> Iterator[str]:
        kept = self._reserves()
        for (sku, node_id, holder), units in freed.items():
            rule = self.options.safety_stock if holder == SAFETY else self.options.reservations
            if not 0 <= units <= dict(kept[sku, node_id]).get(holder, 0):
                yield f"{sku} at {node_id}: {units} units released by {holder}, which holds fewer"
            if units and rule != "decide":
                yield f"{sku} at {node_id}: {holder} releases {units} units, but reserves are to be respected"

    def _reserves(self) -> dict[Cell, list[tuple[str, int]]]:
        """Return each cell's holders and quantities: safety stock is covered first, then channels by rank and name."""
        ranks: dict[str, int] = {}
        for line in self.lines.values():
            ranks[line["channel"]] = min(line["priority_rank"], ranks.get(line["channel"], 999))
        kept: dict[Cell, list[tuple[str, int]]] = defaultdict(list)
        for row in self.data.inventory.iter_rows(named=True):
            if row["safety_stock"]:
                kept[row["sku"], row["node_id"]].append((SAFETY, row["safety_stock"]))
        channels = list(self.data.reservations.iter_rows(named=True))
        for row in sorted(channels, key=lambda item: (ranks.get(item["channel"], 999), item["channel"])):
            kept[row["sku"], row["node_id"]].append((row["channel"], row["quantity"]))
        return kept

    def _supply(self) -> dict[Cell, dict[date, int]]:
        """Return units becoming shippable per cell and local date."""
        supply: dict[Cell, dict[date, int]] = defaultdict(lambda: defaultdict(int))
        for row in self.data.inventory.iter_rows(named=True):
            supply[row["sku"], row["node_id"]][date.min] += max(0, row["on_hand"] - (row["quarantine"] or 0))
        for row in self.data.receipts.iter_rows(named=True):
            expected = row["expected_at"] and row["expected_at"].replace(tzinfo=UTC)
            if row["is_confirmed"] and expected is not None and expected >= self.options.moment:
                ready = expected.astimezone(self.zone(row["node_id"])).date() + timedelta(days=self.options.dock_days)
                counted = row["quantity"] * (BASIS - self.options.receipt_haircut_bp) // BASIS
                supply[row["sku"], row["node_id"]][ready] += counted
        return supply

    def stock_faults(self, rows: Iterable[Row], freed: dict[tuple[str, str, str], int]) -> Iterator[str]:
        drawn: dict[Cell, list[tuple[date, str, int]]] = defaultdict(list)
        for row in rows:
            channel = self.lines[row["order_id"], row["line_id"]]["channel"]
            sku = self.lines[row["order_id"], row["line_id"]]["sku"]
            drawn[sku, row["node_id"]].append((row["ship_date"], channel, row["quantity"]))
        supply, reserves = self._supply(), self._reserves()
        for cell, draws in sorted(drawn.items()):
            kept = [(holder, units, freed.get((*cell, holder), 0)) for holder, units in reserves[cell]]
            yield from _cell_faults(cell, draws, supply[cell], kept)

    def worth(self, rows: list[Row], freed: dict[tuple[str, str, str], int]) -> int:
        weights, shipped = self.options.weights, _shipped(rows)
        total: int = sum(self._row_cents(row) for row in rows)
        for key, line in self.lines.items():
            total -= (line["quantity"] - shipped.get(key, 0)) * (
                0 if line["is_on_hold"] else _short_cents(line, weights)
            )
        nodes: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            nodes[row["order_id"]].add(row["node_id"])
        total -= weights.split_cents * sum(len(used) - 1 for used in nodes.values())
        total -= weights.release_cents * sum(freed.values())
        return total

    def _row_cents(self, row: Row) -> int:
        line, lane, weights = self.lines[row["order_id"], row["line_id"]], self.lane(row), self.options.weights
        first = min(self.today(node_id) for node_id in self.nodes)
        waiting = (row["ship_date"] - first).days * weights.waiting_cents
        freight = lane["cost_cents"] if lane else 0
        margin = _margin_cents(line, weights)
        each = margin - freight - waiting - _late_cents(line, margin, row["days_late"], weights)
        return int(row["quantity"] * each)


def _cell_faults(
    cell: Cell, draws: list[tuple[date, str, int]], supply: dict[date, int], kept: list[tuple[str, int, int]]
) -> Iterator[str]:
    for day in sorted({*supply, *(day for day, _, _ in draws)}):
        there = sum(units for ready, units in supply.items() if ready <= day)
        gone: dict[str, int] = defaultdict(int)
        for ship_date, channel, units in draws:
            gone[channel] += units if ship_date <= day else 0
        rest, held_back = there, 0
        for holder, units, freed in kept:
            covered = min(units, rest)
            rest -= covered
            held_back += max(0, max(0, covered - freed) - gone[holder])
        left = there - sum(gone.values())
        if left < held_back:
            yield f"{cell[0]} at {cell[1]} on {day}: {left} units left, {held_back} are to be kept"


def _shipped(rows: Iterable[Row]) -> dict[Cell, int]:
    units: dict[Cell, int] = defaultdict(int)
    for row in rows:
        units[row["order_id"], row["line_id"]] += row["quantity"]
    return units


def _holds(cap: CarrierCap, *, node_id: str, carrier: str, day: date) -> bool:
    is_then = (cap.first_date or date.min) <= day <= (cap.last_date or date.max)
    return cap.node_id == node_id and cap.carrier == carrier and is_then


def _half_up(value: int, base: int) -> int:
    return (2 * value + base) // (2 * base)


def _margin_cents(line: Row, weights: Weights) -> int:
    fees = {"wholesale": 0, "marketplace": weights.marketplace_fee_bp}
    fee = _half_up(line["price_cents"] * fees.get(line["channel_type"], weights.payment_fee_bp), BASIS)
    return int(line["price_cents"] - line["cost_cents"] - weights.pick_pack_cents - fee)


def _fine_cents(line: Row, weights: Weights) -> int:
    return _half_up(line["price_cents"] * line["fine_bp"] * weights.gate_bp, BASIS * BASIS)


def _short_cents(line: Row, weights: Weights) -> int:
    if line["channel_type"] == "wholesale":
        return _fine_cents(line, weights) + _half_up(line["price_cents"] * weights.account_bp, BASIS)
    return _fine_cents(line, weights) + weights.contact_cents + weights.churn_cents


def _late_cents(line: Row, margin: int, days: int, weights: Weights) -> int:
    if not days:
        return 0
    if line["channel_type"] == "wholesale":
        return _fine_cents(line, weights)
    chance = min(days * weights.cancel_bp_per_day, weights.cancel_cap_bp)
    return _fine_cents(line, weights) + weights.contact_cents + _half_up(max(0, margin) * chance, BASIS)
