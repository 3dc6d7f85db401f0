"""Rule-set documents on the wire: what the contract asks of a rule, what names it, how two documents differ.

Nothing here decides which rules are good; that is the optimizer's, and so are the kinds of rules and their scopes. The
digest is the ledger's. Rules stay plain objects: a document of another program, in another layout or of a later
contract, must be comparable and refusable rule by rule, where `optimizer.rules` takes a set wholly or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import rfc8785

from optimizer.rules.kinds import KINDS, is_instant

Rule = Mapping[str, Any]
Operation = Literal["add", "change", "remove"]

TOKEN_VARIABLE: Final = "OTIF_OMS_TOKEN"  # noqa: S105 - the name of the variable, not a token
"""Environment variable with the bearer token; both sides read it."""

SCOPE_FIELDS: Final[dict[str, tuple[str, ...]]] = {name: kind.scope_fields for name, kind in KINDS.items()}
"""Kind → fields that say what a rule is about; the others say what it sets."""

_WHOLE_NUMBERS: Final[dict[str, str]] = {
    "channel_reservation": "qty",
    "safety_stock": "qty",
    "priority": "rank",
    "carrier_cap": "units",
}
_DESCRIPTIVE: Final = frozenset({"rule_id", "kind", "scope", "reason", "expires_at"})


@dataclass(frozen=True, slots=True)
class RuleFault:
    """Why a rule cannot be taken."""

    rule_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One difference between two documents.

    Attributes:
        op: add, change or remove.
        kind: Kind of rule.
        scope: What the rule is about.
        before: Rule in the first document; None when added.
        after: Rule in the second document; None when removed.
    """

    op: Operation
    kind: str
    scope: dict[str, str]
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    def words(self) -> str:
        """Return the change as one sentence for people."""
        place = ", ".join(f"{name} {value}" for name, value in self.scope.items()) or "everywhere"
        old = _value_words(self.before)
        new = _value_words(self.after)
        return f"{self.kind.replace('_', ' ')} ({place}): {old} → {new}"

    def as_json(self) -> dict[str, Any]:
        """Return the change as a plain object."""
        return {"op": self.op, "kind": self.kind, "scope": self.scope, "before": self.before, "after": self.after}


def canonical_digest(value: object) -> str:
    """Return the sha256 of the RFC 8785 canonical JSON of any plain value."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()  # type: ignore[arg-type]


def rule_scope(rule: Rule) -> dict[str, str]:
    """Return what a rule is about, whether it is nested under `scope` or written beside the values."""
    nested = rule.get("scope")
    scope = dict(nested) if isinstance(nested, Mapping) else {}
    for name in SCOPE_FIELDS.get(str(rule.get("kind")), ()):
        if name in rule:
            scope.setdefault(name, rule[name])
    return {name: str(value) for name, value in sorted(scope.items()) if value not in (None, "")}


def rule_key(rule: Rule) -> tuple[str, str]:
    """Return the unique key of a rule inside a set: kind and scope."""
    return str(rule.get("kind")), rfc8785.dumps(rule_scope(rule)).decode()


def rule_value(rule: Rule) -> dict[str, Any]:
    """Return what a rule sets: everything that neither names nor explains it."""
    scope = rule_scope(rule)
    return {name: value for name, value in sorted(rule.items()) if name not in _DESCRIPTIVE and name not in scope}


def diff_rules(before: Iterable[Rule], after: Iterable[Rule]) -> list[RuleChange]:
    """Return what leads from one list of rules to another, sorted by kind and scope.

    Only what is set counts: a new reason or rule id for the same value is no change.
    """
    old = {rule_key(rule): rule for rule in before}
    new = {rule_key(rule): rule for rule in after}
    changes = []
    for key in sorted(old.keys() | new.keys()):
        first, second = old.get(key), new.get(key)
        if first is not None and second is not None and _setting(first) == _setting(second):
            continue
        changes.append(_change(first, second))
    return changes


def find_faults(document: Mapping[str, Any]) -> list[RuleFault]:
    """Return everything that the contract does not allow in a document's rules; empty when it is fine."""
    rules = document.get("rules")
    if not isinstance(rules, list):
        return [RuleFault("", "rules: expected a list")]
    faults: list[RuleFault] = []
    ids: set[str] = set()
    keys: set[tuple[str, str]] = set()
    for position, rule in enumerate(rules):
        if not isinstance(rule, Mapping) or not isinstance(rule.get("rule_id"), str) or not rule["rule_id"]:
            faults.append(RuleFault("", f"rules[{position}]: expected an object with a rule_id"))
            continue
        found = list(_faults_of(rule))
        if rule["rule_id"] in ids:
            found.append("rule_id appears twice")
        if rule_key(rule) in keys:
            found.append("another rule has the same kind and scope")
        ids.add(rule["rule_id"])
        keys.add(rule_key(rule))
        faults.extend(RuleFault(rule["rule_id"], detail) for detail in found)
    return faults


def _faults_of(rule: Rule) -> Iterable[str]:
    kind = str(rule.get("kind"))
    if kind not in SCOPE_FIELDS:
        yield f"kind {kind!r}: expected one of {', '.join(sorted(SCOPE_FIELDS))}"
        return
    scope = rule_scope(rule)
    for name in KINDS[kind].required:
        if name not in scope:
            yield f"scope: {name} is missing"
    number = _WHOLE_NUMBERS.get(kind)
    if number is not None and not _is_whole(rule.get(number)):
        yield f"{number}: {rule.get(number)!r}, expected a whole number not below 0"
    if kind == "channel_reservation" and rule.get("mode", "soft") not in ("hard", "soft"):
        yield f"mode: {rule.get('mode')!r}, expected hard or soft"
    if kind == "routing" and not _is_list_of_text(rule.get("locations")):
        yield "locations: expected an ordered list of location ids"
    if rule.get("expires_at") is not None and not is_instant(rule["expires_at"]):
        yield f"expires_at: {rule['expires_at']!r}, expected an ISO timestamp with offset"


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(item, str) for item in value)


def _setting(rule: Rule) -> tuple[dict[str, Any], Any]:
    return rule_value(rule), rule.get("expires_at")


def _change(before: Rule | None, after: Rule | None) -> RuleChange:
    named = after if after is not None else before
    if named is None:
        message = "a change needs a rule before or after"
        raise ValueError(message)
    op: Operation = "add" if before is None else "remove" if after is None else "change"
    return RuleChange(
        op=op,
        kind=str(named.get("kind")),
        scope=rule_scope(named),
        before=None if before is None else dict(before),
        after=None if after is None else dict(after),
    )


def _value_words(rule: Rule | None) -> str:
    if rule is None:
        return "none"
    value = rule_value(rule)
    if set(value) <= {"qty", "mode"}:
        return str(value.get("qty"))
    return ", ".join(f"{name} {item}" for name, item in value.items())
