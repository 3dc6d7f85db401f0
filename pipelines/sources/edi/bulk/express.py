"""Turns runs into frames: keeps page and calendars, calls the kernels, hands back what they refuse."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.sources.edi.bulk.compiled import Array
from pipelines.sources.edi.bulk.keys import KEYS, MOST_KEYS
from pipelines.sources.edi.bulk.layouts import GROUP_WORDS, LAYOUTS, ORDER_PREFIX, ORIGIN, WORDS, Layout
from pipelines.sources.edi.bulk.page import (
    COUNT,
    FAMILY_CELL,
    INLINE,
    LISTS_ALL,
    MEANS_BEFORE,
    MEANS_DIFFERENCE,
    MEANS_TOTAL,
    NEEDED_DAY,
    NO_COMPONENT,
    NULL,
    SENT_AT,
    TOP,
    Page,
    gather,
)
from pipelines.sources.edi.bulk.scan import Run, Scanner
from pipelines.sources.edi.bulk.sets import AS_KIND_SAYS, DAY_MISSING, DONE, PAGE_FULL, read_sets
from pipelines.sources.edi.bulk.tape import SPARE
from pipelines.sources.edi.bulk.values import DAYS, FIRST_YEAR, UNKNOWN_DAY
from pipelines.sources.edi.clock import Clock
from pipelines.sources.edi.document import Envelope
from pipelines.sources.edi.rows import PLACE, SOURCE
from storage.contracts import EVENT_TABLES, MONEY, QUANTITY, conform

PAGE_ROWS: Final = 1 << 14
ARENA_BYTES: Final = 1 << 23
_WORDS_BYTES: Final = 1 << 12
_SCALES: Final = {QUANTITY: 3, MONEY: 4}
_DIRECTIONS: Final = {"in": 0, "out": 1, None: AS_KIND_SAYS}
_MEANINGS: Final = {"total": MEANS_TOTAL, "difference": MEANS_DIFFERENCE, "before": MEANS_BEFORE}
_PAIR: Final = struct.Struct("<2q")
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - instants are naive UTC here
_MICROSECOND: Final = timedelta(microseconds=1)


class Express:
    """Collects the events of regular documents.

    Attributes:
        scanner: Finds the runs.
    """

    def __init__(self) -> None:
        self.scanner = Scanner()
        self._page = _new_page()
        self._arenas: list[bytes] = []
        self._columns: dict[int, list[tuple[Array, Array]]] = {layout.number: [] for layout in LAYOUTS}
        self._calendars: dict[str, Array] = {}

    def take(self, run: Run, envelope: Envelope, place: int) -> Iterator[int]:
        """Read a run whose first set is at a position of its own; yields the indices of sets it does not read."""
        words = _group_words(run, envelope)
        if sum(map(len, words)) > _WORDS_BYTES:
            yield from range(run.set_count)
            return
        self._begin_group(run, envelope)
        self._write_words(words)
        index, page_is_fresh = 0, False
        while True:
            index, outcome = read_sets(run.tape, run.sets, index, self._page, place)
            if outcome == DONE:
                return
            if outcome == DAY_MISSING:
                self._look_up(envelope.clock, int(self._page.state[NEEDED_DAY]))
            elif outcome == PAGE_FULL and not page_is_fresh:
                self._flush()
                self._write_words(words)
                page_is_fresh = True
                continue
            else:
                yield index
                index += 1
            page_is_fresh = False

    def frames(self) -> dict[str, list[pl.DataFrame]]:
        """Return what was collected, family by family, with the position of each row's document; then forget it."""
        self._flush()
        arenas = [pa.py_buffer(arena) for arena in self._arenas]
        frames: dict[str, list[pl.DataFrame]] = {}
        for layout in LAYOUTS:
            pages = self._columns[layout.number]
            if pages:
                views, numbers = (np.concatenate(arrays, axis=1) for arrays in zip(*pages, strict=True))
                frames.setdefault(layout.family, []).append(_frame(layout, views, numbers, arenas))
                pages.clear()
        self._arenas = []
        return frames

    def _begin_group(self, run: Run, envelope: Envelope) -> None:
        self._page = self._page._replace(days=self._calendar(envelope.clock))
        component = run.interchange.separators.component
        self._page.state[SENT_AT : LISTS_ALL + 1] = (
            (envelope.sent_at - _EPOCH) // _MICROSECOND,
            _DIRECTIONS[envelope.direction],
            run.number,
            ord(component) if component and component.isascii() else NO_COMPONENT,
            _MEANINGS[envelope.profile.change_quantity],
            envelope.profile.inventory == "full",
        )

    def _calendar(self, clock: Clock) -> Array:
        zone = clock.zone.key
        if zone not in self._calendars:
            self._calendars[zone] = np.full((2, DAYS), UNKNOWN_DAY, np.int64)
        return self._calendars[zone]

    def _look_up(self, clock: Clock, day: int) -> None:
        """Enter a day: when it begins, and whether no hour of it has another offset."""
        local = date(FIRST_YEAR, 1, 1) + timedelta(days=day)
        start = clock.start(local.strftime("%Y%m%d"))
        calendar = self._calendar(clock)
        calendar[0, day] = 0 if start is None else (start - _EPOCH) // _MICROSECOND
        midnight = datetime(local.year, local.month, local.day, tzinfo=clock.zone)
        calendar[1, day] = len({(midnight + timedelta(hours=hour)).utcoffset() for hour in range(25)}) == 1

    def _write_words(self, words: list[bytes]) -> None:
        if len(self._page.arena) - self._page.state[TOP] < _WORDS_BYTES + SPARE:
            self._flush()
        _write_words(self._page, 0, words)

    def _flush(self) -> None:
        """Turn the page into columns and begin it anew."""
        page = self._page
        rows = page.rows[: page.state[COUNT]]
        counts = np.bincount(rows[:, FAMILY_CELL], minlength=len(LAYOUTS))
        for layout in LAYOUTS:
            count = counts[layout.number]
            if count:
                views = np.empty((len(layout.text), count, 2), np.int64)
                numbers = np.empty((1 + len(layout.instants) + len(layout.numbers), count), np.int64)
                gather(rows, layout.number, len(self._arenas), views, numbers)
                self._columns[layout.number].append((views, numbers))
        self._arenas.append(page.arena[: page.state[TOP]].tobytes())
        _clear(page)


def _group_words(run: Run, envelope: Envelope) -> list[bytes]:
    """Return the constants of a group in the order of `layouts.PARTNER` and the names behind it."""
    controls = (run.interchange.control, run.group.control)
    constants = (envelope.currency, envelope.clock.zone.key, f"{envelope.partner}-", envelope.origin)
    return [text.encode() for text in (envelope.partner, *controls, *constants)]


def _new_page() -> Page:
    cells = max(layout.number_cells.stop for layout in LAYOUTS)
    page = Page(
        rows=np.zeros((PAGE_ROWS + 1, cells), np.int64),
        arena=np.zeros(ARENA_BYTES + SPARE, np.uint8),
        state=np.zeros(LISTS_ALL + 1, np.int64),
        words=np.zeros((GROUP_WORDS + len(WORDS), 2), np.int64),
        days=np.full((2, DAYS), UNKNOWN_DAY, np.int64),
        # Rows of a width that is no power of two do not evict one another from the processor's cache.
        notes=np.zeros((KEYS + 1, 2 * MOST_KEYS + 40), np.int64),
    )
    _clear(page)
    return page


def _clear(page: Page) -> None:
    page.state[COUNT] = page.state[TOP] = 0
    _write_words(page, GROUP_WORDS, [text.encode() for text in WORDS])


def _write_words(page: Page, first: int, words: list[bytes]) -> None:
    """Write constants: short ones into their views, others into the arena with a view or, for beginnings, a place."""
    begin = top = int(page.state[TOP])
    cells: list[int] = []
    texts: list[bytes] = []
    for index, text in enumerate(words, start=first):
        size, is_beginning = len(text), index in (ORDER_PREFIX, ORIGIN)
        if size <= INLINE and not is_beginning:
            cells += _PAIR.unpack(size.to_bytes(4, "little") + text.ljust(INLINE, b"\0"))
            continue
        cells += (top, size) if is_beginning else (size | int.from_bytes(text[:4], "little") << 32, top << 32)
        texts.append(text)
        top += size
    page.words[first : first + len(words)] = np.array(cells).reshape(-1, 2)
    page.arena[begin:top] = np.frombuffer(b"".join(texts), np.uint8)
    page.state[TOP] = top


def _frame(layout: Layout, views: Array, numbers: Array, arenas: list[pa.Buffer]) -> pl.DataFrame:
    """Return the rows of one layout in the contract of its family, with `PLACE`."""
    table = EVENT_TABLES[layout.family]
    columns = {name: _text(views[index], arenas) for index, name in enumerate(layout.text)}
    for index, name in enumerate((*layout.instants, *layout.numbers), start=1):
        is_instant = index <= len(layout.instants)
        kind = pa.timestamp("us") if is_instant else pa.decimal128(18, _SCALES[table.column(name).type])
        columns[name] = _numbers(numbers[index], kind)
    frame = pl.DataFrame(columns)
    texts = {"source": SOURCE, "time_quality": "instant", **layout.fixed}
    frame = frame.with_columns(**{name: pl.lit(text) for name, text in texts.items() if name not in columns})
    if "observed_at" not in columns:
        frame = frame.with_columns(observed_at="event_at")
    return conform(frame, layout.family).with_columns(pl.Series(PLACE, numbers[0]))


def _text(views: Array, arenas: list[pa.Buffer]) -> pl.Series:
    is_there = (views[:, 0] & 0xFFFFFFFF) != 0
    return _series(pa.string_view(), is_there, views, *arenas)


def _numbers(values: Array, kind: pa.DataType) -> pl.Series:
    is_there = values != NULL
    wide = np.stack((values, values >> 63), axis=1) if pa.types.is_decimal(kind) else values
    return _series(kind, is_there, wide)


def _series(kind: pa.DataType, is_there: Array, values: Array, *rest: pa.Buffer) -> pl.Series:
    validity = None if is_there.all() else pa.py_buffer(np.packbits(is_there, bitorder="little"))
    array = pa.Array.from_buffers(kind, len(is_there), [validity, pa.py_buffer(values), *rest])
    return pl.Series(values=array)
