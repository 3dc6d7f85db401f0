"""What leads from one rule set to another, in types, in words, and as a patch that can be undone exactly.

Rules are matched by kind and scope. A patch is strict: it fits only the set it was made on, so nothing that somebody
else changed is overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from optimizer.errors import InvalidRulesError
from optimizer.rules.kinds import Rule, RuleKey
from optimizer.rules.model import RuleSet


class ChangeType(StrEnum):
    """What happened to a rule."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One difference.

    Attributes:
        key: Kind and scope of the rule.
        before: The rule before; None when it was added.
        after: The rule after; None when it was removed.
    """

    key: RuleKey
    before: Rule | None
    after: Rule | None

    @property
    def type(self) -> ChangeType:
        """Whether the rule was added, removed or changed."""
        if self.before is None:
            return ChangeType.ADDED
        return ChangeType.REMOVED if self.after is None else ChangeType.CHANGED

    @property
    def is_effective(self) -> bool:
        """Whether anything other than the rule's name and reason differs, so that stock is handled differently."""
        if self.before is None or self.after is None:
            return True
        return self.before.values != self.after.values or self.before.expires_at != self.after.expires_at

    def words(self) -> str:
        """Return the change as one sentence for people."""
        named = self.before or self.after
        if named is None:
            return "no rule before and none after"
        old, new = (rule.setting_words() if rule else "none" for rule in (self.before, self.after))
        if not self.is_effective:
            return f"{named.subject_words()}: {new} as before, only named or explained differently"
        return f"{named.subject_words()}: {old} → {new}"

    def inverse(self) -> RuleChange:
        """Return the change that undoes this one."""
        return RuleChange(self.key, self.after, self.before)


@dataclass(frozen=True, slots=True)
class Edition:
    """Everything of a rule set except what its rules say: identity, period, and the rules' order."""

    id: str
    effective_from: str
    effective_to: str | None
    run_id: str | None
    order: tuple[RuleKey, ...]


@dataclass(frozen=True, slots=True)
class RuleSetDiff:
    """A patch between two rule sets.

    Attributes:
        changes: Rules that differ, sorted by kind and scope.
        before: Edition that the patch fits.
        after: Edition of the set that it makes.
    """

    changes: tuple[RuleChange, ...]
    before: Edition
    after: Edition

    @property
    def is_empty(self) -> bool:
        """Whether both sets are the same in everything."""
        return not self.changes and self.before == self.after

    def words(self) -> tuple[str, ...]:
        """Return one sentence for each rule that differs."""
        return tuple(change.words() for change in self.changes)

    def inverse(self) -> RuleSetDiff:
        """Return the patch that leads back."""
        return RuleSetDiff(tuple(change.inverse() for change in self.changes), self.after, self.before)


def diff(before: RuleSet, after: RuleSet) -> RuleSetDiff:
    """Return what leads from one rule set to another.

    Raises:
        InvalidRulesError: One of them has faults; all are listed.
    """
    old, new = before.by_key(), after.by_key()
    changes = tuple(
        RuleChange(key, old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    )
    return RuleSetDiff(changes, _edition(before), _edition(after))


def apply_diff(rule_set: RuleSet, patch: RuleSetDiff) -> RuleSet:
    """Return the rule set with a patch applied; applying the inverse afterwards gives back the very same set.

    Raises:
        InvalidRulesError: The patch was made on other rules; every difference is listed.
    """
    rules = rule_set.by_key()
    faults = _misfits(rule_set, rules, patch)
    if faults:
        raise InvalidRulesError(faults)
    for change in patch.changes:
        if change.after is None:
            del rules[change.key]
        else:
            rules[change.key] = change.after
    edition = patch.after
    return replace(
        rule_set,
        id=edition.id,
        effective_from=edition.effective_from,
        effective_to=edition.effective_to,
        run_id=edition.run_id,
        rules=tuple(rules[key] for key in edition.order),
    )


def _misfits(rule_set: RuleSet, rules: dict[RuleKey, Rule], patch: RuleSetDiff) -> list[str]:
    faults = [
        f"the patch expects {change.before.setting_words() if change.before else 'none'} as {change.key[0]} "
        f"{change.key[1]}, found {rules[change.key].setting_words() if change.key in rules else 'none'}"
        for change in patch.changes
        if rules.get(change.key) != change.before
    ]
    if not faults and _edition(rule_set) != patch.before:
        faults.append("the patch was made on a rule set of another id, period, run or order; compare again")
    return faults


def _edition(rule_set: RuleSet) -> Edition:
    return Edition(
        id=rule_set.id,
        effective_from=rule_set.effective_from,
        effective_to=rule_set.effective_to,
        run_id=rule_set.run_id,
        order=tuple(rule.key for rule in rule_set.rules),
    )
