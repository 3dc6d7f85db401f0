"""The evidence pack of one deduction: claim, rule, document chain, events with their files, verdict, clock.

Facts in, HTML and JSON out; the same publication and the same steps of people give the same bytes. Nothing is written
or sent here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import jinja2
import polars as pl

from dashboards.errors import QuestionError
from dashboards.formats import instant_text, words
from dashboards.queries import build_info, order_events
from dashboards.queries.disputes import deduction, document_chain, document_chain_lines, rules_in_force
from storage.duck import Connection
from storage.ledger import DisputeStep

_TEMPLATES: Final = Path(__file__).parent / "templates"
_VERDICTS: Final = {
    "valid": "The deduction is right by our own facts. Accept it.",
    "partly": "The deduction is right in part. Dispute the rest.",
    "disputable": "The deduction is wrong by our own facts. Dispute it.",
    "unrated": "Our facts and the public rules cannot tell. Decide by hand.",
}
_NO_VERDICT: Final = "This is a credit: there is nothing to dispute."


@dataclass(frozen=True, slots=True)
class DisputePack:
    """A finished pack.

    Attributes:
        deduction_id: Number of the deduction.
        html: Self-contained page.
        document: The same facts for machines, JSON.
    """

    deduction_id: str
    html: str
    document: str


@dataclass(frozen=True, slots=True)
class PackFacts:
    """Everything that a pack states; each member is a row, or rows, as published.

    Attributes:
        as_of: Instant of the build, UTC.
        company: Name of the company.
        claim: The deduction.
        conclusion: The verdict as a sentence.
        rules: The retailer's rules in force on the day the goods left; the applied one first.
        chain: The seven links; empty when the order is unknown.
        lines: Units and prices of each line through the documents.
        events: What is known to have happened to the order, with file and position.
        steps: What people did about the deduction.
    """

    as_of: datetime
    company: str
    claim: Mapping[str, Any]
    conclusion: str
    rules: tuple[Mapping[str, Any], ...]
    chain: tuple[Mapping[str, Any], ...]
    lines: tuple[Mapping[str, Any], ...]
    events: tuple[Mapping[str, Any], ...]
    steps: tuple[Mapping[str, Any], ...]


def build_pack(
    connection: Connection, deduction_id: str, *, steps: Sequence[DisputeStep] = (), company: str = ""
) -> DisputePack:
    """Build the pack of a deduction.

    Args:
        connection: Open publication.
        deduction_id: Number of the deduction, as `otif disputes` lists it.
        steps: What people did about it, from the ledger.
        company: Name of the company, for the heading.

    Raises:
        QuestionError: There is no such deduction.
        PublicationError: The publication cannot answer.
    """
    info = build_info(connection)
    found = deduction(connection, deduction_id)
    if found.is_empty():
        message = f"there is no deduction {deduction_id!r} in this publication. `otif disputes` lists those to work on."
        raise QuestionError(message)
    claim = found.row(0, named=True)
    order = claim["order_id"] or ""
    rules = rules_in_force(connection, customer_id=claim["customer_id"], deduction_id=deduction_id)
    facts = PackFacts(
        as_of=info.as_of,
        company=company,
        claim=claim,
        conclusion=_VERDICTS.get(claim["verdict"] or "", _NO_VERDICT),
        rules=_rows(rules),
        chain=_rows(document_chain(connection, order)),
        lines=_rows(document_chain_lines(connection, order)),
        events=_rows(order_events(connection, order)),
        steps=tuple(asdict(step) for step in steps),
    )
    return DisputePack(deduction_id, _page(facts, zone=info.zone), _document(facts))


def _rows(frame: pl.DataFrame) -> tuple[Mapping[str, Any], ...]:
    return tuple(frame.iter_rows(named=True))


def _document(facts: PackFacts) -> str:
    return json.dumps(asdict(facts), default=_plain, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat() + ("" if value.tzinfo else "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else repr(value)


def _page(facts: PackFacts, *, zone: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "words": words,
        "stamp": lambda value: instant_text(value, zone),
        "number": lambda value: "–" if value is None else f"{value:,.10g}",
        "money": lambda value: "–" if value is None else f"{value:,.2f} {facts.claim['currency']}",
        "share": lambda value: "unrated" if value is None else f"{value:.0%}",
    }
    page: str = environment.get_template("dispute_pack.html.j2").render(facts=facts, claim=facts.claim, zone=zone)
    return page
