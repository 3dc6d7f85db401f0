"""Writes the 997 for an interchange we received.

What it accepts is exactly what the adapter lands: a set with a structural fault is rejected, a group whose
trailer is wrong but whose sets are sound is accepted with errors. It speaks about syntax only.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final

from pipelines.sources.edi.envelope import (
    Fault,
    FaultCode,
    Group,
    GroupHeader,
    Interchange,
    InterchangeHeader,
    Separators,
    TransactionSet,
)
from pipelines.sources.edi.writer import GroupDraft, SetDraft, write_interchange

ACKNOWLEDGEMENT_GROUP: Final = "FA"

_SET_ERRORS: Final = {
    FaultCode.MISSING_TRAILER: "2",
    FaultCode.CONTROL_MISMATCH: "3",
    FaultCode.COUNT_MISMATCH: "4",
    FaultCode.UNEXPECTED_SEGMENT: "5",
}
_MISSING_ELEMENTS: Final = {1: "6", 2: "7"}
"""Element 718, transaction set syntax error codes: by fault, and by the ST element that is missing."""

_GROUP_ERRORS: Final = {
    FaultCode.MISSING_TRAILER: "3",
    FaultCode.CONTROL_MISMATCH: "4",
    FaultCode.COUNT_MISMATCH: "5",
}
"""Element 716, functional group syntax error codes."""

_MOST_ERRORS: Final = 5

_OLD_VERSION, _OLD_RELEASE = "00401", "004010"
_FIRST_REPEATING: Final = "00402"
"""ISA12 from which on ISA11 is the repetition separator; older interchanges are answered in 4010."""

_REPETITIONS: Final = "^|!"


def acknowledge(interchange: Interchange, *, control: int, sent_at: datetime) -> str | None:
    """Return the interchange of 997s that answers to an interchange, one 997 per functional group.

    Args:
        interchange: What we received.
        control: Our next control number; used for ISA13 and GS06.
        sent_at: Local time of sending.

    Returns:
        The text, or None where there is nothing to answer: 997s are not acknowledged, and a damaged ISA
        does not say whom to answer. It has the separators of the partner.

    Raises:
        X12WriteError: The partner's id does not fit an ISA.
    """
    header = interchange.header
    groups = [
        (group.header, group)
        for group in interchange.groups
        if group.header is not None and group.header.code != ACKNOWLEDGEMENT_GROUP
    ]
    if not header.is_readable or not groups:
        return None
    sets = [
        SetDraft("997", f"{number:04d}", _segments(group_header, group))
        for number, (group_header, group) in enumerate(groups, start=1)
    ]
    first = groups[0][0]
    answer = GroupDraft(
        code=ACKNOWLEDGEMENT_GROUP,
        sender=first.receiver,
        receiver=first.sender,
        date=sent_at.strftime("%Y%m%d"),
        time=sent_at.strftime("%H%M"),
        control=str(control),
        sets=sets,
        version=_release(first),
    )
    return write_interchange(_reply(header, control=control, sent_at=sent_at), [answer])


def _release(group: GroupHeader) -> str:
    """Return the release the partner writes, without his industry's suffix."""
    release = group.version.strip()[:6]
    return release if len(release) == 6 and release.isdecimal() else _OLD_RELEASE


def _reply(header: InterchangeHeader, *, control: int, sent_at: datetime) -> InterchangeHeader:
    given, version = header.separators, _OLD_VERSION
    repetition = ""
    if len(header.version) == 5 and header.version.isdecimal() and header.version >= _FIRST_REPEATING:
        used = (given.element, given.component, given.segment)
        repetition = given.repetition or next((sign for sign in _REPETITIONS if sign not in used), "")
        version = header.version
    return InterchangeHeader(
        ordinal=1,
        sender_qualifier=header.receiver_qualifier,
        sender=header.receiver,
        receiver_qualifier=header.sender_qualifier,
        receiver=header.sender,
        date=sent_at.strftime("%y%m%d"),
        time=sent_at.strftime("%H%M"),
        version=version,
        control=f"{control:09d}",
        usage=header.usage or "P",
        separators=Separators(given.element, given.component or Separators().component, given.segment, repetition),
    )


def _segments(header: GroupHeader, group: Group) -> list[list[str]]:
    accepted = sum(document.is_sound for document in group.sets)
    segments = [["AK1", header.code, header.control]]
    for document in group.sets:
        segments += [["AK2", document.code, document.control], _set_answer(document)]
    errors = _codes(group.faults, _GROUP_ERRORS)
    status = _group_status(len(group.sets), accepted, has_errors=bool(errors))
    stated = next((fault.value for fault in group.faults if fault.code is FaultCode.COUNT_MISMATCH), "")
    included = stated if stated.isdecimal() else str(len(group.sets))
    segments.append(["AK9", status, included, str(len(group.sets)), str(accepted), *errors])
    return segments


def _set_answer(document: TransactionSet) -> list[str]:
    if document.is_sound:
        return ["AK5", "A"]
    missing = [
        "6" if fault.element == 1 else "7" for fault in document.faults if fault.code is FaultCode.MISSING_ELEMENT
    ]
    return ["AK5", "R", *(_codes(document.faults, _SET_ERRORS) + missing)[:_MOST_ERRORS]]


def _codes(faults: tuple[Fault, ...], known: dict[FaultCode, str]) -> list[str]:
    return list(Counter(known[fault.code] for fault in faults if fault.code in known))[:_MOST_ERRORS]


def _group_status(received: int, accepted: int, *, has_errors: bool) -> str:
    if accepted < received:
        return "P" if accepted else "R"
    return "E" if has_errors else "A"
