"""Plans, the mail outbox and job runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from storage.errors import LedgerError
from storage.ledger import Ledger, OutboxMail, Plan
from storage.ledger.outbox import STALE_CLAIM

NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)


def record_plan(ledger: Ledger, scenario: str = "base") -> Plan:
    return ledger.record_plan(
        scenario=scenario,
        as_of=NOW,
        publication="20261116T050000",
        fingerprint="f" * 64,
        status="OPTIMAL",
        objective=Decimal("1234.5600"),
        baseline_objective=None,
        kpis={"otif": {"plan": 0.9, "baseline": 0.8}},
        lines=[{"order_id": "100123", "line_id": "1", "quantity": 3}],
        created_by="allocate",
        now=NOW,
    )


def queue(ledger: Ledger, message: bytes = b"one") -> OutboxMail:
    return ledger.enqueue_mail(
        "weekly/2026-W46/a@x/1", recipient="a@x", subject="Wöchentlich", message=message, now=NOW
    )


def test_a_plan_is_read_back_exactly(ledger: Ledger) -> None:
    plan = record_plan(ledger)
    assert ledger.get_plan(plan.plan_id) == plan
    assert str(plan.objective) == "1234.5600"
    assert ledger.plan_lines(plan.plan_id) == [{"order_id": "100123", "line_id": "1", "quantity": 3}]


def test_plans_are_listed_newest_first(ledger: Ledger) -> None:
    plans = [record_plan(ledger), record_plan(ledger, "tight"), record_plan(ledger)]
    assert ledger.list_plans() == plans[::-1]
    assert ledger.list_plans(scenario="tight") == [plans[1]]
    assert ledger.list_plans(limit=1) == [plans[2]]


def test_an_unknown_plan_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no plan 9"):
        ledger.get_plan(9)
    with pytest.raises(LedgerError, match="no plan 9"):
        ledger.plan_lines(9)


def test_a_mail_is_queued_once_per_key_and_sent_once(ledger: Ledger) -> None:
    queue(ledger)
    assert queue(ledger, b"two").message == b"two"
    claimed = ledger.claim_mail("weekly/2026-W46/a@x/1", now=NOW)
    assert claimed is not None
    assert (claimed.message, claimed.attempts) == (b"two", 1)
    sent = ledger.mark_mail_sent(claimed.send_key, now=NOW)

    assert (sent.status, sent.message, sent.sent_at) == ("sent", None, NOW)
    assert queue(ledger, b"three") == sent
    assert ledger.claim_mail(sent.send_key, now=NOW) is None
    assert ledger.list_mail() == [sent]
    assert ledger.get_mail(sent.send_key) == sent
    assert ledger.list_mail(unsent=True) == []


def test_a_failed_mail_is_kept_with_its_error_and_can_be_claimed_again(ledger: Ledger) -> None:
    queue(ledger)
    ledger.claim_mail("weekly/2026-W46/a@x/1", now=NOW)
    failed = ledger.mark_mail_failed("weekly/2026-W46/a@x/1", error="451 try later")
    assert (failed.status, failed.error, failed.message) == ("failed", "451 try later", b"one")
    again = ledger.claim_mail(failed.send_key, now=NOW)
    assert again is not None
    assert again.attempts == 2


def test_of_many_senders_one_gets_the_mail(ledger: Ledger) -> None:
    queue(ledger)
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda _: ledger.claim_mail("weekly/2026-W46/a@x/1", now=NOW), range(4)))
    assert sum(claim is not None for claim in claims) == 1


def test_an_abandoned_claim_can_be_taken_over(ledger: Ledger) -> None:
    queue(ledger)
    ledger.claim_mail("weekly/2026-W46/a@x/1", now=NOW)
    assert ledger.claim_mail("weekly/2026-W46/a@x/1", now=NOW + STALE_CLAIM - timedelta(seconds=1)) is None
    assert ledger.claim_mail("weekly/2026-W46/a@x/1", now=NOW + STALE_CLAIM) is not None


def test_a_mail_that_nobody_claimed_cannot_be_marked(ledger: Ledger) -> None:
    queue(ledger)
    with pytest.raises(LedgerError, match="is queued, expected sending"):
        ledger.mark_mail_sent("weekly/2026-W46/a@x/1", now=NOW)
    with pytest.raises(LedgerError, match="no mail 'x' in the outbox"):
        ledger.mark_mail_failed("x", error="")


def test_a_job_run_is_started_and_finished_once(ledger: Ledger) -> None:
    run = ledger.start_job("weekly-report", now=NOW, detail={"week": "2026-W46"})
    done = ledger.finish_job(run.run_id, now=NOW + timedelta(seconds=9), detail={"mails": 2})

    assert (run.status, done.status, done.detail) == ("running", "done", {"week": "2026-W46", "mails": 2})
    assert ledger.list_job_runs("weekly-report") == [done]
    assert ledger.list_job_runs("other") == []
    with pytest.raises(LedgerError, match="is done, expected running"):
        ledger.finish_job(run.run_id, now=NOW, status="failed", error="late")
