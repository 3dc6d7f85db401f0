"""Numbers, units, product ids and dates of regular documents: what `edi.lines` and `edi.clock` do, in kernels.

Every function refuses (`ODD`) what it does not understand at once, and the document goes to the row-wise reader.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import kernel
from pipelines.sources.edi.bulk.page import (
    CALENDAR,
    COMPONENT,
    NEEDED_DAY,
    NULL,
    Page,
    add_field,
    add_pair,
    close_inner,
    emit_literal,
    key,
    literal,
    set_text,
    span_view,
)
from pipelines.sources.edi.bulk.tape import LONGEST, Tape, code, element, element_count, stripped, whole_number, word
from pipelines.sources.edi.codes import LONGEST_CODE
from pipelines.sources.edi.lines import CASE_UNITS, EACH_PRICES, FIXED_UNITS, PRICE_UNITS, SKU_QUALIFIERS

ODD: Final = -1
"""Not regular. Regular numbers and instants are never negative."""

SCALE: Final = 10_000
"""Numbers are counted in ten-thousandths, the precision of money."""

QUANTITY_STEP: Final = 10
"""Ten-thousandths in a thousandth, the precision of quantities."""

FIRST_YEAR, LAST_YEAR = 2000, 2049
DAYS: Final = (LAST_YEAR - FIRST_YEAR + 1) * 366
UNKNOWN_DAY: Final = -1
_MINUTE: Final = 60_000_000
_POINT: Final = ord(".")
_ZERO: Final = ord("0")
_WHOLE_DIGITS: Final = 8
_FRACTION_DIGITS: Final = 4
_MOST_PACK: Final = 100_000
_QUALIFIER_LENGTH: Final = 2
_MOST_IDS: Final = 12

_SKU_CODES: Final = np.array([word(name) for name in SKU_QUALIFIERS])
_CASE_CODES: Final = np.array(sorted(word(name) for name in CASE_UNITS))
_UNIT_CODES: Final = np.array([word(name) for name in FIXED_UNITS])
_UNIT_FACTORS: Final = np.array([int(factor) for factor in FIXED_UNITS.values()])
_BASIS_CODES: Final = np.array([*(word(name) for name in sorted(EACH_PRICES)), *(word(name) for name in PRICE_UNITS)])
_BASIS_FACTORS: Final = np.array([*(1 for _ in EACH_PRICES), *(int(factor) for factor in PRICE_UNITS.values())])
_PRODUCT_IDS: Final = literal('"product_ids":{')
_UPC_CASE: Final = word("UA")
_UPC_CASE_KEY: Final = key("UA")


@kernel
def plain_code(tape: Tape, segment: int, index: int) -> int:
    """Return the span of a coded element without spaces; `ODD` where it is too long to be surely in capitals."""
    span = element(tape, segment, index)
    return ODD if span % LONGEST > LONGEST_CODE else stripped(tape, span)


@kernel
def decimal(tape: Tape, span: int) -> int:
    """Return a plain number in ten-thousandths."""
    start, end = span // LONGEST, span // LONGEST + span % LONGEST
    value = whole = 0
    fraction = -1
    for i in range(start, end):
        byte = tape.data[i]
        if byte == _POINT and fraction < 0:
            fraction = 0
        elif _ZERO <= byte <= _ZERO + 9:
            value = value * 10 + (byte - _ZERO)
            if fraction >= 0:
                fraction += 1
            else:
                whole += 1
        else:
            return ODD
        if whole > _WHOLE_DIGITS or fraction > _FRACTION_DIGITS:
            return ODD
    if start == end or fraction == 0:
        return ODD
    for _ in range(_FRACTION_DIGITS - max(fraction, 0)):
        value *= 10
    return value


@kernel
def is_canonical(tape: Tape, span: int) -> bool:
    """Say whether a number is written as `Decimal` would write it."""
    start, length = span // LONGEST, span % LONGEST
    if decimal(tape, span) < 0 or tape.data[start] == _POINT:
        return False
    return length == 1 or tape.data[start] != _ZERO or tape.data[start + 1] == _POINT


@kernel
def is_composite(tape: Tape, page: Page, segment: int, index: int) -> bool:
    """Say whether an element has components."""
    span, separator = element(tape, segment, index), page.state[COMPONENT]
    for i in range(span // LONGEST, span // LONGEST + span % LONGEST):  # noqa: SIM110 - numba knows no generators
        if tape.data[i] == separator:
            return True
    return False


@kernel
def pack_size(tape: Tape, segment: int) -> int:
    """Return the eaches of a case from a PO4: 0 where it names none."""
    inner_span, outer_span = element(tape, segment, 14), element(tape, segment, 1)
    if not outer_span:
        return 0
    outer = whole_number(tape, outer_span, 5)
    inner = whole_number(tape, inner_span, 5) if inner_span else 0
    if outer < 0 or inner < 0 or outer * max(inner, 1) > _MOST_PACK:
        return ODD
    return outer * inner if inner else outer


@kernel
def unit_factor(tape: Tape, uom: int, pack: int) -> int:
    """Return the eaches per unit of measure; 0 where it is a case of unknown content."""
    unit = code(tape, uom)
    for case in _CASE_CODES:
        if unit == case:
            return pack
    for i in range(len(_UNIT_CODES)):
        if unit == _UNIT_CODES[i]:
            return int(_UNIT_FACTORS[i])
    return 1


@kernel
def quantity(tape: Tape, span: int, factor: int) -> int:
    """Return a quantity in thousandths of an each; no text, no quantity."""
    if not span:
        return NULL
    value = decimal(tape, span)
    if value < 0 or value % QUANTITY_STEP:
        return ODD
    return value // QUANTITY_STEP * max(factor, 1)


@kernel
def price_divisor(tape: Tape, basis: int, factor: int) -> int:
    """Return how many eaches a price is for."""
    unit = code(tape, basis)
    for i in range(len(_BASIS_CODES)):
        if unit == _BASIS_CODES[i]:
            return int(_BASIS_FACTORS[i])
    return max(factor, 1)


@kernel
def rounded(numerator: int, divisor: int) -> int:
    """Divide, half to even, as decimals are rounded to the columns' precision."""
    value, rest = numerator // divisor, numerator % divisor
    if 2 * rest > divisor or (2 * rest == divisor and value % 2):
        return value + 1
    return value


@kernel
def price(tape: Tape, span: int, divisor: int) -> int:
    """Return a price per each in ten-thousandths; no text, no price."""
    if not span:
        return NULL
    value = decimal(tape, span)
    return rounded(value, divisor) if value >= 0 else ODD


@kernel
def sku_of(tape: Tape, segment: int, start: int) -> int:
    """Return the span of the product id that is our SKU; `ODD` where ids contradict."""
    return best_id(tape, segment, start, element_count(tape, segment))[0]


@kernel
def best_id(tape: Tape, segment: int, start: int, stop: int) -> tuple[int, int]:
    """Return the span of the best product id between two elements and its rank; `ODD` where ids contradict."""
    best, rank = 0, len(_SKU_CODES) + 1
    last = min(stop, element_count(tape, segment)) - 1
    if last - start > 2 * _MOST_IDS or element(tape, segment, start) % LONGEST not in (0, _QUALIFIER_LENGTH):
        return ODD, rank
    for i in range(start, last, 2):
        qualifier, value = element(tape, segment, i), element(tape, segment, i + 1)
        if not qualifier or not value:
            continue
        kind, value = code(tape, qualifier), stripped(tape, value)
        if (
            qualifier % LONGEST != _QUALIFIER_LENGTH
            or not value
            or (i > start and _is_told(tape, segment, start, i, kind))
        ):
            return ODD, rank
        own = rank_of(kind)
        if own < rank:
            best, rank = value, own
    return best, rank


@kernel
def _is_told(tape: Tape, segment: int, start: int, stop: int, kind: int) -> bool:
    for i in range(start, stop, 2):
        if element(tape, segment, i + 1) and code(tape, element(tape, segment, i)) == kind:
            return True
    return False


@kernel
def rank_of(kind: int) -> int:
    """Return how early a kind of product id is taken as our SKU."""
    for i in range(len(_SKU_CODES)):
        if _SKU_CODES[i] == kind:
            return i
    return len(_SKU_CODES)


@kernel
def item_sku(tape: Tape, segment: int, upc: int, start: int, stop: int) -> int:
    """Return the SKU of a W01 or W12, whose UPC case code has an element of its own."""
    best, rank = best_id(tape, segment, start, stop)
    case_code = stripped(tape, element(tape, segment, upc))
    if best == ODD or not case_code:
        return best
    last = min(stop, element_count(tape, segment)) - 1
    if last > start and _is_told(tape, segment, start, last, _UPC_CASE):
        return ODD
    return case_code if not best or rank_of(_UPC_CASE) < rank else best


@kernel
def add_item_ids(page: Page, tape: Tape, segment: int, upc: int, start: int, stop: int) -> None:
    """Add the product ids of a W01 or W12 to a JSON object."""
    case_code = stripped(tape, element(tape, segment, upc))
    is_open = _add_ids(page, tape, segment, start, stop)
    if case_code:
        if not is_open:
            emit_literal(page, _PRODUCT_IDS)
        add_field(page, _UPC_CASE_KEY, tape, case_code)
    if is_open or case_code:
        close_inner(page)


@kernel
def add_product_ids(page: Page, tape: Tape, segment: int, start: int) -> None:
    """Add the product ids to a JSON object."""
    if _add_ids(page, tape, segment, start, element_count(tape, segment)):
        close_inner(page)


@kernel
def _add_ids(page: Page, tape: Tape, segment: int, start: int, stop: int) -> bool:
    """Add the product ids between two elements to a JSON object inside another one and leave it open."""
    is_open = False
    for i in range(start, min(stop, element_count(tape, segment)) - 1, 2):
        qualifier, value = element(tape, segment, i), element(tape, segment, i + 1)
        if qualifier and value:
            if not is_open:
                emit_literal(page, _PRODUCT_IDS)
                is_open = True
            add_pair(page, tape, qualifier, stripped(tape, value))
    return is_open


@kernel
def line_number(tape: Tape, span: int, count: int, before: int) -> int:
    """Return the number of a line (its position where it has none); it must be higher than the one before."""
    number = whole_number(tape, span, 9) if span else count
    return number if number > before else ODD


@kernel
def set_line(page: Page, row: int, cell: int, tape: Tape, span: int, count: int) -> None:
    """Write a line id: the number without padding, or the position."""
    if span:
        set_text(page, row, cell, span_view(page, tape, span))
        return
    low, high, digits = 0, 0, 0
    scale = 1
    while count // scale >= 10:
        scale *= 10
    while scale > 0:
        digit = _ZERO + count // scale % 10
        if digits < 4:
            low |= digit << (32 + 8 * digits)
        else:
            high |= digit << (8 * (digits - 4))
        digits += 1
        scale //= 10
    set_text(page, row, cell, (low | digits, high))


@kernel
def counts(tape: Tape, span: int, number: int) -> bool:
    """Say whether a stated total, if there is one, is this number."""
    return span == 0 or (number > 0 and whole_number(tape, span, 9) == number)


@kernel
def day_of(tape: Tape, span: int) -> int:
    """Return a CCYYMMDD date in days since 2000."""
    date = whole_number(tape, span, 8)
    year, month, day = date // 10_000, date // 100 % 100, date % 100
    if span % LONGEST != 8 or year < FIRST_YEAR or year >= LAST_YEAR or month < 1 or month > 12 or day < 1:
        return ODD
    is_leap = year % 4 == 0
    if day > 31 - (month in (4, 6, 9, 11)) - (month == 2) * (3 - is_leap):
        return ODD
    # Days since 1 March 2000 by the rule of 153 days in five months, counted on from 1 January.
    shifted_month, shifted_year = (month + 9) % 12, year - (month < 3)
    passed = 365 * (shifted_year - FIRST_YEAR) + (shifted_year - FIRST_YEAR) // 4
    return passed + (153 * shifted_month + 2) // 5 + day - 1 + 60


@kernel
def midnight(page: Page, day: int) -> int:
    """Return the start of a local day in microseconds; `ODD` with a note where the calendar lacks it."""
    if day < 0 or day >= DAYS:
        return ODD
    start = page.days[page.state[CALENDAR], 0, day]
    if start == UNKNOWN_DAY:
        page.state[NEEDED_DAY] = day
        return ODD
    return int(start)


@kernel
def instant(page: Page, tape: Tape, date: int, time: int, is_end: bool) -> int:  # noqa: FBT001 - numba
    """Return the start or the exclusive end of a stamp without a time code."""
    day = day_of(tape, date)
    if day < 0:
        return ODD
    if not time:
        return midnight(page, day + is_end)
    length = time % LONGEST
    digits = whole_number(tape, time, 6)
    if digits < 0 or length not in (4, 6):
        return ODD
    clock = digits * 100 if length == 4 else digits
    hours, minutes, seconds = clock // 10_000, clock // 100 % 100, clock % 100
    start = midnight(page, day)
    if hours > 23 or minutes > 59 or seconds > 59 or start < 0 or not page.days[page.state[CALENDAR], 1, day]:
        return ODD
    moment = start + (hours * 60 + minutes) * _MINUTE + seconds * (_MINUTE // 60)
    return moment + is_end * (_MINUTE if length == 4 else _MINUTE // 60)


@kernel
def stamp(page: Page, tape: Tape, segment: int, is_end: bool) -> int:  # noqa: FBT001 - numba
    """Return the instant of a DTM that names one date and no time code."""
    if not element(tape, segment, 2) or element(tape, segment, 4):
        return ODD
    return instant(page, tape, element(tape, segment, 2), element(tape, segment, 3), is_end)
