"""Finds runs of sound transaction sets and splits them.

A set is sound here exactly if the reader would find no fault in it: it has both its control number and its kind, ends
with its own SE, and the SE's count and control number agree. A run is as many interchanges as are whole in memory and
without any fault; where the next one is not, it is the sets of one group up to the first that is not sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import Array, entry, kernel, load, store, trailing_zeros
from pipelines.sources.edi.bulk.tape import LONGEST, SPARE, Tape, code_at, element, element_count, whole_number, word
from pipelines.sources.edi.codes import LONGEST_CODE
from pipelines.sources.edi.envelope import (
    Group,
    GroupHeader,
    Interchange,
    InterchangeHeader,
    LateSets,
    Separators,
    TransactionSet,
    control_agrees,
    count_agrees,
    group_header,
)
from pipelines.sources.edi.feed import Feed, normalise
from pipelines.sources.edi.isa import find_isa, read_isa

_PLAIN, _ELEMENT, _SEGMENT, _ODD = range(4)
_ST, _SE, _GS, _GE, _IEA = word("ST"), word("SE"), word("GS"), word("GE"), word("IEA")
_ZERO: Final = ord("0")
_SPACE: Final = ord(" ")
_LOWER: Final = (ord("a"), ord("z"))
_NEW_LINE, _RETURN, _TAB, _NOTHING, _END_OF_FILE = 0x0A, 0x0D, 0x09, 0x00, 0x1A
_ONES: Final = 0x0101010101010101
_HIGH_BITS: Final = -(1 << 63) | 0x0080808080808080
"""Each of eight bytes is 1, or has its highest bit only."""

FIRST, LAST, BEGIN, END, IS_ODD, OWNER = range(6)
"""Columns of `Run.sets`: its first segment, the one behind its last, its text, whether it has odd characters, group."""

_TEXT, _ELEMENTS, _SEGMENTS, _SETS, _GROUPS, _CLOSING = range(6)
"""What `scan` tells: how much there is of each, and where the last IEA begins."""

_GS_AT, _GS_END, _GS_SEGMENT, _FIRST_SET, _GE_AT, _GE_END, _LAST_SET = range(7)
"""What `scan` tells of a group."""

_MOST_BYTES: Final = 4
"""Of a character."""

_AFTER_ISA: Final = 2
"""Position of the segment behind the ISA."""


@dataclass(frozen=True, slots=True)
class RunGroup:
    """The sets that a run has of one group.

    Attributes:
        interchange: Header of their interchange.
        header: Header of their group.
        number: Position in the interchange of the tape's first segment, counted on from a segment of the group.
        first: The first set.
        last: The one behind the last.
    """

    interchange: InterchangeHeader
    header: GroupHeader
    number: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive sound sets.

    Attributes:
        tape: Their text, split.
        sets: One row per set.
        groups: The groups they are in, in order.
    """

    tape: Tape
    sets: Array
    groups: list[RunGroup]

    @property
    def set_count(self) -> int:
        """Number of sets."""
        return len(self.sets)

    @property
    def segment_count(self) -> int:
        """Number of segments from the first set to the last."""
        return int(self.sets[-1, LAST]) - int(self.sets[0, FIRST])

    @property
    def size(self) -> int:
        """Bytes from the first set to the last, the last terminator included."""
        return int(self.sets[-1, END]) + 1 - int(self.sets[0, BEGIN])

    def set_at(self, index: int) -> TransactionSet:
        """Return one set as the reader gives it."""
        group = self.groups[self.sets[index, OWNER]]
        return _sets(group, *self._copied(index, index + 1))[0]

    def interchanges(self) -> Iterator[Interchange]:
        """Return the interchanges of a run of whole ones as the reader gives them; they outlast the run."""
        for header, groups in groupby(self.groups, attrgetter("interchange")):
            yield Interchange(header, tuple(self._group(group) for group in groups))

    def _group(self, group: RunGroup) -> Group:
        if group.first == group.last:
            return Group(group.header, ())
        make = partial(_sets, group, *self._copied(group.first, group.last))
        return Group(group.header, LateSets(group.last - group.first, make))

    def _copied(self, first: int, last: int) -> tuple[bytes, Array]:
        """Return the text of some sets and their rows."""
        rows = self.sets[first:last].copy()
        return self.tape.data[rows[0, BEGIN] : rows[-1, END]].tobytes(), rows


def _sets(group: RunGroup, text: bytes, rows: Array) -> tuple[TransactionSet, ...]:
    """Make sets of a group, given their text."""
    separators = group.interchange.separators
    start, made = int(rows[0, BEGIN]), []
    for first, _, begin, end, *_ in rows.tolist():
        own = text[begin - start : end - start].decode()
        head = own[: own.index(separators.segment)].split(separators.element, 3)
        made.append(TransactionSet(group.interchange, group.header, head[1], head[2], group.number + first, own))
    return tuple(made)


class Scanner:
    """Looks for runs in the text of a feed or an interchange. A run is good until the next one is looked for."""

    def __init__(self) -> None:
        self._text = ""
        self._data = np.zeros(SPARE, np.uint8)
        self._is_ascii = True
        self._plain = np.empty(0, np.uint8)
        self._kinds: dict[tuple[str, str], Array] = {}

    def normalise(self, piece: str, terminator: str) -> str:
        """Do what `feed.normalise` does: at once where only line breaks must go."""
        self._make_room(len(piece))
        length = self._without_breaks(piece, _padded(piece), terminator, 0)
        return normalise(piece, terminator) if length < 0 else str(self._plain[:length].data, "ascii")

    def find(
        self, text: str, at: int, header: InterchangeHeader, group: GroupHeader, number: int
    ) -> tuple[Run, int] | None:
        """Return the run that begins at an offset and its length in characters, or None if there is none."""
        separators = header.separators
        if not _is_ascii(separators):
            return None
        if text is not self._text:
            self._text, self._data = text, _padded(text)
            self._is_ascii = len(self._data) == len(text) + SPARE
        data, begin = self._data, at if self._is_ascii else len(text[:at].encode())
        self._make_room(len(data) - begin)
        tape, told = self._tape._replace(data=data), np.zeros(6, np.int64)
        told[_TEXT] = begin
        end = len(data) - SPARE
        scan(tape, end, self._kinds_of(separators), True, self._sets, self._groups, told)  # noqa: FBT003 - numba
        count = int(told[_SETS])
        if not count:
            return None
        run = Run(tape, self._sets[:count], [RunGroup(header, group, number, 0, count)])
        return run, run.size if self._is_ascii else len(data[begin : begin + run.size].tobytes().decode())

    def find_whole(self, feed: Feed, ordinal: int) -> tuple[Run, int] | None:
        """Return the run of whole interchanges that begins with an ordinal, and their number, or None.

        The feed, which is at an ISA, is moved behind them.
        """
        if find_isa(feed.text, feed.at + 1) < 0:
            feed.fill()
        text, at, groups, told = feed.text, feed.at, list[RunGroup](), np.zeros(6, np.int64)
        count = 0
        self._make_room((len(text) - at) * (1 if text.isascii() else _MOST_BYTES))
        data = _padded(text) if text.isascii() else None
        while at < len(text) and (isa := read_isa(text, at, ordinal=ordinal + count)) and not isa.faults:
            end = find_isa(text, isa.end)
            if end < 0 and not feed.is_exhausted:
                break
            end = end if end >= 0 else len(text)
            body = text[isa.end : end]
            found = self._read_whole(
                body, _padded(body) if data is None else data[isa.end : end + SPARE], isa.header, told
            )
            if not found:
                break
            groups += found
            at, count = end, count + 1
        feed.at = at
        return (Run(self._tape, self._sets[: groups[-1].last], groups), count) if groups else None

    def _read_whole(self, body: str, data: Array, header: InterchangeHeader, told: Array) -> list[RunGroup]:
        """Split one more interchange, also given in bytes, and return its groups; none if it has a fault or no sets."""
        separators, (at, _, base, set_count, group_count, _) = header.separators, told.tolist()
        if not _is_ascii(separators):
            return []
        end = self._without_breaks(body, data, separators.segment, at)
        if end < 0:
            plain = normalise(body, separators.segment).encode()
            end = at + len(plain)
            self._plain[at:end] = np.frombuffer(plain, np.uint8)
        kinds = self._kinds_of(separators)
        if not scan(self._tape, end, kinds, False, self._sets, self._groups, told):  # noqa: FBT003 - numba
            return []
        _, _, _, sets_then, groups_then, closing_at = told.tolist()
        groups = []
        for gs_at, gs_end, segment, first, ge_at, ge_end, last in self._groups[group_count:groups_then].tolist():
            group = group_header(_AFTER_ISA + segment - base, self._elements(gs_at, gs_end, separators))
            trailer = self._elements(ge_at, ge_end, separators)
            if not count_agrees(trailer, last - first) or not control_agrees(trailer, group.control):
                return []
            groups.append(RunGroup(header, group, _AFTER_ISA - base, first, last))
        closing = self._elements(closing_at, end - 1, separators)
        is_sound = count_agrees(closing, len(groups)) and control_agrees(closing, header.control)
        return groups if is_sound and sets_then > set_count else []

    def _elements(self, start: int, end: int, separators: Separators) -> list[str]:
        return self._plain[start:end].tobytes().decode().split(separators.element)

    def _without_breaks(self, piece: str, data: Array, terminator: str, at: int) -> int:
        """Write a text without its line breaks and return where it ends; -1 if there is more to be done."""
        if not piece.isascii() or not terminator.isascii():
            return -1
        return without_breaks(data, ord(terminator), self._plain, at)

    def _make_room(self, size: int) -> None:
        """Provide for a text of so many bytes."""
        if len(self._plain) >= size + SPARE:
            return
        size += size // 4  # the next text may be a little longer
        self._plain = np.empty(size + SPARE, np.uint8)
        data = self._plain.view()
        data.flags.writeable = False  # as in every tape, or the kernels would be compiled once more
        self._tape = Tape(
            data=data,
            elements=np.empty(size + 2, np.int32),
            segments=np.empty(size // 2 + 2, np.int32),
            names=np.empty(size // 2 + 2, np.int64),
        )
        self._sets = np.empty((size // 8 + 1, 6), np.int32)
        self._groups = np.empty((size // 6 + 1, 7), np.int32)

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


def _is_ascii(separators: Separators) -> bool:
    return (separators.element + separators.segment).isascii()


def _padded(text: str) -> Array:
    """Return a text in bytes with `SPARE` ones behind it."""
    return np.frombuffer(text.encode() + bytes(SPARE), np.uint8)


@entry
def without_breaks(data: Array, terminator: int, plain: Array, begin: int) -> int:
    """Copy a text without its line breaks to an offset and return where it ends.

    Returns -1 if it has blanks around segments or empty ones.
    """
    length, at = begin, 0
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
def scan(
    tape: Tape,
    end: int,
    kinds: Array,
    is_within: bool,  # noqa: FBT001 - numba
    sets: Array,
    groups: Array,
    told: Array,
) -> bool:
    """Split segments behind what was told, up to an end, and tell of sound sets and their groups.

    Args:
        tape: Where to write.
        end: Where the text ends.
        kinds: Meaning of each byte.
        is_within: The text begins inside a group and is read up to the first thing that is no sound set. Else it is
            what follows an ISA.
        sets: `Run.sets`.
        groups: See `_GS_AT`.
        told: See `_TEXT`.

    Returns:
        Whether it is a whole interchange: sound sets in groups with GS and GE, an IEA and nothing else.
    """
    first, is_in_group, is_in_set, is_odd = 0, is_within, False, False
    while told[_TEXT] < end:
        segment = told[_SEGMENTS]
        is_segment_odd = _split(tape, end, kinds, told)
        if segment == told[_SEGMENTS]:
            return False
        name, is_full = tape.names[segment], element_count(tape, segment) > 1
        if is_in_set:
            is_odd = is_odd or is_segment_odd
            if name == _SE and is_full:
                if not _is_closed(tape, first, segment + 1):
                    return False
                _note_set(tape, sets, first, is_odd, told)
                is_in_set = False
            elif name == _ST:
                return False
        elif name == _ST and is_full and is_in_group:
            first, is_in_set, is_odd = segment, True, is_segment_odd
        elif is_within or name not in (_GS, _GE, _IEA) or is_in_group != (name == _GE):
            return False
        else:
            _note_envelope(tape, groups, segment, told)
            if name == _IEA:
                return bool(told[_TEXT] == end)
            is_in_group = name == _GS
    return False


@kernel
def _split(tape: Tape, end: int, kinds: Array, told: Array) -> bool:
    """Split the next segment, unless it does not end or has too long an element, and say if it is odd."""
    data, at, elements, segment = tape.data, told[_TEXT], told[_ELEMENTS], told[_SEGMENTS]
    start = element_start = at
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
            return is_odd
        is_odd = is_odd or _is_lower_code(data, element_start, at)
        if element_start == start:
            tape.names[segment] = code_at(data, start, at - start)
            tape.segments[segment] = elements
        tape.elements[elements] = element_start
        elements += 1
        at += 1
        element_start = at
        if kind == _ELEMENT:
            start = -1
            continue
        # The entry behind the last element lets its length be told; the next segment writes the same value.
        tape.elements[elements] = at
        tape.segments[segment + 1] = elements
        told[_TEXT], told[_ELEMENTS], told[_SEGMENTS] = at, elements, segment + 1
        return is_odd
    return is_odd


@kernel
def _note_set(tape: Tape, sets: Array, first: int, is_odd: bool, told: Array) -> None:  # noqa: FBT001 - numba
    row = sets[told[_SETS]]
    row[FIRST], row[LAST], row[BEGIN] = first, told[_SEGMENTS], tape.elements[tape.segments[first]]
    row[END], row[IS_ODD], row[OWNER] = told[_TEXT] - 1, is_odd, told[_GROUPS]
    told[_SETS] += 1


@kernel
def _note_envelope(tape: Tape, groups: Array, segment: int, told: Array) -> None:
    """Note a GS, GE or IEA."""
    name, begin, end = tape.names[segment], tape.elements[tape.segments[segment]], told[_TEXT] - 1
    row = groups[told[_GROUPS]]
    if name == _GS:
        row[_GS_AT], row[_GS_END], row[_GS_SEGMENT], row[_FIRST_SET] = begin, end, segment, told[_SETS]
    elif name == _GE:
        row[_GE_AT], row[_GE_END], row[_LAST_SET] = begin, end, told[_SETS]
        told[_GROUPS] += 1
    else:
        told[_CLOSING] = begin


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
