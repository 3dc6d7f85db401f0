"""What applying a document would do at the reference endpoint: pure, no storage.

Releases come first, then what gets smaller, then holds: a hold is never refused for stock that the same
document frees. Values are absolute, so planning and applying twice ends in the same place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipelines.outbound.documents import Rule, rule_key, rule_scope, rule_value

AckStatus = Literal["applied", "clamped", "skipped", "rejected", "pending", "drifted"]
Stock = Mapping[tuple[str, str], int]
"""(sku, location) → units that the service was told of."""


@dataclass(frozen=True, slots=True)
class EffectiveRule:
    """What is in force for one kind and scope.

    Attributes:
        rule_id: Rule that put it there.
        kind: Kind of rule.
        scope: What it is about.
        requested: What the rule asked for.
        value: What is really set; None when the rule was rejected.
        status: applied, clamped or rejected at the time it was set.
        error: Why not as requested.
        expires_at: When it ends by itself.
    """

    rule_id: str
    kind: str
    scope: dict[str, str]
    requested: dict[str, Any]
    value: dict[str, Any] | None
    status: AckStatus
    error: str | None
    expires_at: str | None


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One step of an application."""

    rule_id: str
    target: dict[str, str]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    op: Literal["release", "lower", "set", "keep", "reject"]

    def as_json(self) -> dict[str, Any]:
        """Return the change as a plain object."""
        return {
            "rule_id": self.rule_id,
            "target": self.target,
            "before": self.before,
            "after": self.after,
            "op": self.op,
        }


def settle_rules(rules: Sequence[Rule], stock: Stock) -> list[EffectiveRule]:
    """Return what each rule comes to, given the stock that the service knows.

    Reservations of one SKU at one location share its stock in document order. Over it, a soft reservation
    is clamped to what is free and a hard one rejected. Unknown stock limits nothing.
    """
    free = dict(stock)
    return [_settle(rule, free) for rule in rules]


def plan_changes(settled: Sequence[EffectiveRule], in_force: Sequence[EffectiveRule]) -> list[PlannedChange]:
    """Return the steps from what is in force to the settled rules, in the order they are taken."""
    before = {_key(rule): rule for rule in in_force if rule.value is not None}
    wanted = {_key(rule) for rule in settled}
    releases = [
        PlannedChange(rule.rule_id, _target(rule), rule.value, None, "release")
        for key, rule in sorted(before.items())
        if key not in wanted
    ]
    steps = [_step(rule, before.get(_key(rule))) for rule in settled]
    order = {"release": 0, "lower": 1, "set": 2, "keep": 3, "reject": 4}
    return releases + sorted(steps, key=lambda step: order[step.op])


def warn_about(settled: Sequence[EffectiveRule]) -> list[str]:
    """Return a sentence for each rule that does not come out as requested."""
    return [f"{rule.rule_id}: {rule.error}" for rule in settled if rule.error]


def _settle(rule: Rule, free: dict[tuple[str, str], int]) -> EffectiveRule:
    requested = rule_value(rule)
    scope = rule_scope(rule)
    value: dict[str, Any] | None = requested
    status: AckStatus = "applied"
    error = None
    place = (scope.get("sku", ""), scope.get("location", ""))
    if rule["kind"] == "channel_reservation" and place in free:
        wanted, left = int(rule["qty"]), free[place]
        granted = min(wanted, left)
        if granted < wanted:
            error = f"asks for {wanted} of {place[0]} at {place[1]}, free are {left}"
            hard = requested.get("mode") == "hard"
            status, granted = ("rejected", 0) if hard else ("clamped", granted)
            value = None if hard else requested | {"qty": granted}
        free[place] = left - granted
    expires_at = rule.get("expires_at")
    return EffectiveRule(str(rule["rule_id"]), str(rule["kind"]), scope, requested, value, status, error, expires_at)


def _step(rule: EffectiveRule, before: EffectiveRule | None) -> PlannedChange:
    old = before.value if before is not None else None
    op: Literal["lower", "set", "keep", "reject"] = "set"
    if rule.value is None:
        op = "reject"
    elif old == rule.value:
        op = "keep"
    elif old is not None and _quantity(rule.value) < _quantity(old):
        op = "lower"
    return PlannedChange(rule.rule_id, _target(rule), old, rule.value, op)


def _quantity(value: Mapping[str, Any]) -> int:
    return int(value.get("qty", value.get("units", 0)))


def _target(rule: EffectiveRule) -> dict[str, str]:
    return {"kind": rule.kind} | rule.scope


def _key(rule: EffectiveRule) -> tuple[str, str]:
    return rule_key({"kind": rule.kind, "scope": rule.scope})
