"""From a look at tables to a first mapping: what the columns seem to be, what that allows, what is not known.

A proposal states what it goes by. Where the data can be read in two ways (day or month first) it says so and
leaves the line open: the mapping is then refused until a person has decided.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Final

import polars as pl

from pipelines.sources.mapping.headings import CANCELLED, HEADINGS
from pipelines.sources.mapping.look import ColumnLook, TableLook
from pipelines.sources.mapping.model import NUMBERED_DATES

_SHIP: Final = r"((ship to|ship|shipping|delivery|customer) )?"
_NUMBER: Final = r"( (id|no|number|nr|num|ref|reference|key))?"
_WHEN: Final = r"( (date|at|on|by|time|timestamp|date time))?"

ROLES: Final[tuple[tuple[str, str], ...]] = (
    ("order_id", rf"(sales |customer |web )?(order|invoice|po|purchase order){_NUMBER}"),
    ("line_id", rf"(order |invoice |transaction )?(line|position|row|order item)( seq|{_NUMBER})"),
    ("sku", rf"(lineitem |variant |item )?sku|stock code|(product|item|article|part)( code|{_NUMBER})|asin"),
    ("shipped_quantity", r"shipped (qty|quantity|units)|(qty|quantity|units) shipped|quantity ship(ped)?"),
    ("quantity", r"((order|ordered|lineitem) )?(qty|quantity|units|pieces)|(qty|quantity) (ordered|purchased)"),
    ("unit_price", r"(unit |item |lineitem |selling |sales )?price( each| per unit)?"),
    ("unit_cost", r"(unit |item )?cost( price| per unit)?"),
    ("line_total", r"sales|amount|total|line total|revenue|(net|gross) amount|subtotal|extended price"),
    ("currency", r"currency( code)?"),
    ("accepted_at", r"(order )?delivered (to )?carrier (date|at)|(carrier )?(pick(ed)? up|hand ?over) (date|at)"),
    ("shipped_at", rf"(ship|shipped|shipping|dispatch|dispatched|despatched|fulfil+ed){_WHEN}"),
    ("delivered_at", rf"(delivery|delivered|arrival|arrived){_WHEN}|(order )?delivered customer date"),
    ("ship_by_at", r"(ship by|latest ship|shipping limit|must ship by)( (date|at))?"),
    ("requested_at", rf"(requested|required)( delivery)?{_WHEN}"),
    ("promised_at", rf"(order )?((estimated|expected) delivery|promised?|due){_WHEN}"),
    ("cancelled_at", r"(cancell?ed|cancell?ation) (date|at|on)"),
    ("ordered_at", rf"(order|ordered|invoice|purchase|created|(order )?placed|order purchase){_WHEN}|(tran )?date"),
    ("returned_at", r"return(ed)? (date|at|on)"),
    ("rma_id", r"(rma|return) (id|no|number)"),
    ("returned", r"(is )?returned"),
    ("reason", r"(return|cancel|cancellation) reason"),
    ("status", r"((order|fulfil+ment|delivery) )?status"),
    ("carrier", r"carrier( name)?|shipper( name)?"),
    ("tracking_number", rf"tracking( code|{_NUMBER})"),
    ("service_level", r"(ship|shipping|delivery) (mode|method|service)|service( level)?"),
    ("customer_id", rf"(customer|client|account|buyer)( code|{_NUMBER})"),
    ("channel", r"(sales )?channel|marketplace"),
    ("category", r"(product )?category"),
    ("node_id", r"(warehouse|fulfil+ment (center|centre|node)|node|site)( (id|code|name))?"),
    ("ship_to_region", rf"{_SHIP}(state|province|region)( code)?"),
    ("ship_to_country", rf"{_SHIP}country( code)?"),
    ("ship_to_postal_code", rf"{_SHIP}(postal|zip|post)( ?code)?"),
    ("freight_amount", r"freight( (value|cost|amount))?|shipping (cost|charge|fee|amount)"),
)  # fmt: skip
"""What a column is for and how such columns are called; in this order, each at most once."""

TIMES: Final = frozenset(role for role, _ in ROLES if role.endswith("_at"))
NUMBERS: Final = frozenset({"quantity", "shipped_quantity", "unit_price", "unit_cost", "line_total", "freight_amount"})

REQUIREMENTS: Final[Mapping[str, str]] = {
    "has_orders": "order_id",
    "has_order_lines": "line_id",
    "has_promise_or_window": "deadline",
    "has_promise": "promise_at",
    "has_delivered": "delivered",
    "has_accepted": "carrier.accepted",
    "has_shipped_quantity": "ship.confirmed.quantity",
    "has_unit_price": "unit_price",
    "has_unit_cost": "unit_cost",
    "has_ship_by": "ship_by_at",
    "has_ship_by_or_cut_off": "ship_by_at",
    "has_freight": "freight_amount",
    "has_cancellations": "order.cancelled",
    "has_movement": "movement",
    "has_returns": "return.received",
    "has_return_reason": "reason",
}
"""Requirement of a KPI (seed kpi_requirements) → what a mapping must hold to meet it; no other comes from a table."""


@dataclass(frozen=True, slots=True)
class KpiOutlook:
    """Whether a KPI can be computed from the mapped data, and if not, all reasons."""

    kpi_id: str
    is_possible: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed mapping.

    Attributes:
        yaml: The mapping file; `is_open` tells whether a person must decide something in it first.
        roles: (table, column) → what the column seems to be.
        notes: What was assumed, what was left out and why, in sentences.
        kpis: What the mapping will and will not allow.
        is_open: A line is left open: the mapping is refused until it is filled in.
    """

    yaml: str
    roles: Mapping[tuple[str, str], str]
    notes: tuple[str, ...]
    kpis: tuple[KpiOutlook, ...]
    is_open: bool


@dataclass(slots=True)
class _Table:
    name: str
    look: TableLook
    roles: dict[str, ColumnLook]


@dataclass(slots=True)
class _Draft:
    name: str
    zone: str
    currency: str
    notes: list[str] = field(default_factory=list)
    has: set[str] = field(default_factory=set)
    is_open: bool = False


def propose(
    looks: Sequence[TableLook],
    *,
    name: str,
    zone: str,
    currency: str,
    requirements: Sequence[tuple[str, str, str]],
    urls: Mapping[str, str] | None = None,
) -> Proposal:
    """Propose a mapping.

    Args:
        looks: The tables.
        name: Name of the mapping.
        zone: Zone to assume for stamps without offset.
        currency: Currency to assume where no column tells it.
        requirements: (KPI, requirement, reason if missing), from seed kpi_requirements.
        urls: File name → where it is published.
    """
    draft = _Draft(name, zone, currency)
    tables = _named_tables(looks)
    lines = _pick_lines(tables)
    header = _pick_header(tables, lines)
    returns = [table for table in tables if table is not lines and table is not header and _is_returns(table)]
    used = [table for table in (header, lines, *returns) if table is not None]
    events = list(_events(draft, lines, header, returns)) if lines is not None else []
    if lines is None:
        draft.notes.append(
            "No table has a column that looks like an order number and one that looks like an order date. If there are "
            "such columns under other names, write the mapping by hand (docs/mapping.md) or rename them and look again."
        )
        draft.is_open = True
    for table in tables:
        if table not in used:
            draft.notes.append(
                f"Table {table.name} ({table.look.told}) is not used: nothing in it looks like an event."
            )
    head = [*_head(draft, used or tables), *_ignored(tables, used, urls or {})]
    yaml = "\n".join([*head, *_tables(used, lines, header, urls or {}), *events]) + "\n"
    roles = {(table.name, column.name): role for table in tables for role, column in table.roles.items()}
    return Proposal(yaml, roles, tuple(draft.notes), outlook(draft.has, requirements), draft.is_open)


def outlook(has: set[str], requirements: Sequence[tuple[str, str, str]]) -> tuple[KpiOutlook, ...]:
    """Return what can be computed from mapped facts, per KPI in the order of the seed."""
    reasons: dict[str, list[str]] = {}
    for kpi_id, requirement, reason in requirements:
        missing = reasons.setdefault(kpi_id, [])
        if REQUIREMENTS.get(requirement, requirement) not in has:
            missing.append(reason)
    return tuple(KpiOutlook(kpi_id, not missing, tuple(dict.fromkeys(missing))) for kpi_id, missing in reasons.items())


def plain_words(name: str) -> str:
    """Write a column name as lower-case words: `InvoiceNo`, `invoice_no` and `Invoice No.` are `invoice no`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).replace("ß", "ss").replace("°", " ")
    latin = unicodedata.normalize("NFKD", spaced)
    bare = "".join(mark for mark in latin if not unicodedata.combining(mark))
    return " ".join(re.sub(r"[^a-z0-9]+", " ", bare.lower()).split())


def _roles_of(look: TableLook) -> dict[str, ColumnLook]:
    """Find what the columns are for: by their own name, in English first, then together with that of their group."""
    roles: dict[str, ColumnLook] = {}
    taken: set[str] = set()
    ways: tuple[Callable[[ColumnLook, str, str], bool], ...] = (
        lambda column, _, pattern: _is_called(column.name, pattern),
        lambda column, role, _: _is_called(column.name, HEADINGS.get(role, "")),
        lambda column, role, pattern: (
            bool(column.group)
            and any(_is_called(f"{column.group} {column.name}", known) for known in (pattern, HEADINGS.get(role, "")))
        ),
    )
    for is_named in ways:
        for role, pattern in ROLES:
            for column in look.columns:
                fits = column.name not in taken and column.filled > 0 and is_named(column, role, pattern)
                if fits and role not in roles and _suits(role, column):
                    roles[role] = column
                    taken.add(column.name)
    return roles


def _is_called(name: str, pattern: str) -> bool:
    return bool(pattern) and re.fullmatch(pattern, plain_words(name)) is not None


def _suits(role: str, column: ColumnLook) -> bool:
    if role in TIMES:
        return column.kind == "date" or bool(column.formats)
    if role in NUMBERS:
        return column.kind == "number"
    if role == "ship_to_country":
        return all(re.fullmatch(r"[A-Z]{2}", value) for value in column.samples)
    return column.kind != "date"


def table_names(looks: Sequence[TableLook]) -> list[str]:
    """Return a plain name for each table, from its sheet or file."""
    names: list[str] = []
    for look in looks:
        stem = look.sheet or look.file.path.name.split(".")[0]
        if len(look.files) > 1:
            stem = look.sheet or re.sub(r"\d+", "", stem)
        words = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
        name = words if re.match(r"[a-z]", words) else "lines"
        while name in names:
            name += "_2"
        names.append(name)
    return names


def _named_tables(looks: Sequence[TableLook]) -> list[_Table]:
    return [_Table(name, look, _roles_of(look)) for name, look in zip(table_names(looks), looks, strict=True)]


def _pick_lines(tables: Sequence[_Table]) -> _Table | None:
    """Return the table with the finest grain of orders."""
    candidates = [table for table in tables if "order_id" in table.roles and not _is_returns(table)]
    candidates = [
        table
        for table in candidates
        if "ordered_at" in table.roles or (_header_of(table, candidates) is not None and _bears_lines(table))
    ]
    return max(candidates, key=lambda t: ("quantity" in t.roles, "sku" in t.roles, t.look.rows), default=None)


def _bears_lines(table: _Table) -> bool:
    return "quantity" in table.roles or {"sku", "line_id"} <= set(table.roles)


def _pick_header(tables: Sequence[_Table], lines: _Table | None) -> _Table | None:
    return None if lines is None or "ordered_at" in lines.roles else _header_of(lines, tables)


def _header_of(lines: _Table, tables: Sequence[_Table]) -> _Table | None:
    for table in tables:
        key = table.roles.get("order_id")
        if table is not lines and key is not None and "ordered_at" in table.roles and key.distinct == table.look.rows:
            return table
    return None


def _is_returns(table: _Table) -> bool:
    marks = {"rma_id", "returned", "returned_at"} & set(table.roles)
    return bool(marks) and "order_id" in table.roles and "ordered_at" not in table.roles


def _head(draft: _Draft, tables: Sequence[_Table]) -> Iterator[str]:
    yield f"name: {draft.name}"
    yield f"zone: {draft.zone}"
    times = [column for table in tables for role, column in table.roles.items() if role in TIMES]
    if not all(column.has_offset for column in times):
        draft.notes.append(
            f"The stamps bear no offset: they are taken as {draft.zone} time. "
            "Correct `zone` if the file's clock is another."
        )
    yield from _date_formats(draft, times)
    empty = sorted({text for table in tables for text in table.look.empty})
    if empty:
        yield f"empty: [{', '.join(map(_quoted, empty))}]"
    yield from _number_style(draft, [table.roles[role] for table in tables for role in NUMBERS if role in table.roles])


def _number_style(draft: _Draft, columns: Sequence[ColumnLook]) -> Iterator[str]:
    """Yield the one style that all numbers are written in; say so where there is none or more than one."""
    if not columns:
        return
    fits = [style for style in ("1234.5", "1,234.5", "1.234,5") if all(style in column.numbers for column in columns)]
    if not fits:
        told = ", ".join(f"{column.name} {' or '.join(column.numbers)}" for column in columns)
        draft.is_open = True
        draft.notes.append(
            f"No one way of writing numbers fits all columns ({told}): write them alike, then set `numbers`."
        )
        yield "numbers: []      # DECIDE, see the notes"
        return
    split = [column for column in columns if any(re.search("[.,]", sample) for sample in column.samples)]
    if fits[:2] == ["1,234.5", "1.234,5"]:
        shown = "; ".join(f"{column.name} ({', '.join(column.samples)})" for column in split)
        draft.is_open = True
        draft.notes.append(
            f"AMBIGUOUS: a comma in {shown} may part thousands or decimals. Nothing in the columns decides it."
        )
        yield "numbers: []      # DECIDE, 1,234.5 or 1.234,5"
        return
    if fits[0] != "1234.5":
        yield f"numbers: {_quoted(fits[0])}"
    elif "1.234,5" in fits and split:
        shown = "; ".join(f"{column.name} ({', '.join(column.samples)})" for column in split)
        draft.notes.append(
            f'The dot in {shown} is taken for a decimal point. If it parts thousands, set numbers: "1.234,5".'
        )


def _date_formats(draft: _Draft, times: Sequence[ColumnLook]) -> Iterator[str]:
    ambiguous = []
    for column in times:
        if column.is_ambiguous:
            fits = " and ".join(map(str, column.formats))
            ambiguous.append(f"{column.name} ({', '.join(column.samples)}) fits {fits}")
    if ambiguous:
        draft.is_open = True
        draft.notes += [f"AMBIGUOUS: {text}. Nothing in the column decides it; ask who wrote it." for text in ambiguous]
        yield f"dates: []        # DECIDE, day or month first: {'; '.join(ambiguous)}"
        return
    formats = dict.fromkeys(form for column in times for form in column.formats if form is not None)
    numbered = [column for column in times if set(column.formats) & set(NUMBERED_DATES)]
    for column in numbered:
        what = (
            "days as spreadsheets count them" if column.formats == ("excel",) else "seconds or milliseconds since 1970"
        )
        draft.notes.append(f"{column.name} ({', '.join(column.samples[:2])}) is taken for {what}.")
    if formats:
        iso = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d"] if any(column.formats == (None,) for column in times) else []
        yield f"dates: [{', '.join(map(_double, [*formats, *iso]))}]"


def _ignored(tables: Sequence[_Table], used: Sequence[_Table], urls: Mapping[str, str]) -> Iterator[str]:
    """Yield the files that belong to the data set and have no use."""
    needed = {file.name for table in used for file in table.look.files}
    files = [file.path.name for table in tables for file in table.look.files if file.name not in needed | set(urls)]
    if used and files:
        yield f"ignore: [{', '.join(map(_quoted, dict.fromkeys(files)))}]"


def _tables(
    used: Sequence[_Table], lines: _Table | None, header: _Table | None, urls: Mapping[str, str]
) -> Iterator[str]:
    yield ""
    yield "tables:"
    for table in used:
        look = table.look
        yield f"  {table.name}:"
        if look.file.name in urls:
            yield f"    url: {_quoted(urls[look.file.name])}"
        else:
            yield f"    files: {_files(table, used)}"
        if look.sheet is not None:
            yield f"    sheet: {_quoted(look.sheet)}"
        if look.header_row > 1:
            yield f"    header_row: {look.header_row}"
        if look.encoding != "utf-8":
            yield f"    encoding: {look.encoding}"
        if look.separator not in (",", "\t") or (look.separator == "\t" and look.file.kind != ".tsv"):
            mark = "\\t" if look.separator == "\t" else look.separator
            yield f'    separator: "{mark}"'
        partners = [(header, True)] if table is lines and header is not None else []
        if table is lines:  # which lines came back stands in the lines; that they did, in the other table
            partners += [(other, False) for other in used if _is_returns(other) and _of_whole_orders(other, lines)]
        elif lines is not None and _is_returns(table) and not _of_whole_orders(table, lines):
            partners = [(lines, True)] if "returned_at" not in table.roles else []
        lookups = [_lookup(table, partner, required=required) for partner, required in partners if partner is not None]
        if lookups:
            yield f"    lookups: [{', '.join(lookups)}]"


def _lookup(table: _Table, partner: _Table, *, required: bool) -> str:
    own, other = table.roles["order_id"].name, partner.roles["order_id"].name
    by = _quoted(own) if own == other else f"{{{_quoted(own)}: {_quoted(other)}}}"
    return f"{{table: {partner.name}, by: {by}{', required: true' if required else ''}}}"


def _of_whole_orders(returns: _Table, lines: _Table) -> bool:
    """Say whether a table of returns names orders only, while the lines know what was in them."""
    return not {"sku", "quantity"} & set(returns.roles) and "quantity" in lines.roles


@dataclass(frozen=True, slots=True)
class _Orders:
    """The table of order lines and, where the lines lack what an order has, that of orders."""

    lines: _Table
    header: _Table | None

    def place(self, role: str) -> tuple[str, ColumnLook] | None:
        """Return the column of a role, as the lines' rules write it."""
        if role in self.lines.roles:
            return self.lines.roles[role].name, self.lines.roles[role]
        if self.header is not None and role in self.header.roles:
            return f"{self.header.name}.{self.header.roles[role].name}", self.header.roles[role]
        return None

    def columns(self, *roles: str) -> list[tuple[str, str]]:
        """Return canonical column and source column of the roles that are there."""
        return [(role, _quoted(found[0])) for role in roles if (found := self.place(role)) is not None]


_ARRIVED: Final = r"delivered|arriv|geliefert|zugestellt|ankunft|reelle|real|livre|effettiva|geleverd"
"""Words that say that goods did arrive, where `delivery date` could as well be a plan."""


def _events(draft: _Draft, lines: _Table, header: _Table | None, returns: Sequence[_Table]) -> Iterator[str]:
    orders = _Orders(lines, header)
    where = list(_credit_notes(draft, lines))
    line = _line_id(draft, lines)
    keys = [("order_id", _quoted(lines.roles["order_id"].name)), *([("line_id", line)] if line else [])]
    draft.has |= {"order_id"} | ({"line_id"} if line else set())
    yield ""
    yield "events:"
    ordered = orders.place("ordered_at")
    _note_empty(draft, lines, ordered)
    if ordered is not None:
        yield from _event("order.captured", lines.name, ordered, [*keys, *_captured(draft, orders)], where)
    if header is not None:
        yield from _without_lines(draft, lines, header)
    short = [*keys, *orders.columns("sku")]
    accepted = orders.place("accepted_at")
    if accepted is not None:
        yield from _event("carrier.accepted", lines.name, accepted, [*short, *_shipped_quantity(draft, orders)], where)
        draft.has |= {"carrier.accepted", "movement"}
    yield from _shipped(draft, orders, short, where)
    delivered = orders.place("delivered_at")
    if delivered is not None:
        yield from _event("delivered", lines.name, delivered, short, where)
        draft.has |= {"delivered", "movement"}
        if not re.search(_ARRIVED, plain_words(delivered[1].name)):
            draft.notes.append(
                f"{delivered[0]} is taken for the day the goods arrived. If it is the day they are meant to arrive, "
                "take the rule `delivered` out and write it as promise_at (or requested_at) of order.captured: the "
                "KPIs of punctuality would otherwise flatter."
            )
    yield from _cancellations(draft, lines, ordered, orders.place("cancelled_at"), short, orders.place("status"))
    for table in returns:
        yield from _returns(draft, table, lines, short)


def _units(draft: _Draft, orders: _Orders) -> list[tuple[str, str]]:
    """Return the quantity of a line: its column, or one unit per row of a table of lines without one."""
    found = orders.columns("quantity")
    if found or orders.header is None or "line_id" not in draft.has:
        return found
    return [("quantity", '{constant: "1"}')]


def _without_lines(draft: _Draft, lines: _Table, header: _Table) -> Iterator[str]:
    """Yield the capture of orders that have no line, where there are any."""
    own, other = header.roles["order_id"].name, lines.roles["order_id"].name
    known = lines.look.frame[other].drop_nulls().unique()
    bare = header.look.frame[own].drop_nulls().is_in(known.implode()).not_().sum()
    if not bare:
        return
    draft.notes.append(
        f"{bare} of {header.look.rows} orders have no row in table {lines.name}: captured without lines."
    )
    by = _quoted(own) if own == other else f"{{{_quoted(own)}: {_quoted(other)}}}"
    columns = [("order_id", _quoted(own))]
    columns += [(role, _quoted(header.roles[role].name)) for role in ("customer_id", "channel") if role in header.roles]
    at = (header.roles["ordered_at"].name, header.roles["ordered_at"])
    yield from _event("order.captured", header.name, at, columns, [f"{{no_row_in: {lines.name}, by: {by}}}"])


def _note_empty(draft: _Draft, lines: _Table, ordered: tuple[str, ColumnLook] | None) -> None:
    """Say how many rows lack what an order cannot be without: totals, notes, blank forms."""
    needed = [lines.roles["order_id"]]
    needed += [ordered[1]] if ordered is not None and ordered[1] in lines.roles.values() else []
    for column in needed:
        empty = lines.look.frame[column.name].null_count()
        if empty:
            draft.notes.append(
                f"{empty} of {lines.look.rows} rows have no {column.name} (a total?): they will be rejected."
            )


def _captured(draft: _Draft, orders: _Orders) -> Iterator[tuple[str, str]]:
    """Yield what an order line bears besides its keys."""
    lines, header = orders.lines, orders.header
    columns = orders.columns(
        "customer_id", "channel", "service_level", "sku", "category", "quantity", "unit_price", "unit_cost",
        "node_id", "ship_to_region", "ship_to_country", "ship_to_postal_code",
    )  # fmt: skip
    if "quantity" not in dict(columns) and "line_id" in draft.has and header is not None:
        columns += _units(draft, orders)
        draft.notes.append(
            f"Table {lines.name} has no quantity: each row counts as one unit. Take `quantity` out if that is wrong."
        )
    if "freight_amount" in lines.roles:  # of the order, it would be counted once per line
        columns.append(("freight_amount", _quoted(lines.roles["freight_amount"].name)))
    draft.has |= {name for name, _ in columns}
    yield from columns
    currency = orders.place("currency")
    yield "currency", _quoted(currency[0]) if currency else f"{{constant: {_stated_currency(draft, orders)}}}"
    targets = {"requested_at": "requested_at", "promised_at": "promise_at", "ship_by_at": "ship_by_at"}
    for role, target in targets.items():
        found = orders.place(role)
        if found is not None:
            yield target, _quoted(found[0]) if found[1].has_time else f"{{date_end_of_day: {_quoted(found[0])}}}"
            draft.has |= {target} | ({"deadline"} if role != "ship_by_at" else set())
    if "line_total" in lines.roles and "unit_price" not in lines.roles:
        draft.notes.append(
            f"{lines.roles['line_total'].name} looks like the total of a line; `unit_price` is per unit, and a mapping "
            "does not calculate. Without it the KPIs in money are not measurable."
        )


_SIGNS: Final = {"€": "EUR", "£": "GBP", "zł": "PLN", "Kč": "CZK", "₹": "INR", "₩": "KRW", "₺": "TRY", "R$": "BRL"}
"""Signs of one currency only; `$`, `¥` and `kr` are several countries'."""


def _stated_currency(draft: _Draft, orders: _Orders) -> str:
    """Return the currency that the prices bear, else the workspace's."""
    places = [found[1] for role in ("unit_price", "line_total") if (found := orders.place(role)) is not None]
    sign = next((column.money_sign for column in places if column.money_sign), "")
    code = sign if re.fullmatch(r"[A-Z]{3}", sign) else _SIGNS.get(sign)
    if code is None and places:
        shown = f"{sign!r} may be several currencies" if sign else "No column tells the currency"
        draft.notes.append(f"{shown}: {draft.currency} is assumed. Correct `currency` if it is another.")
    return code or draft.currency


def _shipped(draft: _Draft, orders: _Orders, short: Sequence[tuple[str, str]], where: Sequence[str]) -> Iterator[str]:
    shipped = orders.place("shipped_at")
    if shipped is None:
        return
    columns = [*short, *orders.columns("carrier", "tracking_number", "node_id"), *_shipped_quantity(draft, orders)]
    yield from _event("ship.confirmed", orders.lines.name, shipped, columns, where)
    draft.has |= {"carrier.accepted", "movement"}  # the mark stands in, see int_shipment_lines
    draft.notes.append(
        f"{shipped[0]} becomes ship.confirmed, and stands in for the hand-over to the carrier (cycle times, on-time "
        "shipping) as long as none of the carrier's scans land. Where it is the hand-over itself, say carrier.accepted."
    )


def _shipped_quantity(draft: _Draft, orders: _Orders) -> list[tuple[str, str]]:
    """Return the column of the shipped quantity; the ordered one is no evidence of what left."""
    found = orders.place("shipped_quantity")
    if found is not None:
        draft.has.add("ship.confirmed.quantity")
        return [("quantity", _quoted(found[0]))]
    note = (
        "No column tells how much of a line shipped: whether lines were in full is not measurable. If a line always "
        "ships whole or not at all, add the ordered `quantity` to the rule of the shipment."
    )
    if note not in draft.notes:
        draft.notes.append(note)
    return []


def _event(
    event_type: str,
    table: str,
    at: tuple[str, ColumnLook],
    columns: Sequence[tuple[str, str]],
    where: Sequence[str] = (),
    quality: str | None = None,
) -> Iterator[str]:
    yield f"  - type: {event_type}"
    yield f"    from: {table}"
    yield f"    at: {_quoted(at[0])}"
    if quality or not at[1].has_time:
        yield f"    time_quality: {quality or 'date'}"
    if where:
        yield "    where:"
        yield from (f"      - {condition}" for condition in where)
    yield "    columns:"
    yield from (f"      {name}: {value}" for name, value in columns)


def _line_id(draft: _Draft, lines: _Table) -> str | None:
    order = lines.roles["order_id"].name
    rows = lines.look.frame
    if lines.roles["order_id"].distinct == lines.look.rows and "sku" not in lines.roles:
        draft.notes.append("One row per order: orders have no lines, so fill rates are not measurable.")
        return None
    for role in ("line_id", "sku"):
        column = lines.roles.get(role)
        if column is not None and rows.select(pl.struct(order, column.name).is_unique().all()).item():
            return _quoted(column.name)
    draft.notes.append(
        "No column numbers the lines of an order: they are numbered in file order. A later export must list an order's "
        "lines in the same order, or its lines count as new."
    )
    return f"{{number_within: {_quoted(order)}}}"


def _credit_notes(draft: _Draft, lines: _Table) -> Iterator[str]:
    """Find order numbers with a letter in front whose quantities are negative: credit notes among the orders."""
    quantity = lines.roles.get("quantity")
    if quantity is None or not quantity.has_negatives:
        return
    order = lines.roles["order_id"].name
    negative = lines.look.frame.filter(pl.col(quantity.name).str.starts_with("-"))
    letters = negative[order].drop_nulls().str.extract(r"^([A-Za-z]+)\d").drop_nulls()
    marks = sorted(set(letters))
    plain = lines.look.frame.filter(~pl.col(quantity.name).str.starts_with("-"))[order].drop_nulls()
    marks = [mark for mark in marks if not plain.str.starts_with(mark).any()]
    if marks:
        draft.notes.append(
            f"{order} beginning with {', '.join(marks)} has only negative quantities ({letters.len()} rows): "
            "credit notes or cancellations. They do not say which order they are about, so they are left out; "
            "docs/mapping.md shows how to land them as refunds."
        )
        yield f"{{column: {_quoted(order)}, not_starts_with: [{', '.join(map(_quoted, marks))}]}}"
    rest = negative.height - letters.len()
    if rest:
        draft.notes.append(
            f"{rest} other rows have a negative {quantity.name}: they will be rejected ('quantity is below 0')."
        )


def _cancellations(
    draft: _Draft,
    lines: _Table,
    at: tuple[str, ColumnLook] | None,
    cancelled: tuple[str, ColumnLook] | None,
    columns: Sequence[tuple[str, str]],
    status: tuple[str, ColumnLook] | None,
) -> Iterator[str]:
    actor = ("actor", "{constant: unknown}     # who cancelled: customer, seller_oos, seller_other, fraud, payment")
    if cancelled is not None:
        draft.has.add("order.cancelled")
        yield from _event("order.cancelled", lines.name, cancelled, [*columns, actor])
    elif status is not None and at is not None:
        words = [value for value in status[1].values if re.search(CANCELLED, plain_words(value))]
        if words:
            condition = f"{{column: {_quoted(status[0])}, in: [{', '.join(map(_quoted, words))}]}}"
            draft.has.add("order.cancelled")
            yield from _event("order.cancelled", lines.name, at, [*columns, actor], [condition], "estimated")
            draft.notes.append(
                "Nothing says when an order was cancelled: the order date stands in, marked as estimated."
            )
        if status[1].values:
            draft.notes.append(f"{status[0]} holds: {', '.join(status[1].values)}. Only cancellations were used.")


def _returns(draft: _Draft, table: _Table, lines: _Table, keys: Sequence[tuple[str, str]]) -> Iterator[str]:
    own = table.roles
    whole = _of_whole_orders(table, lines)
    before, after = (f"{table.name}.", "") if whole else ("", f"{lines.name}.")
    at, quality = own.get("returned_at"), None
    place = before
    if at is None:
        at, quality, place = lines.roles.get("shipped_at") or lines.roles.get("ordered_at"), "estimated", after
        if at is None:
            return
        draft.notes.append(
            f"Table {table.name} does not say when goods came back: {at.name} of {lines.name} stands in (estimated)."
        )
    number = own.get("rma_id") or own["order_id"]
    columns = [("rma_id", _quoted(before + number.name))]
    if whole:
        columns += [*keys, ("quantity", _quoted(lines.roles["quantity"].name))]
        draft.notes.append(f"Table {table.name} names orders only: all units of such an order count as returned.")
    else:
        columns += [
            (role, _quoted(own[role].name)) for role in ("order_id", "line_id", "sku", "quantity") if role in own
        ]
    if "reason" in own:
        columns.append(("reason", _quoted(before + own["reason"].name)))
        draft.has.add("reason")
    mark = own.get("returned") or own["order_id"]
    truths = [value for value in mark.values if value.lower() in ("yes", "y", "true", "t", "1")]
    condition = f"in: [{', '.join(map(_quoted, truths))}]" if "returned" in own and truths else "is: present"
    where = [f"{{column: {_quoted(before + mark.name)}, {condition}}}"] if whole or "returned" in own else []
    yield from _event(
        "return.received", lines.name if whole else table.name, (place + at.name, at), columns, where, quality
    )
    if whole or "quantity" in own:
        draft.has.add("return.received")
    else:
        draft.notes.append(f"Table {table.name} tells no quantity: return rates are not measurable.")


def _files(table: _Table, used: Sequence[_Table]) -> str:
    """Return globs for the files of a table, or their names where a glob would claim a file of another table."""
    globs = list(dict.fromkeys(_glob(file.path.name) for file in table.look.files))
    others = [file for other in used if other is not table and other.look.sheet is None for file in other.look.files]
    if any(fnmatch(file.path.name.removesuffix(".gz"), glob) for file in others for glob in globs):
        globs = list(dict.fromkeys(file.path.name.removesuffix(".gz") for file in table.look.files))
    return _quoted(globs[0]) if len(globs) == 1 else f"[{', '.join(map(_quoted, globs))}]"


def _glob(name: str) -> str:
    """Return a glob for a file and its likes of other days: dates and numbers in the name are left open."""
    stem, dot, ending = name.removesuffix(".gz").rpartition(".")
    return re.sub(r"\d+([-_. ]?\d+)*", "*", stem) + dot + ending


def _quoted(text: str) -> str:
    """Write a text as a YAML scalar."""
    return text if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_. ]*[A-Za-z0-9_]|[A-Za-z_]", text) else _double(text)


def _double(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
