"""Codes written in lower case: some senders do, and a code means the same either way. Names, ids and texts stay."""

from __future__ import annotations

from typing import Final

LONGEST_CODE: Final = 3
"""An element longer than this is no code that is looked at here."""

_CODES: Final[dict[str, tuple[tuple[int, ...], int]]] = {
    "ACK": ((1, 3, 4), 7),
    "AK1": ((1,), 0),
    "AK3": ((1,), 0),
    "BAK": ((2,), 0),
    "BEG": ((2,), 0),
    "BIG": ((7,), 0),
    "BLI": ((), 1),
    "CDD": ((1, 2), 0),
    "CUR": ((1, 2), 0),
    "DTM": ((1, 4, 5), 0),
    "HL": ((3,), 0),
    "IK3": ((1,), 0),
    "IT1": ((3, 5), 6),
    "LIN": ((), 2),
    "MAN": ((1, 4), 0),
    "N1": ((1, 3), 0),
    "N4": ((2, 4), 0),
    "N9": ((1,), 0),
    "OID": ((4, 6, 8), 0),
    "PO1": ((3, 5), 6),
    "POC": ((2, 5), 8),
    "REF": ((1,), 0),
    "SAC": ((1, 2, 3), 0),
    "SCH": ((2, 5, 8), 0),
    "SDQ": ((1,), 0),
    "SN1": ((3,), 0),
    "W01": ((2,), 4),
    "W12": ((5,), 7),
}
"""Segment → its coded elements, and where pairs of a qualifier and an id begin (0: it has none)."""


def in_capitals(segments: list[list[str]]) -> list[list[str]]:
    """Return the segments of a set with their codes in capitals."""
    return [_in_capitals(segment) for segment in segments]


def _in_capitals(segment: list[str]) -> list[str]:
    single, pairs = _CODES.get(segment[0], ((), 0))
    places = {*single, *(range(pairs, len(segment), 2) if pairs else ())}
    return [
        element.upper() if index in places and len(element) <= LONGEST_CODE else element
        for index, element in enumerate(segment)
    ]
