"""REF, N9 and L11 in kernels: a row of the notes holds how many there are, then the segments."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import Array, kernel
from pipelines.sources.edi.bulk.page import Page, add_pair, close_inner, emit_literal
from pipelines.sources.edi.bulk.tape import Tape, code, same, text, word
from pipelines.sources.edi.bulk.values import ODD, plain_code

_MOST: Final = 32
REFERENCE_SEGMENTS: Final = np.array([word("REF"), word("N9"), word("L11")])
_REVERSED: Final = word("L11")


@kernel
def _qualifier(tape: Tape, segment: int) -> int:
    return plain_code(tape, segment, 2 if tape.names[segment] == _REVERSED else 1)


@kernel
def _value(tape: Tape, segment: int) -> int:
    return text(tape, segment, 1 if tape.names[segment] == _REVERSED else 2)


@kernel
def note_reference(tape: Tape, segment: int, row: Array) -> int:
    """Add a reference and return 1; 0 if there is one of its kind already, `ODD` if it is not regular."""
    kind, count = _qualifier(tape, segment), row[0]
    if kind < 0 or count >= _MOST:
        return ODD
    for i in range(1, count + 1):
        if same(tape, _qualifier(tape, row[i]), kind):
            return 0
    row[0] = count + 1
    row[count + 1] = segment
    return 1


@kernel
def picked(tape: Tape, row: Array, kinds: Array) -> int:
    """Return the span of the reference of the first kind that is there."""
    for kind in kinds:
        for i in range(1, row[0] + 1):
            if code(tape, _qualifier(tape, row[i])) == kind and _value(tape, row[i]):
                return _value(tape, row[i])
    return 0


@kernel
def add_references(page: Page, name: Array, tape: Tape, row: Array) -> None:
    """Add the references to a JSON object under a name that ends where the inner object begins."""
    if row[0]:
        emit_literal(page, name)
        for i in range(1, row[0] + 1):
            add_pair(page, tape, _qualifier(tape, row[i]), _value(tape, row[i]))
        close_inner(page)
