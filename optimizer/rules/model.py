"""A rule set: its document form, its digest and everything that can be wrong with it.

Version numbers, parents, approvals and states belong to the ledger and are not known here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final

import rfc8785

from optimizer.errors import InvalidRulesError
from optimizer.rules.kinds import KINDS, Rule, RuleKey, is_instant, is_text

_LEDGER_FIELDS: Final = frozenset({"version", "parent_version", "created_by", "digest", "state"})
_OWN_FIELDS: Final = frozenset({"id", "effective_from", "effective_to", "run_id", "rules"})
_RULE_FIELDS: Final = frozenset({"rule_id", "kind", "scope", "reason", "expires_at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Rules that are in force together. Their order counts: reservations share stock in it.

    Attributes:
        id: Name of the rule set; its versions share it.
        effective_from: ISO timestamp with offset, kept as written because the digest is taken over it.
        rules: The rules; kind and scope are unique among them.
        effective_to: The same for the end, if there is one.
        run_id: Planning run that made it.
    """

    id: str
    effective_from: str
    rules: tuple[Rule, ...]
    effective_to: str | None = None
    run_id: str | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> RuleSet:
        """Read a document of the write-back contract.

        Scope fields may stand beside the values, as the contract allows; they are written under `scope` again.

        Raises:
            InvalidRulesError: The document is malformed; every fault is listed.
        """
        faults = [f"{name}: unknown field" for name in sorted(map(str, document)) if name not in _known_fields()]
        rules: list[Rule] = []
        listed = document.get("rules")
        if not isinstance(listed, list | tuple):
            faults.append("rules: expected a list")
            listed = ()
        for position, item in enumerate(listed):
            rule = _read_rule(item, position, faults)
            if rule is not None:
                rules.append(rule)
        found = cls(
            id=document.get("id", ""),
            effective_from=document.get("effective_from", ""),
            effective_to=document.get("effective_to"),
            run_id=document.get("run_id"),
            rules=tuple(rules),
        )
        faults.extend(found.validate())
        if faults:
            raise InvalidRulesError(faults)
        return found

    def to_document(self) -> dict[str, Any]:
        """Return the set as a plain document with its digest.

        Raises:
            InvalidRulesError: The set has faults; all are listed.
        """
        self.require_valid()
        optional = {"effective_to": self.effective_to, "run_id": self.run_id}
        return {
            "id": self.id,
            "effective_from": self.effective_from,
            **{name: value for name, value in optional.items() if value is not None},
            "digest": self.digest,
            "rules": [rule_document(rule) for rule in self.rules],
        }

    @property
    def digest(self) -> str:
        """The sha256 of the RFC 8785 canonical JSON of `rules` and `effective_from`: equal content, equal digest."""
        content: dict[str, Any] = {
            "rules": [rule_document(rule) for rule in self.rules],
            "effective_from": self.effective_from,
        }
        return hashlib.sha256(rfc8785.dumps(content)).hexdigest()

    def by_key(self) -> dict[RuleKey, Rule]:
        """Return the rules by kind and scope.

        Raises:
            InvalidRulesError: The set has faults; all are listed.
        """
        self.require_valid()
        return {rule.key: rule for rule in self.rules}

    def validate(self) -> tuple[str, ...]:
        """Return every fault of the set and its rules; empty when it can be used."""
        return tuple(self._faults())

    def require_valid(self) -> None:
        """Refuse a set with faults.

        Raises:
            InvalidRulesError: The set has faults; all are listed.
        """
        faults = self.validate()
        if faults:
            raise InvalidRulesError(faults)

    def _faults(self) -> Iterator[str]:
        if not is_text(self.id):
            yield f"id: {self.id!r}, expected the name of the rule set"
        if self.run_id is not None and not is_text(self.run_id):
            yield f"run_id: {self.run_id!r}, expected text"
        yield from self._period_faults()
        ids: set[str] = set()
        keys: set[RuleKey] = set()
        for rule in self.rules:
            found = list(rule.faults())
            yield from (f"{rule.rule_id}: {fault}" for fault in found)
            if found:
                continue
            if rule.rule_id in ids:
                yield f"{rule.rule_id}: rule_id appears twice"
            if rule.key in keys:
                yield f"{rule.rule_id}: another rule has the same kind and scope"
            ids.add(rule.rule_id)
            keys.add(rule.key)

    def _period_faults(self) -> Iterator[str]:
        expected = "expected an ISO timestamp with offset, e.g. 2026-11-16T05:00:00Z"
        if not is_instant(self.effective_from):
            yield f"effective_from: {self.effective_from!r}, {expected}"
        if self.effective_to is None:
            return
        if not is_instant(self.effective_to):
            yield f"effective_to: {self.effective_to!r}, {expected}"
        elif is_instant(self.effective_from) and instant(self.effective_to) <= instant(self.effective_from):
            yield f"effective_to: {self.effective_to} is not after effective_from {self.effective_from}"


def rule_document(rule: Rule) -> dict[str, Any]:
    """Return a rule as a plain object of the contract."""
    explained = {"reason": rule.reason, "expires_at": rule.expires_at}
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in rule.values.items()}
    return {
        "rule_id": rule.rule_id,
        "kind": rule.kind,
        "scope": rule.scope,
        **values,
        **{name: value for name, value in explained.items() if value is not None},
    }


def instant(text: str) -> datetime:
    """Return the moment that an ISO timestamp with offset names, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def instant_text(moment: datetime) -> str:
    """Return a moment as documents write it, in UTC with a Z.

    Raises:
        InvalidRulesError: The moment has no zone.
    """
    if moment.tzinfo is None:
        raise InvalidRulesError([f"instant {moment.isoformat()} has no zone; give one with an offset"])
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _known_fields() -> frozenset[str]:
    return _OWN_FIELDS | _LEDGER_FIELDS


def _read_rule(item: object, position: int, faults: list[str]) -> Rule | None:
    where = f"rules[{position}]"
    if not isinstance(item, Mapping):
        faults.append(f"{where}: expected an object")
        return None
    where = str(item.get("rule_id") or where)
    kind = KINDS.get(str(item.get("kind")))
    if kind is None:
        faults.append(f"{where}: kind {item.get('kind')!r}, expected one of {', '.join(sorted(KINDS))}")
        return None
    scope = item.get("scope", {})
    if not isinstance(scope, Mapping):
        faults.append(f"{where}: scope: expected an object")
        return None
    unknown = _unknown_fields(kind, item, scope)
    faults.extend(f"{where}: {name}: unknown field of {kind.kind}" for name in unknown)
    return None if unknown else kind(**_arguments(kind, item, scope))


def _unknown_fields(kind: type[Rule], item: Mapping[str, Any], scope: Mapping[str, Any]) -> list[str]:
    values = {kind.wire_names.get(name, name) for name in kind.value_fields()}
    known = _RULE_FIELDS | values | set(kind.scope_fields)
    beside = [str(name) for name in item if name not in known]
    return beside + [f"scope.{name}" for name in scope if name not in kind.scope_fields]


def _arguments(kind: type[Rule], item: Mapping[str, Any], scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a rule; a required one that is absent becomes None, which `faults` reports."""
    found: dict[str, Any] = {}
    for name in (field.name for field in fields(kind)):
        value = item.get(kind.wire_names.get(name, name))
        if name in kind.scope_fields:
            nested = scope.get(name)
            value = (value if nested in (None, "") else nested) or None
        found[name] = tuple(value) if isinstance(value, list) else value
    return found
