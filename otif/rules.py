"""Rule jobs: take over today's rules, propose changes from a plan, put versions in force, roll them back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otif.decisions import ALLOCATION_FRAMES, published_as_of, published_frames, published_queries
from storage.errors import LedgerError
from storage.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from optimizer.rules.diff import RuleChange
    from optimizer.rules.distil import Release
    from optimizer.rules.model import RuleSet
    from pipelines.outbound.oms import DriftReport
    from storage.ledger import Ledger, Plan, Push, RuleSetVersion

PROPOSAL_DAYS: Final = 28
"""A proposed change ends after this many days unless it is renewed."""

COVER_WEEKS: Final = 2.0
"""Weeks of its usual demand that a lowered reservation keeps for its channel."""

USUAL_WEEKS: Final = 8
"""Weeks of history that say what usual demand is."""


def todays_rules(settings: Settings) -> RuleSet:
    """Return the rules that the marts say are in force."""
    from optimizer.rules.current import current_rules

    frames = published_frames(
        settings, {name: ALLOCATION_FRAMES[name] for name in ("channel_reservations", "inventory")}
    )
    return current_rules(
        frames["channel_reservations"],
        frames["inventory"],
        rule_set_id=settings.oms.rule_set_id,
        effective_from=published_as_of(settings),
    )


def adopt_rules(settings: Settings, *, by: str) -> RuleSetVersion:
    """Take today's rules over as the first version: later ones are compared with it and can be rolled back to it.

    Where the OMS did not answer, the same call goes on where it stopped.

    Raises:
        LedgerError: There is an active version already.
        OutboundError: The OMS does not take it.
    """
    from storage.ledger import VersionState, open_ledger

    rule_set_id, now = settings.oms.rule_set_id, datetime.now(tz=UTC)
    document = todays_rules(settings).to_document()
    with open_ledger(settings) as ledger:
        active = ledger.active_version(rule_set_id)
        if active is not None:
            message = f"{rule_set_id} has version {active.version} in force; propose changes with `otif rules propose`."
            raise LedgerError(message)
        reason = "the rules in force when this began"
        version = ledger.propose_rule_set(rule_set_id, document, created_by=by, reason=reason, now=now)
        if version.state is VersionState.PROPOSED:  # else an adoption before this one got no further
            ledger.approve_version(rule_set_id, version.version, by=by, now=now, note=reason)
    push_rules(settings, rule_set_id=rule_set_id, version=version.version, by=by)
    with open_ledger(settings) as ledger:
        return ledger.get_version(rule_set_id, version.version)


def propose_rules(settings: Settings, *, plan_id: int | None, by: str) -> tuple[RuleSetVersion, tuple[str, ...]]:
    """Distil what a plan released into a proposed version of the rule set.

    Args:
        settings: Workspace.
        plan_id: Plan of the ledger; default is the newest.
        by: Person or job.

    Returns:
        The proposed version and one sentence for each change.

    Raises:
        LedgerError: There is no plan, it releases nothing, or no version is in force to compare with.
    """
    from optimizer.rules.distil import distil
    from optimizer.rules.model import RuleSet
    from storage.ledger import open_ledger

    rule_set_id = settings.oms.rule_set_id
    with open_ledger(settings) as ledger:
        record = _chosen_plan(ledger, plan_id)
        active = ledger.active_version(rule_set_id)
        if active is None:
            message = f"no version of {rule_set_id} is in force; take today's rules over with `otif rules adopt` first."
            raise LedgerError(message)
        current = RuleSet.from_document(active.document)
        start = record.as_of
        proposal = distil(
            current,
            _releases(settings, current, record),
            effective_from=start,
            expires_at=start + timedelta(days=PROPOSAL_DAYS),
            run_id=f"plan-{record.plan_id}",
        )
        gain = (record.objective or Decimal(0)) - (record.baseline_objective or Decimal(0))
        version = ledger.propose_rule_set(
            rule_set_id,
            proposal.rule_set.to_document(),
            created_by=by,
            reason=f"Plan {record.plan_id} ({record.scenario}) gains {settings.company.currency} {gain:,.2f} on the "
            "same orders by releasing reserved units that their channel does not need.",
            now=datetime.now(tz=UTC),
            plan_id=record.plan_id,
            parent_version=active.version,
        )
    return version, proposal.words


def _chosen_plan(ledger: Ledger, plan_id: int | None) -> Plan:
    if plan_id is not None:
        chosen = ledger.get_plan(plan_id)
    else:
        newest = ledger.list_plans(limit=1)
        if not newest:
            message = "there is no plan yet; solve one with `otif allocate`."
            raise LedgerError(message)
        chosen = newest[0]
    if not chosen.kpis.get("releases"):
        message = f"plan {chosen.plan_id} releases no reserved units: there is nothing to change in the rules."
        raise LedgerError(message)
    return chosen


def _releases(settings: Settings, current: RuleSet, record: Plan) -> tuple[Release, ...]:
    import polars as pl

    from optimizer.allocation.result import RELEASES
    from optimizer.rules.sizing import size_releases

    gain = (record.objective or Decimal(0)) - (record.baseline_objective or Decimal(0))
    frames = published_frames(settings, {"inventory": "fct_inventory"})
    sellable = frames["inventory"].select(
        "sku", "node_id", (pl.col("on_hand") - pl.col("quarantine") - pl.col("safety_stock")).alias("quantity")
    )
    return size_releases(
        current,
        pl.DataFrame(record.kpis["releases"], schema=RELEASES),
        needs=_channel_needs(settings),
        sellable=sellable,
        cover_weeks=COVER_WEEKS,
        gain_cents=int(gain * 100),
        lines_served=pl.DataFrame(record.kpis["lines_gained"], schema={"sku": pl.String, "lines": pl.Int64}),
    )


def _channel_needs(settings: Settings) -> pl.DataFrame:
    """Open units and usual weekly units per SKU and channel."""
    query = f"""
        select
            sku, channel,
            cast(sum(open_quantity) as double) as open_units,
            cast(coalesce(sum(base_revised) filter (captured_at >= as_of - to_days({USUAL_WEEKS} * 7)), 0) as double)
                / {USUAL_WEEKS} as weekly_units
        from marts.fct_order_lines, marts.build_info
        where sku is not null and not is_excluded
        group by sku, channel
        order by all
    """
    return published_queries(settings, {"needs": query})["needs"]


def push_rules(settings: Settings, *, rule_set_id: str, version: int, by: str) -> Push:
    """Put an approved version in force at the OMS. See `pipelines.outbound.push.push_rule_set`.

    Raises:
        LedgerError: The version is not approved, or is no longer in force: pushing it again would change nothing.
        OutboundError: The OMS refused or does not answer.
    """
    from pipelines.outbound.oms import connect_oms
    from pipelines.outbound.push import push_rule_set
    from storage.ledger import VersionState, open_ledger
    from storage.ledger.lifecycle import check_transition

    with open_ledger(settings) as ledger, connect_oms(settings.oms) as client:
        state = ledger.get_version(rule_set_id, version).state
        if state is not VersionState.ACTIVE:
            check_transition(f"{rule_set_id} version {version}", state, VersionState.ACTIVE)
        return push_rule_set(
            ledger,
            client,
            rule_set_id=rule_set_id,
            version=version,
            by=by,
            now=datetime.now(tz=UTC),
        )


def roll_back_rules(settings: Settings, *, rule_set_id: str, to_version: int | None, by: str, reason: str) -> Push:
    """Restore the content of an earlier version, by default the one before the active, as a new version.

    Raises:
        LedgerError: Nothing is in force, or there is nothing before it.
    """
    from pipelines.outbound.oms import connect_oms
    from pipelines.outbound.push import rollback_rule_set
    from storage.ledger import open_ledger

    with open_ledger(settings) as ledger, connect_oms(settings.oms) as client:
        active = ledger.active_version(rule_set_id)
        target = to_version or (active.parent_version if active else None)
        if target is None:
            message = f"{rule_set_id}: there is no earlier version to go back to."
            raise LedgerError(message)
        return rollback_rule_set(
            ledger, client, rule_set_id=rule_set_id, to_version=target, by=by, reason=reason, now=datetime.now(tz=UTC)
        )


def check_rules(settings: Settings, *, rule_set_id: str) -> DriftReport:
    """Compare what the OMS does with the version that the ledger calls active. Nothing is written."""
    from pipelines.outbound.oms import connect_oms
    from pipelines.outbound.push import check_rule_set
    from storage.ledger import open_ledger

    with open_ledger(settings) as ledger, connect_oms(settings.oms) as client:
        return check_rule_set(ledger, client, rule_set_id=rule_set_id)


def version_changes(ledger: Ledger, version: RuleSetVersion) -> tuple[RuleChange, ...]:
    """Return what a version changes against the one it was proposed on (against nothing for the first)."""
    from optimizer.rules.diff import diff
    from optimizer.rules.model import RuleSet

    proposed = RuleSet.from_document(version.document)
    if version.parent_version is None:
        return diff(RuleSet(id=proposed.id, effective_from=proposed.effective_from, rules=()), proposed).changes
    parent = ledger.get_version(version.rule_set_id, version.parent_version)
    return diff(RuleSet.from_document(parent.document), proposed).changes
