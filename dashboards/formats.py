"""How figures are written: one way for each unit on every page, in the mail and in the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

MISSING: Final = "–"
"""What stands where there is no figure (never 0)."""

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_MINUS: Final = "\N{MINUS SIGN}"
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "BRL": "R$", "CAD": "C$"}


def value_text(value: float | None, unit: str, *, currency: str = "USD") -> str:
    """Write a KPI value in its unit.

    >>> value_text(0.876, "ratio"), value_text(12_345.6, "money"), value_text(50.2, "hours"), value_text(None, "ratio")
    ('87.6%', '$12.3k', '50.2 h', '–')
    """
    if value is None:
        return MISSING
    if unit in ("ratio", "index"):
        return f"{_signless(value * 100, 1)}%"
    if unit == "money":
        return money_text(value, currency=currency)
    if unit == "hours":
        return f"{_signless(value, 1)} h"
    if unit == "days":
        return f"{_signless(value, 1)} d"
    return count_text(value)


def without_text(unpriced: int) -> str:
    """Say how many fines no case counts, because nobody knows their amount.

    >>> without_text(1), without_text(12)
    ('without 1 fine of unknown amount', 'without 12 fines of unknown amount')
    """
    return f"without {unpriced:,} {'fine' if unpriced == 1 else 'fines'} of unknown amount"


def change_text(change: float | None, unit: str, *, currency: str = "USD") -> str:
    """Write a difference with its sign; rates differ in percentage points.

    >>> change_text(-0.0213, "ratio"), change_text(0.0, "ratio"), change_text(3.5, "hours")
    ('−2.1 pp', '±0.0 pp', '+3.5 h')
    """
    if change is None:
        return MISSING
    if unit in ("ratio", "index"):
        return f"{_signed(change * 100, 1)} pp"
    if unit == "money":
        sign = "+" if change > 0 else _MINUS if change < 0 else "±"
        return sign + money_text(abs(change), currency=currency)
    if unit == "hours":
        return f"{_signed(change, 1)} h"
    if unit == "days":
        return f"{_signed(change, 1)} d"
    return _signed(change, 0)


def money_text(value: float | None, *, currency: str = "USD") -> str:
    """Write an amount, shortened from ten thousand on.

    >>> money_text(9_876.4), money_text(2_345_678), money_text(-120)
    ('$9,876', '$2.35M', '−$120')
    """
    if value is None:
        return MISSING
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    size = abs(value)
    sign = _MINUS if value < 0 else ""
    if size >= 999_950:
        return f"{sign}{symbol}{size / 1e6:.2f}M"
    if size >= 10_000:
        return f"{sign}{symbol}{size / 1e3:.1f}k"
    return f"{sign}{symbol}{size:,.0f}"


def money_sums_text(amounts: Iterable[tuple[str, float | None]]) -> str:
    """Add up amounts by currency, the largest sum first; amounts that nobody knows add nothing.

    >>> money_sums_text([("EUR", 5), ("USD", 7), ("EUR", 6), ("USD", None)]), money_sums_text([("USD", None)])
    ('€11 and $7', '–')
    """
    sums: dict[str, float] = {}
    for currency, amount in amounts:
        if amount is not None:
            sums[currency] = sums.get(currency, 0.0) + float(amount)
    ordered = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return " and ".join(money_text(amount, currency=currency) for currency, amount in ordered) or MISSING


def count_text(value: float | None) -> str:
    """Write a count with thousands separators.

    >>> count_text(12345), count_text(None)
    ('12,345', '–')
    """
    return MISSING if value is None else f"{value:,.0f}".replace("-", _MINUS)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    >>> counted(1, "dispute"), counted(1200, "dispute")
    ('1 dispute', '1,200 disputes')
    """
    return f"{count_text(number)} {noun}{'' if number == 1 else 's'}"


def day_text(value: date | datetime | None) -> str:
    """Write a day.

    >>> day_text(date(2026, 11, 9))
    'Mon 9 Nov'
    """
    return MISSING if value is None else f"{value:%a} {value.day} {value:%b}"


def instant_text(value: datetime | None, zone: str) -> str:
    """Write a naive UTC instant on a zone's clock.

    >>> instant_text(datetime(2026, 11, 16, 5, 0), "America/New_York")
    'Mon 16 Nov 00:00'
    """
    if value is None:
        return MISSING
    local = value.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    return f"{day_text(local)} {local:%H:%M}"


def words(identifier: str | None) -> str:
    """Write an identifier as words.

    >>> words("carrier_transit")
    'Carrier transit'
    """
    return MISSING if not identifier else identifier.replace("_", " ").capitalize()


def weekdays_text(numbers: str | None) -> str:
    """Write ISO days of the week as words.

    >>> weekdays_text("1,2,3,4,5"), weekdays_text("1,3,6"), weekdays_text("1,2,3,4,5,6,7"), weekdays_text(None)
    ('Mon–Fri', 'Mon, Wed, Sat', 'every day', '–')
    """
    days = sorted({int(number) for number in (numbers or "").split(",") if number.strip()})
    if not days:
        return MISSING
    if len(days) == len(_WEEKDAYS):
        return "every day"
    names = [_WEEKDAYS[day - 1] for day in days]
    is_span = len(days) > 2 and days[-1] - days[0] == len(days) - 1
    return f"{names[0]}–{names[-1]}" if is_span else ", ".join(names)


def event_text(event_type: str, summary: str | None, line_id: str | None, quantity: float | None) -> str:
    """Write an event of an order as a line of its timeline.

    >>> event_text("order.captured", "order.captured: LK-LGT-114", "2", 12.0)
    'Order captured: LK-LGT-114 (line 2, 12 units)'
    >>> event_text("packed", "", None, 1.0)
    'Packed (1 unit)'
    """
    name = words(event_type.replace(".", " "))
    detail = (summary or "").removeprefix(event_type).removeprefix(":").strip()
    line = f"line {line_id}" if line_id else ""
    units = f"{quantity:g} unit{'' if quantity == 1 else 's'}" if quantity is not None else ""
    where = ", ".join(part for part in (line, units) if part)
    return f"{name}{f': {detail}' if detail else ''}{f' ({where})' if where else ''}"


def _signless(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".replace("-", _MINUS)


def _signed(value: float, digits: int) -> str:
    rounded = round(value, digits)
    sign = "+" if rounded > 0 else _MINUS if rounded < 0 else "±"
    return f"{sign}{abs(rounded):,.{digits}f}"


def other_service(line: Mapping[str, Any], currency: str) -> str:
    """Say what the best other carrier, service or node would do for an open line, and why it is not its next step.

    >>> line = {"other_carrier": "bluelane", "other_service": "air", "other_note": "it is worth less"}
    >>> other_service(line | {"other_probability": 0.12, "other_cost_amount": 17.8}, "USD")
    'bluelane air: 12.0%, $18 more freight; it is worth less.'
    >>> other_service(line | {"other_node": "west", "other_probability": 0.12, "other_cost_amount": None}, "USD")
    'bluelane air from west: 12.0%; it is worth less.'
    >>> other_service({"other_probability": None, "other_note": "it is under way"}, "USD")
    'it is under way.'
    """
    if line["other_probability"] is None:
        return f"{line['other_note']}."
    name = " ".join(part for part in (line["other_carrier"], line["other_service"]) if part)
    name = f"{name} from {line['other_node']}" if line.get("other_node") else name
    cost = line["other_cost_amount"]
    freight = "" if cost is None else f", {money_text(cost, currency=currency)} more freight"
    return f"{name}: {value_text(line['other_probability'], 'ratio')}{freight}; {line['other_note']}."
