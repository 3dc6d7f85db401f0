"""The X12 reader: bytes in, envelopes and transaction sets out, structural faults as values.

Two ways in. `read_parts` streams headers, sets and faults in file order and holds one set at a time in
memory, whatever the size of the file. `read_interchanges` gathers them into trees, one interchange at a time.
Neither raises on content: what breaks the structure becomes a `Fault` beside whatever could be read.

Separators come from each ISA, so one file may hold interchanges with different ones. The sets inside an
interchange are found by searching for their envelopes, not by walking every segment.
"""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from pipelines.sources.edi.envelope import (
    Fault,
    FaultCode,
    Group,
    GroupHeader,
    Interchange,
    InterchangeHeader,
    Level,
    Segment,
    Separators,
    TransactionSet,
)
from pipelines.sources.edi.isa import BLANK, ISA_WINDOW, find_isa, read_isa

Part = InterchangeHeader | GroupHeader | TransactionSet | Segment | Fault
Source = bytes | Path

CHUNK_BYTES: Final = 1 << 20
_PAD: Final = " \t\x00\x1a\ufeff"
_SHOWN: Final = 40
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
    for part in read_parts(source):
        if isinstance(part, InterchangeHeader):
            if gathering is not None:
                yield gathering.finish()
            gathering = _Gathering(part)
        elif gathering is not None:
            gathering.add(part)
    if gathering is not None:
        yield gathering.finish()


def read_parts(source: Source, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Part]:
    """Stream the parts of all interchanges in file order.

    Args:
        source: The content, or a path (gunzipped where its name ends in `.gz`).
        chunk_bytes: How much is read at a time; only tests change it.

    Yields:
        An `InterchangeHeader`, then its `GroupHeader`s, `TransactionSet`s (each with its own faults), control
        `Segment`s such as TA1, and the `Fault`s of group and interchange where they are noticed.
    """
    with _opened(source) as handle:
        feed = _Feed(handle, chunk_bytes)
        ordinal = 0
        while feed.seek_interchange():
            ordinal += 1
            found = read_isa(feed.text, feed.at, ordinal=ordinal) if feed.at_isa else None
            if found is None:
                yield InterchangeHeader(ordinal, is_readable=False)
                yield feed.skip_to_interchange()
                continue
            yield found.header
            yield from found.faults
            feed.at = found.end
            yield from _Walk(_Body(feed, found.header.separators), found.header).parts()


def _opened(source: Source) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if source.suffix == ".gz":
        return gzip.open(source, "rb")  # type: ignore[return-value]
    return source.open("rb")


class _Feed:
    """Decoded text of the source, filled on demand, consumed from `at`."""

    def __init__(self, handle: BinaryIO, chunk_bytes: int) -> None:
        self.text = ""
        self.at = 0
        self.is_exhausted = False
        self.at_isa = False
        self._handle = handle
        self._chunk_bytes = chunk_bytes
        self._decoder: codecs.IncrementalDecoder | None = None

    def fill(self) -> bool:
        """Append the next chunk; False at the end of the source."""
        if self.is_exhausted:
            return False
        data = self._read()
        self.is_exhausted = not data
        self.text = self.text[self.at :] + self._decode(data)
        self.at = 0
        return not self.is_exhausted

    def _read(self) -> bytes:
        try:
            return self._handle.read(self._chunk_bytes)
        except (OSError, EOFError):  # a damaged gzip stream ends where it breaks
            return b""

    def _decode(self, data: bytes) -> str:
        """Decode as UTF-8 (or UTF-16 by its mark); from the first byte that is not UTF-8 on, as Latin-1."""
        if self._decoder is None:
            encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
            self._decoder = codecs.getincrementaldecoder(encoding)()
        pending = self._decoder.getstate()[0]
        try:
            return self._decoder.decode(data, final=not data)
        except UnicodeDecodeError:
            self._decoder = codecs.getincrementaldecoder("latin-1")()
            return self._decoder.decode(pending + data)

    def seek_interchange(self) -> bool:
        """Move to the next text that is not blank; False if there is none. `at_isa` says whether it is an ISA."""
        while True:
            rest = self.text[self.at : self.at + ISA_WINDOW]
            stripped = rest.lstrip(BLANK)
            self.at += len(rest) - len(stripped)
            is_whole = len(stripped) > 0 and self.at + ISA_WINDOW <= len(self.text)
            if not is_whole and (stripped or self.at >= len(self.text)) and self.fill():
                continue
            if stripped or self.at >= len(self.text):
                self.at_isa = find_isa(stripped, 0) == 0
                return bool(stripped)

    def skip_to_interchange(self) -> Fault:
        """Pass over text that is no interchange and say so."""
        shown = self.text[self.at : self.at + _SHOWN]
        is_isa = shown.startswith("ISA")
        self.at += 1
        while (found := find_isa(self.text, self.at)) < 0:
            # A candidate near the end may be cut off, so the last window stays for the next look.
            self.at = max(self.at, len(self.text) - ISA_WINDOW)
            if not self.fill():
                found = len(self.text)
                break
        self.at = found
        if is_isa:
            return Fault(FaultCode.MALFORMED_ISA, "interchange", 1, "ISA", 0, shown, "a complete ISA segment")
        return Fault(FaultCode.TEXT_OUTSIDE, "interchange", 0, "", 0, shown, "an interchange starting with ISA")

    def take(self, terminator: str) -> tuple[str, bool]:
        """Cut off the next piece of the current interchange, whole segments only, and say if it is the last."""
        while True:
            next_isa = find_isa(self.text, self.at)
            if next_isa >= 0:
                return self._cut(next_isa), True
            if self.is_exhausted:
                return self._cut(len(self.text)), True
            end = self.text.rfind(terminator, self.at, max(self.at, len(self.text) - ISA_WINDOW)) + 1
            if end > 0:
                return self._cut(end), False
            self.fill()

    def _cut(self, end: int) -> str:
        piece = self.text[self.at : end]
        self.at = end
        return piece


class _Body:
    """Text of one interchange behind its ISA: no line breaks, no indentation, no empty segments."""

    def __init__(self, feed: _Feed, separators: Separators) -> None:
        self.text = ""
        self.at = 0
        self.separators = separators
        self._feed = feed
        self._is_complete = False

    def more(self) -> bool:
        """Append the next piece; False if there is none."""
        if self._is_complete:
            return False
        piece, self._is_complete = self._feed.take(self.separators.segment)
        self.text = self.text[self.at :] + _normalise(piece, self.separators.segment)
        self.at = 0
        return True

    def find(self, pattern: str, start: int) -> int:
        """Find a pattern at or behind an offset from `at`, reading on as needed; the result counts from `at`."""
        while True:
            found = self.text.find(pattern, self.at + start)
            if found >= 0:
                return found - self.at
            start = max(start, len(self.text) - self.at - len(pattern))
            if not self.more():
                return -1

    def is_at_end(self) -> bool:
        """Nothing is left of the interchange."""
        while self.at >= len(self.text):
            if not self.more():
                return True
        return False

    def take(self, length: int) -> str:
        """Return the next characters and move on."""
        taken = self.text[self.at : self.at + length]
        self.at += length
        return taken


def _normalise(piece: str, terminator: str) -> str:
    for line_break in "\r\n":
        if line_break != terminator and line_break in piece:
            piece = piece.replace(line_break, "")
    if (
        piece[:1] in _PAD
        or terminator + " " in piece
        or " " + terminator in piece
        or terminator + terminator in piece
        or any(pad in piece for pad in _PAD[1:])
    ):
        *segments, tail = [segment.strip(_PAD) for segment in piece.split(terminator)]
        piece = "".join([segment + terminator for segment in segments if segment]) + tail
    return piece


class _Walk:
    """Walks the segments between ISA and IEA and checks what the trailers say."""

    def __init__(self, body: _Body, header: InterchangeHeader) -> None:
        self._body = body
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
        # An SE is looked for first; any of these before it means that it belongs to another set.
        self._barriers = [f"{self._terminator}{name}{self._element}" for name in ("ST", "GE", "GS", "IEA")]

    def parts(self) -> Iterator[Part]:
        """Yield what stands in the interchange, its trailer's faults last."""
        body = self._body
        while not self._is_closed and not body.is_at_end():
            if body.text.startswith(self._set_id, body.at):
                self._in_unexpected = False
                yield self._read_set()
            else:
                yield from self._read_control()
        if not self._is_closed:
            yield from self._close_group()
            yield self._fault(FaultCode.MISSING_TRAILER, "interchange", "", 0, "end of interchange", "IEA")
        rest = self._rest()
        if rest:
            yield self._fault(FaultCode.TEXT_OUTSIDE, "interchange", "", 0, rest, "nothing after IEA")

    def _rest(self) -> str:
        body, shown = self._body, ""
        while not body.is_at_end():
            text = body.take(len(body.text))
            shown = shown or text.strip(BLANK)[:_SHOWN]
        return shown

    def _read_set(self) -> TransactionSet:
        body = self._body
        length = body.find(self._set_end, 0)
        barrier = self._first_barrier(length if length >= 0 else len(body.text) - body.at)
        if barrier >= 0 or length < 0:
            text = body.take(barrier + 1 if barrier >= 0 else len(body.text) - body.at)
            return self._finish_set(text, has_trailer=False)
        end = body.find(self._terminator, length + 1)
        has_terminator = end >= 0
        return self._finish_set(body.take(end + 1 if has_terminator else len(body.text) - body.at), has_trailer=True)

    def _first_barrier(self, length: int) -> int:
        text, at = self._body.text, self._body.at
        found = [hit for pattern in self._barriers if (hit := text.find(pattern, at, at + length)) >= 0]
        return min(found) - at if found else -1

    def _finish_set(self, text: str, *, has_trailer: bool) -> TransactionSet:
        start = self._number + 1
        text = text.removesuffix(self._terminator)
        count = text.count(self._terminator) + 1
        self._number += count
        self._sets_in_group += 1
        head = text.split(self._terminator, 1)[0].split(self._element)
        code, control = _at(head, 1), _at(head, 2)
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
            return self._fault(FaultCode.MALFORMED_ISA, "interchange", name, 0, text[:_SHOWN], "a complete ISA segment")
        return self._fault(FaultCode.UNEXPECTED_SEGMENT, level, name[:3], 0, text[:_SHOWN], expected)

    def _open_group(self, elements: list[str]) -> GroupHeader:
        self._groups += 1
        self._sets_in_group = 0
        self._group = GroupHeader(
            number=self._number,
            code=_at(elements, 1),
            sender=_at(elements, 2).strip(),
            receiver=_at(elements, 3).strip(),
            date=_at(elements, 4),
            time=_at(elements, 5),
            control=_at(elements, 6),
            version=_at(elements, 8),
        )
        return self._group

    def _close_group(self) -> Iterator[Fault]:
        if self._group is not None:
            expected = f"GE with control number {self._group.control}"
            yield self._fault(FaultCode.MISSING_TRAILER, "group", "GE", 0, "", expected)
            self._group = None

    def _trailer_faults(
        self, level: Level, name: str, elements: list[str], count: int, control: str
    ) -> Iterator[Fault]:
        stated = _at(elements, 1)
        if not stated.isdecimal() or int(stated[:18]) != count:
            yield self._fault(FaultCode.COUNT_MISMATCH, level, name, 1, stated, str(count))
        # Translators pad control numbers differently in header and trailer: leading zeros mean nothing.
        if _at(elements, 2).lstrip("0") != control.lstrip("0"):
            yield self._fault(FaultCode.CONTROL_MISMATCH, level, name, 2, _at(elements, 2), control)

    def _fault(self, code: FaultCode, level: Level, name: str, element: int, value: str, expected: str) -> Fault:
        return Fault(code, level, self._number, name, element, value[:_SHOWN], expected)


class _Gathering:
    """Collects the parts of one interchange."""

    def __init__(self, header: InterchangeHeader) -> None:
        self._header = header
        self._groups: list[tuple[GroupHeader | None, list[TransactionSet], list[Fault]]] = []
        self._segments: list[Segment] = []
        self._faults: list[Fault] = []

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


def _at(elements: list[str], index: int) -> str:
    return elements[index] if index < len(elements) else ""
