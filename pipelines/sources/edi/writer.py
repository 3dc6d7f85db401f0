"""Writes interchanges: pads the ISA, counts, repeats control numbers, refuses what could not be read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.sources.edi.envelope import InterchangeHeader, Separators
from pipelines.sources.edi.errors import X12WriteError

_BLANK_IDS: Final = ("00", " " * 10, "00", " " * 10)


@dataclass(frozen=True, slots=True)
class SetDraft:
    """A transaction set to be written.

    Attributes:
        code: ST01.
        control: ST02.
        segments: Everything between ST and SE, each segment as its elements, id first.
    """

    code: str
    control: str
    segments: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class GroupDraft:
    """A functional group to be written.

    Attributes:
        code: GS01.
        sender: GS02.
        receiver: GS03.
        date: GS04, CCYYMMDD.
        time: GS05, HHMM.
        control: GS06.
        sets: Its sets.
        version: GS08.
    """

    code: str
    sender: str
    receiver: str
    date: str
    time: str
    control: str
    sets: Sequence[SetDraft]
    version: str = "004010"


def write_interchange(header: InterchangeHeader, groups: Sequence[GroupDraft], *, line_break: str = "") -> str:
    """Return an interchange as text.

    Args:
        header: What its ISA says; ids are padded here.
        groups: Its functional groups.
        line_break: Written behind each segment terminator, for people.

    Raises:
        X12WriteError: An element holds a separator or does not fit its ISA field, or the separators clash.
    """
    _check_separators(header.separators)
    separators = header.separators
    text = [_isa(header)]
    for group in groups:
        for segment in _group_segments(group):
            _check_segment(segment, separators)
            text.append(separators.element.join(_trim(segment)))
    text.append(separators.element.join(("IEA", str(len(groups)), header.control)))
    ending = separators.segment + line_break
    return ending.join(text) + ending


def _isa(header: InterchangeHeader) -> str:
    separators = header.separators
    fields = (
        (header.sender_qualifier, 2),
        (header.sender, 15),
        (header.receiver_qualifier, 2),
        (header.receiver, 15),
        (header.date, 6),
        (header.time, 4),
        (separators.repetition or "U", 1),
        (header.version, 5),
        (header.control, 9),
        ("0", 1),
        (header.usage, 1),
        (separators.component, 1),
    )
    # Ids may be padded; everything else has exactly the width that the standard gives it.
    padded = [value.ljust(width) if width == 15 else value for value, width in fields]
    for index, (value, (_, width)) in enumerate(zip(padded, fields, strict=True), start=5):
        is_separator = value in (separators.component, separators.repetition)
        if len(value) != width or (not is_separator and _holds_separator(value, separators)):
            message = f"ISA{index:02d} is {value!r}: expected {width} characters without a separator"
            raise X12WriteError(message)
    return separators.element.join(("ISA", *_BLANK_IDS, *padded))


def _group_segments(group: GroupDraft) -> Iterator[Sequence[str]]:
    yield (
        "GS",
        group.code,
        group.sender,
        group.receiver,
        group.date,
        group.time,
        group.control,
        "X",
        group.version,
    )
    for draft in group.sets:
        yield ("ST", draft.code, draft.control)
        yield from draft.segments
        yield ("SE", str(len(draft.segments) + 2), draft.control)
    yield ("GE", str(len(group.sets)), group.control)


def _trim(segment: Sequence[str]) -> Sequence[str]:
    """Drop empty elements at the end, as the standard asks."""
    end = len(segment)
    while end > 1 and not segment[end - 1]:
        end -= 1
    return segment[:end]


def _check_segment(segment: Sequence[str], separators: Separators) -> None:
    for index, element in enumerate(segment):
        # Components and repeats inside an element are the caller's business.
        if separators.element in element or separators.segment in element or "\n" in element or "\r" in element:
            message = f"{segment[0]}{index:02d} is {element!r}: an element cannot hold a separator or a line break"
            raise X12WriteError(message)
    if not segment or not segment[0] or segment[-1] != segment[-1].rstrip(" "):
        message = f"segment {list(segment)!r}: expected an id first and no blanks at the end"
        raise X12WriteError(message)


def _holds_separator(value: str, separators: Separators) -> bool:
    return separators.element in value or separators.segment in value


def _check_separators(separators: Separators) -> None:
    used = [separators.element, separators.component, separators.segment, separators.repetition]
    given = [value for value in used if value]
    if len(set(given)) != len(given) or any(len(value) != 1 or value.isalnum() or value == " " for value in given):
        message = f"separators {given!r}: expected different single characters, neither letters, digits nor blanks"
        raise X12WriteError(message)
    if not all(used[:3]):
        message = "element, component and segment separator are all needed"
        raise X12WriteError(message)
