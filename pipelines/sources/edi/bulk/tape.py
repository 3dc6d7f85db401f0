"""A run of transaction sets split into segments and elements, and how kernels read it.

A *span* is a piece of the text as one number, start and length; 0 is empty. A *code* is a short text as one number,
so that qualifiers compare like numbers.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipelines.sources.edi.bulk.compiled import Array, kernel, load

LONGEST: Final = 1 << 16
"""No element of a regular set is as long as this."""

SPARE: Final = 16
"""Bytes behind a text or a page of text: they may be read or written, and mean nothing."""

_LONGEST_CODE: Final = 7
_LENGTH_BIT: Final = 56
_SPACE: Final = ord(" ")
_ZERO: Final = ord("0")
_NINE: Final = ord("9")


class Tape(NamedTuple):
    """A run, split.

    Attributes:
        data: The text, and `SPARE` bytes.
        elements: Where each element begins; it ends one before the next one begins.
        segments: The first element of each segment, and one entry more.
        names: The code of each segment's id.
    """

    data: Array
    elements: Array
    segments: Array
    names: Array


def word(text: str) -> int:
    """Return the code of a text of at most seven ASCII characters."""
    return int.from_bytes(text.encode("ascii"), "little") | len(text) << _LENGTH_BIT


@kernel
def as_code(eight: int, length: int) -> int:
    """Return the code of a text, given eight bytes from its beginning on; -1 where it is too long to have one."""
    if length > _LONGEST_CODE:
        return -1
    # The length tells a text from the same with a zero byte behind it.
    return eight & ((1 << 8 * length) - 1) | length << _LENGTH_BIT


@kernel
def code_at(data: Array, start: int, length: int) -> int:
    """Return the code of a piece of text; -1 where it is too long to have one."""
    return as_code(load(data, start), length)


@kernel
def is_in(codes: Array, value: int) -> bool:
    """Say whether a code is among some."""
    for known in codes:  # noqa: SIM110 - numba knows no generators
        if known == value:
            return True
    return False


@kernel
def element(tape: Tape, segment: int, index: int) -> int:
    """Return the span of an element, empty where the segment is shorter."""
    position = tape.segments[segment] + index
    if position >= tape.segments[segment + 1]:
        return 0
    start = tape.elements[position]
    length = tape.elements[position + 1] - start - 1
    return start * LONGEST + length if length else 0


@kernel
def element_count(tape: Tape, segment: int) -> int:
    """Return the number of elements, the id included."""
    return int(tape.segments[segment + 1] - tape.segments[segment])


@kernel
def code(tape: Tape, span: int) -> int:
    """Return the code of a span."""
    return code_at(tape.data, span // LONGEST, span % LONGEST)


@kernel
def stripped(tape: Tape, span: int) -> int:
    """Return the span without the spaces around it."""
    start, end = span // LONGEST, span // LONGEST + span % LONGEST
    while start < end and tape.data[start] == _SPACE:
        start += 1
    while end > start and tape.data[end - 1] == _SPACE:
        end -= 1
    return start * LONGEST + end - start if end > start else 0


@kernel
def text(tape: Tape, segment: int, index: int) -> int:
    """Return the span of an element without the spaces around it."""
    return stripped(tape, element(tape, segment, index))


@kernel
def unpadded(tape: Tape, span: int) -> int:
    """Return a number's span without spaces and leading zeros; the last of nothing but zeros stays."""
    span = stripped(tape, span)
    start, end = span // LONGEST, span // LONGEST + span % LONGEST
    while start < end - 1 and tape.data[start] == _ZERO:
        start += 1
    return start * LONGEST + end - start if end > start else 0


@kernel
def same(tape: Tape, one: int, other: int) -> bool:
    """Say whether two spans hold the same text."""
    if one % LONGEST != other % LONGEST:
        return False
    for i in range(one % LONGEST):  # noqa: SIM110 - numba knows no generators
        if tape.data[one // LONGEST + i] != tape.data[other // LONGEST + i]:
            return False
    return True


@kernel
def is_before(tape: Tape, one: int, other: int) -> bool:
    """Say whether the text of one span sorts before that of another."""
    for i in range(min(one % LONGEST, other % LONGEST)):
        left, right = tape.data[one // LONGEST + i], tape.data[other // LONGEST + i]
        if left != right:
            return bool(left < right)
    return one % LONGEST < other % LONGEST


@kernel
def whole_number(tape: Tape, span: int, most_digits: int) -> int:
    """Return what the digits of a span say; -1 where it is empty, too long or anything else than digits."""
    start, length = span // LONGEST, span % LONGEST
    if length == 0 or length > most_digits:
        return -1
    value = 0
    for i in range(length):
        digit = tape.data[start + i]
        if digit < _ZERO or digit > _NINE:
            return -1
        value = value * 10 + (digit - _ZERO)
    return value
