"""Rule-set versions: the life cycle, the guards, the digests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from storage.errors import LedgerError
from storage.ledger import Ledger, RuleSetVersion, VersionState, open_ledger, rule_set_digest
from storage.settings import Settings

NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)


def document(quantity: int) -> dict[str, Any]:
    return {
        "effective_from": "2026-11-16T05:00:00Z",
        "rules": [
            {
                "rule_id": "reserve-dtc",
                "kind": "channel_reservation",
                "scope": {"sku": "SKU-1", "location": "dc_columbus", "channel": "dtc"},
                "qty": quantity,
                "mode": "soft",
                "reason": "protects the shop",
            }
        ],
    }


def propose(ledger: Ledger, quantity: int) -> RuleSetVersion:
    return ledger.propose_rule_set("live", document(quantity), created_by="allocate", reason="plan 1", now=NOW)


def put_in_force(ledger: Ledger, quantity: int) -> RuleSetVersion:
    version = propose(ledger, quantity).version
    ledger.approve_version("live", version, by="maria", now=NOW)
    return ledger.activate_version("live", version, now=NOW)


def test_a_proposal_is_approved_by_a_person_and_becomes_active(ledger: Ledger) -> None:
    proposed = propose(ledger, 10)
    approved = ledger.approve_version("live", 1, by=" maria ", now=NOW, digest=proposed.digest, note="fine")
    active = ledger.activate_version("live", 1, now=NOW + timedelta(minutes=1))

    assert [proposed.state, approved.state, active.state] == ["proposed", "approved", "active"]
    assert ledger.active_version("live") == active
    assert active.state_at == NOW + timedelta(minutes=1)
    (approval,) = ledger.list_approvals("live", 1)
    assert (approval.by, approval.decision, approval.digest) == ("maria", "approved", proposed.digest)


def test_a_newer_version_supersedes_the_active_one(ledger: Ledger) -> None:
    put_in_force(ledger, 10)
    second = put_in_force(ledger, 20)

    assert second.parent_version == 1
    assert [(v.version, v.state) for v in ledger.list_versions("live")] == [(2, "active"), (1, "superseded")]


def test_the_stored_document_carries_identity_parent_and_digest(ledger: Ledger) -> None:
    put_in_force(ledger, 10)
    stored = propose(ledger, 20).document

    assert (stored["id"], stored["version"], stored["parent_version"]) == ("live", 2, 1)
    assert stored["digest"] == rule_set_digest(document(20))
    assert stored["rules"] == document(20)["rules"]


def test_the_same_content_proposed_twice_is_one_proposal(ledger: Ledger) -> None:
    first = propose(ledger, 10)
    assert propose(ledger, 10) == first
    ledger.approve_version("live", 1, by="maria", now=NOW)
    active = ledger.activate_version("live", 1, now=NOW)
    assert propose(ledger, 10) == active


def test_a_declined_content_can_be_proposed_anew(ledger: Ledger) -> None:
    propose(ledger, 10)
    rejected = ledger.reject_version("live", 1, by="maria", now=NOW, note="too much")
    assert rejected.state is VersionState.REJECTED
    assert propose(ledger, 10).version == 2


def test_a_rollback_restores_the_earlier_content_as_a_new_version(ledger: Ledger) -> None:
    first = put_in_force(ledger, 10)
    put_in_force(ledger, 20)

    asked = ledger.propose_rollback("live", to_version=1, by="maria", reason="starves wholesale", now=NOW)
    again = ledger.propose_rollback("live", to_version=1, by="maria", reason="starves wholesale", now=NOW)
    restored = ledger.activate_version("live", asked.version, now=NOW)

    assert again == asked
    assert (restored.version, restored.parent_version, restored.restores) == (3, 2, 1)
    assert restored.digest == first.digest
    assert restored.document["rules"] == first.document["rules"]
    assert [v.state for v in ledger.list_versions("live")] == ["active", "rolled_back", "superseded"]
    assert ledger.list_approvals("live", 3)[0].decision == "rollback"


def test_nobody_cannot_approve(ledger: Ledger) -> None:
    propose(ledger, 10)
    with pytest.raises(LedgerError, match="needs a named person"):
        ledger.approve_version("live", 1, by="  ", now=NOW)


def test_a_version_cannot_skip_approval(ledger: Ledger) -> None:
    propose(ledger, 10)
    with pytest.raises(LedgerError, match=r"live version 1 is proposed and cannot become active: a named person"):
        ledger.activate_version("live", 1, now=NOW)


def test_a_version_is_not_approved_twice(ledger: Ledger) -> None:
    propose(ledger, 10)
    ledger.approve_version("live", 1, by="maria", now=NOW)
    with pytest.raises(LedgerError, match="is approved and cannot become approved"):
        ledger.approve_version("live", 1, by="john", now=NOW)


def test_approving_another_content_than_the_one_looked_at_is_refused(ledger: Ledger) -> None:
    propose(ledger, 10)
    with pytest.raises(LedgerError, match="not the one that was looked at"):
        ledger.approve_version("live", 1, by="maria", now=NOW, digest=rule_set_digest(document(11)))


def test_a_stale_proposal_cannot_be_approved(ledger: Ledger) -> None:
    put_in_force(ledger, 10)
    stale = propose(ledger, 20).version
    put_in_force(ledger, 30)
    with pytest.raises(LedgerError, match="made on version 1, but version 3 is in force now"):
        ledger.approve_version("live", stale, by="maria", now=NOW)


def test_a_document_computed_on_an_older_version_is_refused(ledger: Ledger) -> None:
    put_in_force(ledger, 10)
    put_in_force(ledger, 20)
    with pytest.raises(LedgerError, match="made on version 1, but version 2"):
        ledger.propose_rule_set("live", document(30), created_by="x", reason="", now=NOW, parent_version=1)


@pytest.mark.parametrize("to_version", [2, 3])
def test_a_rollback_to_what_is_in_force_or_never_was_is_refused(ledger: Ledger, to_version: int) -> None:
    put_in_force(ledger, 10)
    put_in_force(ledger, 20)
    propose(ledger, 30)
    with pytest.raises(LedgerError, match=r"in force already|never was in force"):
        ledger.propose_rollback("live", to_version=to_version, by="maria", reason="", now=NOW)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"effective_from": "2026-11-16"}, "with offset"),
        ({"effective_from": None}, "with offset"),
        ({"rules": {}}, "expected a list"),
        ({"rules": [{"qty": float("nan")}]}, "not plain JSON"),
        ({"id": "other"}, "belongs to rule set 'other'"),
        ({"digest": "0" * 64}, "has digest"),
    ],
)
def test_a_malformed_document_is_refused(ledger: Ledger, fault: dict[str, Any], words: str) -> None:
    with pytest.raises(LedgerError, match=words):
        ledger.propose_rule_set("live", document(1) | fault, created_by="x", reason="", now=NOW)
    assert ledger.list_versions("live") == []


def test_a_stamp_without_offset_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="carries no offset"):
        ledger.propose_rule_set("live", document(1), created_by="x", reason="", now=NOW.replace(tzinfo=None))


def test_an_unknown_version_is_named_in_the_error(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no version 7 of rule set 'live'"):
        ledger.get_version("live", 7)


@pytest.mark.parametrize(
    "statement",
    [
        "update rule_set_versions set digest = 'x'",
        "update rule_set_versions set document = '{}'",
        "delete from rule_set_versions",
        "update approvals set by = 'eve'",
        "delete from approvals",
    ],
)
def test_the_database_itself_refuses_to_rewrite_history(ledger_settings: Settings, statement: str) -> None:
    with open_ledger(ledger_settings) as ledger:
        propose(ledger, 10)
        ledger.approve_version("live", 1, by="maria", now=NOW)
    engine = create_engine(ledger_settings.ledger_url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        statement = statement.replace("by =", '"by" =')
        with pytest.raises(DBAPIError, match=r"immutable once written|never deleted"), engine.begin() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def test_a_content_changed_behind_the_ledger_is_noticed(ledger_settings: Settings) -> None:
    with open_ledger(ledger_settings) as ledger:
        propose(ledger, 10)
        with ledger._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(text("drop trigger versions_keep_content"))
            else:
                connection.execute(text("drop trigger versions_keep_content on rule_set_versions"))
            connection.execute(
                text("update rule_set_versions set document = :document"),
                {"document": '{"rules": [], "effective_from": "2026-11-16T05:00:00Z"}'},
            )
        with pytest.raises(LedgerError, match="no longer has its digest"):
            ledger.approve_version("live", 1, by="maria", now=NOW)
