"""The world of a problem as plain dictionaries, and the calendar worked out again: what verify.py and recount.py share.

Nothing of the model, the arcs or the solver is used, and none of their calendar code either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import polars as pl

from optimizer.allocation.data import AllocationData
from optimizer.allocation.frames import parse_days, parse_time
from optimizer.allocation.options import BASIS, CarrierCap

Row = dict[str, Any]
Cell = tuple[str, str]
Key = tuple[str, str]
Found = TypeVar("Found")

_SCOPE: Final = ("order_id", "line_id", "sku", "customer_id", "channel", "node_id", "carrier", "service", "ship_date")
_FOREVER: Final = date(9999, 12, 31)


class Facts:
    """Lines, nodes, lanes and rules by key, and what follows from them for one row of a plan."""

    def __init__(self, data: AllocationData) -> None:
        """Index the cleaned frames."""
        self.data, self.options = data, data.options
        self.lines: dict[Key, Row] = {(row["order_id"], row["line_id"]): row for row in rows_of(data.lines)}
        self.orders: dict[str, list[Row]] = defaultdict(list)
        for line in self.lines.values():
            self.orders[line["order_id"]].append(line)
        self.nodes: dict[str, Row] = {row["node_id"]: row for row in rows_of(data.nodes)}
        self.lanes = {
            (row["node_id"], row["lane_zone"], row["carrier"], row["service"]): row for row in rows_of(data.lanes)
        }
        extras = data.extras
        self.node_days = {(row["node_id"], row["ship_date"]): row for row in rows_of(extras["node_days"])}
        self.closures = {(row["carrier"], row["closed_on"]) for row in rows_of(extras["carrier_closures"])}
        self.line_nodes = {
            (row["order_id"], row["line_id"], row["node_id"]): row for row in rows_of(extras["line_nodes"])
        }
        self.guides: dict[str, list[Row]] = defaultdict(list)
        for row in rows_of(extras["routing_guide"]):
            self.guides[row["customer_id"]].append(row)
        self.decisions: dict[str, list[Row]] = defaultdict(list)
        for row in rows_of(extras["planner_decisions"]):
            self.decisions[row["decision"].lower()].append(row)
        # Lines of one zone that a node ships on one day by one service share their instants.
        self._shared: dict[Callable[[Facts, Row], Any], dict[tuple[Any, ...], Any]] = defaultdict(dict)

    def line(self, row: Row) -> Row:
        """Return the line of a row of the plan."""
        return self.lines[row["order_id"], row["line_id"]]

    def zone(self, node_id: str) -> ZoneInfo:
        """Return the node's time zone."""
        return ZoneInfo(self.nodes[node_id]["zone"] or "UTC")

    def today(self, node_id: str) -> date:
        """Return the node's date at the decision."""
        return self.options.moment.astimezone(self.zone(node_id)).date()

    @cached_property
    def first(self) -> date:
        """The earliest date of any node at the decision."""
        return min((self.today(node_id) for node_id in self.nodes), default=self.options.moment.date())

    def lane(self, row: Row) -> Row | None:
        """Return the lane a row ships by."""
        return self.lanes.get((row["node_id"], self.line(row)["lane_zone"], row["carrier"], row["service"]))

    def ship_at(self, row: Row) -> datetime:
        """Return the instant by which the row's units must be ready: the node's cut-off or the lane's, the earlier."""
        return self.shared(row, Facts._find_ship_at)

    def shared(self, row: Row, find: Callable[[Facts, Row], Found]) -> Found:
        """Return what rows of one node, day, zone and service share, found once."""
        key = (row["node_id"], row["ship_date"], self.line(row)["lane_zone"], row["carrier"], row["service"])
        known: dict[tuple[Any, ...], Found] = self._shared[find]
        if key not in known:
            known[key] = find(self, row)
        return known[key]

    def _find_ship_at(self, row: Row) -> datetime:
        zone, day = self.zone(row["node_id"]), row["ship_date"]
        own = self.node_days.get((row["node_id"], day), {}).get("cut_off_time")
        lane = self.lane(row)
        texts = [own or self.nodes[row["node_id"]]["cut_off_time"], (lane or {}).get("cut_off_time")]
        times = [parse_time(texts[0]) or time(), *([parse_time(texts[1]) or time()] if texts[1] else [])]
        return datetime.combine(day, min(times), tzinfo=zone).astimezone(UTC)

    def is_open(self, node_id: str, day: date) -> bool:
        """Tell whether the node ships on the day."""
        closed = self.node_days.get((node_id, day), {}).get("is_closed")
        if closed is not None:
            return not closed
        return day.isoweekday() in (parse_days(self.nodes[node_id]["operating_days"]) or ())

    def picks_up(self, row: Row) -> bool:
        """Tell whether the carrier comes on the row's day."""
        lane = self.lane(row) or {}
        weekdays = parse_days(lane.get("pickup_days")) or ()
        return row["ship_date"].isoweekday() in weekdays and (row["carrier"], row["ship_date"]) not in self.closures

    def arrival(self, row: Row) -> date:
        """Return the day on which the carrier has moved the lane's transit days."""
        return self.shared(row, Facts._find_arrival)

    def _find_arrival(self, row: Row) -> date:
        lane = self.lane(row) or {}
        day: date = row["ship_date"]
        weekdays = parse_days(lane.get("transit_weekdays")) or frozenset()
        left = lane.get("transit_days", 0)
        while left > 0 and day < _FOREVER:
            day += timedelta(days=1)
            if day.isoweekday() in weekdays and (row["carrier"], day) not in self.closures:
                left -= 1
        return day

    def arrive_at(self, row: Row) -> datetime:
        """Return the instant at which the row's units have arrived."""
        return self.shared(row, Facts._find_arrive_at)

    def _find_arrive_at(self, row: Row) -> datetime:
        hour = time(self.options.arrival_hour)
        local = datetime.combine(self.arrival(row), hour, tzinfo=self.zone(row["node_id"]))
        return max(local.astimezone(UTC), self.ship_at(row))

    def days_late(self, row: Row) -> int:
        """Return started days after the needed date or the ship-by date, whichever is more."""
        line, overruns = self.line(row), []
        if line["need_at"] is not None:
            overruns.append(self.arrive_at(row) - utc(line["need_at"]))
        if line["ship_by_at"] is not None:
            overruns.append(self.ship_at(row) - utc(line["ship_by_at"]))
        worst = max(overruns, default=timedelta())
        return max(0, -(-worst // timedelta(days=1)))

    def limit(self, line: Row) -> int:
        """Return the most units of a line that its hold, class and pack multiple let ship."""
        most: int = line["quantity"]
        if line["is_on_hold"] or line["allocation_class"] == "lose":
            most = 0
        elif line["allocation_class"] in ("fill", "skip"):
            most = min(most, line["confirmed_quantity"] or 0)
        return most - most % int(line["pack_multiple"])

    def in_scope(self, decision: Row, row: Row) -> bool:
        """Tell whether a planner's decision is about a row of the plan."""
        known = {**self.line(row), **{name: row[name] for name in ("node_id", "carrier", "service", "ship_date")}}
        return all(decision[name] is None or decision[name] == known[name] for name in _SCOPE)

    def use(self, row: Row) -> int:
        """Return the node capacity that one unit of the row takes."""
        own = self.line_nodes.get((row["order_id"], row["line_id"], row["node_id"]), {}).get("capacity_use")
        return int(self.line(row)["work_units"] if own is None else own)

    def freight(self, row: Row) -> int:
        """Return the freight of one unit of the row."""
        own = self.line_nodes.get((row["order_id"], row["line_id"], row["node_id"]), {}).get("cost_per_unit")
        return int((self.lane(row) or {"cost_cents": 0})["cost_cents"] if own is None else own)

    def capacity(self, node_id: str, day: date) -> int | None:
        """Return what the node can pick on the day, None where nobody says."""
        own = self.node_days.get((node_id, day), {}).get("capacity_units")
        usual: int | None = self.nodes[node_id]["daily_capacity_units"]
        return usual if own is None else int(own)

    def doors(self, node_id: str, day: date) -> int | None:
        """Return the node's dock appointments of the day, None where nobody says."""
        own = self.node_days.get((node_id, day), {}).get("dock_appointments")
        usual: int | None = self.nodes[node_id]["daily_dock_appointments"]
        return usual if own is None else int(own)

    @cached_property
    def is_handling_told(self) -> tuple[bool, bool]:
        """Tell whether any node and any lane says what it may handle."""
        nodes, lanes = self.nodes.values(), self.lanes.values()
        return any(row["handling"] for row in nodes), any(row["handling"] for row in lanes)

    @cached_property
    def supply(self) -> dict[Cell, dict[date, int]]:
        """Units becoming shippable per cell and local date: sellable stock, then receipts counted on."""
        found: dict[Cell, dict[date, int]] = defaultdict(lambda: defaultdict(int))
        expired: dict[Cell, int] = defaultdict(int)
        for row in rows_of(self.data.extras["lots"]):
            if row["expires_on"] is not None and row["expires_on"] < self.first:
                expired[row["sku"], row["node_id"]] += row["quantity"]
        columns = ("sku", "node_id", "on_hand", "quarantine")
        for sku, node_id, on_hand, quarantine in self.data.inventory.select(columns).iter_rows():
            found[sku, node_id][date.min] += max(0, on_hand - (quarantine or 0) - expired.get((sku, node_id), 0))
        for row, ready, units in self.receipts():
            found[row["sku"], row["node_id"]][ready] += units
        return {cell: dict(there) for cell, there in found.items()}

    def receipts(self) -> Iterator[tuple[Row, date, int]]:
        """Yield the receipts that are counted on, from which day and with how many units."""
        last = self.first + timedelta(days=self.options.horizon_days)
        zones = {node_id: self.zone(node_id) for node_id in self.nodes}
        for row in rows_of(self.data.receipts):
            expected = row["expected_at"] and utc(row["expected_at"])
            if not row["is_confirmed"] or expected is None or expected < self.options.moment:
                continue
            if row["expires_on"] is not None and row["expires_on"] < self.first:
                continue
            ready = expected.astimezone(zones[row["node_id"]]).date() + timedelta(days=self.options.dock_days)
            if ready <= last:
                yield row, ready, row["quantity"] * (BASIS - self.options.receipt_haircut_bp) // BASIS

    def lots(self) -> dict[Cell, list[tuple[date, date, int]]]:
        """Return per cell with dated lots: (there from, expires, units); what no lot names does not expire."""
        if not self.data.extras["lots"]["expires_on"].count() and not self.data.receipts["expires_on"].count():
            return {}
        found: dict[Cell, list[tuple[date, date, int]]] = defaultdict(list)
        dated: set[Cell] = set()
        named: dict[Cell, int] = defaultdict(int)
        for row in rows_of(self.data.extras["lots"]):
            cell = (row["sku"], row["node_id"])
            if row["expires_on"] is None or row["expires_on"] >= self.first:
                found[cell].append((date.min, row["expires_on"] or _FOREVER, row["quantity"]))
                named[cell] += row["quantity"]
                dated |= {cell} if row["expires_on"] and row["quantity"] else set()
        for cell, there in self.supply.items():
            found[cell].append((date.min, _FOREVER, max(0, there.get(date.min, 0) - named[cell])))
        for row, ready, units in self.receipts():
            cell = (row["sku"], row["node_id"])
            found[cell].append((ready, row["expires_on"] or _FOREVER, units))
            dated |= {cell} if row["expires_on"] and units else set()
        return {cell: lots for cell, lots in found.items() if cell in dated}

    def release_date(self, reservation: Row) -> date:
        """Return the date from which a reservation no longer holds, the last date of all where it never ends."""
        if reservation["release_at"] is None:
            return _FOREVER
        node = self.nodes[reservation["node_id"]]
        local = utc(reservation["release_at"]).astimezone(self.zone(reservation["node_id"]))
        late = local.time() > (parse_time(node["cut_off_time"]) or time())
        return local.date() + timedelta(days=int(late))


def rows_of(frame: pl.DataFrame) -> Iterator[Row]:
    """Yield a frame's rows as dictionaries."""
    yield from frame.iter_rows(named=True)


def utc(moment: datetime) -> datetime:
    """Return an instant of a frame with its zone."""
    return moment.replace(tzinfo=UTC)


def caps_over(caps: tuple[CarrierCap, ...], row: Row, zone: str) -> Iterator[tuple[int, CarrierCap]]:
    """Yield the pick-up limits that a row of the plan falls under, with their number."""
    for number, cap in enumerate(caps):
        is_then = (cap.first_date or date.min) <= row["ship_date"] <= (cap.last_date or date.max)
        scope = ((cap.node_id, row["node_id"]), (cap.service, row["service"]), (cap.lane_zone, zone))
        if cap.carrier == row["carrier"] and is_then and all(own is None or own == is_ for own, is_ in scope):
            yield number, cap


def shipped_units(rows: list[Row]) -> dict[Key, int]:
    """Return units per line of a plan."""
    units: dict[Key, int] = defaultdict(int)
    for row in rows:
        units[row["order_id"], row["line_id"]] += row["quantity"]
    return units
