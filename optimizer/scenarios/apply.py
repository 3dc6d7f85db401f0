"""Applies typed changes to a world, one function per kind. Names that the data does not have are faults, not no-ops.

A name is checked against the data as it stands when its change is reached, so a service added by one change can be
limited by the next. A change that is well-formed but touches nothing says so in the notes.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import polars as pl

from optimizer.allocation import AllocationData, AllocationOptions, AllocationResult, CarrierCap, allocate
from optimizer.allocation.frames import parse_time
from optimizer.allocation.options import Weights
from optimizer.allocation.world import World, naive_utc
from optimizer.errors import InvalidDataError, InvalidScenarioError
from optimizer.scenarios import model as m

_LINE_FILTERS: Final = {
    "orders": "order_id",
    "channels": "channel",
    "customers": "customer_id",
    "skus": "sku",
    "zones": "lane_zone",
    "hold_types": "hold_type",
}
_SHOWN_NAMES: Final = 8


@dataclass(slots=True)
class _Log:
    """What went wrong and what was done, in the order of the changes."""

    where: str = ""
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        self.faults.append(f"{self.where}: {text}")

    def note(self, text: str) -> None:
        self.notes.append(f"{self.where}: {text}")


def apply_scenario(world: World, scenario: m.Scenario) -> tuple[World, tuple[str, ...]]:
    """Return the world under a scenario's options and changes, and one note for each change.

    Raises:
        InvalidScenarioError: A name is not in the data or an option means nothing; all faults are listed.
    """
    return _apply(world, scenario.options, scenario.changes, where="")


def apply_later(world: World, later: m.Later) -> tuple[World, tuple[str, ...]]:
    """Return the world under the options and changes of a second stage.

    Raises:
        InvalidScenarioError: As `apply_scenario`.
    """
    return _apply(world, later.options, later.changes, where="later.")


def _apply(
    world: World, options: Mapping[str, Any], changes: Sequence[m.Change], *, where: str
) -> tuple[World, tuple[str, ...]]:
    log = _Log()
    try:
        world = world.with_options(merged_options(world.options, options))
    except InvalidDataError as error:
        log.faults += [f"{where}options: {fault.removeprefix('allocation options: ')}" for fault in error.faults]
    for place, change in enumerate(changes, start=1):
        log.where = f"{where}changes[{place}] {change.change}"
        before = len(log.faults)
        changed = _APPLIERS[type(change)](world, change, log)
        world = changed if len(log.faults) == before else world
    if log.faults:
        raise InvalidScenarioError(log.faults)
    return world, tuple(log.notes)


def merged_options(options: AllocationOptions, given: Mapping[str, Any]) -> AllocationOptions:
    """Return options with some fields replaced as a scenario file writes them; weights are merged one by one.

    Raises:
        InvalidDataError: A name is unknown or a value means nothing.
    """
    known = {item.name for item in fields(AllocationOptions)} - {"as_of"}
    weights = given.get("weights") or {}
    faults = [_unknown("option", name, known) for name in given if name not in known]
    if not isinstance(weights, Mapping):
        faults.append(f"weights is {weights!r}; expected names and whole numbers")
    else:
        names = {item.name for item in fields(Weights)}
        faults += [_unknown("weight", name, names) for name in weights if name not in names]
    if faults:
        raise InvalidDataError(faults)
    document = dict(given)
    if weights:
        document["weights"] = {**asdict(options.weights), **weights}
    read = AllocationOptions.from_document(document, as_of=options.as_of)
    return replace(options, **{name: getattr(read, name) for name in document})


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(map(str, known))
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    shown = ", ".join(names[:_SHOWN_NAMES]) + (f" … ({len(names)} in all)" if len(names) > _SHOWN_NAMES else "")
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"unknown {what} {name!r}{hint}; expected one of {shown or 'none: the data has none'}"


def _names(world: World, frame: str, column: str) -> set[str]:
    return set(world.frame(frame)[column].drop_nulls().cast(pl.String).to_list())


def _skus(world: World) -> set[str]:
    return _names(world, "inventory", "sku") | _names(world, "open_lines", "sku")


def _check(log: _Log, what: str, given: Iterable[str], known: set[str]) -> None:
    for name in given:
        if name not in known:
            log.fault(_unknown(what, name, known))


def _check_nodes(world: World, log: _Log, *nodes: str) -> None:
    _check(log, "node", nodes, _names(world, "nodes", "node_id"))


def line_mask(world: World, lines: m.Lines, log: _Log) -> pl.Expr:
    """Return which open lines are meant; unknown names become faults."""
    mask = pl.lit(value=True)
    for given, column in _LINE_FILTERS.items():
        names: tuple[str, ...] = getattr(lines, given)
        if names:
            known = _names(world, "open_lines", column)
            _check(log, given.rstrip("s").replace("_", " "), names, known | _elsewhere(world, column))
            mask &= pl.col(column).is_in(list(names)).fill_null(value=False)
    if lines.max_rank is not None:
        mask &= (pl.col("priority_rank") <= lines.max_rank).fill_null(value=False)
    return mask


def _elsewhere(world: World, column: str) -> set[str]:
    """Names that are known though no line is open for them today."""
    if column == "sku":
        return _skus(world)
    if column == "lane_zone":
        return _names(world, "lanes", "lane_zone")
    if column == "channel":
        return _names(world, "channel_reservations", "channel")
    return {"credit", "fraud", "address", "payment", "stock"} if column == "hold_type" else set()


def _count(world: World, frame: str, mask: pl.Expr) -> int:
    return world.frame(frame).filter(mask.fill_null(value=False)).height


def _scoped(world: World, log: _Log, *, skus: Sequence[str] = (), nodes: Sequence[str] = ()) -> pl.Expr:
    mask = pl.lit(value=True)
    if skus:
        _check(log, "SKU", skus, _skus(world))
        mask &= pl.col("sku").is_in(list(skus))
    if nodes:
        _check_nodes(world, log, *nodes)
        mask &= pl.col("node_id").is_in(list(nodes))
    return mask


def _supply(world: World, change: m.Supply, log: _Log) -> World:
    mask = _scoped(world, log, skus=[change.sku], nodes=[change.node])
    if _count(world, "inventory", mask):
        log.note(f"{change.add:+,} units of {change.sku} at {change.node}")
        return world.put("inventory", mask, on_hand=pl.col("on_hand") + change.add)
    if change.add < 0:
        log.fault(f"there is no stock of {change.sku} at {change.node} to take {-change.add} units from")
        return world
    log.note(f"{change.add:+,} units of {change.sku} at {change.node}, where there was none")
    row = {"sku": change.sku, "node_id": change.node, "on_hand": change.add, "quarantine": 0, "safety_stock": 0}
    return world.add_rows("inventory", pl.DataFrame([row]))


def _receipts(world: World, change: m.Receipts, log: _Log) -> World:
    mask = _scoped(world, log, skus=change.skus, nodes=change.nodes)
    if change.receipts:
        _check(log, "receipt", change.receipts, _names(world, "inbound_receipts", "receipt_id"))
        mask &= pl.col("receipt_id").is_in(list(change.receipts))
    log.note(f"{_count(world, 'inbound_receipts', mask)} receipts are changed")
    values: dict[str, pl.Expr | object] = {
        "expected_at": pl.col("expected_at") + timedelta(days=change.late_days),
        "quantity": (pl.col("quantity").cast(pl.Float64) * (100 - change.lost_percent) / 100).floor(),
    }
    if change.confirm is not None:
        values["is_confirmed"] = change.confirm
    return world.put("inbound_receipts", mask, **values)


def _new_receipt(world: World, change: m.NewReceipt, log: _Log) -> World:
    _scoped(world, log, skus=[change.sku], nodes=[change.node])
    expected = change.expected or naive_utc(world.options.moment) + timedelta(days=change.in_days or 0)
    log.note(f"{change.quantity:,} units of {change.sku} come to {change.node} on {expected:%Y-%m-%d}")
    return world.add_rows(
        "inbound_receipts", pl.DataFrame([_receipt(change.sku, change.node, change.quantity, expected)])
    )


def _receipt(sku: str, node: str, quantity: int, expected: datetime | date) -> dict[str, Any]:
    # A date alone is taken as noon UTC: the same day in every zone from -11 to +11.
    at = naive_utc(expected) if isinstance(expected, datetime) else datetime.combine(expected, datetime.min.time())
    return {
        "receipt_id": f"scenario-{sku}-{node}-{expected:%Y%m%d}",
        "sku": sku,
        "node_id": node,
        "quantity": quantity,
        "is_confirmed": True,
        "expected_at": at if isinstance(expected, datetime) else at + timedelta(hours=12),
    }


def _transfer(world: World, change: m.Transfer, log: _Log) -> World:
    _check_nodes(world, log, change.from_node, change.to_node)
    if change.from_node == change.to_node:
        log.fault(f"from_node and to_node are both {change.from_node}")
    mask = _scoped(world, log, skus=change.skus) & (pl.col("node_id") == change.from_node)
    if log.faults:
        return world
    free = (
        pl.col("on_hand").cast(pl.Int64)
        - pl.col("quarantine").cast(pl.Int64).fill_null(0)
        - pl.col("safety_stock").cast(pl.Int64).fill_null(0)
    ).clip(lower_bound=0)
    moved = (free * change.percent) // 100
    frame = world.frame("inventory").filter(mask).select("sku", moved.alias("quantity")).filter(pl.col("quantity") > 0)
    log.note(f"{int(frame['quantity'].sum()):,} units of {frame.height} SKUs go to {change.to_node}")
    arrives = naive_utc(world.options.moment) + timedelta(days=change.days)
    rows = [_receipt(sku, change.to_node, quantity, arrives) for sku, quantity in frame.iter_rows()]
    world = world.put("inventory", mask, on_hand=pl.col("on_hand").cast(pl.Int64) - moved)
    return world.add_rows("inbound_receipts", pl.DataFrame(rows)) if rows else world


def _demand(world: World, change: m.Demand, log: _Log) -> World:
    mask = line_mask(world, change.lines, log)
    chosen = world.frame("open_lines").filter(mask)
    orders = chosen["order_id"].unique().sort()
    parts = [world.frame("open_lines")]
    for place, order_id in enumerate(orders.to_list()):
        copies = (place + 1) * change.percent // 100 - place * change.percent // 100
        lines = chosen.filter(pl.col("order_id") == order_id)
        parts += [
            lines.with_columns(pl.lit(f"surge{number + 1}-{order_id}").alias("order_id")) for number in range(copies)
        ]
    log.note(f"{sum(part.height for part in parts[1:])} more lines like {chosen.height} of today's")
    return world.with_frame("open_lines", pl.concat(parts))


def _node(world: World, change: m.Node, log: _Log) -> World:
    _check_nodes(world, log, change.node)
    here = pl.col("node_id") == change.node
    if change.cut_off is not None and parse_time(change.cut_off) is None:
        log.fault(f"cut_off {change.cut_off!r}; expected HH:MM")
    if change.capacity_percent is not None:
        given = world.frame("nodes").filter(here)["daily_capacity_units"].to_list()
        if given and given[0] is None:
            log.fault(
                f"{change.node} has no daily capacity to take {change.capacity_percent} % of; give capacity_units"
            )
    if log.faults:
        return world
    if change.capacity_percent is not None:
        share = (pl.col("daily_capacity_units").cast(pl.Float64) * change.capacity_percent / 100).floor()
        world = world.put("nodes", here, daily_capacity_units=share)
    if change.capacity_units is not None:
        world = world.put("nodes", here, daily_capacity_units=change.capacity_units)
    if change.cut_off is not None:
        world = world.put("nodes", here, cut_off_time=change.cut_off.zfill(5))
    if change.slip_days:
        world = world.put("lanes", here, transit_days=pl.col("transit_days").cast(pl.Int64) + change.slip_days)
    if change.closed_from is not None and change.closed_to is not None:
        world = _closed(world, change.node, change.closed_from, change.closed_to)
    log.note(f"{change.node} is changed")
    return world


def _closed(world: World, node: str, first: date, last: date) -> World:
    """A closed node hands nothing to any carrier on those days."""
    lanes = world.frame("lanes").filter(pl.col("node_id") == node)
    carriers = sorted({carrier or "" for carrier in lanes["carrier"].to_list()}) or [""]
    caps = [CarrierCap(carrier=name, node_id=node, units=0, first_date=first, last_date=last) for name in carriers]
    return world.with_options(replace(world.options, carrier_caps=(*world.options.carrier_caps, *caps)))


def _carrier_delay(world: World, change: m.CarrierDelay, log: _Log) -> World:
    mask = _lane_mask(world, change.carrier, change.nodes, change.zones, log)
    if change.services:
        _check(log, "service", change.services, _names(world, "lanes", "service"))
        mask &= pl.col("service").is_in(list(change.services))
    critical = None if change.critical is None else line_mask(world, change.critical, log)
    if log.faults:
        return world
    world = world.put("lanes", mask, transit_days=pl.col("transit_days").cast(pl.Int64) + change.late_days)
    log.note(f"{_count(world, 'lanes', mask)} lanes of {change.carrier} take {change.late_days} days more")
    if critical is None:
        return world
    world, count = _own_lanes(world, critical, "critical", drop=mask, add=change.secondary)
    log.note(f"{count} critical lines leave {change.carrier} where another carrier serves them")
    return world


def _lane_mask(world: World, carrier: str, nodes: Sequence[str], zones: Sequence[str], log: _Log) -> pl.Expr:
    if world.frame("lanes").is_empty():
        log.fault("lanes are switched off: the feed gives none, so carriers cannot be changed")
    else:
        _check(log, "carrier", [carrier], _names(world, "lanes", "carrier"))
    mask = _scoped(world, log, nodes=nodes) & (pl.col("carrier") == carrier)
    if zones:
        _check(log, "zone", zones, _names(world, "lanes", "lane_zone"))
        mask &= pl.col("lane_zone").is_in(list(zones))
    return mask


def _own_lanes(
    world: World, lines: pl.Expr, label: str, *, drop: pl.Expr | None = None, add: Sequence[m.Service] = ()
) -> tuple[World, int]:
    """Give the chosen lines a zone of their own: today's lanes, less some of them, plus others.

    A node and zone that would lose its last lane keeps what it has. Lines of unknown zone stay as they are.
    """
    chosen = lines.fill_null(value=False) & pl.col("lane_zone").is_not_null()
    zones = world.frame("open_lines").filter(chosen)["lane_zone"].unique().sort().to_list()
    renamed = {zone: f"{zone} ({label})" for zone in zones}
    lanes = world.frame("lanes").filter(pl.col("lane_zone").is_in(zones))
    kept = lanes.filter(~drop.fill_null(value=False)) if drop is not None else lanes
    extra = [_service_lanes(world, service, zones) for service in add]
    offered = pl.concat([kept, *extra], how="diagonal")
    bare = lanes.join(offered, on=["node_id", "lane_zone"], how="anti")
    own = pl.concat([offered, bare]).with_columns(pl.col("lane_zone").replace(renamed))
    fresh = own.join(world.frame("lanes"), on=["node_id", "lane_zone", "carrier", "service"], how="anti")
    world = world.with_frame("lanes", pl.concat([world.frame("lanes"), fresh]))
    count = _count(world, "open_lines", chosen)
    return world.put("open_lines", chosen, lane_zone=pl.col("lane_zone").replace(renamed)), count


def _service_lanes(world: World, service: m.Service, zones: Sequence[str]) -> pl.DataFrame:
    """Return lanes of a service from every node that serves the zones."""
    lanes = world.frame("lanes")
    wanted = pl.col("lane_zone").is_in(list(zones))
    if service.nodes:
        wanted &= pl.col("node_id").is_in(list(service.nodes))
    if service.zones:
        wanted &= pl.col("lane_zone").is_in(list(service.zones))
    served = lanes.filter(wanted).select("node_id", "lane_zone").unique(maintain_order=True)
    made = served.with_columns(
        pl.lit(service.carrier).alias("carrier"),
        pl.lit(service.service).alias("service"),
        pl.lit(service.transit_days).cast(lanes.schema["transit_days"]).alias("transit_days"),
        pl.lit(service.cost_per_unit).cast(lanes.schema["cost_per_unit"]).alias("cost_per_unit"),
    )
    return pl.concat([lanes.clear(), made], how="diagonal")


def _expedite(world: World, change: m.Expedite, log: _Log) -> World:
    if world.frame("lanes").is_empty():
        log.fault("lanes are switched off: the feed gives none, so no service can be added")
        return world
    _check_nodes(world, log, *change.nodes)
    zones = _names(world, "lanes", "lane_zone")
    _check(log, "zone", change.zones, zones)
    lines = None if change.lines is None else line_mask(world, change.lines, log)
    if log.faults:
        return world
    if lines is None:
        rows = _service_lanes(world, change, sorted(zones))
        fresh = rows.join(world.frame("lanes"), on=["node_id", "lane_zone", "carrier", "service"], how="anti")
        world = world.with_frame("lanes", pl.concat([world.frame("lanes"), fresh]))
        log.note(f"{change.carrier} {change.service} is offered on {fresh.height} lanes")
    else:
        world, count = _own_lanes(world, lines, change.service, add=[change])
        log.note(f"{change.carrier} {change.service} is offered to {count} lines")
    if change.units_per_day is None:
        return world
    nodes = change.nodes or tuple(sorted(_names(world, "nodes", "node_id")))
    caps = [CarrierCap(carrier=change.carrier, node_id=node, units=change.units_per_day) for node in nodes]
    return world.with_options(replace(world.options, carrier_caps=(*world.options.carrier_caps, *caps)))


def _carrier_limit(world: World, change: m.CarrierLimit, log: _Log) -> World:
    _check_nodes(world, log, change.node)
    _check(log, "carrier", [change.carrier], _names(world, "lanes", "carrier"))
    cap = CarrierCap(
        carrier=change.carrier,
        node_id=change.node,
        units=change.units_per_day,
        first_date=change.first,
        last_date=change.last,
    )
    log.note(f"{change.carrier} takes {change.units_per_day:,} units a day at {change.node}")
    return world.with_options(replace(world.options, carrier_caps=(*world.options.carrier_caps, cap)))


def _window(world: World, change: m.Window, log: _Log) -> World:
    mask = line_mask(world, change.lines, log)
    log.note(f"{_count(world, 'open_lines', mask)} lines have another window")
    start, end = timedelta(days=change.start_days), timedelta(days=change.end_days)
    cancel = timedelta(days=change.cancel_days or change.end_days)
    return world.put(
        "open_lines",
        mask,
        ship_not_before_at=pl.col("ship_not_before_at") + start,
        ship_by_at=pl.col("ship_by_at") + end,
        need_at=pl.col("need_at") + end,
        cancel_after_at=pl.col("cancel_after_at") + cancel,
    )


def _throttle(world: World, change: m.PromiseThrottle, log: _Log) -> World:
    mask = line_mask(world, change.lines, log)
    if change.captured_after is not None:
        mask &= pl.col("captured_at") >= naive_utc(change.captured_after)
    frame = world.frame("open_lines")
    orders = frame.filter(mask.fill_null(value=False))["order_id"].unique().sort().to_list()
    share = change.lost_percent
    lost = [order for place, order in enumerate(orders) if (place + 1) * share // 100 > place * share // 100]
    world = world.with_frame("open_lines", frame.filter(~pl.col("order_id").is_in(lost)))
    later = timedelta(days=change.days)
    log.note(f"{len(orders)} orders are promised {change.days} days later; {len(lost)} of them are not placed then")
    return world.put("open_lines", mask, need_at=pl.col("need_at") + later, ship_by_at=pl.col("ship_by_at") + later)


def _release_holds(world: World, change: m.ReleaseHolds, log: _Log) -> World:
    mask = line_mask(world, change.lines, log) & pl.col("is_on_hold").fill_null(value=False)
    log.note(f"{_count(world, 'open_lines', mask)} held lines are released")
    return world.put("open_lines", mask, is_on_hold=False, hold_type=pl.lit(None, dtype=pl.String))


def _substitute(world: World, change: m.Substitute, log: _Log) -> World:
    """Offer the other SKU for units that stay short or late, worst first, while the plan leaves it free."""
    _check(log, "SKU", [change.sku, change.by], _skus(world))
    mask = line_mask(world, change.lines, log) & (pl.col("sku") == change.sku)
    if log.faults:
        return world
    data = world.data()
    plan = allocate(data)
    missing = _missing(plan).join(world.frame("open_lines").filter(mask), on=["order_id", "line_id"], how="semi")
    offered = (pl.col("missing").cum_sum().clip(upper_bound=_free_units(data, plan, change.by))).alias("upto")
    taken = missing.with_columns(offered).with_columns(
        (pl.col("upto") - pl.col("upto").shift(1, fill_value=0)).alias("taken")
    )
    taken = taken.filter(pl.col("taken") > 0).select("order_id", "line_id", "taken")
    log.note(
        f"{change.by} stands in for {int(taken['taken'].sum()):,} of {int(missing['missing'].sum()):,} short or late "
        f"units of {change.sku}, on {taken.height} lines"
    )
    return _with_substitutes(world, taken, change.by)


def _missing(plan: AllocationResult) -> pl.DataFrame:
    """Return lines with units that are short (not held) or late, short ones and then the latest first."""
    key = ["order_id", "line_id"]
    short = plan.shorts.filter(~pl.col("reason").str.starts_with("HOLD_")).select(*key, pl.col("short_quantity"))
    both = short.join(plan.lates.select(*key, "late_quantity", "days_late"), on=key, how="full", coalesce=True)
    return both.select(
        *key,
        (pl.col("short_quantity").fill_null(0) + pl.col("late_quantity").fill_null(0)).alias("missing"),
        pl.col("short_quantity").fill_null(0).alias("short"),
        pl.col("days_late").fill_null(0),
    ).sort("short", "days_late", *key, descending=[True, True, False, False])


def _free_units(data: AllocationData, plan: AllocationResult, sku: str) -> int:
    usable = pl.col("on_hand") - pl.col("quarantine").fill_null(0) - pl.col("safety_stock").fill_null(0)
    there = data.inventory.filter(pl.col("sku") == sku).select(usable.clip(lower_bound=0).sum()).item() or 0
    drawn = plan.allocations.filter(pl.col("sku") == sku)["quantity"].sum()
    return max(0, int(there) - int(drawn))


def _with_substitutes(world: World, taken: pl.DataFrame, sku: str) -> World:
    frame = world.frame("open_lines")
    kind, cost = frame.schema["open_quantity"], _unit_cost(world, sku)
    keyed = frame.join(taken, on=["order_id", "line_id"], how="left", maintain_order="left")
    offered = keyed.filter(pl.col("taken").is_not_null()).with_columns(
        pl.lit(sku).alias("sku"),
        pl.col("taken").cast(kind).alias("open_quantity"),
        (pl.col("line_id") + "+sub").alias("line_id"),
        (pl.col("unit_cost") if cost is None else pl.lit(cost).cast(frame.schema["unit_cost"])).alias("unit_cost"),
    )
    rest = keyed.with_columns(
        (pl.col("open_quantity") - pl.col("taken").fill_null(0)).cast(kind).alias("open_quantity")
    ).filter(pl.col("open_quantity") > 0)
    return world.with_frame("open_lines", pl.concat([rest, offered]).drop("taken"))


def _unit_cost(world: World, sku: str) -> object:
    costs = world.frame("open_lines").filter(pl.col("sku") == sku)["unit_cost"].drop_nulls()
    return costs[0] if costs.len() else None


def _reserve(world: World, change: m.Reserve, log: _Log) -> World:
    channels = _names(world, "channel_reservations", "channel") | _names(world, "open_lines", "channel")
    _check(log, "channel", [change.channel, *([change.move_to] if change.move_to else [])], channels)
    mask = _scoped(world, log, skus=change.skus, nodes=change.nodes) & (pl.col("channel") == change.channel)
    if log.faults:
        return world
    frame = world.frame("channel_reservations")
    kind, whole = frame.schema["quantity"], pl.col("quantity").cast(pl.Int64)
    share = whole * change.percent // 100
    log.note(f"{_count(world, 'channel_reservations', mask)} reservations of {change.channel} are changed")
    if change.move_to is None:
        return world.put("channel_reservations", mask, quantity=share)
    # `percent` of the units go over; what the other channel has there already is added to.
    moved = frame.filter(mask).with_columns(
        pl.lit(change.move_to).alias("channel"), pl.when(mask).then(share).otherwise(whole).cast(kind).alias("quantity")
    )
    rest = world.put("channel_reservations", mask, quantity=whole - share).frame("channel_reservations")
    keys = ["sku", "node_id", "channel"]
    others = [name for name in frame.columns if name not in (*keys, "quantity")]
    both = (
        pl.concat([rest, moved])
        .group_by(keys, maintain_order=True)
        .agg(pl.col("quantity").sum().cast(kind), *(pl.col(name).first() for name in others))
    )
    return world.with_frame("channel_reservations", both.select(frame.columns))


def _safety_stock(world: World, change: m.SafetyStock, log: _Log) -> World:
    mask = _scoped(world, log, skus=change.skus, nodes=change.nodes)
    mask &= (pl.col("safety_stock").cast(pl.Int64) > 0).fill_null(value=False)
    log.note(f"{_count(world, 'inventory', mask)} safety stocks are changed")
    return world.put("inventory", mask, safety_stock=pl.col("safety_stock").cast(pl.Int64) * change.percent // 100)


def _policy(world: World, change: m.Policy, log: _Log) -> World:
    mask = line_mask(world, change.lines, log)
    values: dict[str, pl.Expr | object] = {}
    if change.rank is not None:
        values["priority_rank"] = change.rank
    if change.ship_complete is not None:
        values["is_ship_complete"] = change.ship_complete
    if change.fine_percent is not None:
        values["fine_rate"] = change.fine_percent / 100
    if not values:
        log.fault("changes nothing; expected rank, ship_complete or fine_percent")
        return world
    log.note(f"{_count(world, 'open_lines', mask)} lines are treated otherwise")
    return world.put("open_lines", mask, **values)


_APPLIERS: Final[Mapping[type[Any], Callable[[World, Any, _Log], World]]] = {
    m.Supply: _supply,
    m.Receipts: _receipts,
    m.NewReceipt: _new_receipt,
    m.Transfer: _transfer,
    m.Demand: _demand,
    m.Node: _node,
    m.CarrierDelay: _carrier_delay,
    m.Expedite: _expedite,
    m.CarrierLimit: _carrier_limit,
    m.Window: _window,
    m.PromiseThrottle: _throttle,
    m.ReleaseHolds: _release_holds,
    m.Substitute: _substitute,
    m.Reserve: _reserve,
    m.SafetyStock: _safety_stock,
    m.Policy: _policy,
}


def kinds() -> Iterator[str]:
    """Yield the word of every kind of change that can be applied."""
    yield from (kind.model_fields["change"].default for kind in _APPLIERS)
