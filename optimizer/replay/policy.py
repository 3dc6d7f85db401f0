"""A rule set as the simulator asks it: who is served first, from where, and what is kept back there.

Rules are taken as standing for the whole replay, whatever their dates: the question is what would have happened with
them in force.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from optimizer.rules.kinds import CarrierCap, ChannelReservation, Priority, Routing, SafetyStock
from optimizer.rules.model import RuleSet

Place = tuple[str, str]
"""SKU and node."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a channel is served from.

    Attributes:
        nodes: Nodes, best first; None means every node with stock, by name.
        is_split: Whether one line may take units from several nodes or on several days.
    """

    nodes: tuple[str, ...] | None
    is_split: bool


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A rule set in tables.

    Attributes:
        reserved: Units kept for each channel at a place, in the order of the document.
        safety: Units kept from everyone at a place.
        buffers: Units kept from one channel at a place.
        priorities: Priority rules that can be matched to a line.
        routes: Routes by channel; the key None is for the others.
        notes: Rules that the replay cannot follow.
    """

    reserved: dict[Place, dict[str, int]]
    safety: dict[Place, int]
    buffers: dict[Place, dict[str, int]]
    priorities: tuple[Priority, ...]
    routes: dict[str | None, Route]
    notes: tuple[str, ...]

    def rank(self, channel: str, sku: str, given: int) -> int:
        """Return a line's rank: that of the narrowest matching rule (of several the lowest), else the given one."""
        fitting = [
            (-len(rule.scope), rule.rank)
            for rule in self.priorities
            if rule.channel in (None, channel) and rule.sku in (None, sku)
        ]
        return min(fitting)[1] if fitting else given

    def route(self, channel: str) -> Route:
        """Return the route of a channel."""
        return self.routes.get(channel) or self.routes.get(None) or Route(None, is_split=True)


def read_policy(rule_set: RuleSet) -> Policy:
    """Lay out a rule set in tables.

    Raises:
        InvalidRulesError: The rule set has faults; all are listed.
    """
    rule_set.require_valid()
    reserved: dict[Place, dict[str, int]] = {}
    safety: dict[Place, int] = {}
    buffers: dict[Place, dict[str, int]] = {}
    priorities: list[Priority] = []
    routes: dict[str | None, Route] = {}
    for rule in rule_set.rules:
        match rule:
            case ChannelReservation():
                reserved.setdefault((rule.sku, rule.location), {})[rule.channel] = rule.qty
            case SafetyStock(channel=None):
                safety[rule.sku, rule.location] = rule.qty
            case SafetyStock(channel=str(channel)):
                buffers.setdefault((rule.sku, rule.location), {})[channel] = rule.qty
            case Priority(customer=None, region=None):
                priorities.append(rule)
            case Routing(region=None, sku_class=None):
                routes[rule.channel] = Route(rule.locations, is_split=rule.split_allowed is not False)
    return Policy(reserved, safety, buffers, tuple(priorities), routes, tuple(_notes(rule_set)))


def _notes(rule_set: RuleSet) -> Iterator[str]:
    caps = sum(isinstance(rule, CarrierCap) for rule in rule_set.rules)
    if caps:
        yield f"{caps} carrier_cap rules are ignored: the replay knows no carriers"
    narrow = sum(isinstance(rule, Priority) and bool(rule.customer or rule.region) for rule in rule_set.rules)
    if narrow:
        yield f"{narrow} priority rules are ignored: order lines carry neither customer nor region"
    routed = sum(isinstance(rule, Routing) and bool(rule.region or rule.sku_class) for rule in rule_set.rules)
    if routed:
        yield f"{routed} routing rules are ignored: order lines carry neither region nor SKU class"
