"""When wishes cannot all hold: which break and what that costs, the smallest set that clashes, the cheapest way out.

The program of model.py is never infeasible: shipping nothing satisfies it. It becomes so when people add *commitments*
("wholesale gets 60 %", "this order ships in full, on time"). Three answers:

- `elastic_plan`: the best plan when every commitment may be broken at its price;
- `find_conflict`: a smallest set of rules, kept reserves and safety stock among them, that cannot all hold (leave any
  one out and the others can), the stock or capacity it clashes on, and how many units are missing;
- `Conflict.ways_out`: each rule of the set left alone and given up in turn, solved again, cheapest first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from optimizer.allocation.options import Reserve
from optimizer.allocation.plan import Problem, objective_cents
from optimizer.allocation.result import AllocationResult
from optimizer.allocation.rows import ExtraRow, RowAnswer, arcs_of, as_result, forced_problem, solve_rows
from optimizer.allocation.world import World
from optimizer.errors import InvalidDataError

PRICE_CENTS: Final = 2_000
"""Cents per unit by which a commitment is broken, where it does not say (assumption: fairness, $20 as measured)."""

_PLENTY: Final = 10**6
_MOST_FACTS: Final = 40
_SHOWN_SKUS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """A promise people want kept.

    Attributes:
        name: What it is called in sentences, e.g. "wholesale floor 60 %".
        fill_percent: Share of the chosen lines' open units that has to ship, rounded up to whole units.
        order_id: Only this order.
        channel: Only this channel.
        customer_id: Only this customer.
        sku: Only this SKU.
        node_id: Only units from this node count.
        on_time: Only units that arrive on time count.
        price_cents: What a missing unit costs when the commitment is broken.
    """

    name: str
    fill_percent: float = 100.0
    order_id: str | None = None
    channel: str | None = None
    customer_id: str | None = None
    sku: str | None = None
    node_id: str | None = None
    on_time: bool = False
    price_cents: int = PRICE_CENTS

    def lines(self, open_lines: pl.DataFrame) -> pl.DataFrame:
        """Return the open lines it is about; held lines are nobody's promise."""
        chosen = open_lines.filter(~pl.col("is_on_hold").fill_null(value=False))
        for column in ("order_id", "channel", "customer_id", "sku"):
            value = getattr(self, column)
            if value is not None:
                chosen = chosen.filter(pl.col(column) == value)
        return chosen

    def row(self, problem: Problem, *, price: bool) -> ExtraRow:
        """Return the row of the program that keeps it."""
        lines = self.lines(problem.data.lines)
        mask = pl.col("line").is_in(lines["line"].implode())
        if self.on_time:
            mask &= pl.col("days_late") == 0
        if self.node_id is not None:
            mask &= pl.col("node_id") == self.node_id
        units = -(-int(lines["quantity"].sum()) * round(self.fill_percent * 100) // 10_000)
        return ExtraRow(self.name, arcs_of(problem, mask), units, self.price_cents if price else None)


@dataclass(frozen=True, slots=True)
class BrokenCommitment:
    """A commitment that a plan breaks: by how many units, and at what price."""

    name: str
    units: int
    cents: int


@dataclass(frozen=True, slots=True, eq=False)
class ElasticPlan:
    """The best plan when commitments may be broken at their price, and what is broken."""

    result: AllocationResult
    broken: tuple[BrokenCommitment, ...]


@dataclass(frozen=True, slots=True)
class WayOut:
    """One rule given up, as little as pays: the cheapest comes first.

    Attributes:
        gives_up: The rule in words.
        units: Units that the commitment misses, or that the reserve no longer keeps.
        objective_cents: What the plan is worth then, every other rule kept.
        cost_cents: What that is less than the best plan without commitments, and the price of the missed units.
    """

    gives_up: str
    units: int
    objective_cents: int
    cost_cents: int

    def words(self) -> str:
        """Return what is given up, and how much of it."""
        return f"{self.gives_up} ({self.units:,} unit{'' if self.units == 1 else 's'})"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rules that cannot all hold.

    Attributes:
        rules: The smallest set, in words.
        places: The stock or capacity it clashes on, in words.
        before: The next confirmed receipt that comes too late for it; None if there is none.
        units: Units missing at least.
        ways_out: Each rule of the set given up in turn, cheapest first; rules that cost nothing to name are left out.
    """

    rules: tuple[str, ...]
    places: tuple[str, ...]
    before: date | None
    units: int
    ways_out: tuple[WayOut, ...] = ()

    def words(self) -> str:
        """Return the conflict as one sentence."""
        named = _listed(self.rules)
        verb = "cannot hold" if len(self.rules) == 1 else f"cannot {'both' if len(self.rules) == 2 else 'all'} hold"
        place = f" on {_listed(self.places)}" if self.places else ""
        before = f" before the {self.before.day} {self.before:%B} receipt" if self.before else ""
        return f"{named} {verb}{place}{before}; {self.units:,} units short"


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    """A rule by name; `drop` takes it out of the world (None for commitments, which are rows)."""

    name: str
    commitment: Commitment | None = None
    drop: Callable[[World], World] | None = field(default=None)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where rules clash: words, SKU (None for capacity) and node (None for all)."""

    words: str
    sku: str | None
    node: str | None


def elastic_plan(world: World, commitments: Sequence[Commitment]) -> ElasticPlan:
    """Return the best plan when every commitment may be broken at its price.

    Raises:
        InvalidDataError: A commitment is about no open line, two have one name, or the data has faults.
    """
    _check(world, commitments)
    started = time.monotonic()
    problem = forced_problem(world, _their_lines(world, commitments))
    rows = [commitment.row(problem, price=True) for commitment in commitments]
    answer = solve_rows(problem, rows)
    if answer.plan is None:  # shipping nothing and paying every price is a plan
        message = "the solver found no plan although breaking every commitment is one; raise kill_seconds"
        raise InvalidDataError([message])
    prices = {commitment.name: commitment.price_cents for commitment in commitments}
    broken = tuple(BrokenCommitment(name, units, units * prices[name]) for name, units in sorted(answer.broken.items()))
    paid = sum(item.cents for item in broken)
    is_best = answer.answer.status.value == "optimal"
    bound = int(answer.answer.bound) + paid if not is_best else objective_cents(problem, answer.plan)
    return ElasticPlan(as_result(problem, answer.plan, started=started, is_best=is_best, bound_cents=bound), broken)


def find_conflict(world: World, commitments: Sequence[Commitment], *, ways_out: bool = True) -> Conflict | None:
    """Return a smallest set of rules that cannot all hold, or None when all commitments can be kept.

    Args:
        world: The problem.
        commitments: What people want kept.
        ways_out: Also solve what each rule of the set is worth giving up.

    Raises:
        InvalidDataError: A commitment is about no open line, two have one name, or the data has faults.
    """
    _check(world, commitments)
    if not commitments:
        return None
    small = _only(world, _their_lines(world, commitments))
    rules = [*_reserve_rules(small), *(_Rule(item.name, commitment=item) for item in commitments)]
    if _possible(small, rules, rules):
        return None
    core = _smallest(rules, lambda kept: _possible(small, rules, kept))
    bare = _without(small, [rule for rule in rules if rule not in core])
    held = [rule.commitment for rule in core if rule.commitment is not None]
    inside = _only(bare, _their_lines(bare, held))
    answer = _least_broken(inside, held)
    places = _places(inside, core, answer)
    conflict = Conflict(
        rules=tuple(rule.name for rule in sorted(core, key=lambda rule: (rule.commitment is None, rules.index(rule)))),
        places=tuple(place.words for place in places),
        before=_next_receipt(inside, held, places),
        units=sum(answer.broken.values()),
    )
    if not ways_out:
        return conflict
    outs = _ways_out(world, commitments, core)
    return Conflict(conflict.rules, conflict.places, conflict.before, conflict.units, outs)


def find_conflicts(world: World, commitments: Sequence[Commitment]) -> tuple[Conflict, ...]:
    """Return why commitments cannot be kept, one clash after the other: each leaves out what the one before gives up.

    Args:
        world: The problem.
        commitments: What people want kept.

    Raises:
        InvalidDataError: A commitment is about no open line, two have one name, or the data has faults.
    """
    left, found = list(commitments), []
    while left and (conflict := find_conflict(world, left)) is not None:
        found.append(conflict)
        named = [*(way.gives_up for way in conflict.ways_out), *conflict.rules]
        promised = {item.name for item in left}
        given_up = next(name for name in named if name in promised)
        left = [item for item in left if item.name != given_up]
    return tuple(found)


def _check(world: World, commitments: Sequence[Commitment]) -> None:
    names = [item.name for item in commitments]
    faults = [
        f"commitment {name!r} comes twice; names must differ" for name in sorted(set(names)) if names.count(name) > 1
    ]
    for item in commitments:
        if item.lines(world.frame("open_lines")).is_empty():
            faults.append(f"commitment {item.name!r} is about no open line that is not on hold")
        if not 0 <= item.fill_percent <= 100:
            faults.append(f"commitment {item.name!r}: fill_percent {item.fill_percent:g}; expected 0 to 100")
    if faults:
        raise InvalidDataError(faults)


def _their_lines(world: World, commitments: Sequence[Commitment]) -> pl.DataFrame:
    frame = world.frame("open_lines")
    return pl.concat([item.lines(frame).select("order_id", "line_id") for item in commitments]).unique(
        maintain_order=True
    )


def _only(world: World, lines: pl.DataFrame) -> World:
    """Keep only the lines, and the whole of ship-complete orders: all others may ship nothing, so they never clash."""
    frame = world.frame("open_lines")
    return world.with_frame("open_lines", frame.join(lines.select("order_id").unique(), on="order_id", how="semi"))


def _reserve_rules(world: World) -> list[_Rule]:
    """Return kept reservations and safety stock of the asked SKUs as rules, one per SKU and holder."""
    asked = world.frame("open_lines")["sku"].unique().implode()
    rules = []
    if world.options.safety_stock == Reserve.RESPECT:
        kept = world.frame("inventory").filter(pl.col("sku").is_in(asked), pl.col("safety_stock") > 0)
        rules += [_safety_rule(sku) for sku in kept["sku"].unique().sort().to_list()]
    if world.options.reservations == Reserve.RESPECT:
        kept = world.frame("channel_reservations").filter(pl.col("sku").is_in(asked), pl.col("quantity") > 0)
        pairs = kept.select("sku", "channel").unique().sort("sku", "channel")
        rules += [_reservation_rule(sku, channel) for sku, channel in pairs.iter_rows()]
    return rules


def _safety_rule(sku: str) -> _Rule:
    return _Rule(
        f"safety stock of SKU {sku}", drop=lambda world: world.put("inventory", pl.col("sku") == sku, safety_stock=0)
    )


def _reservation_rule(sku: str, channel: str) -> _Rule:
    mask = (pl.col("sku") == sku) & (pl.col("channel") == channel)
    return _Rule(
        f"{channel} reservation of SKU {sku}", drop=lambda world: world.put("channel_reservations", mask, quantity=0)
    )


def _without(world: World, rules: Sequence[_Rule]) -> World:
    for rule in rules:
        world = rule.drop(world) if rule.drop is not None else world
    return world


def _possible(world: World, rules: Sequence[_Rule], kept: Sequence[_Rule]) -> bool:
    """Tell whether the kept rules can all hold, the others left out."""
    held = [rule.commitment for rule in kept if rule.commitment is not None]
    if not held:
        return True
    bare = _without(world, [rule for rule in rules if rule not in kept])
    problem = forced_problem(bare, _their_lines(bare, held), is_priced=False)
    return solve_rows(problem, [item.row(problem, price=False) for item in held], feasibility=True).is_possible


def _smallest(suspects: Sequence[_Rule], possible: Callable[[Sequence[_Rule]], bool]) -> list[_Rule]:
    """Return a smallest clashing subset by halving (QuickXplain, Junker 2004): about 2k·log(n/k) + 2k solves."""

    def explain(background: list[_Rule], *, is_new: bool, parts: Sequence[_Rule]) -> list[_Rule]:
        if is_new and not possible(background):
            return []
        if len(parts) == 1:
            return list(parts)
        half = len(parts) // 2
        second = explain([*background, *parts[:half]], is_new=True, parts=parts[half:])
        first = explain([*background, *second], is_new=bool(second), parts=parts[:half])
        return [*first, *second]

    return explain([], is_new=False, parts=suspects)


def _least_broken(world: World, commitments: Sequence[Commitment]) -> RowAnswer:
    """Break commitments by as few units as possible; nothing else counts."""
    problem = forced_problem(world, _their_lines(world, commitments), is_priced=False)
    rows = [
        ExtraRow(row.name, row.arcs, row.units, 1) for row in (item.row(problem, price=False) for item in commitments)
    ]
    return solve_rows(problem, rows, feasibility=True)


def _places(world: World, core: Sequence[_Rule], answer: RowAnswer) -> list[_Place]:
    """Return a smallest set of facts that the clash rests on: stock of a SKU at a node, capacity of a node.

    Where there are too many to try, the SKUs that the plan that breaks least leaves short.
    """
    facts = _facts(world)
    held = [rule for rule in core if rule.commitment is not None]
    if len(facts) > _MOST_FACTS:
        return _short_skus(world, held, answer)
    rules = [rule for rule, _ in facts]

    def possible(kept: Sequence[_Rule]) -> bool:
        return _possible(world, [*rules, *held], [*kept, *held])

    if not possible([]):
        return []
    kept = _smallest(rules, possible)
    named = [place for rule, place in facts if rule in kept]
    return [place for place in named if _is_stocked(world, place)] or named


def _facts(world: World) -> list[tuple[_Rule, _Place]]:
    stocked = set(world.frame("inventory").select("sku", "node_id").iter_rows())
    nodes = world.frame("nodes").select("node_id", "daily_capacity_units").sort("node_id").rows()
    facts = []
    for sku in world.frame("open_lines")["sku"].unique().sort().to_list():
        for node, _ in nodes:
            place = _Place(f"SKU {sku} in {_name(world, node)}", sku, node)
            facts.append((_plenty_rule(sku, node, is_there=(sku, node) in stocked), place))
    for node, capacity in nodes:
        if capacity is not None:
            place = _Place(f"the daily capacity of {_name(world, node)}", None, node)
            facts.append((_capacity_rule(node), place))
    return facts


def _capacity_rule(node: str) -> _Rule:
    return _Rule(node, drop=lambda world: world.put("nodes", pl.col("node_id") == node, daily_capacity_units=_PLENTY))


def _short_skus(world: World, held: Sequence[_Rule], answer: RowAnswer) -> list[_Place]:
    if answer.plan is None:
        return []
    commitments = [rule.commitment for rule in held if rule.commitment is not None]
    problem = forced_problem(world, _their_lines(world, commitments))
    shipped = (
        problem.arcs.frame.select("line", pl.Series("units", answer.plan.units))
        .group_by("line")
        .agg(pl.col("units").sum())
    )
    lines = problem.data.lines.join(shipped, on="line", how="left")
    short = (
        lines.with_columns((pl.col("quantity") - pl.col("units").fill_null(0)).alias("short"))
        .filter(pl.col("short") > 0)
        .group_by("sku")
        .agg(pl.col("short").sum())
        .sort("short", "sku", descending=[True, False])
    )
    named = [_Place(f"SKU {sku}", sku, None) for sku in short["sku"].head(_SHOWN_SKUS).to_list()]
    more = short.height - len(named)
    return [*named, *([_Place(f"{more} more SKUs", None, None)] if more else [])]


def _is_stocked(world: World, place: _Place) -> bool:
    """Tell whether a place has any stock or receipt: an empty one is no place to name unless all are empty."""
    if place.sku is None:
        return True
    here = (pl.col("sku") == place.sku) & (pl.col("node_id") == place.node)
    stock = world.frame("inventory").filter(here & (pl.col("on_hand") > 0)).height
    return bool(stock or world.frame("inbound_receipts").filter(here).height)


def _plenty_rule(sku: str, node: str, *, is_there: bool) -> _Rule:
    def drop(world: World) -> World:
        here = (pl.col("sku") == sku) & (pl.col("node_id") == node)
        if is_there:
            return world.put("inventory", here, on_hand=_PLENTY)
        return world.add_rows("inventory", pl.DataFrame([{"sku": sku, "node_id": node, "on_hand": _PLENTY}]))

    return _Rule(f"{sku} {node}", drop=drop)


def _name(world: World, node: str) -> str:
    frame = world.frame("nodes")
    if "node_name" in frame.columns:
        found = frame.filter(pl.col("node_id") == node)["node_name"].to_list()
        return str(found[0] or node) if found else node
    return node


def _next_receipt(world: World, commitments: Sequence[Commitment], places: Sequence[_Place]) -> date | None:
    """Return the first confirmed receipt at the places that no unit of the commitments can wait for."""
    problem = forced_problem(world, _their_lines(world, commitments))
    wanted = (
        problem.arcs.frame.filter(pl.col("days_late") == 0)
        if any(c.on_time for c in commitments)
        else problem.arcs.frame
    )
    last = wanted["ship_date"].max() if not wanted.is_empty() else None
    zones = dict(world.frame("nodes").select("node_id", "zone").iter_rows())
    days = []
    for place in places:
        if place.sku is None:
            continue
        here = (pl.col("sku") == place.sku) & pl.col("is_confirmed")
        if place.node is not None:
            here &= pl.col("node_id") == place.node
        for node, expected in (
            world.frame("inbound_receipts").filter(here).select("node_id", "expected_at").drop_nulls().rows()
        ):
            day = _local(expected, zones.get(node))
            if last is None or day + timedelta(days=world.options.dock_days) > last:  # type: ignore[operator]
                days.append(day)
    return min(days, default=None)


def _local(moment: datetime, zone: str | None) -> date:
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone or "UTC")).date()


def _ways_out(world: World, commitments: Sequence[Commitment], core: Sequence[_Rule]) -> tuple[WayOut, ...]:
    free = forced_problem(world, _their_lines(world, commitments))
    best = solve_rows(free, [])
    base = objective_cents(free, best.plan) if best.plan is not None else 0
    outs = [out for rule in core if (out := _way_out(world, commitments, core, rule, base)) is not None]
    return tuple(sorted(outs, key=lambda out: (out.cost_cents, out.gives_up)))


def _way_out(
    world: World, commitments: Sequence[Commitment], core: Sequence[_Rule], rule: _Rule, base: int
) -> WayOut | None:
    """Give one rule up as far as it pays, keep the others of the set, solve again; other promises have their price."""
    kept = [other.commitment for other in core if other is not rule]
    changed = rule.drop(world) if rule.drop is not None else world
    problem = forced_problem(changed, _their_lines(changed, commitments))
    rows = [item.row(problem, price=item not in kept) for item in commitments]
    answer = solve_rows(problem, rows)
    if answer.plan is None:
        return None
    worth = objective_cents(problem, answer.plan)
    units = answer.broken.get(rule.name, 0)
    if rule.commitment is None:
        name, units = rule.name, _reserve_units(world, changed)
    else:
        name = rule.commitment.name
    price = units * rule.commitment.price_cents if rule.commitment is not None else 0
    return WayOut(name, units, worth, base - worth + price)


def _reserve_units(before: World, after: World) -> int:
    """Return the reserved units that a dropped rule kept."""
    kept = [
        int(world.frame("channel_reservations")["quantity"].cast(pl.Int64).sum())
        + int(world.frame("inventory")["safety_stock"].cast(pl.Int64).fill_null(0).sum())
        for world in (before, after)
    ]
    return kept[0] - kept[1]


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
