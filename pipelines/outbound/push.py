"""Write back: joins the ledger (what people decided) and the OMS client (what is in force).

The ledger is written before the first request and after the last read-back. A process that dies in between
leaves an approved version with a started push; the same call again finds its key and continues.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pipelines.errors import OutboundError
from pipelines.outbound.documents import canonical_digest, diff_rules
from pipelines.outbound.oms import DriftReport, OmsClient, PushOutcome, derive_key
from storage.ledger import Ledger, Push, RuleSetVersion

_NAMESPACE: Final = UUID("6f0c6a5e-6d0b-5a0e-9b53-1f6a0c8a7d11")
_ENDED: Final = ("done", "partial")


def push_rule_set(ledger: Ledger, client: OmsClient, *, rule_set_id: str, version: int, by: str, now: datetime) -> Push:
    """Put an approved version in force at the OMS and record what it answered.

    Called again it changes nothing: a push that ended is returned, one that broke off continues.

    Raises:
        LedgerError: The version is not approved, or was made on a version that is no longer in force.
        OmsConflictError: The OMS holds another version than the one this was built on.
        OutboundError: The OMS refused or does not answer; the push is recorded as failed and can be repeated.
    """
    decided = ledger.get_version(rule_set_id, version)
    key = derive_key(_NAMESPACE, client.base_url, canonical_digest(decided.document))
    push = ledger.record_push(rule_set_id, version, idempotency_key=key, target=client.base_url, by=by, now=now)
    if push.status in _ENDED:
        return push
    parent = None if decided.parent_version is None else ledger.get_version(rule_set_id, decided.parent_version)
    try:
        outcome = _deliver(client, decided, parent, push)
    except OutboundError as error:
        ledger.fail_push(push.push_id, error=str(error), now=now)
        raise
    return ledger.finish_push(
        push.push_id,
        head_digest=outcome.digest,
        operation=outcome.operation_id,
        acks=[ack.as_json() for ack in outcome.acks],
        inverse=_inverse(decided, parent),
        now=now,
    )


def rollback_rule_set(
    ledger: Ledger, client: OmsClient, *, rule_set_id: str, to_version: int, by: str, reason: str, now: datetime
) -> Push:
    """Restore the content of an earlier version as a new version, in the ledger and at the OMS.

    Raises:
        LedgerError: Nobody is named, or `to_version` never was in force.
        OmsConflictError: The OMS holds another version than the ledger's active one.
        OutboundError: The OMS refused or does not answer; asked again it continues.
    """
    decided = ledger.propose_rollback(rule_set_id, to_version=to_version, by=by, reason=reason, now=now)
    return push_rule_set(ledger, client, rule_set_id=rule_set_id, version=decided.version, by=by, now=now)


def check_rule_set(ledger: Ledger, client: OmsClient, *, rule_set_id: str) -> DriftReport:
    """Compare what the OMS does with the ledger's active version; nothing is written on either side."""
    active = ledger.active_version(rule_set_id)
    if active is not None:
        return client.check(rule_set_id, version=active.version, digest=active.digest)
    head = client.head(rule_set_id)
    if head is None:
        return DriftReport(is_in_step=True, head=None, drifted=(), words=())
    words = (f"version {head.version} by {head.created_by} is in force, the ledger has no active version",)
    return DriftReport(is_in_step=False, head=head, drifted=(), words=words)


def _deliver(client: OmsClient, decided: RuleSetVersion, parent: RuleSetVersion | None, push: Push) -> PushOutcome:
    if decided.restores is None or parent is None:
        return client.push(decided.document, parent_digest=parent.digest if parent else None, key=push.idempotency_key)
    return client.rollback(
        decided.rule_set_id,
        to_version=decided.restores,
        version=decided.version,
        head_digest=parent.digest,
        digest=decided.digest,
        by=decided.created_by,
        reason=decided.reason,
        key=push.idempotency_key,
    )


def _inverse(decided: RuleSetVersion, parent: RuleSetVersion | None) -> list[dict[str, Any]]:
    before = parent.document["rules"] if parent else []
    return [change.as_json() for change in diff_rules(decided.document["rules"], before)]
