"""The EDI source: X12 files in, canonical events out.

Every sound production document gives a document event; those in `documents.READERS` that run in the
seller's direction give business events too. What cannot be trusted is a reject with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, merge_batches
from pipelines.sources.edi.bulk.cache import has_kernels
from pipelines.sources.edi.clock import Clock
from pipelines.sources.edi.codes import in_capitals
from pipelines.sources.edi.document import Business, Direction, Document, Envelope, at
from pipelines.sources.edi.documents import NUMBER_ELEMENTS, READERS
from pipelines.sources.edi.documents.functional_ack import FUNCTIONAL_SETS
from pipelines.sources.edi.envelope import Fault, FaultCode, GroupHeader, InterchangeHeader, Segment, TransactionSet
from pipelines.sources.edi.reader import Part, read_parts, read_runs
from pipelines.sources.edi.rows import EventRows, attributes
from storage.settings import PartnerProfile

if TYPE_CHECKING:
    from pipelines.sources.edi.bulk.express import Express
    from pipelines.sources.edi.bulk.scan import Run, RunGroup

PART_BYTES: Final = 4 << 20
"""A part of a parse ends when its sets exceed this size, so that memory stays bounded."""

BULK_BYTES: Final = 16 << 20
"""From this size on files are read with compiled kernels; below it, loading them would cost more than they save."""

COMPILING_BYTES: Final = 256 << 20
"""From this size on the kernels are compiled where that was not done before; below it, compiling would cost more."""

_RUN_BYTES: Final = 1 << 20
"""How much is read at a time for the kernels; an interchange longer than twice that is read piece by piece."""

_PACKING: Final = 5
"""How many times smaller gzip makes X12, about."""

DOCUMENT_COLUMNS: Final = (
    "event_type",
    "event_at",
    "observed_at",
    "time_quality",
    "source_ref",
    "document_type",
    "direction",
    "partner_id",
    "interchange_control",
    "group_control",
    "set_control",
    "document_id",
    "order_id",
    "attributes",
)

_FROM_SELLER: Final = frozenset({"855", "856", "810", "865", "753", "940"})
"""Sets that we send where nobody says which of the two ids is ours; all others we receive."""

_SALES_DIRECTIONS: Final[dict[str, Direction]] = {
    **dict.fromkeys(("850", "860", "812", "820", "180", "754", "861"), "in"),  # from a buyer
    **dict.fromkeys(("855", "856", "810", "865", "753"), "out"),  # to a buyer
    **dict.fromkeys(("945", "846", "214"), "in"),  # from a warehouse or carrier
    "940": "out",  # to a warehouse
}
"""Direction in which a set is about our sales and stock; the other way round it is about our purchases."""

_SUFFIXES: Final = frozenset({".edi", ".x12", *(f".{code}" for code in READERS)})
_BLANK: Final = b"\xef\xbb\xbf\xff\xfe \t\r\n"
_NO_PROFILE: Final = PartnerProfile()
_WIDTHS_ONLY: Final = frozenset({FaultCode.ISA_WIDTH})


def recognises(file: SourceFile) -> bool:
    """Say whether a file is X12: its content starts with an ISA, or its name ends like one."""
    head = file.head.replace(b"\x00", b"").lstrip(_BLANK)
    if head.startswith(b"ISA"):
        return not head[3:4].isalnum()
    return file.kind in _SUFFIXES and not head.startswith((b"{", b"[", b"<"))


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read X12 files into canonical events.

    Args:
        files: Files in any order, each with any number of interchanges.
        context: Zone, currency and EDI identities.
    """
    return merge_batches(list(parse_stream(files, context)))


def parse_stream(files: Sequence[SourceFile], context: AdapterContext) -> Iterator[ParsedBatch]:
    """Read X12 files of any size part by part: together the parts are what `parse` returns.

    Args:
        files: Files in any order, each with any number of interchanges.
        context: Zone, currency and EDI identities.

    Yields:
        At least one part. A file's `rows_in` is spread over the parts that its sets are in.
    """
    size = sum(file.path.stat().st_size * (_PACKING if file.path.suffix == ".gz" else 1) for file in files)
    desk = _Desk(context, _new_express() if size >= BULK_BYTES and (size >= COMPILING_BYTES or has_kernels()) else None)
    for file in files:
        for _ in desk.read(file):
            if desk.size >= PART_BYTES:
                yield desk.finish_part()
    yield desk.finish_part()


def read_with_kernels(file: SourceFile, context: AdapterContext) -> ParsedBatch:
    """Read a file of any size with the kernels, compiling them where that was not done before."""
    desk = _Desk(context, _new_express())
    for _ in desk.read(file):
        pass
    return desk.finish_part()


def _new_express() -> Express:
    from pipelines.sources.edi.bulk.express import Express  # noqa: PLC0415 - loads numba and compiled kernels

    return Express()


@dataclass(frozen=True, slots=True)
class _Party:
    """Who stands on the other side of an interchange."""

    partner: str
    direction: Direction | None


class _Desk:
    """Sorts what comes out of the reader.

    Attributes:
        size: Characters of the sets in the current part.
    """

    def __init__(self, context: AdapterContext, express: Express | None) -> None:
        self.size = 0
        self._context = context
        self._express = express
        self._rows = EventRows()
        self._place = 0
        self._header = InterchangeHeader(0)
        self._sets = 0
        self._own = frozenset(context.edi.own_ids)
        self._partners: Mapping[str, str] = context.edi.partners
        self._own_clock = Clock(context.zone)
        self._clocks: dict[str, Clock] = {}
        self._parties: dict[tuple[str, ...], _Party] = {}

    def finish_part(self) -> ParsedBatch:
        """Return what was read since the last part."""
        self._rows.settle(2 * self._place)
        batch = self._rows.build(self._express.frames() if self._express else {})
        self._rows, self.size = EventRows(), 0
        return batch

    def read(self, file: SourceFile) -> Iterator[None]:
        """Read one file; between the steps a part may be finished."""
        self._header = InterchangeHeader(0)
        self._count_sets(file, 0)
        for part in self._parts(file):
            if isinstance(part, InterchangeHeader):
                self._turn_to(file, part)
            elif isinstance(part, TransactionSet):
                self._count_sets(file, 1)
                self.size += len(part.text)
                self._take_set(file, part)
            elif isinstance(part, Fault):
                if part.code not in _WIDTHS_ONLY:
                    ref = file.ref(f"{self._header.ordinal}:{part.segment_number}")
                    self._rows.reject(ref, part.sentence, part.value)
            elif isinstance(part, Segment):
                if part.id == "TA1" and not self._header.is_test:
                    self._file_ta1(file, self._header, part)
            elif not isinstance(part, GroupHeader):
                self._turn_to(file, part.groups[-1].interchange)
                self._count_sets(file, part.set_count)
                self.size += part.size
                self._take_run(file, part)
            yield
        if not self._header.ordinal:
            self._rows.reject(file.ref(0), "the file is empty: expected an interchange starting with ISA", "")
        self._turn_to(file, InterchangeHeader(0))

    def _turn_to(self, file: SourceFile, header: InterchangeHeader) -> None:
        """End an interchange and begin another one, unless it is the same."""
        ended = self._header
        if header is ended:
            return
        if ended.is_test and not self._sets:
            self._rows.reject(file.ref(f"{ended.ordinal}:1"), "test interchange", f"ISA13 {ended.control}")
        self._header, self._sets = header, 0

    def _parts(self, file: SourceFile) -> Iterator[Part | Run]:
        if self._express is None:
            return read_parts(file.path)
        return read_runs(file.path, self._express.scanner, chunk_bytes=_RUN_BYTES)

    def _count_sets(self, file: SourceFile, count: int) -> None:
        self._sets += count
        self._rows.rows_in[file.name] = self._rows.rows_in.get(file.name, 0) + count

    def _take_run(self, file: SourceFile, run: Run) -> None:
        """Read the regular sets of a run at once, then the others one by one."""
        first = self._place
        refused: Iterable[int] = range(run.set_count)
        if self._express is not None:
            refused = self._express.take(run, [self._envelope(file, group) for group in run.groups], first)
        for index in refused:
            self._place = first + index
            self._take_set(file, run.set_at(index))
        self._place = first + run.set_count

    def _envelope(self, file: SourceFile, group: RunGroup) -> Envelope | None:
        """Return what is known of a group; None where its sets are not to be read."""
        party = self._party(group.interchange, group.header)
        sent_at = self._sent_at(group.interchange, group.header, party)
        if sent_at is None or group.interchange.is_test:
            return None
        return Envelope(
            partner=party.partner,
            direction=party.direction,
            clock=self._clock(party.partner),
            sent_at=sent_at,
            currency=self._context.currency,
            origin=file.ref(f"{group.interchange.ordinal}:"),
            profile=self._profile(party.partner),
        )

    def _take_set(self, file: SourceFile, found: TransactionSet) -> None:
        header = found.interchange
        ref = file.ref(f"{header.ordinal}:{found.number}")
        party = self._party(header, found.group)
        sent_at = self._sent_at(header, found.group, party)
        if header.is_test:
            self._rows.reject(ref, "test interchange", found.text)
        elif not found.is_sound:
            self._rows.reject(ref, "; ".join(fault.sentence for fault in found.faults), found.text)
        elif sent_at is None:
            reason = f"ISA09/10 {header.date!r} {header.time!r} is not a date and time, nor is GS04/05"
            self._rows.reject(ref, reason, found.text)
        else:
            document = Document(
                set=found,
                segments=found.split() if found.text.isupper() else in_capitals(found.split()),
                partner=party.partner,
                direction=party.direction or ("out" if found.code in _FROM_SELLER else "in"),
                clock=self._clock(party.partner),
                sent_at=sent_at,
                currency=self._context.currency,
                origin=file.ref(f"{header.ordinal}:"),
                profile=self._profile(party.partner),
            )
            business = self._read_business(document)
            self._rows.settle(2 * self._place)
            self._file(document, business)
        self._settle()

    def _file_ta1(self, file: SourceFile, header: InterchangeHeader, found: Segment) -> None:
        """File an interchange acknowledgement; it stands outside any group."""
        party = self._party(header, None)
        sent_at = self._sent_at(header, None, party)
        ref = file.ref(f"{header.ordinal}:{found.number}")
        raw = header.separators.element.join(found.elements)
        if sent_at is None:
            self._rows.reject(ref, f"ISA09/10 {header.date!r} {header.time!r} is not a date and time", raw)
            return
        direction = party.direction or "in"
        self._rows.sink("document", DOCUMENT_COLUMNS).append(
            (
                "document.sent" if direction == "out" else "document.received",
                sent_at,
                sent_at,
                "instant",
                ref,
                found.id,
                direction,
                party.partner,
                header.control,
                None,
                None,
                found[1],
                None,
                attributes({"raw": raw}),
            )
        )
        self._settle()

    def _settle(self) -> None:
        """End a document: its own event comes behind those it tells of."""
        self._rows.settle(2 * self._place + 1)
        self._place += 1

    def _party(self, header: InterchangeHeader, group: GroupHeader | None) -> _Party:
        names = (header.sender, header.receiver, *((group.sender, group.receiver, group.code) if group else ()))
        party = self._parties.get(names)
        if party is None:
            party = self._parties[names] = self._new_party(header, group)
        return party

    def _new_party(self, header: InterchangeHeader, group: GroupHeader | None) -> _Party:
        senders = (header.sender, group.sender if group else "")
        receivers = (header.receiver, group.receiver if group else "")
        if self._own.intersection(senders):
            return _Party(self._partner(receivers), "out")
        if self._own.intersection(receivers):
            return _Party(self._partner(senders), "in")
        known = next((side for side in (senders, receivers) if any(name in self._partners for name in side)), None)
        if known is not None:
            return _Party(self._partner(known), "in" if known is senders else "out")
        is_ours = FUNCTIONAL_SETS.get(group.code if group else "") in _FROM_SELLER
        return _Party(self._partner(receivers if is_ours else senders), None)

    def _partner(self, names: tuple[str, str]) -> str:
        return next((self._partners[name] for name in names if name in self._partners), names[0].lower() or "(none)")

    def _profile(self, partner: str) -> PartnerProfile:
        return self._context.edi.profiles.get(partner, _NO_PROFILE)

    def _clock(self, partner: str) -> Clock:
        if partner not in self._clocks:
            zone = self._context.edi.zones.get(partner)
            self._clocks[partner] = Clock(ZoneInfo(zone) if zone else self._context.zone)
        return self._clocks[partner]

    def _sent_at(self, header: InterchangeHeader, group: GroupHeader | None, party: _Party) -> datetime | None:
        """Transmission time; the sender's clock wrote it, so what we sent is stamped in the company's zone."""
        clock = self._own_clock if party.direction == "out" else self._clock(party.partner)
        return clock.start(header.date, header.time) or (clock.start(group.date, group.time) if group else None)

    def _read_business(self, document: Document) -> Business:
        reader = READERS.get(document.set.code)
        if reader is None:
            return _filed(document)
        if _SALES_DIRECTIONS.get(document.set.code, document.direction) != document.direction:
            return _filed(document)
        return reader(document, self._rows)

    def _file(self, document: Document, business: Business) -> None:
        found, group = document.set, document.set.group
        self._rows.sink("document", DOCUMENT_COLUMNS).append(
            (
                "document.sent" if document.direction == "out" else "document.received",
                document.sent_at,
                document.sent_at,
                "instant",
                document.ref(0),
                found.code,
                document.direction,
                document.partner,
                found.interchange.control,
                group.control if group else "",
                found.control,
                business.document_id,
                business.order_id,
                business.attributes,
            )
        )


def _filed(document: Document) -> Business:
    """File a set that gives no business events: its number where it has one, and its text, so that nothing is lost."""
    name, element = NUMBER_ELEMENTS.get(document.set.code, ("", 0))
    segment = next((segment for segment in document.segments if segment[0] == name), [])
    return Business(at(segment, element).strip(), None, attributes({"raw": document.set.text}))
