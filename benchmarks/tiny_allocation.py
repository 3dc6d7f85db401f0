"""Tiny allocation problems with every feature on, and their true optimum by trying every plan.

A problem has at most six lines, three nodes and two ship days; which features it has is drawn from its seed. The truth
uses neither the model nor a solver: all ways to put units on arcs are listed, the best that `verify` lets pass is the
optimum. The tests run some hundreds, `python -m benchmarks.tiny_allocation 5000` runs thousands.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from optimizer.allocation import AllocationData, AllocationOptions, CarrierCap, Reserve, Weights
from optimizer.allocation import facts as known
from optimizer.allocation.arcs import COLUMNS, Arcs, with_caps, with_order
from optimizer.allocation.baseline import rule_plan, value_plan
from optimizer.allocation.candidates import candidates, lane_days
from optimizer.allocation.frames import EXTRA_SPECS, SPECS
from optimizer.allocation.plan import Plan, Problem, objective_cents, prepare
from optimizer.allocation.solve import solve
from optimizer.allocation.verify import check, row_faults

AS_OF: Final = datetime(2026, 11, 16, 5, tzinfo=UTC).replace(tzinfo=None)
MONDAY: Final = date(2026, 11, 16)
MOST_PLANS: Final = 12_000

CLOSED: Final = (None, True, False)

_DTYPES: Final = {
    "text": pl.String(),
    "whole": pl.Int64(),
    "cents": pl.Float64(),
    "signed": pl.Float64(),
    "rate": pl.Float64(),
    "flag": pl.Boolean(),
    "instant": pl.Datetime("us"),
    "date": pl.Date(),
}


def frames_of(tables: dict[str, list[dict[str, Any]]]) -> dict[str, pl.DataFrame]:
    """Return rows of the tables (by spec name) as frames with every column of the spec."""
    found = {}
    for spec in (*SPECS, *EXTRA_SPECS):
        schema = {name: _DTYPES[kind] for name, kind in spec.columns.items()}
        rows = [{name: row.get(name) for name in schema} for row in tables.get(spec.name, [])]
        found[spec.name] = pl.DataFrame(rows, schema=schema)
    return found


def problem_of(tables: dict[str, list[dict[str, Any]]], **options: object) -> AllocationData:
    """Return a problem from rows by table name."""
    frames = frames_of(tables)
    first, *_ = (frames.pop(spec.name) for spec in SPECS[:1])
    inventory, receipts, reservations, nodes, lanes = (frames.pop(spec.name) for spec in SPECS[1:])
    return AllocationData.from_frames(
        first,
        inventory,
        inbound_receipts=receipts,
        channel_reservations=reservations,
        nodes=nodes,
        lanes=lanes,
        options=AllocationOptions(**{"as_of": AS_OF, **options}),  # type: ignore[arg-type]
        extras={name: frame for name, frame in frames.items() if frame.height},
    )


T = TypeVar("T")


class _Dice:
    """Draws of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def pick(self, *values: T) -> T:
        return values[int(self.random.integers(len(values)))]

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def within(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))


def tiny_problem(seed: int) -> AllocationData:
    """Return the problem of a seed; each optional feature is on in some part of the seeds."""
    dice = _Dice(seed)
    count = dice.within(1, 6)
    most = 3 if count <= 2 else 2 if count <= 4 else 1
    nodes = ("n1", "n2", "n3")[: dice.within(1, 3)]
    channels = ("dtc", "marketplace", "wholesale")
    lines = [_line(dice, number, most, channels) for number in range(count)]
    cells = [(sku, node) for sku in "AB" for node in nodes]
    tables: dict[str, list[dict[str, Any]]] = {
        "fct_open_lines": lines,
        "fct_inventory": [
            {
                "sku": sku,
                "node_id": node,
                "on_hand": dice.within(0, 3),
                "quarantine": dice.pick(0, 0, 1),
                "safety_stock": dice.pick(0, 0, 0, 1),
            }
            for sku, node in cells
            if dice.chance(0.8)
        ],
        "fct_inbound_receipts": [
            {
                "receipt_id": f"r{sku}{node}",
                "sku": sku,
                "node_id": node,
                "quantity": dice.within(1, 3),
                "is_confirmed": dice.chance(0.9),
                "expected_at": AS_OF + timedelta(hours=6),
                "expires_on": dice.pick(None, None, MONDAY + timedelta(days=dice.within(0, 5))),
            }
            for sku, node in cells
            if dice.chance(0.3)
        ],
        "fct_channel_reservations": [_reservation(dice, sku, node) for sku, node in cells if dice.chance(0.35)],
        "dim_nodes": [_node(dice, node) for node in nodes],
        "dim_lanes": [lane for node in nodes for lane in _lanes(dice, node)],
    }
    tables |= _extras(dice, lines, cells, nodes)
    caps = (CarrierCap(carrier="swift", node_id=dice.pick("n1", None), units=dice.within(0, 2)),)
    return problem_of(
        tables,
        horizon_days=2,
        dock_days=dice.pick(0, 1),
        receipt_haircut_bp=dice.pick(0, 0, 5000),
        carrier_caps=caps if dice.chance(0.2) else (),
        max_nodes=dice.pick(None, None, 1),
        reservations=dice.pick(Reserve.RESPECT, Reserve.RESPECT, Reserve.DECIDE),
        safety_stock=dice.pick(Reserve.RESPECT, Reserve.RESPECT, Reserve.DECIDE),
        weights=Weights(
            split_cents=dice.pick(50, 800),
            release_cents=dice.pick(10, 900),
            appointment_cents=dice.pick(0, 0, 300),
            lock_cents=dice.pick(500, 100_000),
            win_cents=dice.pick(400, 20_000),
            keep_cents=dice.pick(400, 10_000),
            floor_cents=dice.pick(300, 2_000),
            change_cents=dice.pick(0, 25, 400),
        ),
    )


def _line(dice: _Dice, number: int, most: int, channels: tuple[str, ...]) -> dict[str, Any]:
    kind = dice.pick(*channels)
    quantity = dice.within(1, most)
    days = (None, None, AS_OF, AS_OF + timedelta(days=1), AS_OF + timedelta(days=3))
    return {
        "order_id": dice.pick("1", "1", "2", "3"),
        "line_id": str(number),
        "sku": dice.pick("A", "A", "B"),
        "channel": kind,
        "channel_type": kind,
        "customer_id": dice.pick("c1", "c2", None),
        "lane_zone": dice.pick("east", "east", "east", "west"),
        "open_quantity": quantity,
        "unit_price": float(dice.within(8, 40)),
        "unit_cost": dice.pick(5.0, 10.0, 30.0, None),
        "fine_rate": dice.pick(0.0, 0.0, 0.05, 0.2),
        "is_on_hold": dice.chance(0.08),
        "is_ship_complete": dice.chance(0.15),
        "priority_rank": dice.within(1, 3),
        "captured_at": AS_OF - timedelta(days=dice.within(0, 3)),
        "need_at": dice.pick(*days),
        "ship_by_at": dice.pick(None, None, None, AS_OF + timedelta(days=1)),
        "ship_not_before_at": dice.pick(None, None, None, AS_OF + timedelta(days=1)),
        "deliver_not_before_at": dice.pick(None, None, None, AS_OF + timedelta(days=2)),
        "cancel_after_at": dice.pick(None, None, None, AS_OF + timedelta(days=1)),
        "allocation_class": dice.pick(*(None,) * 6, "win", "gain", "improve", "fill", "lose", "skip"),
        "confirmed_quantity": dice.pick(None, 1, 2),
        "confirmed_at": dice.pick(None, AS_OF + timedelta(days=2)),
        "is_line_complete": dice.chance(0.1),
        "kit_id": dice.pick(*(None,) * 6, "k"),
        "min_fill_rate": dice.pick(*(None,) * 7, 0.5, 0.8),
        "is_single_source": dice.chance(0.12),
        "is_single_shipment": dice.chance(0.06),
        "max_nodes": dice.pick(*(None,) * 6, 1, 2),
        "pack_multiple": dice.pick(*(None,) * 6, 2),
        "work_units": dice.pick(*(None,) * 5, 2, 3),
        "min_shelf_life_days": dice.pick(None, None, 1, 3),
        "handling": dice.pick(*(None,) * 8, "hazmat", "hazmat, cold"),
        "order_fine": dice.pick(*(None,) * 6, 15.0),
        "is_export": dice.chance(0.05),
        "hs_code": dice.pick(None, "6109.10"),
        "origin_country": "PT",
        "declared_value": 20.0,
        "importer_reference": "GB123456789000",
    }


def _reservation(dice: _Dice, sku: str, node: str) -> dict[str, Any]:
    return {
        "sku": sku,
        "node_id": node,
        "channel": dice.pick("dtc", "wholesale"),
        "customer_id": dice.pick(None, None, "c1"),
        "quantity": dice.within(0, 2),
        "cap_quantity": dice.pick(None, None, 0, 1, 2),
        "buffer_quantity": dice.pick(None, None, 1),
        "release_at": dice.pick(None, None, AS_OF + timedelta(hours=dice.within(0, 36))),
    }


def _node(dice: _Dice, node: str) -> dict[str, Any]:
    return {
        "node_id": node,
        "zone": "America/New_York",
        "cut_off_time": dice.pick("15:00", "11:30"),
        "operating_days": "1,2,3,4,5",
        "daily_capacity_units": dice.pick(None, None, 1, 2, 4),
        "daily_dock_appointments": dice.pick(None, None, 0, 1),
        "handling": dice.pick(None, "hazmat", "cold hazmat"),
    }


def _lanes(dice: _Dice, node: str) -> list[dict[str, Any]]:
    carriers = {zone: ("swift", "fast")[: 1 if dice.chance(0.6) else 2] for zone in ("east", "west")}
    return [
        {
            "node_id": node,
            "lane_zone": zone,
            "carrier": carrier,
            "service": "ground",
            "transit_days": dice.within(0, 2),
            "cost_per_unit": float(dice.within(1, 6)),
            "cut_off_time": dice.pick(None, None, None, "10:00"),
            "pickup_days": dice.pick(None, None, None, "2,3"),
            "transit_weekdays": dice.pick(None, None, "1,3,5"),
            "daily_capacity_units": dice.pick(None, None, None, None, 1, 2),
            "needs_appointment": dice.chance(0.2),
            "handling": dice.pick(None, "hazmat", "hazmat;cold"),
        }
        for zone, names in carriers.items()
        for carrier in names
    ]


def _extras(
    dice: _Dice, lines: list[dict[str, Any]], cells: list[tuple[str, str]], nodes: tuple[str, ...]
) -> dict[str, list[dict[str, Any]]]:
    def some(share: float, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return rows if dice.chance(share) else []

    def key(line: dict[str, Any]) -> dict[str, Any]:
        return {"order_id": line["order_id"], "line_id": line["line_id"]}

    one = dice.pick(*lines)
    days = (MONDAY, MONDAY + timedelta(days=1))
    lots = [
        {
            "sku": sku,
            "node_id": node,
            "lot_id": f"l{number}",
            "quantity": dice.within(1, 2),
            "expires_on": dice.pick(None, MONDAY + timedelta(days=dice.within(-1, 5))),
        }
        for sku, node in cells
        for number in range(2)
        if dice.chance(0.5)
    ]
    return {
        "lots": some(0.35, lots),
        "node_days": some(
            0.2,
            [
                {
                    "node_id": nodes[0],
                    "ship_date": dice.pick(*days),
                    "is_closed": dice.pick(*CLOSED),
                    "cut_off_time": dice.pick(None, "09:00"),
                    "capacity_units": dice.pick(None, 0, 1),
                    "dock_appointments": dice.pick(None, 0, 2),
                }
            ],
        ),
        "carrier_closures": some(0.15, [{"carrier": "swift", "closed_on": MONDAY + timedelta(days=dice.within(0, 3))}]),
        "lane_capacity": some(
            0.2,
            [
                {
                    "carrier": dice.pick("swift", "fast"),
                    "service": dice.pick(None, "ground"),
                    "node_id": dice.pick(None, *nodes),
                    "lane_zone": dice.pick(None, "east"),
                    "first_date": dice.pick(None, *days),
                    "capacity_units": dice.within(0, 2),
                }
            ],
        ),
        "line_nodes": some(
            0.25,
            [
                {
                    **key(line),
                    "node_id": dice.pick(*nodes),
                    "is_excluded": dice.chance(0.3),
                    "capacity_use": dice.pick(None, 0, 1, 3),
                    "cost_per_unit": dice.pick(None, 2.5),
                }
                for line in lines[:2]
            ],
        ),
        "routing_guide": some(
            0.2, [{"customer_id": "c1", "carrier": dice.pick("swift", "fast"), "lane_zone": dice.pick(None, "east")}]
        ),
        "planner_decisions": [
            *some(
                0.15,
                [
                    {
                        "decision": "lock",
                        **key(one),
                        "node_id": dice.pick(None, *nodes),
                        "ship_date": dice.pick(None, *days),
                        "carrier": dice.pick(None, "swift"),
                        "quantity": dice.within(1, 2),
                    }
                ],
            ),
            *some(0.1, [{"decision": "exclude", "sku": "A", "node_id": dice.pick(*nodes), "ship_date": days[0]}]),
            *some(
                0.1,
                [
                    {
                        "decision": "override",
                        "channel": dice.pick("dtc", "wholesale"),
                        "value_per_unit": dice.pick(-9.0, 9.0),
                    }
                ],
            ),
        ],
        "last_plan": some(
            0.2,
            [
                {
                    **key(line),
                    "node_id": dice.pick(*nodes),
                    "ship_date": dice.pick(*days),
                    "carrier": dice.pick(None, "swift"),
                    "quantity": dice.within(1, 2),
                }
                for line in lines[:2]
            ],
        ),
        "service_floors": some(
            0.25,
            [
                {
                    "channel": dice.pick(None, "dtc", "wholesale"),
                    "customer_id": dice.pick(None, None, "c2"),
                    "sku": dice.pick(None, None, "A"),
                    "floor_rate": dice.pick(None, 0.5, 1.0),
                    "floor_quantity": dice.pick(None, 1),
                    "fair_share_rate": dice.pick(None, 0.5, 1.0),
                    "shortfall_per_unit": dice.pick(None, 12.0),
                }
            ],
        ),
        "scorecards": some(
            0.35,
            [
                {
                    "customer_id": customer,
                    "measure": dice.pick("on_time_in_full", "on_time", "fill"),
                    "period_start": MONDAY - timedelta(days=15),
                    "period_end": MONDAY + timedelta(days=dice.within(1, 14)),
                    "threshold": dice.pick(0.8, 0.9, 1.0),
                    "units_measured": (measured := dice.within(0, 8)),
                    "units_compliant": dice.within(measured // 2, measured),
                    "fine_rate": dice.pick(0.0, 0.1, 0.5),
                    "fine_flat": dice.pick(0.0, 20.0),
                    "fine_so_far": dice.pick(0.0, 10.0),
                }
                for customer in ("c1", "c2")
            ],
        ),
        "customers": some(
            0.2, [{"customer_id": "c1", "credit_limit": float(dice.within(10, 90)), "credit_used": 10.0}]
        ),
    }


def unpruned(problem: Problem) -> Problem:
    """Return the problem with every arc that the dates and rules allow, whether or not a best plan could use it."""
    data = problem.data
    found = with_caps(candidates(data, data.lines, lane_days(data)), data.carrier_caps).filter(pl.col("limit") > 0)
    found = found.with_columns(
        *(pl.lit(0, pl.Int64).alias(name) for name in ("cell", "row", "step")),
        pl.lit(-1, pl.Int64).alias("holder_id"),
        pl.lit("").alias("lane_class"),
        pl.lit(value=False).alias("is_abundant"),
    )
    return Problem(data, problem.stock, Arcs(with_order(found.select(COLUMNS))))


Table = npt.NDArray[np.int64]


def every_plan(problem: Problem) -> Table | None:
    """Return every way to put units on arcs, one row per plan, None if there are more than MOST_PLANS."""
    choices: list[tuple[list[int], list[list[int]]]] = []
    lines = problem.arcs.frame["line"].to_list()
    limits = dict(problem.arcs.frame.select("line", "limit").iter_rows())
    for line in sorted(limits):
        arcs = [arc for arc, owner in enumerate(lines) if owner == line]
        ways = [[0] * len(arcs)]
        for units in range(1, limits[line] + 1):
            ways += [
                [picked.count(place) for place in range(len(arcs))]
                for picked in itertools.combinations_with_replacement(range(len(arcs)), units)
            ]
        choices.append((arcs, ways))
    total = 1
    for _, ways in choices:
        total *= len(ways)
    if total > MOST_PLANS:
        return None
    table = np.zeros((total, problem.arcs.count), dtype=np.int64)
    stride = 1
    for arcs, ways in choices:
        table[:, arcs] = np.array(ways, dtype=np.int64)[np.arange(total) // stride % len(ways)]
        stride *= len(ways)
    return table


def worths(problem: Problem, table: Table) -> Table:
    """Return what each plan is worth before releases, all at once."""
    frame, weights = problem.arcs.frame, problem.data.options.weights
    lines = problem.data.lines
    worth = table @ problem.arcs.column("gain_cents") - int((lines["short_cents"] * lines["quantity"]).sum())
    for by, price, own in (
        (["order_id", "node_id"], weights.split_cents, None),
        (["order_id", "node_id", "day"], weights.appointment_cents, "needs_appointment"),
    ):
        keys = frame.select(by).rows()
        members: dict[Any, list[int]] = {}
        for arc, place in enumerate(keys):
            if own is None or frame[own][arc]:
                members.setdefault(place, []).append(arc)
        counts: dict[str, Table] = {}
        for place, arcs in members.items():
            used = (table[:, arcs].sum(axis=1) > 0).astype(np.int64)
            counts[place[0]] = counts.get(place[0], np.zeros(len(table), dtype=np.int64)) + used
        for count in counts.values():
            worth -= price * (np.maximum(count - 1, 0) if own is None else count)
    commitments, cliffs = problem.commitments, problem.cliffs
    for number, target, price in commitments.frame.select("commitment", "target", "price_cents").iter_rows():
        kept = table[:, commitments.arc[commitments.commitment == number]].sum(axis=1)
        worth -= price * np.maximum(target - kept, 0)
    for number, need, fine in cliffs.frame.select("cliff", "need", "fixed_cents").iter_rows():
        own = cliffs.cliff == number
        score = table[:, cliffs.arc[own]] @ cliffs.score[own]
        cost = np.full(len(table), fine, dtype=np.int64)
        for member, (cliff, base, rate) in enumerate(cliffs.lines.select("cliff", "base", "fine_cents").rows()):
            if cliff == number:
                part = cliffs.member == member
                cost += rate * (base + table[:, cliffs.arc[part]] @ cliffs.fined[part])
        worth -= np.where(score >= need, 0, cost)
    return worth


def _possible(problem: Problem, facts: known.Facts, table: Table) -> npt.NDArray[np.bool_]:
    """Leave out plans that break a plain sum: stock of a cell, capacity of a node day."""
    frame = problem.arcs.frame
    kept = np.ones(len(table), dtype=np.bool_)
    supply = facts.supply
    for (sku, node), arcs in frame.with_row_index("arc").group_by("sku", "node_id"):
        kept &= table[:, arcs["arc"].to_list()].sum(axis=1) <= sum(supply.get((str(sku), str(node)), {}).values())
    for (node, day), arcs in frame.with_row_index("arc").group_by("node_id", "ship_date"):
        limit = facts.capacity(str(node), day)
        if limit is not None:
            kept &= table[:, arcs["arc"].to_list()] @ arcs["use"].to_numpy() <= limit
    return kept


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a plan, one per arc, and the names of what holders release."""

    arcs: list[dict[str, Any]]
    holders: list[tuple[str, str, str]]

    @classmethod
    def of(cls, problem: Problem) -> _Rows:
        columns = ("order_id", "line_id", "node_id", "carrier", "service", "ship_date", "arrival_date", "days_late")
        holders = problem.stock.holders.select("sku", "node_id", "holder").rows()
        return cls(list(problem.arcs.frame.select(columns).iter_rows(named=True)), holders)

    def faults(self, facts: known.Facts, plan: Plan, claimed: int) -> tuple[str, ...]:
        """Return what `verify` has against a plan."""
        rows = [{**self.arcs[arc], "quantity": int(plan.units[arc])} for arc in np.flatnonzero(plan.units)]
        freed = {self.holders[place]: int(plan.released[place]) for place in np.flatnonzero(plan.released)}
        return check(facts, rows, freed, claimed)


def best_by_force(problem: Problem, facts: known.Facts) -> int | None:
    """Return the value of the best plan of all, None if there are too many."""
    table = every_plan(problem)
    if table is None:
        return None
    rows = _Rows.of(problem)
    table = table[_possible(problem, facts, table)]
    worth = worths(problem, table)
    holders = problem.stock.holders.select("quantity", "is_decided").rows()
    limits = [range(quantity + 1) if decided else range(1) for quantity, decided in holders]
    ways = sorted(itertools.product(*limits), key=sum)
    price = problem.data.options.weights.release_cents
    best: int | None = None
    for place in np.argsort(-worth, kind="stable"):
        if best is not None and int(worth[place]) <= best:
            break
        for freed in ways:
            claimed = int(worth[place]) - sum(freed) * price
            if best is not None and claimed <= best:
                break
            faults = rows.faults(facts, Plan(table[place], np.array(freed, dtype=np.int64)), claimed)
            if any(fault.startswith("objective") for fault in faults):
                raise AssertionError(faults)
            if not faults:
                best = claimed
                break
    return best


def missing_ways(data: AllocationData, facts: known.Facts) -> set[tuple[Any, ...]]:
    """Return where candidates and checks differ on what units may do, every lane on every date being tried."""
    key = ["order_id", "line_id", "node_id", "carrier", "service", "ship_date"]
    listed = candidates(data, data.lines, lane_days(data)).filter(pl.col("limit") > 0).select(key).rows()
    allowed = set()
    for (order_id, line_id), line in facts.lines.items():
        for node_id, zone, carrier, service in facts.lanes:
            for day in range(-1, data.options.horizon_days + 1) if zone == line["lane_zone"] else ():
                row = dict(
                    zip(key, (order_id, line_id, node_id, carrier, service, MONDAY + timedelta(days=day)), strict=True)
                )
                row |= {"arrival_date": facts.arrival(row), "days_late": facts.days_late(row)}
                row["quantity"] = line["pack_multiple"]
                if facts.limit(line) and not any(row_faults(facts, row)):
                    allowed.add(tuple(row[name] for name in key))
    return allowed.symmetric_difference(listed)


def faults_against_truth(seed: int) -> tuple[str, ...] | None:
    """Return what the optimizer got wrong on a seed's problem; None where it has too many plans to try."""
    data = tiny_problem(seed)
    if data.validate():
        return data.validate()
    problem, facts = prepare(data), known.Facts(data)
    best = best_by_force(unpruned(problem), facts)
    if best is None:
        return None
    solved = solve(problem)
    found = [f"the checks and the candidates differ on {way}" for way in sorted(missing_ways(data, facts))]
    if solved.objective_cents != best:
        found.append(f"{solved.path} path: {solved.objective_cents}, the optimum is {best}")
    if solved.bound_cents < best:
        found.append(f"bound {solved.bound_cents} is below the optimum {best}")
    rows = _Rows.of(problem)
    for name, plan in (("solver", solved.plan), ("rules", rule_plan(problem)), ("greedy", value_plan(problem))):
        worth = objective_cents(problem, plan)
        found += [f"{name}: {fault}" for fault in rows.faults(facts, plan, worth)]
        if worth > best:
            found.append(f"{name}: {worth} is above the optimum {best}")
    return tuple(found)


def main(count: int, first: int = 0) -> int:
    """Check so many seeds and print what was found; return the number of faults."""
    started, seen = time.monotonic(), Counter[str]()
    for seed in range(first, first + count):
        faults = faults_against_truth(seed)
        seen["too many plans" if faults is None else "wrong" if faults else "right"] += 1
        for fault in faults or ():
            print(f"seed {seed}: {fault}", flush=True)
    print(f"{dict(seen)} in {time.monotonic() - started:.0f} s")
    return seen["wrong"]


if __name__ == "__main__":
    sys.exit(bool(main(*(int(text) for text in sys.argv[1:3]))))
