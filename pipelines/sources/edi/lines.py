"""What the line segments of all documents share: product ids, line numbers, dates, parties, units and packs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from pipelines.sources.edi.clock import Clock
from pipelines.sources.edi.document import Document, at
from pipelines.sources.edi.rows import EventRows

SKU_QUALIFIERS: Final = ("VN", "VP", "VC", "SK", "BP", "IN", "CB", "UP", "EN", "UK", "UA", "MG")
"""Product id qualifiers (element 235) in the order in which one is taken as our SKU: the seller's own first."""

_QUALIFIER_LENGTH: Final = 2
"""Of element 235, always: whatever is longer or shorter is no qualifier but something out of place."""

CASE_UNITS: Final = frozenset({"CA", "CT", "CS", "BX"})
FIXED_UNITS: Final = {"DZ": Decimal(12), "GS": Decimal(144)}
EACH_PRICES: Final = frozenset({"PE", "QE", "TE", "LE", "WE", "RE"})
PRICE_UNITS: Final = {
    **dict.fromkeys(("PD", "LD", "TD", "WD", "RD"), Decimal(12)),
    **dict.fromkeys(("HP", "LC", "QH", "TC", "WC", "RC"), Decimal(100)),
    **dict.fromkeys(("TP", "LM", "QS", "TM", "WM", "RM"), Decimal(1000)),
}
"""Bases of unit price (element 639) that name a count: dozen, hundred, thousand."""

_MOST_DIGITS: Final = 15
"""Numbers of more digits fit no column; arithmetic on them would overflow."""

COUNTRIES: Final = {"USA": "US", "CAN": "CA", "MEX": "MX", "AUS": "AU"}
US_STATES: Final = (
    " AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK "
    "OR PA PR RI SC SD TN TX UT VT VA WA WV WI WY "
)


def decimal_of(text: str) -> Decimal | None:
    """Return a number (X12 type R or N0), or None where the text is none or beyond all quantities and amounts."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < _MOST_DIGITS else None


def cents_of(text: str) -> Decimal | None:
    """Return an amount of X12 type N2: two implied decimals unless the sender wrote the point all the same."""
    number = decimal_of(text)
    if number is None or "." in text:
        return number
    return number.scaleb(-2)


def product_ids(segment: list[str], start: int) -> dict[str, str]:
    """Return qualifier → id of the pairs that begin at an element, or at the one before it where one was left out."""
    if len(at(segment, start)) not in (0, _QUALIFIER_LENGTH) and at(segment, start - 1) in SKU_QUALIFIERS:
        start -= 1
    pairs = zip(segment[start::2], segment[start + 1 :: 2], strict=False)
    return {qualifier: value.strip() for qualifier, value in pairs if len(qualifier) == _QUALIFIER_LENGTH and value}


def sku_of(ids: dict[str, str]) -> str:
    """Return the id that is our SKU: the vendor's number where given, else the best of the others."""
    for qualifier in SKU_QUALIFIERS:
        if qualifier in ids:
            return ids[qualifier]
    return next(iter(ids.values()), "")


@dataclass(slots=True)
class LineNumbers:
    """Gives each line of a document its id: the number without leading zeros, the position where there is none.

    A number used twice in one document gets a suffix, because two lines must not become one.
    """

    count: int = 0
    _seen: dict[str, int] = field(default_factory=dict)

    def next(self, number: str) -> str:
        """Return the id of the next line."""
        self.count += 1
        line_id = plain_line(number) or str(self.count)
        seen = self._seen[line_id] = self._seen.get(line_id, 0) + 1
        return line_id if seen == 1 else f"{line_id}-{seen}"


def plain_line(number: str) -> str:
    """Return a line number without padding."""
    number = number.strip()
    return number.lstrip("0") or ("0" if number else "")


@dataclass(frozen=True, slots=True)
class Units:
    """How a line counts: its unit of measure and how many eaches a pack holds."""

    uom: str = ""
    pack: Decimal | None = None

    @property
    def factor(self) -> Decimal | None:
        """Eaches per unit of measure; None where it is a case of unknown content."""
        if self.uom in CASE_UNITS:
            return self.pack
        return FIXED_UNITS.get(self.uom, Decimal(1))

    @property
    def is_unconverted(self) -> bool:
        """The quantity stays in cases because nobody says how many eaches a case holds."""
        return self.factor is None

    def in_each(self, quantity: str) -> object:
        """Return a quantity in eaches; text that is no number is handed on for the column cast to refuse."""
        factor = self.factor
        if factor is None or factor == 1:
            return quantity
        number = decimal_of(quantity)
        return quantity if number is None else number * factor

    def price_each(self, price: str, basis: str) -> object:
        """Return a price per each from a price in the basis (element 639) or, without one, the unit of measure."""
        divisor = Decimal(1) if basis in EACH_PRICES else PRICE_UNITS.get(basis, self.factor)
        number = decimal_of(price)
        if number is None or divisor is None or divisor == 1:
            return price
        return number / divisor


def pack_of(segment: list[str]) -> Decimal | None:
    """Return the eaches of a case from a PO4: pack (01) times inner pack (14) where both are given."""
    pack, inner = decimal_of(at(segment, 1)), decimal_of(at(segment, 14))
    if not pack:
        return None
    return pack * inner if inner else pack


@dataclass(frozen=True, slots=True)
class Stamp:
    """A DTM: first and last date (the same unless it gives a range), time and time code."""

    first: str
    last: str
    time: str = ""
    code: str = ""


Dates = dict[str, Stamp]


def note_date(dates: Dates, document: Document, offset: int, rows: EventRows) -> None:
    """Add a DTM to the dates of its level; the last one of a qualifier counts. An unreadable one is a reject."""
    segment = document.segments[offset]
    form, period = at(segment, 5), at(segment, 6)
    stamp = Stamp(at(segment, 2), at(segment, 2), at(segment, 3), at(segment, 4))
    if not stamp.first and period:
        first, _, last = period.partition("-")
        stamp = Stamp(first[:8], (last or first)[:8], first[8:] if form == "DT" else "")
    clock = document.clock
    if clock.start(stamp.first, stamp.time, stamp.code) is None or clock.end(stamp.last) is None:
        reason = f"DTM{at(segment, 1)} {stamp.first + stamp.time!r} is not a date"
        rows.reject(document.ref(offset), reason, document.raw(offset))
        return
    dates[at(segment, 1)] = stamp


def end_of(dates: Dates, clock: Clock, qualifiers: Iterable[str]) -> datetime | None:
    """Return the exclusive end of the first qualifier that is there."""
    for qualifier in qualifiers:
        if qualifier in dates:
            stamp = dates[qualifier]
            return clock.end(stamp.last, stamp.time, stamp.code)
    return None


def start_of(dates: Dates, clock: Clock, qualifiers: Iterable[str]) -> datetime | None:
    """Return the start of the first qualifier that is there."""
    for qualifier in qualifiers:
        if qualifier in dates:
            stamp = dates[qualifier]
            return clock.start(stamp.first, stamp.time, stamp.code)
    return None


@dataclass(slots=True)
class Place:
    """A party of an N1 loop as far as orders need it."""

    id: str = ""
    region: str = ""
    country: str = ""
    postal_code: str = ""

    def locate(self, n4: list[str]) -> None:
        """Take state, postal code and country from an N4."""
        self.region, self.postal_code = at(n4, 2).strip(), at(n4, 3).strip()
        country = at(n4, 4).strip()
        self.country = COUNTRIES.get(country, country) or ("US" if f" {self.region} " in US_STATES else "")
