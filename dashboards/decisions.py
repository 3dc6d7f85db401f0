"""Plans and rule sets of the ledger, made comparable: figures beside their baseline, rules beside those in force.

The ledger keeps what the optimizer wrote as JSON. Read here: `kpis` with the parts `baseline` and `plan` (numbers, or
mappings of numbers such as objective terms), `gap` and `releases`, and `lines` as one object per order line, with a
`reason` where the line is short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

import polars as pl

from dashboards.formats import counted, money_text, words
from dashboards.reports.facts import Proposal
from storage.ledger import Ledger, Plan, RuleSetVersion, VersionState

OPEN_STATES: Final = (VersionState.PROPOSED, VersionState.APPROVED)
_REASONS: Final = ("reason", "reason_code", "short_reason")
_IDENTITY: Final = frozenset({"rule_id", "kind", "scope", "reason", "mode", "expires_at"})


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One difference between two rule sets.

    Attributes:
        change: added, changed or removed.
        kind: Rule kind.
        scope: What the rule is about, in words.
        before: Its content before, in words.
        after: Its content after, in words.
    """

    change: Literal["added", "changed", "removed"]
    kind: str
    scope: str
    before: str
    after: str


def compare_figures(plan: Plan) -> pl.DataFrame:
    """Return each figure of a plan beside its baseline: figure, baseline, plan, change.

    The objective comes first; terms and KPIs follow as the optimizer wrote them.
    """
    parts = {side: _flat(plan.kpis.get(side)) for side in ("baseline", "plan")}
    rows: dict[str, tuple[float | None, float | None]] = {
        "objective": (_number(plan.baseline_objective), _number(plan.objective))
    }
    for name in dict.fromkeys([*parts["baseline"], *parts["plan"]]):
        rows.setdefault(name, (parts["baseline"].get(name), parts["plan"].get(name)))
    return pl.DataFrame(
        [(words(name.replace(".", ": ")), old, new) for name, (old, new) in rows.items()],
        schema={"figure": pl.String, "baseline": pl.Float64, "plan": pl.Float64},
        orient="row",
    ).with_columns(change=pl.col("plan") - pl.col("baseline"))


def _flat(part: object, prefix: str = "") -> dict[str, float]:
    if not isinstance(part, Mapping):
        return {}
    found: dict[str, float] = {}
    for name, value in part.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        elif (number := _number(value)) is not None:
            found[f"{prefix}{name}"] = number
    return found


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(Decimal(str(value)))
    except InvalidOperation:
        return None


def plan_gain(plan: Plan) -> float | None:
    """Return what the plan is worth more than its baseline, in the objective's money."""
    if plan.objective is None or plan.baseline_objective is None:
        return None
    return float(plan.objective - plan.baseline_objective)


def releases(plan: Plan) -> pl.DataFrame:
    """Return the reserves that the plan would release and what their units gain elsewhere, most valuable first."""
    rows = plan.kpis.get("releases") or []
    schema = {"sku": pl.String, "node_id": pl.String, "holder": pl.String, "quantity": pl.Int64, "released": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema | {"lines_served": pl.Int64, "gain_cents": pl.Int64}, strict=False)
    return (
        frame.with_columns(gain=pl.col("gain_cents") / 100)
        .drop("gain_cents")
        .sort("gain", "sku", "node_id", "holder", descending=[True, False, False, False])
    )


def lines_frame(lines: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return a plan's lines as a frame; `reason` is always there, empty where the line is served."""
    frame = pl.DataFrame([dict(line) for line in lines], infer_schema_length=None)
    if frame.is_empty():
        return pl.DataFrame(schema={"order_id": pl.String, "channel": pl.String, "reason": pl.String})
    named = next((name for name in _REASONS if name in frame.columns), None)
    reason = pl.col(named).cast(pl.String).fill_null("") if named else pl.lit("")
    return frame.with_columns(reason=reason)


def rule_changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[RuleChange, ...]:
    """Return what differs between two rule-set documents, rules matched by kind and scope."""
    old = {_rule_key(rule): rule for rule in (before or {}).get("rules", ())}
    new = {_rule_key(rule): rule for rule in after.get("rules", ())}
    changes = []
    for key in sorted(old.keys() | new.keys()):
        kind, scope = key
        left, right = (_content(side[key]) if key in side else "" for side in (old, new))
        if key not in old:
            changes.append(RuleChange("added", kind, scope, left, right))
        elif key not in new:
            changes.append(RuleChange("removed", kind, scope, left, right))
        elif left != right:
            changes.append(RuleChange("changed", kind, scope, left, right))
    return tuple(changes)


def _rule_key(rule: Mapping[str, Any]) -> tuple[str, str]:
    scope = rule.get("scope") or {}
    return str(rule.get("kind", "")), ", ".join(f"{name} {value}" for name, value in sorted(scope.items()))


def _content(rule: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(rule.items()) if name not in _IDENTITY)


def version_changes(book: Ledger, version: RuleSetVersion) -> tuple[RuleChange, ...]:
    """Return what a version changes against the one it was proposed on."""
    parent = (
        book.get_version(version.rule_set_id, version.parent_version) if version.parent_version is not None else None
    )
    return rule_changes(parent.document if parent else None, version.document)


def open_proposals(book: Ledger, *, currency: str = "USD") -> tuple[Proposal, ...]:
    """Return the rule-set versions that wait for a person, as decisions of the weekly snapshot."""
    waiting = [version for version in book.list_versions() if version.state in OPEN_STATES]
    return tuple(_proposal(book, version, currency) for version in waiting)


def _proposal(book: Ledger, version: RuleSetVersion, currency: str) -> Proposal:
    changes = version_changes(book, version)
    verb = "Approve" if version.state is VersionState.PROPOSED else "Push"
    gain = ""
    if version.plan_id is not None:
        worth = plan_gain(book.get_plan(version.plan_id))
        gain = f"plan gains {money_text(worth, currency=currency)}" if worth is not None else ""
    return Proposal(
        title=f"{verb} rule set {version.rule_set_id}, version {version.version}",
        detail=f"Changes {counted(len(changes), 'rule')}. {version.reason}".strip(),
        gain=gain,
        owner=f"proposed by {version.created_by}",
    )
