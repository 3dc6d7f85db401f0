"""Checks a plan against every rule and recomputes its value, from the cleaned data and the plan's frames alone.

Nothing of the model, the arcs or the solver is used: dates, stock over time, lots, reserves, capacities, commitments
and money (recount.py) are worked out again, row by row, in plain Python. A plan that fails is never shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import polars as pl

from optimizer.allocation.data import AllocationData
from optimizer.allocation.facts import Cell, Facts, Key, Row, caps_over, rows_of, shipped_units, utc
from optimizer.allocation.options import BASIS
from optimizer.allocation.recount import worth_cents
from optimizer.allocation.stock import SAFETY

Freed = dict[tuple[str, str, str], int]


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
    freed = {(row["sku"], row["node_id"], row["holder"]): row["released"] for row in releases.iter_rows(named=True)}
    return check(Facts(data), list(allocations.iter_rows(named=True)), freed, objective_cents)


def check(facts: Facts, rows: list[Row], freed: Freed, objective_cents: int) -> tuple[str, ...]:
    """Return every violation of a plan given as rows, to check many plans of one problem.

    Args:
        facts: The problem.
        rows: The plan, rows of `result.ALLOCATIONS`.
        freed: Units released by SKU, node and holder.
        objective_cents: The value claimed for the plan.
    """
    faults = [fault for row in rows for fault in row_faults(facts, row)]
    if faults:
        return tuple(faults)
    checks: tuple[Callable[[Facts, list[Row]], Iterator[str]], ...] = (
        _line_faults,
        _order_faults,
        _node_faults,
        _carrier_faults,
        _dock_faults,
        _credit_faults,
        _lot_faults,
        _limit_faults,
    )
    faults += [fault for check in checks for fault in check(facts, rows)]
    faults += [*_release_faults(facts, freed), *_stock_faults(facts, rows, freed)]
    worth = worth_cents(facts, rows, freed)
    if worth != objective_cents:
        faults.append(f"objective: claimed {objective_cents} cents, recomputed {worth} cents")
    return tuple(faults)


def row_faults(facts: Facts, row: Row) -> Iterator[str]:
    """Yield what is wrong with one row of a plan whatever the others are."""
    found = [*_row_faults(facts, row)]
    if found:
        where = f"{row['order_id']}/{row['line_id']} from {row['node_id']} on {row['ship_date']}"
        yield from (f"{where}: {meaning}" for meaning in found)


def _row_faults(facts: Facts, row: Row) -> Iterator[str]:
    line = facts.lines.get((row["order_id"], row["line_id"]))
    if line is None or row["node_id"] not in facts.nodes:
        yield "no such line or node"
        return
    if row["quantity"] <= 0:
        yield f"quantity {row['quantity']}"
    if facts.lane(row) is None:
        yield f"no lane of {row['carrier']} {row['service']}"
        return
    ship_at, arrive_at = facts.ship_at(row), facts.arrive_at(row)
    yield from facts.shared(row, _way_faults)
    not_before, opens, ends = (line[name] for name in ("not_before_at", "deliver_not_before_at", "cancel_after_at"))
    checks = {
        "the line is on hold": line["is_on_hold"],
        "its export data is incomplete": _lacks_export_data(line),
        "before its window": not_before is not None and ship_at < utc(not_before),
        "before its delivery window": opens is not None and arrive_at < utc(opens),
        "past its cancel date": ends is not None and ship_at > utc(ends),
        "days_late is wrong": row["days_late"] != facts.days_late(row),
        "arrival_date is wrong": row["arrival_date"] != facts.arrival(row),
        "the node is excluded for the line": facts.line_nodes.get(
            (row["order_id"], row["line_id"], row["node_id"]), {}
        ).get("is_excluded"),
        "a planner excluded it": any(facts.in_scope(rule, row) for rule in facts.decisions["exclude"]),
        "not in the customer's routing guide": not _is_routed(facts, row, line),
        "the goods may not be handled there": not _is_handled(facts, row, line),
        f"not in packs of {line['pack_multiple']}": row["quantity"] % line["pack_multiple"] != 0,
    }
    yield from (meaning for meaning, is_broken in checks.items() if is_broken)


def _way_faults(facts: Facts, row: Row) -> tuple[str, ...]:
    """Return what is wrong with the row's day and lane, whatever it ships."""
    last = facts.today(row["node_id"]) + timedelta(days=facts.options.horizon_days - 1)
    checks = {
        "before the decision": facts.ship_at(row) <= facts.options.moment,
        "beyond the horizon": row["ship_date"] > last,
        "not an operating day": not facts.is_open(row["node_id"], row["ship_date"]),
        "the carrier does not pick up": not facts.picks_up(row),
    }
    return tuple(meaning for meaning, is_broken in checks.items() if is_broken)


def _lacks_export_data(line: Row) -> bool:
    if not line["is_export"]:
        return False
    digits = "".join(character for character in line["hs_code"] or "" if character.isdigit())
    texts = [(line[name] or "").strip() for name in ("origin_country", "importer_reference")]
    return not (len(digits) >= 6 and all(texts) and (line["declared_value"] or 0) > 0)


def _is_routed(facts: Facts, row: Row, line: Row) -> bool:
    guide = facts.guides.get(line["customer_id"])
    return not guide or any(
        entry["carrier"] == row["carrier"]
        and entry["service"] in (None, row["service"])
        and entry["lane_zone"] in (None, line["lane_zone"])
        for entry in guide
    )


def _is_handled(facts: Facts, row: Row, line: Row) -> bool:
    needs = _words(line["handling"])
    if not needs:
        return True
    places = (facts.nodes[row["node_id"]], facts.lane(row) or {})
    asked = [place["handling"] for place, is_told in zip(places, facts.is_handling_told, strict=True) if is_told]
    return all(needs <= _words(text) for text in asked)


def _words(text: str | None) -> set[str]:
    return set((text or "").lower().replace(",", " ").replace(";", " ").split())


def _line_faults(facts: Facts, rows: list[Row]) -> Iterator[str]:
    shipped = shipped_units(rows)
    for key, units in shipped.items():
        line = facts.lines[key]
        if units > line["quantity"]:
            yield f"{key[0]}/{key[1]}: {units} units for {line['quantity']} open"
        elif units > facts.limit(line):
            yield f"{key[0]}/{key[1]}: {units} units, class {line['allocation_class']} allows {facts.limit(line)}"
        if line["is_line_complete"] and units != line["quantity"]:
            yield f"{key[0]}/{key[1]}: ships whole or not at all, but {units} of {line['quantity']} ship"
    sources: dict[Key, set[str]] = defaultdict(set)
    for row in rows:
        sources[row["order_id"], row["line_id"]].add(row["node_id"])
    for key, nodes in sources.items():
        if facts.lines[key]["is_single_source"] and len(nodes) > 1:
            yield f"{key[0]}/{key[1]}: one source allowed, ships from {', '.join(sorted(nodes))}"


def _order_faults(facts: Facts, rows: list[Row]) -> Iterator[str]:
    shipped = shipped_units(rows)
    nodes: dict[str, set[str]] = defaultdict(set)
    loads: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for row in rows:
        nodes[row["order_id"]].add(row["node_id"])
        loads[row["order_id"]].add((row["node_id"], row["ship_date"], row["carrier"], row["service"]))
    for order_id, used in nodes.items():
        lines = facts.orders[order_id]
        units = {line["line_id"]: shipped.get((order_id, line["line_id"]), 0) for line in lines}
        if any(line["is_complete"] for line in lines):
            for line in lines:
                if units[line["line_id"]] != line["quantity"]:
                    yield (
                        f"{order_id}: ship-complete, but line {line['line_id']} ships "
                        f"{units[line['line_id']]} of {line['quantity']}"
                    )
        yield from _kit_faults(order_id, lines, units)
        least = max(line["min_fill_bp"] for line in lines) * sum(line["quantity"] for line in lines)
        if sum(units.values()) * BASIS < least:
            yield f"{order_id}: {sum(units.values())} units ship, below its minimum fill"
        limits = [line["max_nodes"] for line in lines if line["max_nodes"] is not None]
        if limits and len(used) > min(limits):
            yield f"{order_id}: ships from {len(used)} nodes, {min(limits)} allowed"
        if any(line["is_single_shipment"] for line in lines) and len(loads[order_id]) > 1:
            yield f"{order_id}: one shipment allowed, {len(loads[order_id])} planned"


def _kit_faults(order_id: str, lines: list[Row], units: dict[str, int]) -> Iterator[str]:
    kits: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        if line["kit_id"] is not None:
            kits[line["kit_id"]].append(line)
    for kit_id, parts in kits.items():
        whole = [units[part["line_id"]] == part["quantity"] for part in parts]
        if any(units[part["line_id"]] for part in parts) and not all(whole):
            yield f"{order_id}: kit {kit_id} ships in part"


def _node_faults(facts: Facts, rows: list[Row]) -> Iterator[str]:
    loads: dict[tuple[str, date], int] = defaultdict(int)
    for row in rows:
        loads[row["node_id"], row["ship_date"]] += row["quantity"] * facts.use(row)
    for (node_id, day), units in loads.items():
        limit = facts.capacity(node_id, day)
        if limit is not None and units > limit:
            yield f"{node_id} on {day}: {units} units, capacity {limit}"


def _carrier_faults(facts: Facts, rows: list[Row]) -> Iterator[str]:
    loads: dict[tuple[int, date], int] = defaultdict(int)
    caps = facts.data.carrier_caps
    for row in rows:
        for number, _ in caps_over(caps, row, facts.line(row)["lane_zone"]):
            loads[number, row["ship_date"]] += row["quantity"]
    for (number, day), units in loads.items():
        cap = caps[number]
        if units > cap.units:
            place = " ".join(part for part in (cap.service, cap.lane_zone) if part)
            where = f"{cap.carrier}{' ' + place if place else ''} at {cap.node_id or 'all nodes'} on {day}"
            yield f"{where}: {units} units, pick-up limit {cap.units}"


def _dock_faults(facts: Facts, rows: list[Row]) -> Iterator[str]:
    loads: dict[tuple[str, date], set[str]] = defaultdict(set)
    for row in rows:
        if (facts.lane(row) or {})["needs_appointment"]:
            loads[row["node_id"], row["ship_date"]].add(row["order_id"])
    for (node_id, day), orders in loads.items():
        doors = facts.doors(node_id, day)
        if doors is not None and len(orders) > doors:
            yield f"{node_id} on {day}: {len(orders)} loads by appointment, {doors} appointments"


def _credit_faults(facts: Facts, rows: list[Row]) -> Iterator[str]:
    drawn: dict[str, int] = defaultdict(int)
    for row in rows:
        drawn[facts.line(row)["customer_id"]] += row["quantity"] * facts.line(row)["price_cents"]
    for customer in rows_of(facts.data.extras["customers"]):
        if customer["credit_limit"] is not None:
            free = max(0, customer["credit_limit"] - (customer["credit_used"] or 0))
            if drawn.get(customer["customer_id"], 0) > free:
                yield f"{customer['customer_id']}: goods for {drawn[customer['customer_id']]} cents, credit for {free}"


def _lot_faults(facts: Facts, rows: list[Row]) -> Iterator[str]:
    """Hand out lots day by day, to each draw the one that expires first of those that keep long enough.

    Later draws can use whatever earlier ones could, so this finds lots for all draws if any way does.
    """
    lots = facts.lots()
    draws: dict[Cell, list[tuple[date, date, int]]] = defaultdict(list)
    for row in rows:
        line = facts.line(row)
        until = facts.arrival(row) + timedelta(days=line["min_shelf_life_days"] or 0)
        draws[line["sku"], row["node_id"]].append((row["ship_date"], until, row["quantity"]))
    for cell, there in sorted(lots.items()):
        by_expiry = sorted(there, key=lambda lot: (lot[1], lot[0]))
        left = [units for _, _, units in by_expiry]
        for ship_date, until, quantity in sorted(draws.get(cell, [])):
            wanted = quantity
            for number, (ready, expires, _) in enumerate(by_expiry):
                if expires >= until and ready <= ship_date:
                    taken = min(left[number], wanted)
                    left[number] -= taken
                    wanted -= taken
            if wanted:
                yield f"{cell[0]} at {cell[1]} on {ship_date}: {wanted} units from no lot that keeps until {until}"


def _limit_faults(facts: Facts, rows: list[Row]) -> Iterator[str]:
    limiting = [
        rule for rule in rows_of(facts.data.reservations) if rule["cap_quantity"] is not None or rule["buffer_quantity"]
    ]
    supply = facts.supply if limiting else {}
    draws: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows if limiting else ():
        draws[facts.line(row)["sku"], row["node_id"], facts.line(row)["channel"]].append(row)
    for rule in limiting:
        cell, ends = (rule["sku"], rule["node_id"]), facts.release_date(rule)
        own = [
            (row["ship_date"], row["quantity"])
            for row in draws[*cell, rule["channel"]]
            if rule["customer_id"] in (None, facts.line(row)["customer_id"])
        ]
        for day in sorted({ship_date for ship_date, _ in own}):
            drawn = sum(units for ship_date, units in own if ship_date <= day)
            there = sum(units for ready, units in supply.get(cell, {}).items() if ready <= day)
            most = max(0, there - (rule["buffer_quantity"] or 0))
            if rule["cap_quantity"] is not None and day < ends:
                most = min(most, rule["cap_quantity"])
            if drawn > most:
                yield f"{cell[0]} at {cell[1]} on {day}: {rule['channel']} draws {drawn} units, {most} allowed"


def _reserves(facts: Facts) -> dict[Cell, list[tuple[str, int, date]]]:
    """Return each cell's holders, what they keep and until when: safety stock first, then channels by rank and name."""
    ranks: dict[str, int] = {}
    for line in facts.lines.values():
        ranks[line["channel"]] = min(line["priority_rank"], ranks.get(line["channel"], 999))
    kept: dict[Cell, list[tuple[str, int, date]]] = defaultdict(list)
    for row in rows_of(facts.data.inventory):
        if row["safety_stock"]:
            kept[row["sku"], row["node_id"]].append((SAFETY, row["safety_stock"], date.max))
    channels = [row for row in rows_of(facts.data.reservations) if row["quantity"]]
    for row in sorted(channels, key=lambda item: (ranks.get(item["channel"], 999), _holder(item))):
        kept[row["sku"], row["node_id"]].append((_holder(row), row["quantity"], facts.release_date(row)))
    return kept


def _holder(reservation: Row) -> str:
    customer = reservation["customer_id"]
    return f"{reservation['channel']} / {customer}" if customer is not None else str(reservation["channel"])


def _release_faults(facts: Facts, freed: Freed) -> Iterator[str]:
    kept = _reserves(facts)
    for (sku, node_id, holder), units in freed.items():
        rule = facts.options.safety_stock if holder == SAFETY else facts.options.reservations
        if not 0 <= units <= {name: quantity for name, quantity, _ in kept[sku, node_id]}.get(holder, 0):
            yield f"{sku} at {node_id}: {units} units released by {holder}, which holds fewer"
        if units and rule != "decide":
            yield f"{sku} at {node_id}: {holder} releases {units} units, but reserves are to be respected"


def _stock_faults(facts: Facts, rows: list[Row], freed: Freed) -> Iterator[str]:
    drawn: dict[Cell, list[tuple[date, str, int]]] = defaultdict(list)
    supply, reserves = facts.supply, _reserves(facts)
    for row in rows:
        line = facts.line(row)
        cell = (line["sku"], row["node_id"])
        own = f"{line['channel']} / {line['customer_id']}"
        names = {name for name, _, _ in reserves.get(cell, [])}
        drawn[cell].append((row["ship_date"], own if own in names else line["channel"], row["quantity"]))
    for cell, draws in sorted(drawn.items()):
        kept = [(holder, units, ends, freed.get((*cell, holder), 0)) for holder, units, ends in reserves[cell]]
        yield from _cell_faults(cell, draws, supply.get(cell, {}), kept)


def _cell_faults(
    cell: Cell, draws: list[tuple[date, str, int]], supply: dict[date, int], kept: list[tuple[str, int, date, int]]
) -> Iterator[str]:
    for day in sorted({*supply, *(day for day, _, _ in draws)}):
        there = sum(units for ready, units in supply.items() if ready <= day)
        gone: dict[str, int] = defaultdict(int)
        for ship_date, holder, units in draws:
            gone[holder] += units if ship_date <= day else 0
        rest, held_back = there, 0
        for holder, units, ends, freed in kept:
            covered = min(units if day < ends else 0, rest)
            rest -= covered
            held_back += max(0, max(0, covered - freed) - gone[holder])
        left = there - sum(gone.values())
        if left < held_back:
            yield f"{cell[0]} at {cell[1]} on {day}: {left} units left, {held_back} are to be kept"
