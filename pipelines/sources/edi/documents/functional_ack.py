"""997 functional acknowledgement, or 999 → document.acknowledged or document.rejected for what it answers.

It answers to a group (GS06) of the other direction, never to an interchange. Sets it names get their own
event; where it names fewer than the group held, one event without a set control stands for the others.
It proves syntax, not that anybody agrees with the content.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pipelines.sources.edi.document import Business, Direction, Document, at
from pipelines.sources.edi.lines import decimal_of
from pipelines.sources.edi.rows import EventRows

COLUMNS: Final = (
    "event_type",
    "event_at",
    "observed_at",
    "time_quality",
    "source_ref",
    "document_type",
    "direction",
    "partner_id",
    "group_control",
    "set_control",
    "status",
    "reason",
)

FUNCTIONAL_SETS: Final = {
    "AG": "824",
    "AN": "180",
    "CA": "865",
    "CD": "812",
    "FA": "997",
    "IB": "846",
    "IN": "810",
    "OW": "940",
    "PC": "860",
    "PO": "850",
    "PR": "855",
    "QM": "214",
    "RA": "820",
    "RC": "861",
    "RF": "753",
    "RG": "754",
    "SH": "856",
    "SW": "945",
}
"""GS01 → transaction set, for acknowledgements that name only the group."""

_STATUSES: Final = {"A": "A", "E": "E", "P": "P", "R": "R", "M": "R", "W": "R", "X": "R"}
"""Element 717/715; M, W and X are rejections for security or content that cannot be analysed."""


@dataclass(slots=True)
class _Answer:
    """What the 997 says about one set (or, without a control, about the group)."""

    offset: int
    document_type: str
    control: str
    status: str = ""
    reasons: list[str] = field(default_factory=list)


def read(document: Document, rows: EventRows) -> Business:
    """Read a 997."""
    group = next((segment for segment in document.segments if segment[0] == "AK1"), [])
    if not at(group, 2):
        rows.reject(document.ref(0), "997 without AK1: it names no group that it answers to", document.set.text)
        return Business()
    answers = _answers(document, group)
    if not answers:
        rows.reject(document.ref(0), "997 without AK2 and AK9: it accepts and rejects nothing", document.set.text)
    for answer in answers:
        if answer.status not in _STATUSES:
            reason = f"AK501 is {answer.status!r}: expected one of {', '.join(_STATUSES)}"
            rows.reject(document.ref(answer.offset), reason, document.raw(answer.offset))
        else:
            _add(document, rows, at(group, 2), answer)
    return Business(at(group, 2))


def _answers(document: Document, group: list[str]) -> list[_Answer]:
    answers: list[_Answer] = []
    for offset, segment in enumerate(document.segments):
        name = segment[0]
        if name == "AK2":
            answers.append(_Answer(offset, at(segment, 1), at(segment, 2)))
        elif name in ("AK3", "IK3") and answers:
            answers[-1].reasons.append(f"{at(segment, 1)} at {at(segment, 2)}: {at(segment, 4)}")
        elif name in ("AK4", "IK4") and answers:
            answers[-1].reasons.append(f"element {at(segment, 1)}: {at(segment, 3)} {at(segment, 4)}".rstrip())
        elif name in ("AK5", "IK5") and answers:
            answers[-1].status = at(segment, 1).strip().upper()
            answers[-1].reasons += [f"{name} {code}" for code in segment[2:7] if code]
        elif name == "AK9":
            answers += _group_answer(offset, segment, group, answers)
    return answers


def _group_answer(offset: int, trailer: list[str], group: list[str], answers: list[_Answer]) -> list[_Answer]:
    held = decimal_of(at(trailer, 2))
    if answers and (held is None or len(answers) >= held):
        return []
    # "Partially accepted" means that the rejected sets are named: those that are not were accepted.
    stated = at(trailer, 1).strip().upper()
    status = "A" if stated == "P" and answers else stated
    reasons = [f"AK9 {code}" for code in trailer[5:10] if code]
    return [_Answer(offset, FUNCTIONAL_SETS.get(at(group, 1), at(group, 1)), "", status, reasons)]


def _add(document: Document, rows: EventRows, group_control: str, answer: _Answer) -> None:
    status = _STATUSES[answer.status]
    answered: Direction = "out" if document.direction == "in" else "in"
    rows.sink("document", COLUMNS).append(
        (
            "document.rejected" if status == "R" else "document.acknowledged",
            document.sent_at,
            document.sent_at,
            "instant",
            document.ref(answer.offset),
            answer.document_type,
            answered,
            document.partner,
            group_control,
            answer.control,
            status,
            "; ".join(answer.reasons),
        )
    )
