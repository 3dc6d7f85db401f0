"""The canonical event tables: one definition for DDL, polars schema, row rules and docs.

Six families of append-only, bitemporal events. Every adapter in `pipelines/sources` returns frames
in these shapes; landing writes them; `models/staging` reads them. Field meanings follow the event
list of the KPI specification (docs/events.md is generated from this module and tested against it).

Conventions:
    * Instants are naive `TIMESTAMP` in UTC, names end in `_at`. A date-only deadline arrives here as the
      exclusive end of that local day (next local midnight, as UTC).
    * Quantities are `DECIMAL(18,3)` in the line's base unit ("each") after pack conversion.
    * Money is `DECIMAL(18,4)` in the row's `currency`.
    * `order_id` is the business order number shared by all systems; `line_id` the line number as text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import polars as pl

QUANTITY: Final = "DECIMAL(18,3)"
MONEY: Final = "DECIMAL(18,4)"

EARLIEST_YEAR: Final = 1990
"""No event of order management is older: such times are unset clocks (1970) or two-digit years."""

_POLARS_TYPES: Final[dict[str, pl.DataType]] = {
    "VARCHAR": pl.String(),
    "TIMESTAMP": pl.Datetime("us"),
    "DATE": pl.Date(),
    "BOOLEAN": pl.Boolean(),
    QUANTITY: pl.Decimal(18, 3),
    MONEY: pl.Decimal(18, 4),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an event table.

    Attributes:
        name: Column name, the same word for the same thing in every family.
        type: DuckDB type.
        description: Meaning, unit, and what null means.
        required: A row without it is rejected.
        allowed: Closed set of values, where there is one.
        minimum: Smallest allowed value for numeric columns.
        pattern: Regular expression of the values of a text column, and what they are in words.
    """

    name: str
    type: str
    description: str
    required: bool = False
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    pattern: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class EventTable:
    """One family of events.

    Attributes:
        family: Family name; the landing table is `landing.<family>_events`.
        description: What a row is (the grain).
        columns: All columns, envelope first.
        required_by_type: Further columns that an event type cannot do without.
        one_of_by_type: Columns of which an event type needs at least one: without them it says nothing.
    """

    family: str
    description: str
    event_types: tuple[str, ...]
    columns: tuple[Column, ...]
    required_by_type: dict[str, tuple[str, ...]] = field(default_factory=dict)
    one_of_by_type: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """Qualified landing table name."""
        return f"landing.{self.family}_events"

    @property
    def names(self) -> tuple[str, ...]:
        """All column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def business_names(self) -> tuple[str, ...]:
        """Columns that decide the identity of an event (all but bookkeeping and free attributes)."""
        return tuple(name for name in self.names if name not in NOT_IDENTIFYING)

    def column(self, name: str) -> Column:
        """Return one column.

        Raises:
            KeyError: No such column.
        """
        for candidate in self.columns:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    def ddl(self) -> str:
        """Return the `create table if not exists` statement."""
        body = ",\n    ".join(
            f"{c.name} {c.type}{' not null' if c.required or c.name in ('event_id', 'batch_id') else ''}"
            for c in self.columns
        )
        return f"create table if not exists {self.table} (\n    {body}\n)"

    def upgrades(self) -> tuple[str, ...]:
        """Return the statements that give a table of an older version the columns it does not have yet."""
        return tuple(
            f"alter table {self.table} add column if not exists {column.name} {column.type}"
            for column in self.columns
            if not column.required
        )

    def id_expression(self) -> str:
        """Return the SQL expression of an event's id: md5 over names and values of its filled identifying columns.

        Empty columns count for nothing, so that a column added to the contract later changes no id.
        """
        parts = ", ".join(f"case when {name} is not null then '{name}' end, {name}" for name in self.business_names)
        return f"md5(concat_ws(chr(31), '{self.family}', {parts}))"

    def row_rules(self) -> tuple[tuple[str, str], ...]:
        """Return the row contract: conditions that no row may meet, each with the reason it gives.

        The conditions are SQL that DuckDB and polars both read; null counts as not met.
        """
        rules: list[tuple[str, str]] = []
        for column in self.columns:
            name = column.name
            if column.required and name != "event_id":
                empty = f"{name} is null or {name} = ''" if column.type == "VARCHAR" else f"{name} is null"
                rules.append((empty, f"{name} is missing"))
            if column.allowed:
                listed = ", ".join(f"'{value}'" for value in column.allowed)
                rules.append((f"{name} not in ({listed})", f"{name} is not one of {', '.join(column.allowed)}"))
            if column.minimum is not None:
                rules.append((f"{name} < {column.minimum:g}", f"{name} is below {column.minimum:g}"))
            if column.pattern is not None:
                expression, meaning = column.pattern
                rules.append((f"not ({name} ~ '{expression}')", f"{name} is no {meaning}"))
        for event_type, names in self.required_by_type.items():
            rules += [(f"event_type = '{event_type}' and {n} is null", f"{event_type} needs {n}") for n in names]
        for event_type, names in self.one_of_by_type.items():
            says_nothing = " and ".join(f"{name} is null" for name in names)
            reason = f"{event_type} needs at least one of {', '.join(names)}"
            rules.append((f"event_type = '{event_type}' and {says_nothing}", reason))
        rules.append((f"date_part('year', event_at) < {EARLIEST_YEAR}", f"event_at is before {EARLIEST_YEAR}"))
        if "window_start_at" in self.names:
            rules.append(("window_end_at <= window_start_at", "window_end_at is not after window_start_at"))
        return tuple(rules)

    def polars_schema(self, *, landed: bool = False) -> dict[str, pl.DataType]:
        """Return the polars schema of an adapter's frame, or of landed rows with their ids.

        Args:
            landed: Include `event_id` and `batch_id`, which landing adds.
        """
        return {c.name: _POLARS_TYPES[c.type] for c in self.columns if landed or c.name not in ("event_id", "batch_id")}


NOT_IDENTIFYING: Final = frozenset({"event_id", "batch_id", "observed_at", "source_ref", "attributes"})

_TIME_QUALITY: Final = ("instant", "date", "estimated")


def _envelope(event_types: tuple[str, ...]) -> tuple[Column, ...]:
    return (
        Column(
            "event_id",
            "VARCHAR",
            "md5 over the identifying columns that have a value: the same fact twice has the same id.",
        ),
        Column("event_type", "VARCHAR", "What happened.", required=True, allowed=event_types),
        Column("event_at", "TIMESTAMP", "Business instant, UTC.", required=True),
        Column("observed_at", "TIMESTAMP", "When we learned it, UTC; the landing clock where the source does not say."),
        Column(
            "time_quality",
            "VARCHAR",
            "How well event_at is known: an instant, a local date only, or estimated from other fields.",
            required=True,
            allowed=_TIME_QUALITY,
        ),
        Column("source", "VARCHAR", "Source system, e.g. shopify, edi, wms, olist.", required=True),
        Column("source_ref", "VARCHAR", "File and position (row, segment, JSON pointer) or webhook id.", required=True),
        Column("batch_id", "VARCHAR", "Batch that landed the row."),
    )


_ATTRIBUTES: Final = Column("attributes", "VARCHAR", "Other source fields worth keeping, as a JSON object; or null.")
_ORDER_ID: Final = Column("order_id", "VARCHAR", "Business order number, the join key between systems.", required=True)
_ORDER_REF: Final = Column("order_id", "VARCHAR", "Business order number; null if only another key is known.")
_LINE_ID: Final = Column("line_id", "VARCHAR", "Order line number as text; null = the event is about the whole order.")
_SKU: Final = Column("sku", "VARCHAR", "Stock keeping unit.")
_NODE: Final = Column("node_id", "VARCHAR", "Fulfilment node (own DC, 3PL site, store).")
_CURRENCY: Final = Column(
    "currency",
    "VARCHAR",
    "ISO 4217 code of the money columns.",
    pattern=("^[A-Z]{3}$", "ISO 4217 code (three capital letters)"),
)
_REASON: Final = Column("reason", "VARCHAR", "Reason code or text as the source gives it.")


def _quantity(description: str) -> Column:
    return Column("quantity", QUANTITY, description, minimum=0)


ACTORS: Final = ("customer", "seller_oos", "seller_other", "fraud", "payment", "retailer_expiry", "unknown")
HOLD_TYPES: Final = ("credit", "fraud", "address", "payment", "stock", "other")
DISPOSITIONS: Final = ("restock_a", "b_grade", "refurbish", "liquidate", "donate", "destroy", "rtv")

_ORDER_TYPES: Final = (
    "order.captured",
    "order.approved",
    "order.promised",
    "order.changed",
    "order.cancelled",
    "hold.placed",
    "hold.released",
    "order.released",
    "alloc.committed",
)
_SHIPMENT_TYPES: Final = (
    "pick.started",
    "pick.completed",
    "packed",
    "label.created",
    "label.voided",
    "ship.confirmed",
    "asn.sent",
    "appt.requested",
    "appt.scheduled",
    "eta.updated",
    "carrier.accepted",
    "in_transit",
    "exception",
    "arrived",
    "delivered",
    "received",
)
_RETURN_TYPES: Final = (
    "rma.created",
    "return.in_transit",
    "return.received",
    "return.graded",
    "return.restocked",
    "refund.issued",
)
_INVENTORY_TYPES: Final = (
    "inventory.snapshot",
    "receipt.expected",
    "receipt.checked_in",
    "receipt.received",
)
_FINANCE_TYPES: Final = (
    "invoice.sent",
    "invoice.rejected",
    "deduction.taken",
    "dispute.filed",
    "dispute.resolved",
    "cash.applied",
)
_DOCUMENT_TYPES: Final = (
    "document.sent",
    "document.received",
    "document.acknowledged",
    "document.rejected",
)

ORDER: Final = EventTable(
    family="order",
    description="One row per order-line event (or order event where line_id is null).",
    event_types=_ORDER_TYPES,
    columns=(
        *_envelope(_ORDER_TYPES),
        _ORDER_ID,
        _LINE_ID,
        Column("channel", "VARCHAR", "Sales channel id (seed channels), e.g. dtc, amazon, wholesale."),
        Column("customer_id", "VARCHAR", "Customer; for wholesale the retailer id (walmart, target, …)."),
        Column("order_type", "VARCHAR", "standard, preorder, replacement, test, draft, transfer; null = standard."),
        Column("service_level", "VARCHAR", "Shipping service promised to the customer."),
        _CURRENCY,
        _SKU,
        Column("category", "VARCHAR", "Product category where the order source states it."),
        Column("seller_id", "VARCHAR", "Marketplace seller that fulfils the line, where there are several."),
        _quantity(
            "Units. captured: ordered; promised/released/committed: units concerned; "
            "changed: the line's NEW TOTAL after the change (null = unchanged, or see quantity_change); "
            "cancelled: units cancelled (null = all that is open)."
        ),
        Column(
            "quantity_change",
            QUANTITY,
            "changed, where the source tells only the difference: units more (or, negative, fewer) than before.",
        ),
        Column("uom", "VARCHAR", "Unit of measure as the source gave it."),
        Column("pack_quantity", QUANTITY, "Units per case or pack; null = unknown.", minimum=0),
        Column("unit_price", MONEY, "Net selling price per unit."),
        Column("unit_cost", MONEY, "Cost per unit where the source states it."),
        Column("freight_amount", MONEY, "Freight charged on the line (or order, where line_id is null)."),
        _NODE,
        Column("ship_to_id", "VARCHAR", "Ship-to location (retailer DC, store)."),
        Column("ship_to_region", "VARCHAR", "State or province code."),
        Column("ship_to_country", "VARCHAR", "ISO 3166-1 alpha-2 country."),
        Column("ship_to_postal_code", "VARCHAR", "Postal code as text (leading zeros kept)."),
        Column("clock_zone", "VARCHAR", "IANA zone that owns this order's delivery clock; null = workspace zone."),
        Column("requested_at", "TIMESTAMP", "Customer-requested delivery deadline (exclusive end, UTC)."),
        Column("promise_at", "TIMESTAMP", "Promised delivery deadline (exclusive end, UTC)."),
        Column("window_start_at", "TIMESTAMP", "Delivery window start (inclusive, UTC)."),
        Column("window_end_at", "TIMESTAMP", "Delivery window end (exclusive, UTC)."),
        Column("ship_window_start_at", "TIMESTAMP", "Ship not before (inclusive, UTC)."),
        Column("ship_by_at", "TIMESTAMP", "Ship deadline (exclusive end, UTC)."),
        Column("cancel_after_at", "TIMESTAMP", "Buyer's cancel-after instant (exclusive end, UTC)."),
        Column("actor", "VARCHAR", "Who changed or cancelled.", allowed=ACTORS),
        _REASON,
        Column("hold_type", "VARCHAR", "Kind of hold.", allowed=HOLD_TYPES),
        _ATTRIBUTES,
    ),
    required_by_type={
        "order.changed": ("actor",),
        "order.cancelled": ("actor",),
        "hold.placed": ("hold_type",),
        "hold.released": ("hold_type",),
    },
    one_of_by_type={
        "order.changed": (
            "quantity",
            "quantity_change",
            "sku",
            "unit_price",
            "ship_to_id",
            "requested_at",
            "promise_at",
            "window_start_at",
            "window_end_at",
            "ship_window_start_at",
            "ship_by_at",
            "cancel_after_at",
        )
    },
)

SHIPMENT: Final = EventTable(
    family="shipment",
    description=(
        "One row per shipment event and line. Carrier events know only the tracking number; "
        "a row with order_id but neither line_id nor quantity is about the whole order."
    ),
    event_types=_SHIPMENT_TYPES,
    columns=(
        *_envelope(_SHIPMENT_TYPES),
        Column("shipment_id", "VARCHAR", "Shipment or parcel id of the sending system."),
        _ORDER_REF,
        _LINE_ID,
        _SKU,
        _quantity("Units in this event; null = the source gives no quantity."),
        Column("uom", "VARCHAR", "Unit of measure as the source gave it."),
        _NODE,
        Column("carrier", "VARCHAR", "Carrier id, lower case."),
        Column("service", "VARCHAR", "Carrier service."),
        Column("tracking_number", "VARCHAR", "Tracking or PRO number."),
        Column("sscc", "VARCHAR", "18-digit SSCC of the carton or pallet."),
        Column("status_code", "VARCHAR", "Status as the carrier gives it."),
        _REASON,
        Column("estimated_delivery_at", "TIMESTAMP", "Carrier's estimate at this event (UTC)."),
        Column(
            "appointment_at",
            "TIMESTAMP",
            "appt.requested, appt.scheduled: the moment asked for or agreed (UTC). Attribute `stop` says at which "
            "dock: pickup or delivery; not said is delivery.",
        ),
        Column("origin_region", "VARCHAR", "Origin state or region."),
        Column("ship_to_region", "VARCHAR", "Destination state or region."),
        Column("cost_amount", MONEY, "Freight cost of the shipment line, where known."),
        _CURRENCY,
        _ATTRIBUTES,
    ),
    required_by_type={
        "ship.confirmed": ("order_id",),
        "asn.sent": ("order_id", "shipment_id"),
        "eta.updated": ("estimated_delivery_at",),
    },
)

RETURN: Final = EventTable(
    family="return",
    description="One row per return event and line.",
    event_types=_RETURN_TYPES,
    columns=(
        *_envelope(_RETURN_TYPES),
        Column("rma_id", "VARCHAR", "Return authorisation id.", required=True),
        _ORDER_REF,
        _LINE_ID,
        _SKU,
        _quantity("Units in this event."),
        _REASON,
        Column("disposition", "VARCHAR", "Grade or fate of the goods.", allowed=DISPOSITIONS),
        Column("amount", MONEY, "Refund amount."),
        _CURRENCY,
        Column("tracking_number", "VARCHAR", "Return label tracking number."),
        _NODE,
        _ATTRIBUTES,
    ),
)

INVENTORY: Final = EventTable(
    family="inventory",
    description="One row per stock snapshot cell (sku × node × lot) or per receipt line event.",
    event_types=_INVENTORY_TYPES,
    columns=(
        *_envelope(_INVENTORY_TYPES),
        Column("sku", "VARCHAR", "Stock keeping unit.", required=True),
        Column("node_id", "VARCHAR", "Fulfilment node.", required=True),
        _quantity("snapshot: units on hand; receipts: units expected or received."),
        Column("reserved_quantity", QUANTITY, "Units hard-allocated to orders, of those on hand.", minimum=0),
        Column("quarantine_quantity", QUANTITY, "Units on hand that may not be sold.", minimum=0),
        Column("lot", "VARCHAR", "Lot number."),
        Column("expiry_date", "DATE", "Lot expiry date."),
        Column("receipt_id", "VARCHAR", "Inbound receipt line id."),
        Column("expected_at", "TIMESTAMP", "Expected arrival of a receipt (UTC)."),
        Column("is_confirmed", "BOOLEAN", "The supplier or forwarder confirmed the date."),
        _ATTRIBUTES,
    ),
    required_by_type={
        "inventory.snapshot": ("quantity",),
        "receipt.expected": ("quantity", "receipt_id"),
        "receipt.received": ("quantity", "receipt_id"),
    },
)

FINANCE: Final = EventTable(
    family="finance",
    description="One row per invoice, deduction, dispute or payment event (invoice lines where line_id is set).",
    event_types=_FINANCE_TYPES,
    columns=(
        *_envelope(_FINANCE_TYPES),
        Column("document_id", "VARCHAR", "Invoice, deduction, dispute or remittance number.", required=True),
        Column("reference_id", "VARCHAR", "Document this one is about (the invoice of a deduction, …)."),
        _ORDER_REF,
        _LINE_ID,
        _SKU,
        Column("customer_id", "VARCHAR", "Retailer or customer."),
        _quantity("Units."),
        Column("unit_price", MONEY, "Invoiced unit price."),
        Column("amount", MONEY, "Document or line amount; deductions positive = taken from us."),
        _CURRENCY,
        Column("reason_code", "VARCHAR", "Reason code as the partner gives it (X12 426 or own)."),
        Column("violation", "VARCHAR", "Compliance violation named by the partner, e.g. asn_late."),
        Column("due_at", "TIMESTAMP", "Dispute deadline or payment due (UTC)."),
        Column("outcome", "VARCHAR", "Of a dispute: won, lost, partial."),
        _ATTRIBUTES,
    ),
    required_by_type={
        "deduction.taken": ("amount",),
        "invoice.sent": ("order_id",),
        "dispute.resolved": ("outcome",),
    },
)

DOCUMENT: Final = EventTable(
    family="document",
    description="One row per EDI document sent, received, acknowledged or rejected.",
    event_types=_DOCUMENT_TYPES,
    columns=(
        *_envelope(_DOCUMENT_TYPES),
        Column("document_type", "VARCHAR", "Transaction set, e.g. 850, 856.", required=True),
        Column("direction", "VARCHAR", "in = partner to us, out = us to partner.", allowed=("in", "out")),
        Column("partner_id", "VARCHAR", "Trading partner (retailer id).", required=True),
        Column("interchange_control", "VARCHAR", "ISA13."),
        Column("group_control", "VARCHAR", "GS06; 997 answers to it."),
        Column("set_control", "VARCHAR", "ST02."),
        Column("document_id", "VARCHAR", "Business id: PO number, BSN02, invoice number …"),
        _ORDER_REF,
        Column(
            "answered_by",
            "VARCHAR",
            "acknowledged, rejected: the kind of document that says so. 997 and 999 judge the syntax, 824 the content; "
            "null = 997.",
        ),
        Column("status", "VARCHAR", "A accepted, E errors, P partial, R rejected.", allowed=("A", "E", "P", "R")),
        _REASON,
        _ATTRIBUTES,
    ),
)

EVENT_TABLES: Final[dict[str, EventTable]] = {
    table.family: table for table in (ORDER, SHIPMENT, RETURN, INVENTORY, FINANCE, DOCUMENT)
}


def event_table(family: str) -> EventTable:
    """Return the contract of one family.

    Raises:
        KeyError: No such family.
    """
    return EVENT_TABLES[family]


def empty_frame(family: str) -> pl.DataFrame:
    """Return an adapter frame of the family without rows."""
    return pl.DataFrame(schema=event_table(family).polars_schema())


def conform(frame: pl.DataFrame, family: str) -> pl.DataFrame:
    """Bring a frame to the family's columns, order and types; missing columns become null.

    Args:
        frame: Any subset of the family's columns, types castable to the contract.
        family: Event family.

    Raises:
        ValueError: The frame has a column that the family does not know.
        polars.exceptions.InvalidOperationError: A value cannot be cast.
    """
    schema = event_table(family).polars_schema()
    unknown = sorted(set(frame.columns) - set(schema))
    if unknown:
        message = f"columns {unknown} are not in the {family} event contract; known: {sorted(schema)}"
        raise ValueError(message)
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in schema.items()
    )
