"""The X12 reader: bytes in, envelopes and transaction sets out, structural faults as values.

Two ways in. `read_parts` streams headers, sets and faults in file order and holds one set at a time in
memory, whatever the size of the file. `read_interchanges` gathers them into trees, one interchange at a time.
Neither raises on content: what breaks the structure becomes a `Fault` beside whatever could be read.

Separators come from each ISA, so one file may hold interchanges with different ones. The sets inside an
interchange are found by searching for their envelopes, not by walking every segment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

from pipelines.sources.edi.bulk.cache import has_kernels
from pipelines.sources.edi.envelope import (
    Fault,
    FaultCode,
    Group,
    GroupHeader,
    Interchange,
    InterchangeHeader,
    Level,
    Segment,
    TransactionSet,
    control_agrees,
    count_agrees,
    element_at,
    group_header,
)
from pipelines.sources.edi.feed import SHOWN, Body, Feed, Source, normalise, opened
from pipelines.sources.edi.isa import BLANK, read_isa

Part = InterchangeHeader | GroupHeader | TransactionSet | Segment | Fault
Piece = Part | list[TransactionSet]
"""What is read at a time: sets of a group without fault that follow one another come together."""


class SetRun(Protocol):
    """Consecutive sets without fault, found at once."""

    @property
    def set_count(self) -> int:
        """Number of sets."""

    @property
    def segment_count(self) -> int:
        """Number of segments from the first set to the last."""

    def interchanges(self) -> Iterator[Interchange]:
        """Return the interchanges of a run of whole ones."""


RunT_co = TypeVar("RunT_co", bound=SetRun, covariant=True)


class RunFinder(Protocol[RunT_co]):
    """Finds runs of sets, so that they need not be read one by one."""

    def normalise(self, piece: str, terminator: str) -> str:
        """Do what `feed.normalise` does."""

    def find(
        self, text: str, at: int, header: InterchangeHeader, group: GroupHeader, number: int
    ) -> tuple[RunT_co, int] | None:
        """Return the run of a group's sets that begins at an offset, at a segment number, and its length, or None."""

    def find_whole(self, feed: Feed, ordinal: int) -> tuple[RunT_co, int] | None:
        """Return the run of whole interchanges that begins with an ordinal, and their number, or None.

        The feed, which is at an ISA, is moved behind them.
        """


CHUNK_BYTES: Final = 1 << 20

KERNEL_BYTES: Final = 128 << 20
"""From this size on `read_interchanges` uses compiled kernels if there are any; below it, loading them takes longer."""

_CONTROL_IDS: Final = frozenset({"TA1", "TA3", "ISB", "ISE"})


def read_interchanges(source: Source) -> Iterator[Interchange]:
    """Read interchanges one after the other.

    Args:
        source: The content, or a path (gunzipped where its name ends in `.gz`).

    Yields:
        Each interchange with its groups, sets and faults. Text that belongs to no interchange comes as one
        whose header is not readable. Blank content yields nothing.
    """
    gathering: _Gathering | None = None
    for part in _read(source, CHUNK_BYTES, whole_finder=_finder_for(source)):
        if isinstance(part, list):
            if gathering is not None:
                gathering.add_sets(part)
        elif isinstance(part, GroupHeader | TransactionSet | Segment | Fault):
            if gathering is not None:
                gathering.add(part)
        else:
            if gathering is not None:
                yield gathering.finish()
            if isinstance(part, InterchangeHeader):
                gathering = _Gathering(part)
            else:
                gathering = None
                yield from part.interchanges()
    if gathering is not None:
        yield gathering.finish()


def _finder_for(source: Source) -> RunFinder[SetRun] | None:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size < KERNEL_BYTES or not has_kernels():
        return None
    from pipelines.sources.edi.bulk.scan import Scanner  # noqa: PLC0415 - loads numba and compiled kernels

    return Scanner()


def read_parts(source: Source, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Part]:
    """Stream the parts of all interchanges in file order.

    Args:
        source: The content, or a path (gunzipped where its name ends in `.gz`).
        chunk_bytes: How much is read at a time; only tests change it.

    Yields:
        An `InterchangeHeader`, then its `GroupHeader`s, `TransactionSet`s (each with its own faults), control
        `Segment`s such as TA1, and the `Fault`s of group and interchange where they are noticed.
    """
    return _singly(_read(source, chunk_bytes))


def read_runs(
    source: Source, finder: RunFinder[RunT_co], *, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Part | RunT_co]:
    """Stream the parts as `read_parts` does, with runs of sets in place of most of the sets."""
    return _singly(_read(source, chunk_bytes, finder, finder))


def _singly(pieces: Iterator[Piece | RunT_co]) -> Iterator[Part | RunT_co]:
    for piece in pieces:
        if isinstance(piece, list):
            yield from piece
        else:
            yield piece


def _read(
    source: Source,
    chunk_bytes: int,
    finder: RunFinder[RunT_co] | None = None,
    whole_finder: RunFinder[RunT_co] | None = None,
) -> Iterator[Piece | RunT_co]:
    """Read with runs of sets from one finder and runs of whole interchanges from another, if there are any."""
    with opened(source) as handle:
        feed = Feed(handle, chunk_bytes)
        ordinal = 0
        while feed.seek_interchange():
            ordinal += 1
            if whole_finder is not None and feed.at_isa and (whole := whole_finder.find_whole(feed, ordinal)):
                yield whole[0]
                ordinal += whole[1] - 1
                continue
            found = read_isa(feed.text, feed.at, ordinal=ordinal) if feed.at_isa else None
            if found is None:
                yield InterchangeHeader(ordinal, is_readable=False)
                yield feed.skip_to_interchange()
                continue
            yield found.header
            yield from found.faults
            feed.at = found.end
            body = Body(feed, found.header.separators, finder.normalise if finder else normalise)
            yield from _Walk(body, found.header, finder).parts()
        if feed.damage:
            yield InterchangeHeader(ordinal + 1, is_readable=False)
            yield Fault(FaultCode.DAMAGED_FILE, "interchange", 0, "", 0, feed.damage, "a complete gzip file")


class _Walk(Generic[RunT_co]):
    """Walks the segments between ISA and IEA and checks what the trailers say."""

    def __init__(self, body: Body, header: InterchangeHeader, finder: RunFinder[RunT_co] | None) -> None:
        self._body = body
        self._finder = finder
        self._header = header
        self._terminator = header.separators.segment
        self._element = header.separators.element
        self._number = 1
        self._group: GroupHeader | None = None
        self._sets_in_group = 0
        self._groups = 0
        self._is_closed = False
        self._in_unexpected = False
        self._set_id = "ST" + self._element
        self._set_end = f"{self._terminator}SE{self._element}"
        self._next_set = f"{self._terminator}{self._set_id}"
        self._envelopes = [f"{self._terminator}{name}{self._element}" for name in ("ST", "GE", "GS", "IEA")]

    def parts(self) -> Iterator[Piece | RunT_co]:
        """Yield what stands in the interchange, its trailer's faults last."""
        body = self._body
        while not self._is_closed and not body.is_at_end():
            if body.text.startswith(self._set_id, body.at):
                self._in_unexpected = False
                yield self._find_run() or self._read_sound_sets() or self._read_set()
            else:
                yield from self._read_control()
        if not self._is_closed:
            yield from self._close_group()
            yield self._fault(FaultCode.MISSING_TRAILER, "interchange", "", 0, "end of interchange", "IEA")
        rest = self._rest()
        if rest:
            yield self._fault(FaultCode.TEXT_OUTSIDE, "interchange", "", 0, rest, "nothing after IEA")

    def _rest(self) -> str:
        """Pass over what follows the IEA; the beginning of it that is no blank is returned."""
        body, shown = self._body, ""
        while not body.is_at_end():
            text = body.take(len(body.text))
            if len(shown) < SHOWN:
                shown = (shown + text).lstrip(BLANK)[:SHOWN]
        return shown.rstrip(BLANK)

    def _find_run(self) -> RunT_co | None:
        if self._finder is None or self._group is None:
            return None
        found = self._finder.find(self._body.text, self._body.at, self._header, self._group, self._number + 1)
        if found is None:
            return None
        run, length = found
        self._body.at += length
        self._number += run.segment_count
        self._sets_in_group += run.set_count
        return run

    def _read_sound_sets(self) -> list[TransactionSet]:
        """Read sets up to the first one that is not whole in memory or whose SE is not just as it should be."""
        group, body = self._group, self._body
        sets: list[TransactionSet] = []
        if group is None or self._finder is not None:
            return sets
        text, at, number, header = body.text, body.at, self._number, self._header
        terminator, element, set_end, next_set = self._terminator, self._element, self._set_end, self._next_set
        while text.startswith(self._set_id, at):
            trailer = text.find(set_end, at)
            end = text.find(terminator, trailer + 1)
            if trailer < 0 or end < 0 or text.find(next_set, at, trailer) >= 0:
                break
            head = text[at : text.index(terminator, at)].split(element, 3)
            content = text[at:end]
            count = content.count(terminator) + 1
            if len(head) < 3 or text[trailer + 1 : end] != f"SE{element}{count}{element}{head[2]}":
                break
            code, control = head[1], head[2]
            if not code or not control:
                break
            sets.append(TransactionSet(header, group, code, control, number + 1, content))
            number += count
            at = end + 1
        body.at, self._number = at, number
        self._sets_in_group += len(sets)
        return sets

    def _read_set(self) -> TransactionSet:
        body = self._body
        length = body.find(self._set_end, 0)
        if length < 0 or body.text.find(self._next_set, body.at, body.at + length) >= 0:
            # There is no SE, or the one found belongs to a later ST: the set ends where the next envelope begins.
            return self._finish_set(body.take(self._unended_length()), has_trailer=False)
        end = body.find(self._terminator, length + 1)
        return self._finish_set(body.take(end + 1 if end >= 0 else len(body.text) - body.at), has_trailer=True)

    def _unended_length(self) -> int:
        text, at = self._body.text, self._body.at
        found = [hit for pattern in self._envelopes if (hit := text.find(pattern, at)) >= 0]
        return min(found, default=len(text)) + 1 - at

    def _finish_set(self, text: str, *, has_trailer: bool) -> TransactionSet:
        start = self._number + 1
        text = text.removesuffix(self._terminator)
        count = text.count(self._terminator) + 1
        self._number += count
        self._sets_in_group += 1
        head = text.split(self._terminator, 1)[0].split(self._element)
        code, control = element_at(head, 1), element_at(head, 2)
        faults = list(self._head_faults(start, code, control))
        if has_trailer:
            trailer = text[text.rindex(self._terminator) + 1 :].split(self._element)
            faults += self._trailer_faults("set", "SE", trailer, count, control)
        else:
            expected = f"SE with control number {control} before the next envelope segment"
            faults.append(Fault(FaultCode.MISSING_TRAILER, "set", self._number, "SE", 0, "", expected))
        return TransactionSet(self._header, self._group, code, control, start, text, tuple(faults))

    def _head_faults(self, number: int, code: str, control: str) -> Iterator[Fault]:
        if self._group is None:
            yield Fault(FaultCode.UNEXPECTED_SEGMENT, "set", number, "ST", 0, code, "a GS before the first ST")
        if not code:
            yield Fault(FaultCode.MISSING_ELEMENT, "set", number, "ST", 1, "", "a transaction set identifier")
        if not control:
            yield Fault(FaultCode.MISSING_ELEMENT, "set", number, "ST", 2, "", "a control number")

    def _read_control(self) -> Iterator[Part]:
        body = self._body
        end = body.find(self._terminator, 0)
        text = body.take(end + 1 if end >= 0 else len(body.text) - body.at).removesuffix(self._terminator)
        elements = text.split(self._element)
        self._number += 1
        name = elements[0]
        was_unexpected, self._in_unexpected = self._in_unexpected, False
        if name == "GS":
            yield from self._close_group()
            yield self._open_group(elements)
        elif name == "GE" and self._group is not None:
            yield from self._trailer_faults("group", "GE", elements, self._sets_in_group, self._group.control)
            self._group = None
        elif name == "IEA":
            yield from self._close_group()
            yield from self._trailer_faults("interchange", "IEA", elements, self._groups, self._header.control)
            self._is_closed = True
        elif name in _CONTROL_IDS and self._group is None:
            yield Segment(self._number, tuple(elements), self._header.separators)
        else:
            self._in_unexpected = True
            if not was_unexpected:
                yield self._unexpected(name, text)

    def _unexpected(self, name: str, text: str) -> Fault:
        level: Level = "group" if self._group else "interchange"
        expected = "ST, GE or IEA" if self._group else "GS or IEA"
        if name == "ISA":
            return self._fault(FaultCode.MALFORMED_ISA, "interchange", name, 0, text[:SHOWN], "a complete ISA segment")
        return self._fault(FaultCode.UNEXPECTED_SEGMENT, level, name[:3], 0, text[:SHOWN], expected)

    def _open_group(self, elements: list[str]) -> GroupHeader:
        self._groups += 1
        self._sets_in_group = 0
        self._group = group_header(self._number, elements)
        return self._group

    def _close_group(self) -> Iterator[Fault]:
        if self._group is not None:
            expected = f"GE with control number {self._group.control}"
            yield self._fault(FaultCode.MISSING_TRAILER, "group", "GE", 0, "", expected)
            self._group = None

    def _trailer_faults(
        self, level: Level, name: str, elements: list[str], count: int, control: str
    ) -> Iterator[Fault]:
        if not count_agrees(elements, count):
            yield self._fault(FaultCode.COUNT_MISMATCH, level, name, 1, element_at(elements, 1), str(count))
        if not control_agrees(elements, control):
            yield self._fault(FaultCode.CONTROL_MISMATCH, level, name, 2, element_at(elements, 2), control)

    def _fault(self, code: FaultCode, level: Level, name: str, element: int, value: str, expected: str) -> Fault:
        return Fault(code, level, self._number, name, element, value[:SHOWN], expected)


class _Gathering:
    """Collects the parts of one interchange."""

    def __init__(self, header: InterchangeHeader) -> None:
        self._header = header
        self._groups: list[tuple[GroupHeader | None, list[TransactionSet], list[Fault]]] = []
        self._segments: list[Segment] = []
        self._faults: list[Fault] = []

    def add_sets(self, sets: list[TransactionSet]) -> None:
        """Add sets of one group."""
        self.add(sets[0])
        self._groups[-1][1].extend(sets[1:])

    def add(self, part: GroupHeader | TransactionSet | Segment | Fault) -> None:
        if isinstance(part, GroupHeader):
            self._groups.append((part, [], []))
        elif isinstance(part, TransactionSet):
            if not self._groups or self._groups[-1][0] is not part.group:
                self._groups.append((part.group, [], []))
            self._groups[-1][1].append(part)
        elif isinstance(part, Segment):
            self._segments.append(part)
        elif part.level == "interchange" or not self._groups:
            self._faults.append(part)
        else:
            self._groups[-1][2].append(part)

    def finish(self) -> Interchange:
        groups = tuple(Group(header, tuple(sets), tuple(faults)) for header, sets, faults in self._groups)
        return Interchange(self._header, groups, tuple(self._segments), tuple(self._faults))
