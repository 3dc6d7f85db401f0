"""Finds runs of sound transaction sets and splits them.

A set is sound here exactly if the reader would find no fault in it: it has both its control number and its kind, ends
with its own SE, and the SE's count and control number agree. A run ends before the first set that is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import Array, entry, kernel, load, store, trailing_zeros
from pipelines.sources.edi.bulk.tape import LONGEST, SPARE, Tape, code_at, element, element_count, whole_number, word
from pipelines.sources.edi.codes import LONGEST_CODE
from pipelines.sources.edi.envelope import GroupHeader, InterchangeHeader, Separators, TransactionSet
from pipelines.sources.edi.feed import normalise

_PLAIN, _ELEMENT, _SEGMENT, _ODD = range(4)
_ST: Final = word("ST")
_SE: Final = word("SE")
_ZERO: Final = ord("0")
_SPACE: Final = ord(" ")
_LOWER: Final = (ord("a"), ord("z"))
_NEW_LINE, _RETURN, _TAB, _NOTHING, _END_OF_FILE = 0x0A, 0x0D, 0x09, 0x00, 0x1A
_ONES: Final = 0x0101010101010101
_HIGH_BITS: Final = -(1 << 63) | 0x0080808080808080
"""Each of eight bytes is 1, or has its highest bit only."""

FIRST, LAST, BEGIN, END, IS_ODD = range(5)
"""Columns of `Run.sets`: its first segment, the one behind its last, its text, and whether it has odd characters."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive sound sets of one group.

    Attributes:
        interchange: Header of their interchange.
        group: Header of their group.
        number: Segment position of the first ST in the interchange.
        tape: Their text, split.
        sets: One row per set.
    """

    interchange: InterchangeHeader
    group: GroupHeader
    number: int
    tape: Tape
    sets: Array

    @property
    def set_count(self) -> int:
        """Number of sets."""
        return len(self.sets)

    @property
    def segment_count(self) -> int:
        """Number of segments in all sets."""
        return int(self.sets[-1, LAST])

    @property
    def size(self) -> int:
        """Bytes of all sets, the last terminator included."""
        return int(self.sets[-1, END]) + 1 - int(self.sets[0, BEGIN])

    def set_at(self, index: int) -> TransactionSet:
        """Return one set as the reader gives it."""
        first, _, begin, end, _ = (int(value) for value in self.sets[index])
        text = self.tape.data[begin:end].tobytes().decode()
        head = text.split(self.interchange.separators.segment, 1)[0].split(self.interchange.separators.element)
        return TransactionSet(self.interchange, self.group, head[1], head[2], self.number + first, text)


class Scanner:
    """Looks for runs in the text of an interchange. A run is good until the next one is looked for."""

    def __init__(self) -> None:
        self._text = ""
        self._data = np.zeros(SPARE, np.uint8)
        self._is_ascii = True
        self._plain = np.empty(0, np.uint8)
        self._elements, self._segments, self._names, self._sets = _room_for(0)
        self._kinds: dict[tuple[str, str], Array] = {}

    def normalise(self, piece: str, terminator: str) -> str:
        """Do what `feed.normalise` does: at once where only line breaks must go."""
        if not piece.isascii() or not terminator.isascii():
            return normalise(piece, terminator)
        if len(self._plain) < len(piece) + SPARE:
            self._plain = np.empty(len(piece) + SPARE, np.uint8)
        length = without_breaks(_padded(piece), ord(terminator), self._plain)
        return normalise(piece, terminator) if length < 0 else str(self._plain[:length].data, "ascii")

    def find(
        self, text: str, at: int, header: InterchangeHeader, group: GroupHeader, number: int
    ) -> tuple[Run, int] | None:
        """Return the run that begins at an offset and its length in characters, or None if there is none."""
        separators = header.separators
        if not (separators.element + separators.segment).isascii():
            return None
        if text is not self._text:
            self._text, self._data = text, _padded(text)
            self._is_ascii = len(self._data) == len(text) + SPARE
        data, begin = self._data, at if self._is_ascii else len(text[:at].encode())
        if len(self._elements) < len(data) - begin:
            self._elements, self._segments, self._names, self._sets = _room_for(len(data) - begin)
        tape = Tape(data, self._elements, self._segments, self._names)
        count = scan(tape, begin, self._kinds_of(separators), self._sets)
        if not count:
            return None
        run = Run(header, group, number, tape, self._sets[:count])
        return run, run.size if self._is_ascii else len(data[begin : begin + run.size].tobytes().decode())

    def _kinds_of(self, separators: Separators) -> Array:
        key = (separators.element, separators.segment)
        if key not in self._kinds:
            kinds = np.full(256, _ODD, np.uint8)
            kinds[0x20:0x7F] = _PLAIN
            kinds[[ord('"'), ord("\\")]] = _ODD  # need an escape in JSON
            kinds[ord(separators.element)] = _ELEMENT
            kinds[ord(separators.segment)] = _SEGMENT
            self._kinds[key] = kinds
        return self._kinds[key]


def _padded(text: str) -> Array:
    """Return a text in bytes with `SPARE` ones behind it."""
    return np.frombuffer(text.encode() + bytes(SPARE), np.uint8)


def _room_for(size: int) -> tuple[Array, Array, Array, Array]:
    """Return places for the elements, segments, names and sets of so many bytes."""
    return (
        np.empty(size + 2, np.int32),
        np.empty(size // 2 + 2, np.int32),
        np.empty(size // 2 + 2, np.int64),
        np.empty((size // 8 + 1, 5), np.int32),
    )


@entry
def without_breaks(data: Array, terminator: int, plain: Array) -> int:
    """Copy a text without its line breaks and return its length; -1 if it has blanks around segments or empty ones."""
    length = at = 0
    before, end = terminator, len(data) - SPARE
    while at < end:
        # Eight bytes at a time as far as none of them is white, a control character or the terminator.
        eight = load(data, at)
        store(plain, length, eight)
        ends = eight ^ terminator * _ONES
        special = ((eight - (_SPACE + 1) * _ONES) & ~eight | (ends - _ONES) & ~ends) & _HIGH_BITS
        regular = min(trailing_zeros(special) // 8 if special else 8, end - at)
        if regular:
            before = plain[length + regular - 1]
            at += regular
            length += regular
            continue
        byte = data[at]
        at += 1
        if byte in (_NEW_LINE, _RETURN) and byte != terminator:
            continue
        if byte in (_TAB, _NOTHING, _END_OF_FILE):
            return -1
        if before == terminator and byte in (terminator, _SPACE):
            return -1
        if before == _SPACE and byte == terminator:
            return -1
        plain[length] = byte
        length += 1
        before = byte
    return length


@entry
def scan(tape: Tape, begin: int, kinds: Array, sets: Array) -> int:
    """Split the sound sets that begin at an offset and return how many there are."""
    data, end = tape.data, len(tape.data) - SPARE
    count = elements = segments = first = 0
    at = start = element_start = begin
    is_odd = False
    while at < end:
        kind = kinds[data[at]]
        if kind == _PLAIN:
            at += 1
            continue
        if kind == _ODD:
            is_odd = True
            at += 1
            continue
        if at - element_start >= LONGEST:
            return count
        is_odd = is_odd or _is_lower_code(data, element_start, at)
        if element_start == start:
            tape.names[segments] = code_at(data, start, at - start)
            tape.segments[segments] = elements
        tape.elements[elements] = element_start
        elements += 1
        at += 1
        element_start = at
        if kind == _ELEMENT:
            start = -1
            continue
        # The entry behind the last element lets its length be told; the next segment writes the same value.
        tape.elements[elements] = at
        tape.segments[segments + 1] = elements
        name, is_first = tape.names[segments], segments == first
        if is_first != (name == _ST) or (is_first and element_count(tape, segments) < 3):
            return count
        segments += 1
        start = at
        if name == _SE and element_count(tape, segments - 1) > 1:
            if not _is_closed(tape, first, segments):
                return count
            sets[count, FIRST], sets[count, LAST] = first, segments
            sets[count, BEGIN], sets[count, END] = tape.elements[tape.segments[first]], at - 1
            sets[count, IS_ODD] = is_odd
            count += 1
            first = segments
            is_odd = False
    return count


@kernel
def _is_lower_code(data: Array, start: int, end: int) -> bool:
    """Say whether an element may be a code in lower case; the row-wise readers know which ones are."""
    if end - start > LONGEST_CODE:
        return False
    for i in range(start, end):  # noqa: SIM110 - numba knows no generators
        if _LOWER[0] <= data[i] <= _LOWER[1]:
            return True
    return False


@kernel
def _is_closed(tape: Tape, first: int, end: int) -> bool:
    """Say whether the SE agrees with its set and the ST says what it should."""
    control, closing = element(tape, first, 2), element(tape, end - 1, 2)
    if not element(tape, first, 1) or not control:
        return False
    if whole_number(tape, element(tape, end - 1, 1), 9) != end - first:
        return False
    return _same_number(tape, control, closing)


@kernel
def _same_number(tape: Tape, one: int, other: int) -> bool:
    """Compare two control numbers, leading zeros left out."""
    start, end = one // LONGEST, one // LONGEST + one % LONGEST
    at, stop = other // LONGEST, other // LONGEST + other % LONGEST
    while start < end and tape.data[start] == _ZERO:
        start += 1
    while at < stop and tape.data[at] == _ZERO:
        at += 1
    if end - start != stop - at:
        return False
    for i in range(end - start):  # noqa: SIM110 - numba knows no generators
        if tape.data[start + i] != tape.data[at + i]:
            return False
    return True
