"""Which columns the kernels write, family by family, and the words they use.

Events of a layout without `observed_at` happen when they are told, at the transmission.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pipelines.sources.edi.document import CHANNEL
from pipelines.sources.edi.documents.warehouse_order import WAREHOUSE_SOURCE
from pipelines.sources.edi.rows import SOURCE

_FIRST_CELL: Final = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of one kind of rows on a page; a family may have several kinds.

    Attributes:
        number: Marks its rows on a page.
        family: Event family.
        text: Text columns.
        instants: Columns of microseconds since 1970, UTC.
        numbers: Decimal columns.
        fixed: Columns in which every row has the same text, beside those that have it in most layouts.
    """

    number: int
    family: str
    text: tuple[str, ...]
    instants: tuple[str, ...]
    numbers: tuple[str, ...]
    fixed: Mapping[str, str] = field(default_factory=dict)

    @property
    def constants(self) -> dict[str, str]:
        """Text columns that are not on a row."""
        texts = {"source": SOURCE, "time_quality": "instant", **self.fixed}
        return {name: text for name, text in texts.items() if name not in self.text}

    @property
    def text_cells(self) -> range:
        """Where on a row the text columns are, two cells each."""
        return range(_FIRST_CELL, _FIRST_CELL + 2 * len(self.text), 2)

    @property
    def instant_cells(self) -> range:
        """Where on a row the instants are."""
        return range(self.text_cells.stop, self.text_cells.stop + len(self.instants))

    @property
    def number_cells(self) -> range:
        """Where on a row the numbers are."""
        return range(self.instant_cells.stop, self.instant_cells.stop + len(self.numbers))


ORDER: Final = Layout(
    0,
    "order",
    text=(
        "event_type",
        "source_ref",
        "order_id",
        "line_id",
        "customer_id",
        "order_type",
        "currency",
        "sku",
        "uom",
        "ship_to_id",
        "ship_to_region",
        "ship_to_country",
        "ship_to_postal_code",
        "clock_zone",
        "actor",
        "reason",
        "attributes",
    ),
    instants=(
        "event_at",
        "requested_at",
        "promise_at",
        "window_start_at",
        "window_end_at",
        "ship_window_start_at",
        "ship_by_at",
        "cancel_after_at",
    ),
    numbers=("quantity", "pack_quantity", "unit_price"),
    fixed={"channel": CHANNEL},
)
SHIPMENT: Final = Layout(
    1,
    "shipment",
    text=(
        "source_ref",
        "shipment_id",
        "order_id",
        "line_id",
        "sku",
        "uom",
        "carrier",
        "service",
        "tracking_number",
        "sscc",
        "origin_region",
        "ship_to_region",
        "attributes",
    ),
    instants=("event_at", "estimated_delivery_at"),
    numbers=("quantity",),
    fixed={"event_type": "asn.sent"},
)
FINANCE: Final = Layout(
    2,
    "finance",
    text=(
        "source_ref",
        "document_id",
        "order_id",
        "line_id",
        "sku",
        "customer_id",
        "currency",
        "attributes",
    ),
    instants=("event_at", "due_at"),
    numbers=("quantity", "unit_price", "amount"),
    fixed={"event_type": "invoice.sent"},
)
DOCUMENT: Final = Layout(
    3,
    "document",
    text=(
        "event_type",
        "source_ref",
        "document_type",
        "direction",
        "partner_id",
        "interchange_control",
        "group_control",
        "set_control",
        "document_id",
        "order_id",
        "status",
        "reason",
        "attributes",
    ),
    instants=("event_at",),
    numbers=(),
)
CHANGE: Final = replace(ORDER, number=4, numbers=(*ORDER.numbers, "quantity_change"))
"""Like `ORDER` up to its last number, so that both can be filled alike."""

RELEASE: Final = Layout(
    5,
    "order",
    text=(
        "source_ref",
        "order_id",
        "line_id",
        "sku",
        "uom",
        "node_id",
        "ship_to_id",
        "ship_to_region",
        "ship_to_country",
        "ship_to_postal_code",
        "attributes",
    ),
    instants=(
        "event_at",
        "requested_at",
        "window_end_at",
        "ship_by_at",
        "cancel_after_at",
        "window_start_at",
        "ship_window_start_at",
    ),
    numbers=("quantity", "pack_quantity"),
    fixed={"event_type": "order.released", "source": WAREHOUSE_SOURCE},
)
DISPATCH: Final = Layout(
    6,
    "shipment",
    text=(
        "event_type",
        "time_quality",
        "source_ref",
        "shipment_id",
        "order_id",
        "line_id",
        "sku",
        "uom",
        "node_id",
        "carrier",
        "service",
        "tracking_number",
        "sscc",
        "status_code",
        "reason",
        "ship_to_region",
        "attributes",
    ),
    instants=("event_at", "observed_at"),
    numbers=("quantity",),
    fixed={"source": WAREHOUSE_SOURCE},
)
STOCK: Final = Layout(
    7,
    "inventory",
    text=("time_quality", "source_ref", "sku", "node_id", "lot", "attributes"),
    instants=("event_at", "observed_at"),
    numbers=("quantity", "reserved_quantity", "quarantine_quantity"),
    fixed={"event_type": "inventory.snapshot"},
)
CASH: Final = Layout(
    8,
    "finance",
    text=(
        "time_quality",
        "source_ref",
        "document_id",
        "reference_id",
        "order_id",
        "customer_id",
        "currency",
        "attributes",
    ),
    instants=("event_at", "observed_at"),
    numbers=("amount",),
    fixed={"event_type": "cash.applied"},
)
LAYOUTS: Final = (ORDER, SHIPMENT, FINANCE, DOCUMENT, CHANGE, RELEASE, DISPATCH, STOCK, CASH)

GROUP_WORDS: Final = 7
"""The first words of a page belong to the group that is read; the last two of them are beginnings of ids."""
PARTNER, INTERCHANGE_CONTROL, GROUP_CONTROL, CURRENCY, ZONE, ORDER_PREFIX, ORIGIN = range(GROUP_WORDS)

_NAMED: Final = (
    "order.captured",
    "order.changed",
    "order.promised",
    "order.cancelled",
    "document.sent",
    "document.received",
    "document.acknowledged",
    "document.rejected",
    "standard",
    "draft",
    "customer",
    "seller_oos",
    "seller_other",
    "in",
    "out",
    "US",
    "CA",
    "MX",
    "AU",
    "A",
    "E",
    "P",
    "R",
    "ship.confirmed",
    "exception",
    "not shipped",
    "instant",
    "date",
    "estimated",
)
(
    CAPTURED,
    CHANGED,
    PROMISED,
    CANCELLED,
    SENT,
    RECEIVED,
    ACKNOWLEDGED,
    REJECTED,
    STANDARD,
    DRAFT,
    CUSTOMER,
    SELLER_OOS,
    SELLER_OTHER,
    IN,
    OUT,
    COUNTRY_US,
    COUNTRY_CA,
    COUNTRY_MX,
    COUNTRY_AU,
    STATUS_A,
    STATUS_E,
    STATUS_P,
    STATUS_R,
    CONFIRMED,
    EXCEPTION,
    NOT_SHIPPED,
    INSTANT,
    DATE,
    ESTIMATED,
) = range(GROUP_WORDS, GROUP_WORDS + len(_NAMED))

WORDS: Final = tuple(dict.fromkeys((*_NAMED, "", *(text for layout in LAYOUTS for text in layout.constants.values()))))
"""The words behind those of the group."""
