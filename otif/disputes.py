"""Dispute jobs: the queue, the evidence pack, what people decide, and how their decisions come back as events."""

from __future__ import annotations

import csv
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from storage.errors import LedgerError
from storage.settings import Settings

if TYPE_CHECKING:
    from pipelines.landing import BatchReport
    from storage.duck import Connection
    from storage.ledger import DisputeStep
    from storage.ledger.records import DisputeOutcome

LEDGER_SOURCE: Final = "ledger"
"""Source name of events that come from people's decisions."""

_COLUMNS: Final = (
    "event_type", "event_at", "observed_at", "source", "document_id", "reference_id", "customer_id", "amount",
    "outcome",
)  # fmt: skip


def write_pack(settings: Settings, deduction_id: str, *, out: Path | None = None) -> tuple[Path, Path]:
    """Write the evidence pack of a deduction as HTML and JSON.

    Args:
        settings: Workspace.
        deduction_id: Number of the deduction.
        out: Folder to write to; default is `var/reports/disputes`.

    Returns:
        The page and the document.

    Raises:
        QuestionError: There is no such deduction.
    """
    from dashboards.reports.dispute_pack import build_pack
    from storage.ledger import open_ledger
    from storage.publish import open_published

    with open_published(settings) as connection, open_ledger(settings) as ledger:
        steps = ledger.dispute_steps([_row(connection, deduction_id)["document_id"]])
        pack = build_pack(connection, deduction_id, steps=steps, company=settings.company.name)
    folder = out or settings.reports / "disputes"
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in deduction_id)
    page, document = folder / f"{name}.html", folder / f"{name}.json"
    page.write_text(pack.html, encoding="utf-8")
    document.write_text(pack.document, encoding="utf-8")
    return page, document


def file_dispute(
    settings: Settings, deduction_id: str, *, by: str, amount: Decimal | None, note: str, now: datetime
) -> DisputeStep:
    """Record that a deduction was disputed, for its disputable part unless an amount is named.

    Raises:
        LedgerError: The deadline has passed, the attempts are used up, or an attempt waits for its answer.
        QuestionError: There is no such deduction.
    """
    from storage.ledger import open_ledger
    from storage.publish import open_published

    with open_published(settings) as connection:
        row = _row(connection, deduction_id)
        allowed = row["attempts_allowed"]
    with open_ledger(settings) as ledger:
        steps = ledger.dispute_steps([row["document_id"]])
        # Attempts of the ledger come back as events with the next build: whichever counts more is right.
        used = max(row["dispute_attempts"], sum(step.action == "filed" for step in steps))
        if allowed is not None and used >= allowed:
            message = f"{row['customer_id']} allows {allowed} disputes per deduction, {used} were filed."
            raise LedgerError(message)
        due = row["dispute_due_at"]
        if due is not None and now.replace(tzinfo=None) > due:
            message = f"deduction {deduction_id} could be disputed until {due:%Y-%m-%d %H:%M} UTC."
            raise LedgerError(message)
        if row["dispute_status"] == "open" and not steps:
            message = f"the dispute of {deduction_id} waits for its answer."
            raise LedgerError(message)
        asked = amount if amount is not None else _asked(row)
        return ledger.file_dispute(
            row["document_id"], customer_id=row["customer_id"], amount=asked, by=by, now=now, text=note
        )


def _asked(row: dict[str, Any]) -> Decimal:
    part = row["disputable_amount"] if row["disputable_amount"] is not None else row["amount"]
    return Decimal(str(part)).quantize(Decimal("0.01"))


def settle_dispute(
    settings: Settings,
    deduction_id: str,
    *,
    outcome: DisputeOutcome,
    recovered: Decimal | None,
    by: str,
    note: str,
    now: datetime,
) -> DisputeStep:
    """Record how a partner answered; a won dispute brings back what was asked for unless an amount is named.

    Raises:
        LedgerError: No dispute was filed, or outcome and money contradict each other.
        QuestionError: There is no such deduction.
    """
    from storage.ledger import open_ledger
    from storage.publish import open_published

    with open_published(settings) as connection:
        row = _row(connection, deduction_id)
    with open_ledger(settings) as ledger:
        filed = [step for step in ledger.dispute_steps([row["document_id"]]) if step.action == "filed"]
        if not filed and row["dispute_status"] == "none":
            message = f"no dispute of {deduction_id} was filed. `otif disputes file {deduction_id}` comes first."
            raise LedgerError(message)
        asked = filed[-1].amount if filed else Decimal(str(row["disputed_amount"]))
        if outcome == "partial" and recovered is None:
            message = "a partial answer needs the money that came back: --recovered."
            raise LedgerError(message)
        back = recovered if recovered is not None else (asked if outcome == "won" else Decimal(0))
        return ledger.settle_dispute(
            row["document_id"],
            customer_id=row["customer_id"],
            outcome=outcome,
            recovered=back or Decimal(0),
            by=by,
            now=now,
            text=note,
        )


def note_on_dispute(
    settings: Settings, deduction_id: str, *, text: str, by: str, now: datetime, is_accepted: bool = False
) -> DisputeStep:
    """Record words on a deduction, or that it is accepted.

    Raises:
        LedgerError: Nobody is named or nothing is said.
        QuestionError: There is no such deduction.
    """
    from storage.ledger import open_ledger
    from storage.publish import open_published

    with open_published(settings) as connection:
        row = _row(connection, deduction_id)
    with open_ledger(settings) as ledger:
        return ledger.note_on_dispute(
            row["document_id"], customer_id=row["customer_id"], text=text, by=by, now=now, is_accepted=is_accepted
        )


def _row(connection: Connection, deduction_id: str) -> dict[str, Any]:
    from dashboards.errors import QuestionError
    from dashboards.queries.disputes import deduction

    found = deduction(connection, deduction_id)
    if found.is_empty():
        message = f"there is no deduction {deduction_id!r} in this publication. `otif disputes` lists those to work on."
        raise QuestionError(message)
    return found.row(0, named=True)


def land_decisions(settings: Settings) -> list[BatchReport]:
    """Land the disputes of the ledger as finance events; what landed before lands no second time.

    Returns:
        Nothing when no dispute was ever filed here.
    """
    from pipelines.landing import ingest
    from storage.ledger import open_ledger

    with open_ledger(settings) as ledger:
        steps = [step for step in ledger.dispute_steps() if step.amount is not None]
    if not steps:
        return []
    path = settings.var / "ledger" / "disputes.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    attempts: dict[str, int] = {}
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(_COLUMNS)
        for step in steps:
            is_filed = step.action == "filed"
            attempts[step.document_id] = attempts.get(step.document_id, 0) + is_filed
            stamp = step.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            writer.writerow(
                (
                    "dispute.filed" if is_filed else "dispute.resolved", stamp, stamp, LEDGER_SOURCE,
                    f"{step.document_id}/{attempts[step.document_id]}", step.document_id, step.customer_id, step.amount,
                    "" if is_filed else step.action,
                )
            )  # fmt: skip
    return ingest(settings, [path], source="canonical")
