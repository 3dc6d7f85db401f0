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
from pipelines.sources.edi.bulk.tape import (
    LONGEST,
    SPARE,
    Tape,
    as_code,
    element,
    element_count,
    stripped,
    whole_number,
    word,
)
from pipelines.sources.edi.codes import LONGEST_CODE
from pipelines.sources.edi.envelope import (
    Group,
    GroupHeader,
    Interchange,
    InterchangeHeader,
    LateSets,
    Separators,
    TransactionSet,
    group_header,
)
from pipelines.sources.edi.feed import Feed, normalise
from pipelines.sources.edi.isa import ISA_LENGTH, SEPARATOR_OFFSETS, find_isa, padded_isa

_ST, _SE, _GS, _GE, _IEA = word("ST"), word("SE"), word("GS"), word("GE"), word("IEA")
_I, _S, _A = b"ISA"
_ZERO: Final = ord("0")
_SPACE: Final = ord(" ")
_QUOTE: Final = ord('"')
_BACKSLASH: Final = ord("\\")
_LOWER: Final = (ord("a"), ord("z"))
_NEW_LINE, _RETURN, _TAB, _NOTHING, _END_OF_FILE = 0x0A, 0x0D, 0x09, 0x00, 0x1A
_ONES: Final = 0x0101010101010101
_HIGH_BITS: Final = -(1 << 63) | 0x0080808080808080
"""Each of eight bytes is 1, or has its highest bit only."""

_FROM_A, _BEHIND_Z = (0x80 - _LOWER[0]) * _ONES, (0x7F - _LOWER[1]) * _ONES
"""What brings letters in lower case, and what is behind them, to the highest bit of their byte."""

FIRST, LAST, BEGIN, END, IS_ODD, OWNER = range(6)
"""Columns of `Run.sets`: its first segment, the one behind its last, its text, whether it has odd characters, group."""

_TOLD: Final = 7
_TEXT, _ELEMENTS, _SEGMENTS, _SETS, _GROUPS, _CLOSING, _SOURCE = range(_TOLD)
"""What `_scan` tells: how much there is of each, and the segment of the last IEA; how much of the source is read."""

_GS_AT, _GS_END, _GS_SEGMENT, _GE_SEGMENT, _FIRST_SET, _LAST_SET = range(6)
"""What `_scan` tells of a group."""

_ISA_AT, _ISA_SEGMENT, _LAST_GROUP = range(3)
"""What `scan_whole` tells of an interchange: where its ISA is, and the group behind its last one."""

_COMPONENT_AT: Final = ISA_LENGTH - 2
_OFFSETS: Final = np.array(SEPARATOR_OFFSETS)
_DOUBTFUL: Final = -1
_NON_ASCII: Final = 0x80
_MARK: Final = 0xEF
"""First byte of a byte order mark in UTF-8."""

_COUNT_DIGITS: Final = 9
"""Most digits of a count."""


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


class _Encoded:
    """A text in bytes with `SPARE` ones behind it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = _padded(text)

    def byte_at(self, at: int) -> int:
        """Return the offset in bytes of an offset in characters."""
        return at if self.text.isascii() else len(self.text[:at].encode())

    def length(self, begin: int, end: int) -> int:
        """Return the characters between two offsets in bytes."""
        return end - begin if self.text.isascii() else len(self.data[begin:end].tobytes().decode())


class Scanner:
    """Looks for runs in the text of a feed or an interchange. A run is good until the next one is looked for."""

    def __init__(self) -> None:
        self._body = self._fed = _Encoded("")
        self._plain = np.empty(0, np.uint8)

    def normalise(self, piece: str, terminator: str) -> str:
        """Do what `feed.normalise` does: at once where only line breaks must go."""
        if not terminator.isascii():
            return normalise(piece, terminator)
        data = _padded(piece)
        self._make_room(len(data) - SPARE)
        length = without_breaks(data, ord(terminator), self._plain)
        return normalise(piece, terminator) if length < 0 else str(self._plain[:length].data, "utf-8")

    def find(
        self, text: str, at: int, header: InterchangeHeader, group: GroupHeader, number: int
    ) -> tuple[Run, int] | None:
        """Return the run that begins at an offset and its length in characters, or None if there is none."""
        separators = header.separators
        if not _is_ascii(separators):
            return None
        if text is not self._body.text:
            self._body = _Encoded(text)
        data, begin = self._body.data, self._body.byte_at(at)
        self._make_room(len(data) - begin)
        told = np.zeros(_TOLD, np.int64)
        told[_SOURCE] = begin
        marks = ord(separators.element), ord(separators.segment)
        scan_within(data, len(data) - SPARE, *marks, self._tape, self._plain, self._sets, self._groups, told)
        count = int(told[_SETS])
        if not count:
            return None
        run = Run(self._tape, self._sets[:count], [RunGroup(header, group, number, 0, count)])
        return run, self._body.length(begin, begin + run.size)

    def find_whole(self, feed: Feed, ordinal: int) -> tuple[Run, int] | None:
        """Return the run of whole interchanges that begins with an ordinal, and their number, or None.

        The feed, which is at an ISA, is moved behind them.
        """
        if find_isa(feed.text, feed.at + 1) < 0:
            feed.fill()
        if feed.text is not self._fed.text:  # an interchange that is not sound interrupts a run, not the text
            self._fed = _Encoded(feed.text)
        begin = self._fed.byte_at(feed.at)
        data = self._fed.data[begin:]
        size = len(data) - SPARE
        self._make_room(size)
        told = np.zeros(_TOLD, np.int64)
        arrays = (self._sets, self._groups, self._interchanges)
        count = scan_whole(data, size, feed.is_exhausted, self._tape, self._plain, *arrays, told)
        if not count:
            return None
        consumed, sets = int(told[_SOURCE]), self._sets[: told[_SETS]]
        feed.at += self._fed.length(begin, begin + consumed)
        return Run(self._tape, sets, self._groups_of(count, ordinal)), count

    def _groups_of(self, count: int, ordinal: int) -> list[RunGroup]:
        """Return the groups of whole interchanges."""
        plain, groups = self._plain.data, []
        found, at = self._groups[: self._interchanges[count - 1, _LAST_GROUP]].tolist(), 0
        for begin, segment, last_group in self._interchanges[:count].tolist():
            header = padded_isa(str(plain[begin : begin + ISA_LENGTH], "utf-8"), ordinal=ordinal)
            element = header.separators.element
            for gs_at, gs_end, gs_segment, _, first, last in found[at:last_group]:
                elements = str(plain[gs_at:gs_end], "utf-8").split(element)
                groups.append(
                    RunGroup(header, group_header(gs_segment - segment + 1, elements), 1 - segment, first, last)
                )
            at, ordinal = last_group, ordinal + 1
        return groups

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
        self._groups = np.empty((size // 6 + 1, 6), np.int32)
        self._interchanges = np.empty((size // ISA_LENGTH + 1, 3), np.int32)


def _is_ascii(separators: Separators) -> bool:
    return (separators.element + separators.segment).isascii()


def _padded(text: str) -> Array:
    """Return a text in bytes with `SPARE` ones behind it."""
    return np.frombuffer(text.encode() + bytes(SPARE), np.uint8)


@entry
def without_breaks(data: Array, terminator: int, plain: Array) -> int:
    """Copy a text without its line breaks and return how long it is.

    Returns -1 if it has blanks around segments or empty ones.
    """
    length, at = 0, 0
    before, end = terminator, len(data) - SPARE
    while at < end:
        # Eight bytes at a time as far as none of them is white, a control character, a mark or the terminator.
        eight = load(data, at)
        store(plain, length, eight)
        special = _below(eight, _SPACE + 1) | _equal(eight, terminator) | _equal(eight, _MARK)
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
        if byte in (_TAB, _NOTHING, _END_OF_FILE, _MARK):
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
def scan_within(
    source: Array,
    end: int,
    element: int,
    terminator: int,
    tape: Tape,
    plain: Array,
    sets: Array,
    groups: Array,
    told: Array,
) -> None:
    """Find the sound sets of a group, from what was told on up to the first thing that is none; see `_scan`."""
    _scan(source, end, element, terminator, True, tape, plain, sets, groups, told)  # noqa: FBT003 - numba


@entry
def scan_whole(
    source: Array,
    size: int,
    is_all: bool,  # noqa: FBT001 - numba
    tape: Tape,
    plain: Array,
    sets: Array,
    groups: Array,
    interchanges: Array,
    told: Array,
) -> int:
    """Split interchanges up to the first one that is not whole, has a fault or may not be what it seems.

    Args:
        source: The text from an ISA on.
        size: Its length.
        is_all: Nothing comes behind it.
        tape: Where to write.
        plain: The text of the tape, to be written.
        sets: `Run.sets`.
        groups: See `_GS_AT`.
        interchanges: See `_ISA_AT`.
        told: See `_TEXT`.

    Returns:
        The number of interchanges.
    """
    count, at, set_count, group_count = 0, 0, 0, 0
    while _is_isa(source, at, size):
        end = _next_isa(source, at + ISA_LENGTH, size)
        if end == _DOUBTFUL or (end == size and not is_all):
            break
        element, terminator = source[at + 3], source[at + ISA_LENGTH - 1]
        begin, segment = told[_TEXT], told[_SEGMENTS]
        _split(source, end, element, terminator, tape, plain, told)
        is_whole = _scan(source, end, element, terminator, False, tape, plain, sets, groups, told)  # noqa: FBT003
        if not is_whole or told[_SETS] == set_count or not _agrees(tape, segment, groups, group_count, told):
            break
        set_count, group_count, at = told[_SETS], told[_GROUPS], end
        row = interchanges[count]
        row[_ISA_AT], row[_ISA_SEGMENT], row[_LAST_GROUP] = begin, segment, group_count
        count += 1
    told[_SETS], told[_GROUPS], told[_SOURCE] = set_count, group_count, at
    return count


@kernel
def _is_isa(source: Array, at: int, size: int) -> bool:
    """Say whether there is an ISA, padded as it should be, with separators that are beyond doubt."""
    if at + ISA_LENGTH > size or source[at] != _I or source[at + 1] != _S or source[at + 2] != _A:
        return False
    element, component, terminator = source[at + 3], source[at + _COMPONENT_AT], source[at + ISA_LENGTH - 1]
    for mark in (element, component, terminator):
        if _is_word(mark) or mark in (_SPACE, _TAB):
            return False
    if element in (component, terminator) or component == terminator or component in (_NEW_LINE, _RETURN):
        return False
    count = 0
    for i in range(at, at + _COMPONENT_AT):
        byte = source[i]
        if byte >= _NON_ASCII or byte in (_NEW_LINE, _RETURN):
            return False
        count += byte == element
    for offset in _OFFSETS:
        count -= source[at + offset] == element
    return bool(count == 1)


@kernel
def _next_isa(source: Array, at: int, size: int) -> int:
    """Return where the next ISA is, the size if there is none; `_DOUBTFUL` where something may be one."""
    while at < size:
        # Eight places at a time as long as none of them has the three letters.
        letters = load(source, at) ^ _I * _ONES
        letters |= load(source, at + 1) ^ _S * _ONES
        letters |= load(source, at + 2) ^ _A * _ONES
        found = (letters - _ONES) & ~letters & _HIGH_BITS
        if not found:
            at += 8
            continue
        at += trailing_zeros(found) // 8
        before, behind = source[at - 1], source[at + 3]
        if before >= _NON_ASCII or behind >= _NON_ASCII:
            return _DOUBTFUL
        if not _is_word(before) and not _is_word(behind) and behind not in (_SPACE, _NEW_LINE, _RETURN):
            return at if _is_isa(source, at, size) else _DOUBTFUL
        at += 1
    return size


@kernel
def _is_word(byte: int) -> bool:
    """Say whether a byte is a letter or a digit, or of a character that may be one."""
    return bool(
        byte >= _NON_ASCII
        or _ZERO <= byte <= _ZERO + 9
        or _LOWER[0] <= byte <= _LOWER[1]
        or _LOWER[0] <= byte + 32 <= _LOWER[1]
    )


@kernel
def _agrees(tape: Tape, isa: int, groups: Array, first: int, told: Array) -> bool:
    """Say whether the trailers of an interchange agree with what is in it."""
    for index in range(first, told[_GROUPS]):
        group = groups[index]
        count = group[_LAST_SET] - group[_FIRST_SET]
        if not _is_trailer(tape, group[_GE_SEGMENT], count, element(tape, group[_GS_SEGMENT], 6)):
            return False
    control = stripped(tape, element(tape, isa, 13))
    return _is_trailer(tape, told[_CLOSING], told[_GROUPS] - first, control)


@kernel
def _is_trailer(tape: Tape, segment: int, count: int, control: int) -> bool:
    if whole_number(tape, element(tape, segment, 1), _COUNT_DIGITS) != count:
        return False
    return _same_number(tape, control, element(tape, segment, 2))


@kernel
def _scan(
    source: Array,
    end: int,
    element: int,
    terminator: int,
    is_within: bool,  # noqa: FBT001 - numba
    tape: Tape,
    plain: Array,
    sets: Array,
    groups: Array,
    told: Array,
) -> bool:
    """Split segments behind what was told, up to an end, and tell of sound sets and their groups.

    Args:
        source: The text.
        end: Where it ends.
        element: The separator of elements.
        terminator: That of segments.
        is_within: The text begins inside a group and is read up to the first thing that is no sound set. Else it is
            what follows an ISA.
        tape: Where to write.
        plain: The text of the tape, to be written.
        sets: `Run.sets`.
        groups: See `_GS_AT`.
        told: See `_TEXT`.

    Returns:
        Whether it is a whole interchange: sound sets in groups with GS and GE, an IEA and nothing else.
    """
    first, is_in_group, is_in_set, is_odd = 0, is_within, False, False
    while told[_SOURCE] < end:
        segment = told[_SEGMENTS]
        is_segment_odd = _split(source, end, element, terminator, tape, plain, told)
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
                return _next_solid(source, told[_SOURCE], end, terminator) == end
            is_in_group = name == _GS
    return False


@kernel
def _next_solid(source: Array, at: int, end: int, terminator: int) -> int:
    """Pass over line breaks, blanks and empty segments."""
    while at < end and (source[at] in (_SPACE, _NEW_LINE, _RETURN) or source[at] == terminator):
        at += 1
    return at


@kernel
def _split(  # noqa: C901 - a walk through states
    source: Array,
    end: int,
    mark: int,
    terminator: int,
    tape: Tape,
    plain: Array,
    told: Array,
) -> bool:
    """Split the next segment, without line breaks and the blanks around it, and say if it is odd.

    It is not split if it does not end, has characters that may have to be taken out, or too long an element. `mark` is
    the separator of elements.
    """
    out, elements, segment = told[_TEXT], told[_ELEMENTS], told[_SEGMENTS]
    at = _next_solid(source, told[_SOURCE], end, terminator)
    start = element_start = out
    element_at = at  # where the element is in the source, unless there is a line break in it
    is_odd = is_broken = is_done = False
    while at < end:
        # Eight bytes at a time up to the first one that is a separator, no plain character or needs an escape in JSON.
        eight = load(source, at)
        store(plain, out, eight)
        special = _equal(eight, mark) | _equal(eight, terminator) | _below(eight, _SPACE)
        special |= _equal(eight, _QUOTE) | _equal(eight, _BACKSLASH) | (eight | eight + _ONES) & _HIGH_BITS
        regular = min(trailing_zeros(special) // 8 if special else 8, end - at)
        at += regular
        out += regular
        if regular == 8 or at == end:
            continue
        byte = source[at]
        at += 1
        if byte in (mark, terminator):
            is_done = byte == terminator
            while is_done and out > element_start and plain[out - 1] == _SPACE:
                out -= 1
            plain[out] = byte
            length = out - element_start
            if length >= LONGEST:
                return is_odd
            code = load(plain, element_start) if is_broken else load(source, element_at)
            is_odd = is_odd or _is_lower_code(code, length)
            if element_start == start:
                tape.names[segment] = as_code(code, length)
                tape.segments[segment] = elements
            tape.elements[elements] = element_start
            elements += 1
            out += 1
            element_start, element_at, is_broken = out, at, False
            if is_done:
                break
        elif byte in (_NEW_LINE, _RETURN):
            is_broken = is_broken or out > element_start
            element_at = at
        elif byte in (_TAB, _NOTHING, _END_OF_FILE, _MARK):
            return is_odd
        else:
            is_odd = True
            out += 1
    if not is_done:
        return is_odd
    # The entry behind the last element lets its length be told; the next segment writes the same value.
    tape.elements[elements] = out
    tape.segments[segment + 1] = elements
    told[_SOURCE], told[_TEXT], told[_ELEMENTS], told[_SEGMENTS] = at, out, elements, segment + 1
    return is_odd


@kernel
def _equal(eight: int, byte: int) -> int:
    """Return the highest bit of the bytes that are a byte, right up to the first one."""
    others = eight ^ byte * _ONES
    return (others - _ONES) & ~others & _HIGH_BITS


@kernel
def _below(eight: int, byte: int) -> int:
    """Return the highest bit of the bytes below one in ASCII, right up to the first one."""
    return (eight - byte * _ONES) & ~eight & _HIGH_BITS


@kernel
def _note_set(tape: Tape, sets: Array, first: int, is_odd: bool, told: Array) -> None:  # noqa: FBT001 - numba
    row = sets[told[_SETS]]
    row[FIRST], row[LAST], row[BEGIN] = first, told[_SEGMENTS], tape.elements[tape.segments[first]]
    row[END], row[IS_ODD], row[OWNER] = told[_TEXT] - 1, is_odd, told[_GROUPS]
    told[_SETS] += 1


@kernel
def _note_envelope(tape: Tape, groups: Array, segment: int, told: Array) -> None:
    """Note a GS, GE or IEA."""
    name, row = tape.names[segment], groups[told[_GROUPS]]
    if name == _GS:
        row[_GS_AT], row[_GS_END] = tape.elements[tape.segments[segment]], told[_TEXT] - 1
        row[_GS_SEGMENT], row[_FIRST_SET] = segment, told[_SETS]
    elif name == _GE:
        row[_GE_SEGMENT], row[_LAST_SET] = segment, told[_SETS]
        told[_GROUPS] += 1
    else:
        told[_CLOSING] = segment


@kernel
def _is_lower_code(eight: int, length: int) -> bool:
    """Say whether an element may be a code in lower case; the row-wise readers know which ones are."""
    if length > LONGEST_CODE:
        return False
    letters = eight & (1 << 8 * length) - 1
    return bool((letters + _FROM_A) & ~(letters + _BEHIND_Z) & _HIGH_BITS)


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
