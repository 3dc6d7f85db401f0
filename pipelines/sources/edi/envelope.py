"""What an X12 file is made of, as frozen values: interchange, group, transaction set, segment, fault.

The model is deliberately small. A transaction set keeps its text as it was sent and splits it when asked,
so reading a file costs little more than finding its envelopes. Nothing here knows what a set means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, overload

Level = Literal["interchange", "group", "set"]


@dataclass(frozen=True, slots=True)
class Separators:
    """The delimiters an interchange declares in its ISA.

    Attributes:
        element: Between elements (ISA byte 3).
        component: Between components of a composite (ISA16); empty where the ISA names none.
        segment: After each segment (the character that follows ISA16).
        repetition: Between repeats (ISA11 from release 00402 on); empty before that.
    """

    element: str = "*"
    component: str = ">"
    segment: str = "~"
    repetition: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment.

    Attributes:
        number: Position in its interchange; the ISA is 1.
        elements: Segment id first, so that `elements[2]` is what the standard calls element 02.
        separators: Delimiters of its interchange.
    """

    number: int
    elements: tuple[str, ...]
    separators: Separators = Separators()

    @property
    def id(self) -> str:
        """Segment id, e.g. `PO1`."""
        return self.elements[0]

    def __getitem__(self, index: int) -> str:
        """Return element `index` (1 = the first after the id), empty where the segment is shorter."""
        return self.elements[index] if index < len(self.elements) else ""

    def components(self, index: int) -> list[str]:
        """Split a composite element."""
        separator = self.separators.component
        return self[index].split(separator) if separator else [self[index]]

    def repeats(self, index: int) -> list[str]:
        """Split a repeating element (release 00402 and later)."""
        separator = self.separators.repetition
        return self[index].split(separator) if separator else [self[index]]


class FaultCode(StrEnum):
    """Kinds of structural faults. Those in `REJECTING` cost the set they are found in."""

    DAMAGED_FILE = "damaged_file"
    TEXT_OUTSIDE = "text_outside_interchange"
    MALFORMED_ISA = "malformed_isa"
    ISA_WIDTH = "isa_width"
    MISSING_TRAILER = "missing_trailer"
    CONTROL_MISMATCH = "control_mismatch"
    COUNT_MISMATCH = "count_mismatch"
    UNEXPECTED_SEGMENT = "unexpected_segment"
    MISSING_ELEMENT = "missing_element"


REJECTING = frozenset(
    {
        FaultCode.MISSING_TRAILER,
        FaultCode.CONTROL_MISMATCH,
        FaultCode.COUNT_MISMATCH,
        FaultCode.UNEXPECTED_SEGMENT,
        FaultCode.MISSING_ELEMENT,
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks the structure of an interchange.

    Attributes:
        code: Kind of fault.
        level: What it belongs to: the interchange, a group or a transaction set.
        segment_number: Position in the interchange (ISA = 1; 0 = before it).
        segment_id: Segment it was found in.
        element: Element number, 0 = the segment as a whole.
        value: What stands there.
        expected: What should.
    """

    code: FaultCode
    level: Level
    segment_number: int
    segment_id: str
    element: int = 0
    value: str = ""
    expected: str = ""

    @property
    def sentence(self) -> str:
        """One line for people: place, value, expectation."""
        place = f"{self.segment_id}{self.element:02d}" if self.element else self.segment_id or "text"
        return f"{self.code}: segment {self.segment_number} {place} is {self.value!r}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class InterchangeHeader:
    """The ISA of one interchange, ids without their padding.

    Attributes:
        ordinal: Position of the interchange in its file, from 1.
        date: ISA09, YYMMDD.
        time: ISA10, HHMM.
        version: ISA12.
        control: ISA13.
        usage: ISA15: P production, T test, I information.
        is_readable: False where the ISA is too damaged to say who sent what to whom.
    """

    ordinal: int
    sender_qualifier: str = ""
    sender: str = ""
    receiver_qualifier: str = ""
    receiver: str = ""
    date: str = ""
    time: str = ""
    version: str = ""
    control: str = ""
    usage: str = ""
    separators: Separators = Separators()
    is_readable: bool = True

    @property
    def is_test(self) -> bool:
        """The sender marked the interchange as a test (ISA15 = T)."""
        return self.usage == "T"


@dataclass(frozen=True, slots=True)
class GroupHeader:
    """The GS of one functional group.

    Attributes:
        number: Segment position in the interchange.
        code: GS01, e.g. PO, SH, FA.
        control: GS06; a 997 answers to it.
        version: GS08, e.g. 004010VICS.
    """

    number: int
    code: str
    sender: str
    receiver: str
    date: str
    time: str
    control: str
    version: str


def element_at(elements: Sequence[str], index: int) -> str:
    """Return an element of a split segment, empty where the segment is shorter."""
    return elements[index] if index < len(elements) else ""


def group_header(number: int, elements: Sequence[str]) -> GroupHeader:
    """Return what a GS says, given its position and its elements."""
    _, code, sender, receiver, date, time, control, _, version = [*elements[:9], *[""] * (9 - len(elements))]
    return GroupHeader(number, code, sender.strip(), receiver.strip(), date, time, control, version)


def count_agrees(trailer: Sequence[str], count: int) -> bool:
    """Say whether a trailer (SE, GE, IEA) states a count."""
    stated = element_at(trailer, 1)
    return stated.isdecimal() and int(stated[:18]) == count


def control_agrees(trailer: Sequence[str], control: str) -> bool:
    """Say whether a trailer repeats a control number.

    Translators pad control numbers differently in header and trailer: leading zeros mean nothing.
    """
    return element_at(trailer, 2).lstrip("0") == control.lstrip("0")


@dataclass(frozen=True, slots=True)
class TransactionSet:
    """One document, ST to SE, with the envelopes it came in.

    Attributes:
        interchange: Header of its interchange.
        group: Header of its group; None where the GS is missing.
        code: ST01, e.g. 850.
        control: ST02.
        number: Segment position of the ST in the interchange.
        text: All segments ST to SE without line breaks, joined by the segment terminator.
        faults: Structural faults of this set.
    """

    interchange: InterchangeHeader
    group: GroupHeader | None
    code: str
    control: str
    number: int
    text: str
    faults: tuple[Fault, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Nothing in the envelope of this set contradicts itself: what it says is what was sent."""
        return not any(fault.code in REJECTING for fault in self.faults)

    @property
    def segment_count(self) -> int:
        """Number of segments, ST and SE included."""
        return self.text.count(self.interchange.separators.segment) + 1

    def split(self) -> list[list[str]]:
        """Return the segments as plain lists of elements, id first: the quick way through a large file."""
        separators = self.interchange.separators
        element = separators.element
        return [segment.split(element) for segment in self.text.split(separators.segment)]

    def segments(self) -> Iterator[Segment]:
        """Walk the segments as typed values: the comfortable way."""
        separators = self.interchange.separators
        for number, elements in enumerate(self.split(), start=self.number):
            yield Segment(number, tuple(elements), separators)


class LateSets(Sequence[TransactionSet]):
    """Sets that were found and checked, but are made only when one of them is asked for; equal to a tuple of them."""

    __slots__ = ("_count", "_made", "_make")

    def __init__(self, count: int, make: Callable[[], tuple[TransactionSet, ...]]) -> None:
        self._count = count
        self._make = make
        self._made: tuple[TransactionSet, ...] | None = None

    def _all(self) -> tuple[TransactionSet, ...]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> TransactionSet: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[TransactionSet, ...]: ...

    def __getitem__(self, index: int | slice) -> TransactionSet | tuple[TransactionSet, ...]:
        return self._all()[index]

    def __iter__(self) -> Iterator[TransactionSet]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return self._all() == (other._all() if isinstance(other, LateSets) else other)

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return repr(self._all())


@dataclass(frozen=True, slots=True)
class Group:
    """One functional group with its sets.

    Attributes:
        header: The GS; None where sets stand outside any group.
        sets: Its transaction sets in order.
        faults: Faults of the group envelope (the sets carry their own).
    """

    header: GroupHeader | None
    sets: tuple[TransactionSet, ...] | LateSets
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Interchange:
    """One interchange with everything in it.

    Attributes:
        header: The ISA; `is_readable` is False where there is none worth the name.
        groups: Functional groups in order.
        control_segments: Segments between ISA and the first GS or after the last GE, such as TA1.
        faults: Faults of the interchange envelope.
    """

    header: InterchangeHeader
    groups: tuple[Group, ...]
    control_segments: tuple[Segment, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def sets(self) -> tuple[TransactionSet, ...]:
        """All transaction sets in order."""
        return tuple(document for group in self.groups for document in group.sets)

    @property
    def all_faults(self) -> tuple[Fault, ...]:
        """Faults of every level."""
        inner = [
            fault
            for group in self.groups
            for fault in (*(fault for document in group.sets for fault in document.faults), *group.faults)
        ]
        return (*inner, *self.faults)
