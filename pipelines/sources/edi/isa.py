"""Finding interchanges: where an ISA starts and which delimiters it declares.

The ISA is meant to be 106 characters wide with its delimiters at fixed offsets. Files that pad it wrongly
or wrap it at 80 columns are common, so where the offsets do not hold the 16 elements are counted instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pipelines.sources.edi.envelope import Fault, FaultCode, InterchangeHeader, Separators

ISA_WINDOW: Final = 400
"""Characters within which a whole ISA and the segment after it must be found."""

ISA_LENGTH: Final = 106

SEPARATOR_OFFSETS: Final = (6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103)
_WIDTHS: Final = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
_FOLLOWERS: Final = ("GS", "TA1", "IEA", "ISB", "ISE")
_COMPONENT_AT: Final = 104
_PADDED: Final = (3, *_WIDTHS[:-1], 0)
"""Lengths of what stands between the separators before ISA16, where it is all padded as it should be."""

_ISA: Final = re.compile("ISA")
_LINE_BREAK: Final = re.compile("[\r\n]")
_LINE_BREAKS: Final = str.maketrans("", "", "\r\n")
BLANK: Final = " \t\r\n\x00\x1a\ufeff"
"""White space, end-of-file marks of old systems, byte order mark: may stand between interchanges."""


@dataclass(frozen=True, slots=True)
class IsaMatch:
    """An ISA found in a text.

    Attributes:
        header: What it says.
        end: Offset just behind its segment terminator.
        faults: Width faults, where it was readable all the same.
    """

    header: InterchangeHeader
    end: int
    faults: tuple[Fault, ...]


def find_isa(text: str, start: int) -> int:
    """Return the offset of the next segment that is plausibly an ISA, or -1.

    An `ISA` inside data does not count: it must begin the text or follow a delimiter or white space, and be
    followed by 15 more of the character behind it.
    """
    for found in _ISA.finditer(text, start):
        at = found.start()
        if (at == 0 or not text[at - 1].isalnum()) and _is_plausible(text, at):
            return at
    return -1


def _is_plausible(text: str, at: int) -> bool:
    window = text[at : at + ISA_WINDOW]
    if len(window) < 8 or window[3].isalnum() or window[3] in " \r\n":
        return False
    parts = window.split(window[3], 16)
    return len(parts) > 16 and len(parts[1].strip()) <= 2 and len(parts[5].strip()) <= 2 and len(parts[7].strip()) <= 2


def read_isa(text: str, at: int, *, ordinal: int) -> IsaMatch | None:
    """Read the ISA at an offset that `find_isa` returned.

    Returns:
        The match, or None where the text ends before the segment terminator is known.
    """
    window = text[at : at + ISA_WINDOW]
    element = window[3]
    elements, component_at = window[:_COMPONENT_AT].split(element), _COMPONENT_AT
    is_padded = tuple(map(len, elements)) == _PADDED and not _LINE_BREAK.search(window, 0, _COMPONENT_AT)
    if is_padded:
        del elements[16], elements[0]
    else:
        component_at = _component_offset(window, element)
        elements = [part.translate(_LINE_BREAKS) for part in window[:component_at].split(element)[1:16]]
    component, segment, end = _terminator(window, component_at, element)
    if not segment:
        return None
    header = _header(elements, (element, component, segment), ordinal)
    faults = () if is_padded and component else tuple(_width_faults([*elements, component]))
    return IsaMatch(header, at + end, faults)


def padded_isa(text: str, *, ordinal: int) -> InterchangeHeader:
    """Return what an ISA says that is known to be padded as it should be, given its 106 characters."""
    element = text[3]
    return _header(text.split(element)[1:], (element, *text[_COMPONENT_AT:]), ordinal)


def _header(elements: list[str], marks: tuple[str, ...], ordinal: int) -> InterchangeHeader:
    """Return what the elements from ISA01 on say, and which separators are declared."""
    standard, version = elements[10], elements[11]
    repetition = standard.strip(" ") if version >= "00402" and not standard.isalnum() else ""
    return InterchangeHeader(
        ordinal=ordinal,
        sender_qualifier=elements[4].strip(BLANK),
        sender=elements[5].strip(BLANK),
        receiver_qualifier=elements[6].strip(BLANK),
        receiver=elements[7].strip(BLANK),
        date=elements[8].strip(BLANK),
        time=elements[9].strip(BLANK),
        version=version.strip(BLANK),
        control=elements[12].strip(BLANK),
        usage=elements[14].strip(BLANK),
        separators=_separators(*marks, repetition),
    )


@lru_cache(maxsize=64)
def _separators(element: str, component: str, segment: str, repetition: str) -> Separators:
    return Separators(element, component, segment, repetition)


def _component_offset(window: str, element: str) -> int:
    """Offset of ISA16: 104, or behind the sixteenth separator where the ISA is not padded as it should be."""
    if len(window) > 105 and all(window[offset] == element for offset in SEPARATOR_OFFSETS):
        return _COMPONENT_AT
    offset = 3
    for _ in range(15):
        offset = window.index(element, offset + 1)
    return offset + 1


def _terminator(window: str, component_at: int, element: str) -> tuple[str, str, int]:
    """Return component separator, segment terminator (empty = unknown) and the offset behind the latter."""
    if component_at + 1 >= len(window):
        return "", "", component_at
    component, candidate = window[component_at], window[component_at + 1]
    rest = window[component_at + 1 :]
    if component in "\r\n" and not _starts_segment(rest.lstrip(BLANK), element):
        return _terminator(window, component_at + 1, element)
    if not candidate.isalnum() and candidate not in " \t":
        return component, candidate, component_at + 2
    if _starts_segment(rest, element):
        # ISA16 is missing: what stands in its place already ends the segment.
        return "", component, component_at + 1
    return _terminator_before_next_segment(component, rest, component_at + 1, element)


def _starts_segment(text: str, element: str) -> bool:
    return text.startswith(tuple(follower + element for follower in _FOLLOWERS))


def _terminator_before_next_segment(component: str, rest: str, offset: int, element: str) -> tuple[str, str, int]:
    starts = [at for follower in _FOLLOWERS if (at := rest.find(follower + element)) >= 0]
    gap = rest[: min(starts)] if starts else ""
    solid = gap.strip(BLANK)
    if len(solid) == 1:
        return component, solid, offset + gap.index(solid) + 1
    for line_break in ("\r", "\n"):
        if not solid and line_break in gap:
            return component, line_break, offset + gap.index(line_break) + 1
    return component, "", offset


def _width_faults(elements: list[str]) -> list[Fault]:
    return [
        Fault(
            FaultCode.ISA_WIDTH,
            "interchange",
            1,
            "ISA",
            index,
            value,
            f"{width} character{'s' if width > 1 else ''}",
        )
        for index, (value, width) in enumerate(zip(elements, _WIDTHS, strict=True), start=1)
        if len(value) != width
    ]
