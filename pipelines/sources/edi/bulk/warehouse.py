"""What 940 and 945 share, in kernels: dates, references and parties above the lines, and the loops of lines."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import kernel
from pipelines.sources.edi.bulk.layouts import PARTNER
from pipelines.sources.edi.bulk.page import Page, set_span, set_word
from pipelines.sources.edi.bulk.places import AT_ID, AT_SET, locate
from pipelines.sources.edi.bulk.references import REFERENCE_SEGMENTS, note_reference, picked
from pipelines.sources.edi.bulk.tape import Tape, code, element, is_in, text, unpadded, whole_number, word
from pipelines.sources.edi.bulk.values import ODD, instant, plain_code

FACTS, STAMPS, HEAD_REFERENCES, LINE_REFERENCES, _FIRST_PLACE = range(5)
"""Rows of the notes; behind them is one for each of the parties."""

ROUTING_AT, LOOP_AT, LINE_AT, PACK_SIZE, _PARTY_AT = range(5)
"""Places in the facts: segments of routing, loop and line, eaches of a case, row of the party that an N4 is about."""
OWN_FACTS: Final = 8
"""From here on the facts are the document's own."""

STAMP_CODES: Final = np.array([word(name) for name in ("02", "68", "54", "53", "37", "38", "10", "01", "11")])
_ROLES: Final = np.array([word(name) for name in ("ST", "CN", "BS", "WH", "SF", "LW")])
_WAREHOUSES: Final = 3
"""Before it are the kinds of ship-to."""

_LINE_KINDS: Final = np.array([word(name) for name in ("LI", "PL", "IL")])

_G62, _N1, _N4, _LX, _SE, _W20 = word("G62"), word("N1"), word("N4"), word("LX"), word("SE"), word("W20")
_MOST_DIGITS: Final = 5


@kernel
def read_head(tape: Tape, begin: int, last: int, page: Page, routing: int, trailer: int) -> int:
    """Note what stands above the first loop and return where that begins; `ODD` if it is not regular."""
    notes = page.notes
    notes[FACTS, :24] = 0
    notes[STAMPS, : len(STAMP_CODES)] = 0
    notes[HEAD_REFERENCES, 0] = 0
    notes[_FIRST_PLACE : _FIRST_PLACE + len(_ROLES), :8] = 0
    for segment in range(begin, last):
        name = tape.names[segment]
        if name == _LX:
            return segment
        if name in (_SE, trailer) or not _note_head(tape, segment, page):
            return ODD
        if name == routing and not notes[FACTS, ROUTING_AT]:
            notes[FACTS, ROUTING_AT] = segment
    return ODD


@kernel
def _note_head(tape: Tape, segment: int, page: Page) -> bool:
    facts, name = page.notes[FACTS], tape.names[segment]
    if name == _G62:
        return _note_stamp(tape, segment, page)
    if name == _N1:
        return _note_party(tape, segment, page)
    if name == _N4 and facts[_PARTY_AT]:
        return locate(tape, segment, page.notes[facts[_PARTY_AT]])
    if is_in(REFERENCE_SEGMENTS, name):
        return note_reference(tape, segment, page.notes[HEAD_REFERENCES]) >= 0
    return True


@kernel
def _note_stamp(tape: Tape, segment: int, page: Page) -> bool:
    kind = plain_code(tape, segment, 1)
    if kind < 0 or element(tape, segment, 5) or stamp_at(tape, segment, page, False) < 0:  # noqa: FBT003 - numba
        return False
    for slot in range(len(STAMP_CODES)):
        if STAMP_CODES[slot] == code(tape, kind):
            page.notes[STAMPS, slot] = segment
    return True


@kernel
def stamp_at(tape: Tape, segment: int, page: Page, is_end: bool) -> int:  # noqa: FBT001 - numba
    """Return the instant of a G62."""
    return instant(page, tape, text(tape, segment, 2), text(tape, segment, 4), is_end)


@kernel
def _note_party(tape: Tape, segment: int, page: Page) -> bool:
    """Note who is who; the first of a role counts."""
    notes, kind = page.notes, plain_code(tape, segment, 1)
    notes[FACTS, _PARTY_AT] = 0
    for role in range(len(_ROLES)):
        if _ROLES[role] == code(tape, kind):
            row = _FIRST_PLACE + role
            notes[FACTS, _PARTY_AT] = row
            if not notes[row, AT_SET]:
                notes[row, AT_SET] = 1
                notes[row, AT_ID] = text(tape, segment, 4) or text(tape, segment, 2)
    return kind >= 0


@kernel
def party_row(page: Page, first: int, stop: int) -> int:
    """Return the row of the notes with the place of the first role that is there."""
    for row in range(_FIRST_PLACE + first, _FIRST_PLACE + stop):
        if page.notes[row, AT_SET]:
            return row
    return _FIRST_PLACE + first


@kernel
def set_node(page: Page, row: int, cell: int, tape: Tape) -> None:
    """Write the warehouse: a party, else the partner."""
    node = page.notes[party_row(page, _WAREHOUSES, len(_ROLES)), AT_ID]
    if node:
        set_span(page, row, cell, tape, node)
    else:
        set_word(page, row, cell, PARTNER)


@kernel
def begin_loop(segment: int, page: Page) -> None:
    """Clear the notes of a loop and remember its LX."""
    notes = page.notes
    notes[FACTS, LOOP_AT] = segment
    notes[FACTS, LINE_AT] = notes[FACTS, PACK_SIZE] = 0
    notes[LINE_REFERENCES, 0] = 0


@kernel
def note_loop(tape: Tape, segment: int, page: Page, line: int) -> bool:
    """Take what a segment of a loop with one line says; False if it is not regular."""
    facts, name = page.notes[FACTS], tape.names[segment]
    if name == line:
        is_first = facts[LINE_AT] == 0
        facts[LINE_AT] = segment
        return bool(is_first)
    if name == _W20 and facts[LINE_AT] and facts[PACK_SIZE] == 0:
        facts[PACK_SIZE] = whole_number(tape, text(tape, segment, 1), _MOST_DIGITS)
        return bool(facts[PACK_SIZE] > 0)
    if is_in(REFERENCE_SEGMENTS, name):
        return note_reference(tape, segment, page.notes[LINE_REFERENCES]) > 0
    return True


@kernel
def line_of(tape: Tape, page: Page) -> int:
    """Return the span of the order's line number where a loop names it."""
    return unpadded(tape, picked(tape, page.notes[LINE_REFERENCES], _LINE_KINDS))
