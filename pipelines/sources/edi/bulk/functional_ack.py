"""997 in kernels: see `edi.documents.functional_ack`, which says what it means."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import Array, kernel
from pipelines.sources.edi.bulk.layouts import (
    ACKNOWLEDGED,
    DOCUMENT,
    IN,
    OUT,
    PARTNER,
    REJECTED,
    STATUS_A,
    STATUS_E,
    STATUS_P,
    STATUS_R,
)
from pipelines.sources.edi.bulk.page import (
    IS_FULL,
    SENT_AT,
    TOP,
    Page,
    add_row,
    emit_byte,
    emit_literal,
    emit_span,
    literal,
    reference_view,
    seal,
    set_span,
    set_text,
    set_word,
)
from pipelines.sources.edi.bulk.tape import Tape, code, element, whole_number, word
from pipelines.sources.edi.bulk.values import ODD
from pipelines.sources.edi.documents.functional_ack import FUNCTIONAL_SETS

(
    TYPE,
    REF,
    KIND,
    DIRECTION,
    PARTNER_ID,
    INTERCHANGE,
    GROUP,
    SET,
    DOCUMENT_ID,
    ORDER_ID,
    STATUS,
    REASON,
    ATTRIBUTES,
) = DOCUMENT.text_cells
(EVENT_AT,) = DOCUMENT.instant_cells

_FAMILY: Final = DOCUMENT.number
_AK1, _AK2, _AK5, _AK9 = word("AK1"), word("AK2"), word("AK5"), word("AK9")
_AK3, _AK4 = word("AK3"), word("AK4")
_ELEMENT, _AT, _SAYS, _NEXT = literal("element "), literal(" at "), literal(": "), literal("; ")
_AK5_CODE, _AK9_CODE = literal("AK5 "), literal("AK9 ")
_SPACE: Final = ord(" ")
_SUCCESSORS: Final = (word("IK3"), word("IK4"), word("IK5"))
"""Segments of the 999."""
_GROUP_CODES: Final = np.array([word(name) for name in FUNCTIONAL_SETS])
_GROUP_SETS: Final = np.array([word(name) for name in FUNCTIONAL_SETS.values()])
_STATUS_CODES: Final = np.array([word(name) for name in ("A", "E", "P", "R", "M", "W", "X")])
_STATUS_WORDS: Final = np.array([STATUS_A, STATUS_E, STATUS_P, STATUS_R, STATUS_R, STATUS_R, STATUS_R])
_PARTLY, _ACCEPTED = word("P"), word("A")
_UNKNOWN_SET: Final = 0


@kernel
def read_functional_ack(  # noqa: C901, PLR0911 - a walk through states
    tape: Tape,
    first: int,
    last: int,
    page: Page,
    is_out: bool,  # noqa: FBT001 - numba
) -> int:
    """Write the answers of a 997 and return the span of the group it answers; `ODD` if it is not regular."""
    header = first + 1
    group_control = element(tape, header, 2)
    if tape.names[header] != _AK1 or not group_control:
        return ODD
    asked, answers, is_ended = -1, 0, False
    for segment in range(header + 1, last):
        name = tape.names[segment]
        if name == _AK1 or (name in (_AK3, _AK4) and asked < 0) or name in _SUCCESSORS or (is_ended and name == _AK9):
            return ODD
        if name == _AK2:
            if asked >= 0 or is_ended:
                return ODD
            asked = segment
            answers += 1
        elif name == _AK5:
            status = code(tape, element(tape, segment, 1))
            if asked < 0:
                return ODD
            row = _write(tape, page, group_control, asked, status, is_out)
            if row < 0:
                return ODD
            set_text(page, row, REASON, _reasons(tape, page, asked, segment))
            set_span(page, row, KIND, tape, element(tape, asked, 1))
            set_span(page, row, SET, tape, element(tape, asked, 2))
            asked = -1
        elif name == _AK9:
            is_ended = True
            if asked >= 0 or not _write_rest(tape, segment, page, header, answers, is_out):
                return ODD
    return ODD if asked >= 0 or not (answers or is_ended) else group_control


@kernel
def _reasons(tape: Tape, page: Page, asked: int, answered: int) -> tuple[int, int]:
    """Return what AK3, AK4 and AK5 say about a set."""
    begin = int(page.state[TOP])
    for segment in range(asked + 1, answered):
        if tape.names[segment] == _AK3:
            _next_reason(page, begin)
            emit_span(page, tape, element(tape, segment, 1))
            emit_literal(page, _AT)
            emit_span(page, tape, element(tape, segment, 2))
            emit_literal(page, _SAYS)
            emit_span(page, tape, element(tape, segment, 4))
        elif tape.names[segment] == _AK4:
            _next_reason(page, begin)
            emit_literal(page, _ELEMENT)
            emit_span(page, tape, element(tape, segment, 1))
            emit_literal(page, _SAYS)
            emit_span(page, tape, element(tape, segment, 3))
            emit_byte(page, _SPACE)
            emit_span(page, tape, element(tape, segment, 4))
            while page.arena[page.state[TOP] - 1] == _SPACE and not page.state[IS_FULL]:
                page.state[TOP] -= 1
    _add_codes(tape, page, begin, answered, 2, _AK5_CODE)
    return seal(page, begin)


@kernel
def _add_codes(tape: Tape, page: Page, begin: int, segment: int, first: int, name: Array) -> None:
    """Add the five codes that an AK5 or AK9 may have, each behind the name of the segment."""
    for index in range(first, first + 5):
        if element(tape, segment, index):
            _next_reason(page, begin)
            emit_literal(page, name)
            emit_span(page, tape, element(tape, segment, index))


@kernel
def _next_reason(page: Page, begin: int) -> None:
    if page.state[TOP] > begin:
        emit_literal(page, _NEXT)


@kernel
def _write_rest(
    tape: Tape,
    segment: int,
    page: Page,
    header: int,
    answers: int,
    is_out: bool,  # noqa: FBT001 - numba
) -> bool:
    """Write the answer for the sets of the group that were not named; False if it is not regular."""
    held = whole_number(tape, element(tape, segment, 2), 9) if element(tape, segment, 2) else 0
    if held < 0:
        return False
    if answers and answers >= held:
        return True
    status = code(tape, element(tape, segment, 1))
    if status == _PARTLY and answers:
        status = _ACCEPTED
    kind, known = code(tape, element(tape, header, 1)), _UNKNOWN_SET
    for i in range(len(_GROUP_CODES)):
        if _GROUP_CODES[i] == kind:
            known = int(_GROUP_SETS[i])
    row = _write(tape, page, element(tape, header, 2), segment, status, is_out)
    if row < 0 or known == _UNKNOWN_SET:
        return False
    set_text(page, row, KIND, (3 | known << 32, 0))
    set_text(page, row, SET, (0, 0))
    begin = int(page.state[TOP])
    _add_codes(tape, page, begin, segment, 5, _AK9_CODE)
    set_text(page, row, REASON, seal(page, begin))
    return True


@kernel
def _write(
    tape: Tape,
    page: Page,
    group_control: int,
    offset: int,
    status: int,
    is_out: bool,  # noqa: FBT001 - numba
) -> int:
    """Write an answer without what it is about and return its row; `ODD` where the status is unknown."""
    known = -1
    for i in range(len(_STATUS_CODES)):
        if _STATUS_CODES[i] == status:
            known = int(_STATUS_WORDS[i])
    if known < 0:
        return ODD
    row = add_row(page, _FAMILY)
    set_word(page, row, TYPE, REJECTED if known == STATUS_R else ACKNOWLEDGED)
    set_text(page, row, REF, reference_view(page, offset))
    set_word(page, row, DIRECTION, IN if is_out else OUT)
    set_word(page, row, PARTNER_ID, PARTNER)
    set_span(page, row, GROUP, tape, group_control)
    set_word(page, row, STATUS, known)
    for column in (INTERCHANGE, DOCUMENT_ID, ORDER_ID, ATTRIBUTES):
        set_text(page, row, column, (0, 0))
    page.rows[row, EVENT_AT] = page.state[SENT_AT]
    return row
