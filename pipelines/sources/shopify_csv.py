"""The Shopify admin's orders export (CSV) → order events and the mark that an order was fulfilled.

One row per line item; the order's own columns stand on its first row only. The export has no line ids (lines count from
1 in its order), no shipped quantities, no reason or actor of a cancellation, no date of a refund: what needs them is
unavailable. It is a source of its own, ranked behind `shopify`: where the API told the same order, its lines count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.mapping.values import TextFormat, Value, parse_end_of_day, parse_text
from pipelines.sources.places import region_expr, zone_expr
from pipelines.sources.sheets import FILE, REF, ROW, Layout, Sheets, attributes, plain_header
from pipelines.sources.shopify.orders import CHANNELS, PROMISE_ATTRIBUTE
from storage.contracts import ORDER

_PEOPLE: Final = ("name", "street", "address1", "address2", "company", "city", "phone")

LAYOUT: Final = Layout(
    columns={
        "name": ("name",),
        "id": ("id",),
        "created_at": ("createdat",),
        "fulfilled_at": ("fulfilledat",),
        "cancelled_at": ("cancelledat",),
        "financial_status": ("financialstatus",),
        "fulfillment_status": ("fulfillmentstatus",),
        "currency": ("currency",),
        "shipping": ("shipping",),
        "shipping_method": ("shippingmethod",),
        "quantity": ("lineitemquantity",),
        "price": ("lineitemprice",),
        "discount": ("lineitemdiscount",),
        "sku": ("lineitemsku",),
        "requires_shipping": ("lineitemrequiresshipping",),
        "line_status": ("lineitemfulfillmentstatus",),
        "zip": ("shippingzip",),
        "region": ("shippingprovince",),
        "country": ("shippingcountry",),
        "note_attributes": ("noteattributes",),
        "refunded": ("refundedamount",),
        "channel": ("source",),
    },
    required=("name", "created_at", "quantity", "price"),
    ignored=(
        *(f"{whose}{part}" for whose in ("billing", "shipping") for part in (*_PEOPLE, "provincename")),
        "billingzip", "billingprovince", "billingcountry", "email", "phone", "acceptsmarketing", "notes",
        "paymentmethod", "paymentreference", "paymentreferences", "paymentid", "receiptnumber", "deviceid", "employee",
        "paidat", "subtotal", "taxes", "total", "discountcode", "discountamount", "lineitemname", "duties", "tags",
        "lineitemcompareatprice", "lineitemtaxable", "vendor", "outstandingbalance", "paymenttermsname",
        "nextpaymentdueat", *(f"tax{n}{part}" for n in range(1, 6) for part in ("name", "value")),
    ),
)  # fmt: skip
"""The 79 columns of the export; those of `ignored` are known and not kept, any other one is kept with its order."""

_MARKS: Final = frozenset({"name", "lineitemquantity", "lineitemname", "financialstatus"})
_ORDER_LEVEL: Final = (
    "id", "created_at", "fulfilled_at", "cancelled_at", "financial_status", "fulfillment_status", "currency",
    "shipping_method", "zip", "region", "country", "note_attributes", "refunded", "channel",
)  # fmt: skip
"""What holds for all rows of an order. Money is not among it: it counts once."""


def recognises(file: SourceFile) -> bool:
    """Say whether the header is that of the orders export."""
    return plain_header(file) >= _MARKS


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read the export into captured lines, promises, cancellations and fulfilment marks."""
    sheets = Sheets.read(files, LAYOUT)
    order = [FILE, "name"]
    # Row by row each value is told for its order by the first row that has it.
    sheets.rows = sheets.rows.sort(FILE, ROW).with_columns(
        pl.col(*_ORDER_LEVEL).drop_nulls().first().over(order),
        (pl.int_range(pl.len()).over(order) + 1).alias("position"),
    )
    sheets.judge(_values(context))
    rows = _described(sheets.rows, context)
    shipped = pl.col("fulfilled_at").is_not_null()
    whole = shipped & (pl.col("fulfillment_status") == "fulfilled")
    part = shipped & (pl.col("fulfillment_status") != "fulfilled") & (pl.col("line_status") == "fulfilled")
    first = rows.filter(pl.col("position") == pl.col("position").min().over(order))
    return sheets.batch({
        "order": [
            _captured(rows),
            _events(first.filter(pl.col("promise_at").is_not_null()), "order.promised", "created_at", "promise_at"),
            _events(first.filter(pl.col("cancelled_at").is_not_null()), "order.cancelled", "cancelled_at").with_columns(
                pl.lit("unknown").alias("actor")
            ),
        ],
        "shipment": [
            _fulfilled(first.filter(whole), quality="instant"),
            # Of a part fulfilled in several goes only one time is told.
            _fulfilled(rows.filter(part), "line_id", "sku", quality="estimated"),
        ],
    })  # fmt: skip


def _values(context: AdapterContext) -> dict[str, Value]:
    style = TextFormat(str(context.zone))
    types = {
        "created_at": "event_at",
        "fulfilled_at": "event_at",
        "cancelled_at": "event_at",
        "quantity": "quantity",
        "price": "unit_price",
        "discount": "unit_price",
        "shipping": "freight_amount",
    }
    values = {
        name: parse_text(pl.col(name), ORDER.column(kind), style, label=f"column {name}")
        for name, kind in types.items()
    }
    missing = pl.when(pl.col("created_at").is_null()).then(
        pl.format("Created at of order {} is not in this file: its first row is missing", pl.col("name").fill_null("?"))
    )
    values["created_at"] = Value(values["created_at"].value, pl.coalesce(missing, values["created_at"].fault))
    no_units = pl.when(pl.col("quantity").is_null()).then(pl.lit("Lineitem quantity is missing"))
    values["quantity"] = Value(values["quantity"].value, pl.coalesce(no_units, values["quantity"].fault))
    promised = pl.col("note_attributes").str.extract(rf"(?m)^\s*{PROMISE_ATTRIBUTE}\s*:\s*(.+?)\s*$")
    # The zone is that of the customer; days end there (see `_described`).
    values["promised_day"] = parse_text(promised, ORDER.column("reason"), style, label=PROMISE_ATTRIBUTE)
    return values


def _described(rows: pl.DataFrame, context: AdapterContext) -> pl.DataFrame:
    country = pl.col("country").str.to_uppercase()
    region = region_expr(pl.col("region"))
    rows = rows.with_columns(
        pl.col("name").str.strip_prefix("#").alias("order_id"),
        pl.col("position").cast(pl.String).alias("line_id"),
        pl.col("zip").str.strip_prefix("'").alias("ship_to_postal_code"),
        country.alias("ship_to_country"),
        region.alias("ship_to_region"),
        zone_expr(region, country, str(context.zone)).alias("clock_zone"),
        pl.col("currency").fill_null(context.currency),
        pl.col("channel").str.to_lowercase().replace(CHANNELS),
        attributes(
            shopify_order_id=pl.col("id"),
            financial_status=pl.col("financial_status"),
            fulfillment_status=pl.col("fulfillment_status"),
            refunded_amount=pl.col("refunded"),
        ).alias("attributes"),
    )
    return rows.with_columns(
        pl.coalesce(
            pl.when(pl.col("clock_zone") == zone).then(
                parse_end_of_day(pl.col("promised_day"), TextFormat(zone), label=PROMISE_ATTRIBUTE).value
            )
            for zone in sorted(rows["clock_zone"].unique().to_list()) or [str(context.zone)]
        ).alias("promise_at")
    )


def _captured(rows: pl.DataFrame) -> pl.DataFrame:
    each = pl.col("discount").fill_null(0) / pl.when(pl.col("quantity") > 0).then(pl.col("quantity"))
    return _events(
        rows.with_columns(
            (pl.col("price") - each.fill_null(0).cast(pl.Decimal(18, 4))).cast(pl.Decimal(18, 4)).alias("unit_price"),
            pl.when(pl.col("position") == 1).then("shipping").alias("freight_amount"),
            pl.when(pl.col("requires_shipping") == "false").then(pl.lit("no_ship")).alias("order_type"),
            pl.col("shipping_method").alias("service_level"),
        ),
        "order.captured",
        "created_at",
        "line_id", "sku", "quantity", "unit_price", "freight_amount", "order_type", "service_level",
        "ship_to_region", "ship_to_country", "ship_to_postal_code", "currency", "channel",
    )  # fmt: skip


def _events(rows: pl.DataFrame, event_type: str, at: str, *columns: str) -> pl.DataFrame:
    return rows.select(
        pl.lit(event_type).alias("event_type"),
        pl.col(at).alias("event_at"),
        pl.lit("instant").alias("time_quality"),
        pl.col(REF).alias("source_ref"),
        "order_id",
        "clock_zone",
        "attributes",
        *columns,
    )


def _fulfilled(rows: pl.DataFrame, *columns: str, quality: str) -> pl.DataFrame:
    return rows.select(
        pl.lit("ship.confirmed").alias("event_type"),
        pl.col("fulfilled_at").alias("event_at"),
        pl.lit(quality).alias("time_quality"),
        pl.col(REF).alias("source_ref"),
        "order_id",
        "ship_to_region",
        *columns,
    )
