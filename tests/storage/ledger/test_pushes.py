"""Pushes: recorded before they start, finished with the activation in one transaction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from storage.errors import LedgerError
from storage.ledger import Ledger, RuleSetVersion
from storage.ledger.records import Push

NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)
TARGET = "http://127.0.0.1:1"


def approved(ledger: Ledger, quantity: int = 1) -> RuleSetVersion:
    rule = {"rule_id": "r", "kind": "safety_stock", "scope": {"sku": "A", "location": "dc"}, "qty": quantity}
    document = {"effective_from": "2026-11-16T05:00:00Z", "rules": [rule]}
    version = ledger.propose_rule_set("live", document, created_by="x", reason="", now=NOW).version
    return ledger.approve_version("live", version, by="maria", now=NOW)


def start(ledger: Ledger, version: int = 1, *, key: str = "key-1") -> Push:
    return ledger.record_push("live", version, idempotency_key=key, target=TARGET, by="maria", now=NOW)


def test_a_finished_push_puts_the_version_in_force(ledger: Ledger) -> None:
    version = approved(ledger)
    push = start(ledger)
    acks = [{"rule_id": "r", "status": "applied", "requested": 1, "observed": 1}]
    inverse = [{"op": "remove", "rule_id": "r"}]

    done = ledger.finish_push(
        push.push_id, head_digest=version.digest, operation="op-1", acks=acks, inverse=inverse, now=NOW
    )

    assert (push.status, done.status, done.operation, done.acks, done.inverse) == (
        "started", "done", "op-1", acks, inverse,
    )  # fmt: skip
    assert ledger.get_version("live", 1).state == "active"
    assert start(ledger) == done
    assert ledger.finish_push(push.push_id, head_digest="", operation=None, acks=[], inverse=[], now=NOW) == done


def test_a_clamped_rule_makes_the_push_partial(ledger: Ledger) -> None:
    version = approved(ledger)
    acks = [{"rule_id": "r", "status": "clamped", "requested": 9, "observed": 4}]
    done = ledger.finish_push(
        start(ledger).push_id, head_digest=version.digest, operation="op", acks=acks, inverse=[], now=NOW
    )
    assert done.status == "partial"
    assert ledger.get_version("live", 1).state == "active"


def test_a_failed_push_keeps_its_error_and_starts_again_under_the_same_key(ledger: Ledger) -> None:
    approved(ledger)
    failed = ledger.fail_push(start(ledger).push_id, error="503 from the OMS", now=NOW)
    again = start(ledger)

    assert (failed.status, failed.error, failed.attempts) == ("failed", "503 from the OMS", 1)
    assert (again.push_id, again.status, again.error, again.attempts) == (failed.push_id, "started", None, 2)
    assert ledger.get_version("live", 1).state == "approved"
    assert len(ledger.list_pushes("live", version=1)) == 1


def test_an_unapproved_version_cannot_be_pushed(ledger: Ledger) -> None:
    document = {"effective_from": "2026-11-16T05:00:00Z", "rules": []}
    ledger.propose_rule_set("live", document, created_by="x", reason="", now=NOW)
    with pytest.raises(LedgerError, match="is proposed and cannot become active"):
        start(ledger)


def test_a_head_with_another_content_does_not_finish_a_push(ledger: Ledger) -> None:
    approved(ledger)
    push = start(ledger)
    for digest in ("0" * 64, ""):
        with pytest.raises(LedgerError, match="not the one that was looked at"):
            ledger.finish_push(push.push_id, head_digest=digest, operation="op", acks=[], inverse=[], now=NOW)
    assert ledger.get_version("live", 1).state == "approved"


def test_a_key_of_another_push_is_refused(ledger: Ledger) -> None:
    version = approved(ledger)
    ledger.finish_push(start(ledger).push_id, head_digest=version.digest, operation="op", acks=[], inverse=[], now=NOW)
    approved(ledger, 2)
    with pytest.raises(LedgerError, match="belongs to the push of live version 1"):
        start(ledger, 2, key="key-1")


def test_a_push_that_ended_well_cannot_fail(ledger: Ledger) -> None:
    version = approved(ledger)
    push = start(ledger)
    ledger.finish_push(push.push_id, head_digest=version.digest, operation="op", acks=[], inverse=[], now=NOW)
    with pytest.raises(LedgerError, match="cannot fail any more"):
        ledger.fail_push(push.push_id, error="late", now=NOW)


def test_of_two_versions_finished_at_once_exactly_one_becomes_active(ledger: Ledger) -> None:
    versions = [approved(ledger, 1), approved(ledger, 2)]
    pushes = [start(ledger, version.version, key=f"key-{version.version}") for version in versions]

    def finish(index: int) -> str:
        try:
            done = ledger.finish_push(
                pushes[index].push_id,
                head_digest=versions[index].digest,
                operation="op",
                acks=[],
                inverse=[],
                now=NOW,
            )
        except LedgerError as error:
            return str(error)
        return done.status

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(finish, range(2)))

    assert outcomes[0] == "done"
    assert "is in force now" in outcomes[1]
    assert sorted(v.state for v in ledger.list_versions("live")) == ["active", "approved"]
