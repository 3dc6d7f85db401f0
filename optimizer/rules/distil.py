"""From a plan back to rules: what the plan gave up of reserved stock becomes a proposed rule set.

The plan decides; this only writes down. A rule that is given up wholly stays with quantity 0 instead of going away: it
then carries the reason and the expiry that a person approves, and the change can be read in the document itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from optimizer.errors import InvalidRulesError
from optimizer.rules.diff import RuleChange, diff
from optimizer.rules.kinds import ChannelReservation, Rule, RuleKey, SafetyStock
from optimizer.rules.model import RuleSet, instant, instant_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Reserved units that a plan gives up at one SKU and node.

    Attributes:
        kind: Which kind of rule keeps them back.
        sku: The SKU.
        node_id: The node.
        channel: Channel that the units are reserved for; for safety stock the channel it is kept from, if only one.
        released_units: Units given up.
        lines_served: Order lines that get them.
        gain_cents: What the plan gains by it.
        reason: Why, in words.
    """

    kind: Literal["channel_reservation", "safety_stock"]
    sku: str
    node_id: str
    released_units: int
    channel: str | None = None
    lines_served: int = 0
    gain_cents: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A rule set for people to decide on.

    Attributes:
        rule_set: The whole proposed set.
        changes: What differs from the current rules, sorted by kind and scope.
        gain_cents: What the plan gains by all releases together.
        words: One sentence for each change, with its evidence.
    """

    rule_set: RuleSet
    changes: tuple[RuleChange, ...]
    gain_cents: int
    words: tuple[str, ...]


def distil(
    current: RuleSet,
    releases: Sequence[Release],
    *,
    effective_from: datetime,
    expires_at: datetime,
    run_id: str,
) -> Proposal:
    """Return the current rules with the released units taken off; everything else stays as it is, in its order.

    By the contract a rule ends at its expiry: a lowered reservation then keeps nothing back until another version takes
    over. A rule that ends sooner by itself keeps its own end.

    Args:
        current: The rules that the plan was made under.
        releases: What it gives up, at most once per rule; 0 units change nothing.
        effective_from: When the proposal comes into force, with zone.
        expires_at: When the changed rules end unless renewed.
        run_id: Planning run that released the units.

    Raises:
        InvalidRulesError: A release has no rule, exceeds it or comes twice, or the period is empty; all are listed.
    """
    rules = current.by_key()
    given = {_key(release): release for release in releases if release.released_units != 0}
    start, end = instant_text(effective_from), instant_text(expires_at)
    faults = [*_release_faults(rules, releases), *_period_faults(current, start, end)]
    if faults:
        raise InvalidRulesError(faults)
    lowered = tuple(
        _lower(rule, given[rule.key], end)
        if isinstance(rule, ChannelReservation | SafetyStock) and rule.key in given
        else rule
        for rule in current.rules
    )
    proposed = replace(current, effective_from=start, run_id=run_id, rules=lowered)
    changes = diff(current, proposed).changes
    return Proposal(
        rule_set=proposed,
        changes=changes,
        gain_cents=sum(release.gain_cents for release in given.values()),
        words=tuple(_words(change, given[change.key]) for change in changes),
    )


def _key(release: Release) -> RuleKey:
    return _as_rule(release).key


def _as_rule(release: Release) -> ChannelReservation | SafetyStock:
    sku, node, units = release.sku, release.node_id, release.released_units
    if release.kind == "safety_stock":
        return SafetyStock(rule_id="release", sku=sku, location=node, channel=release.channel, qty=units)
    return ChannelReservation(rule_id="release", sku=sku, location=node, channel=release.channel or "", qty=units)


def _release_faults(rules: dict[RuleKey, Rule], releases: Sequence[Release]) -> Iterator[str]:
    seen: set[RuleKey] = set()
    for release in releases:
        rule, key = rules.get(_key(release)), _key(release)
        where = f"release of {_as_rule(release).subject_words()}"
        if key in seen:
            yield f"{where}: the rule is released twice"
        elif not isinstance(rule, ChannelReservation | SafetyStock):
            yield f"{where}: there is no such rule"
        elif not 0 <= release.released_units <= rule.qty:
            yield f"{where}: expected 0 to {rule.qty} units"
        seen.add(key)


def _period_faults(current: RuleSet, start: str, end: str) -> Iterator[str]:
    if instant(end) <= instant(start):
        yield f"expires_at {end} is not after effective_from {start}"
    if current.effective_to is not None and instant(current.effective_to) <= instant(start):
        yield f"effective_from {start} is not before the end of the current rules, {current.effective_to}"


def _lower(rule: ChannelReservation | SafetyStock, release: Release, end: str) -> Rule:
    own = rule.expires_at
    ends_sooner = own is not None and instant(own) < instant(end)
    lowered = rule.qty - release.released_units
    return replace(rule, qty=lowered, reason=_reason(release), expires_at=own if ends_sooner else end)


def _reason(release: Release) -> str:
    lines = "1 line" if release.lines_served == 1 else f"{release.lines_served} lines"
    gain = f"{release.gain_cents / 100:,.2f}"
    told = f"{release.reason}: " if release.reason else ""
    return f"{told}{release.released_units} units released serve {lines}, gain {gain}"


def _words(change: RuleChange, release: Release) -> str:
    return f"{change.words()} ({_reason(release)})"
