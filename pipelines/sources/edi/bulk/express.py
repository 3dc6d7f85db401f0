"""Turns runs into frames: keeps page and calendars, calls the kernels, hands back what they refuse."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import accumulate, chain
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.sources.edi.bulk.compiled import Array
from pipelines.sources.edi.bulk.keys import KEYS, MOST_KEYS
from pipelines.sources.edi.bulk.layouts import GROUP_WORDS, LAYOUTS, WORDS
from pipelines.sources.edi.bulk.page import (
    AS_KIND_SAYS,
    CALENDAR,
    COUNT,
    INBOUND,
    INLINE,
    LAYOUT_CELL,
    MEANS_BEFORE,
    MEANS_DIFFERENCE,
    MEANS_TOTAL,
    NEEDED_DAY,
    NO_COMPONENT,
    NOT_FOR_US,
    NULL,
    OUTBOUND,
    SENT_AT,
    TOP,
    Groups,
    Page,
    gather,
)
from pipelines.sources.edi.bulk.scan import OWNER, Run, RunGroup, Scanner
from pipelines.sources.edi.bulk.sets import DAY_MISSING, PAGE_FULL, read_sets
from pipelines.sources.edi.bulk.tape import SPARE
from pipelines.sources.edi.bulk.values import DAYS, FIRST_YEAR, UNKNOWN_DAY
from pipelines.sources.edi.clock import Clock
from pipelines.sources.edi.document import Envelope
from pipelines.sources.edi.rows import PLACE
from storage.contracts import empty_frame

PAGE_ROWS: Final = 1 << 12
"""Few enough for a page to stay in the processor's cache until its rows are columns."""

ARENA_BYTES: Final = 1 << 23
BLOCK_ROWS: Final = 1 << 14
"""Rows of a family that become one frame, at least as many as a page has."""
_DIRECTIONS: Final = {"in": INBOUND, "out": OUTBOUND, None: AS_KIND_SAYS}
_MEANINGS: Final = {"total": MEANS_TOTAL, "difference": MEANS_DIFFERENCE, "before": MEANS_BEFORE}
_PAIR: Final = struct.Struct("<2q")
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - instants are naive UTC here
_MICROSECOND: Final = timedelta(microseconds=1)
_FAMILIES: Final = tuple(dict.fromkeys(layout.family for layout in LAYOUTS))
_FAMILY_NUMBERS: Final = np.array([_FAMILIES.index(layout.family) for layout in LAYOUTS], np.uint8)
_NOBODY: Final = ((0, NOT_FOR_US, *[0] * (CALENDAR - SENT_AT - 1)), ("",) * GROUP_WORDS)
"""Facts and words of a group that is not read."""


class Express:
    """Collects the events of regular documents.

    Attributes:
        scanner: Finds the runs.
    """

    def __init__(self) -> None:
        self.scanner = Scanner()
        self._page = _new_page()
        self._arenas: list[pa.Buffer] = []
        self._blocks: dict[str, list[_Block]] = {family: [] for family in _FAMILIES}
        self._calendars: dict[str, int] = {}

    def take(self, run: Run, envelopes: Sequence[Envelope | None], place: int) -> Iterator[int]:
        """Read a run and yield the indices of the sets that it does not read.

        Args:
            run: The sets.
            envelopes: What is known of each of its groups; None for those that are not to be read.
            place: Position of the first set.
        """
        groups = self._groups(run, envelopes)
        is_refused = np.zeros(run.set_count, np.bool_)
        index, full_at = 0, -1
        while index < run.set_count:
            index, outcome = read_sets(run.tape, run.sets, groups, is_refused, index, self._page, place)
            if outcome == DAY_MISSING:
                envelope = envelopes[run.sets[index, OWNER]]
                if envelope is not None:
                    self._look_up(envelope.clock, int(self._page.state[NEEDED_DAY]))
            elif outcome == PAGE_FULL and index > full_at:
                self._turn_page()
                if self._page.state[TOP] > ARENA_BYTES // 2:
                    self._turn_arena()
                full_at = index
            elif outcome == PAGE_FULL:  # not even an empty page has room for it
                is_refused[index] = True
                index += 1
        yield from np.flatnonzero(is_refused).tolist()

    def frames(self) -> dict[str, list[pl.DataFrame]]:
        """Return what was collected, family by family, with the position of each row's document; then forget it."""
        self._turn_page()
        self._turn_arena()
        frames = {
            family: [block.frame(self._arenas) for block in blocks] for family, blocks in self._blocks.items() if blocks
        }
        for blocks in self._blocks.values():
            blocks.clear()
        self._arenas = []
        return frames

    def _groups(self, run: Run, envelopes: Sequence[Envelope | None]) -> Groups:
        told = [
            (self._facts(group, envelope), _words(group, envelope)) if envelope else _NOBODY
            for group, envelope in zip(run.groups, envelopes, strict=True)
        ]
        words = list(chain.from_iterable(words for _, words in told))
        texts = "".join(words)
        sizes = map(len, words if texts.isascii() else map(str.encode, words))
        return Groups(
            facts=np.array([facts for facts, _ in told]),
            texts=np.frombuffer(texts.encode() + bytes(SPARE), np.uint8),
            bounds=np.array([0, *accumulate(sizes)]),
        )

    def _facts(self, group: RunGroup, envelope: Envelope) -> tuple[int, ...]:
        """Return what the page's state has from `SENT_AT` on."""
        component = group.interchange.separators.component
        return (
            (envelope.sent_at - _EPOCH) // _MICROSECOND,
            _DIRECTIONS[envelope.direction],
            group.number,
            ord(component) if component and component.isascii() else NO_COMPONENT,
            _MEANINGS[envelope.profile.change_quantity],
            envelope.profile.inventory == "full",
            self._calendar(envelope.clock),
        )

    def _calendar(self, clock: Clock) -> int:
        """Return the number of the calendar of a zone."""
        zone = clock.zone.key
        if zone not in self._calendars:
            self._calendars[zone] = len(self._calendars)
            empty = np.full((1, 2, DAYS), UNKNOWN_DAY, np.int64)
            self._page = self._page._replace(days=np.concatenate((self._page.days, empty)))
        return self._calendars[zone]

    def _look_up(self, clock: Clock, day: int) -> None:
        """Enter a day: when it begins, and whether no hour of it has another offset."""
        local = date(FIRST_YEAR, 1, 1) + timedelta(days=day)
        start = clock.start(local.strftime("%Y%m%d"))
        calendar = self._page.days[self._calendar(clock)]
        calendar[0, day] = 0 if start is None else (start - _EPOCH) // _MICROSECOND
        midnight = datetime(local.year, local.month, local.day, tzinfo=clock.zone)
        calendar[1, day] = len({(midnight + timedelta(hours=hour)).utcoffset() for hour in range(25)}) == 1

    def _turn_page(self) -> None:
        """Turn the rows of the page into columns and begin them anew."""
        page, arena = self._page, len(self._arenas)
        rows = page.rows[: page.state[COUNT]]
        kinds = _FAMILY_NUMBERS[rows[:, LAYOUT_CELL]]
        order, last = np.argsort(kinds, kind="stable"), 0
        for family, count in zip(_FAMILIES, np.bincount(kinds).tolist(), strict=False):
            picked, blocks, last = order[last : last + count], self._blocks[family], last + count
            if count and not (blocks and blocks[-1].take(rows, page.words, picked, arena)):
                blocks.append(_Block(family))
                blocks[-1].take(rows, page.words, picked, arena)
        page.state[COUNT] = 0

    def _turn_arena(self) -> None:
        """Keep the arena for the frames and begin it anew; the page must have no rows."""
        self._arenas.append(pa.py_buffer(self._page.arena[: self._page.state[TOP]].tobytes()))
        _clear(self._page)


class _Block:
    """Rows of a family, column by column.

    Attributes:
        count: Number of rows.
    """

    def __init__(self, family: str) -> None:
        self.count = 0
        self._family = family
        columns = _columns(family)
        self._views = np.empty((len(columns.text), BLOCK_ROWS, 2), np.int64)
        self._numbers = np.empty((1 + len(columns.numbers), BLOCK_ROWS), np.int64)
        self._filled = np.zeros(len(columns.text) + len(columns.numbers), np.int64)

    def take(self, rows: Array, words: Array, picked: Array, arena: int) -> bool:
        """Add rows of a page, unless there is no room for them."""
        count, columns = self.count + len(picked), _columns(self._family)
        if count > BLOCK_ROWS:
            return False
        cells = (columns.text_cells, columns.number_cells)
        gather(rows, words, picked, *cells, arena, self.count, self._views, self._numbers, self._filled)
        self.count = count
        return True

    def frame(self, arenas: Sequence[pa.Buffer]) -> pl.DataFrame:
        """Return the rows in the contract of their family, with `PLACE`."""
        count, columns, contract = self.count, _columns(self._family), _contract(self._family)
        found, filled = {}, iter(self._filled.tolist())
        for name, views in zip(columns.text, self._views[:, :count], strict=True):
            if some := next(filled):
                is_there = None if some == count else (views[:, 0] & 0xFFFFFFFF) != 0
                found[name] = _array(pa.string_view(), is_there, views, *arenas)
        for name, values in zip(columns.numbers, self._numbers[1:, :count], strict=True):
            if some := next(filled):
                is_there, kind = None if some == count else values != NULL, contract[name]
                wide = np.stack((values, values >> 63), axis=1) if pa.types.is_decimal(kind) else values
                found[name] = _array(kind, is_there, wide)
        arrays = [found[name] if name in found else _nothing(kind)[:count] for name, kind in contract.items()]
        places = pa.array(self._numbers[0, :count])
        return pl.DataFrame(pa.RecordBatch.from_arrays([*arrays, places], [*contract, PLACE]))


def _words(group: RunGroup, envelope: Envelope) -> tuple[str, ...]:
    """Return the constants of a group in the order of `layouts.PARTNER` and the names behind it."""
    partner, zone = envelope.partner, envelope.clock.zone.key
    controls = (group.interchange.control, group.header.control)
    return (partner, *controls, envelope.currency, zone, f"{partner}-", envelope.origin)


def _new_page() -> Page:
    cells = max(layout.number_cells.stop for layout in LAYOUTS)
    page = Page(
        rows=np.zeros((PAGE_ROWS + 1, cells), np.int64),
        arena=np.zeros(ARENA_BYTES + SPARE, np.uint8),
        state=np.zeros(CALENDAR + 1, np.int64),
        words=np.zeros((GROUP_WORDS + len(WORDS), 2), np.int64),
        days=np.empty((0, 2, DAYS), np.int64),
        # Rows of a width that is no power of two do not evict one another from the processor's cache.
        notes=np.zeros((KEYS + 1, 2 * MOST_KEYS + 40), np.int64),
    )
    _clear(page)
    return page


def _clear(page: Page) -> None:
    """Begin a page with its words: short ones are in their views, others in the arena."""
    top = 0
    for index, word in enumerate(WORDS, start=GROUP_WORDS):
        text, size = word.encode(), len(word)
        if size <= INLINE:
            page.words[index] = _PAIR.unpack(size.to_bytes(4, "little") + text.ljust(INLINE, b"\0"))
        else:
            page.words[index] = size | int.from_bytes(text[:4], "little") << 32, top << 32
            page.arena[top : top + size] = np.frombuffer(text, np.uint8)
            top += size
    page.state[COUNT], page.state[TOP] = 0, top


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns that kernels fill in a family.

    Attributes:
        text: Names of the text columns.
        numbers: Names of the others.
        text_cells: See `gather`.
        number_cells: See `gather`.
    """

    text: tuple[str, ...]
    numbers: tuple[str, ...]
    text_cells: Array
    number_cells: Array


@cache
def _columns(family: str) -> _Columns:
    layouts = [layout for layout in LAYOUTS if layout.family == family]
    text = tuple(dict.fromkeys(chain.from_iterable((*layout.text, *layout.constants) for layout in layouts)))
    numbers = tuple(
        dict.fromkeys(chain.from_iterable((*layout.instants, "observed_at", *layout.numbers) for layout in layouts))
    )
    no_text = ~(GROUP_WORDS + WORDS.index(""))
    text_cells = np.full((len(LAYOUTS), len(text)), no_text)
    number_cells = np.full((len(LAYOUTS), len(numbers)), -1)
    for layout in layouts:
        constants = {name: ~(GROUP_WORDS + WORDS.index(word)) for name, word in layout.constants.items()}
        texts = {**dict(zip(layout.text, layout.text_cells, strict=True)), **constants}
        cells = dict(
            zip((*layout.instants, *layout.numbers), (*layout.instant_cells, *layout.number_cells), strict=True)
        )
        cells.setdefault("observed_at", cells["event_at"])
        text_cells[layout.number] = [texts.get(name, no_text) for name in text]
        number_cells[layout.number] = [cells.get(name, -1) for name in numbers]
    return _Columns(text, numbers, text_cells, number_cells)


@cache
def _contract(family: str) -> dict[str, pa.DataType]:
    """Return the family's columns and their Arrow types."""
    schema = empty_frame(family).to_arrow().schema
    return {field.name: pa.string_view() if pa.types.is_large_string(field.type) else field.type for field in schema}


@cache
def _nothing(kind: pa.DataType) -> pa.Array:
    return pa.nulls(BLOCK_ROWS, kind)


def _array(kind: pa.DataType, is_there: Array | None, values: Array, *rest: pa.Buffer) -> pa.Array:
    validity = None if is_there is None else pa.py_buffer(np.packbits(is_there, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(values), *rest])
