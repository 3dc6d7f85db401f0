"""Amazon's all-orders report (flat file, tab separated) → order events.

GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL and _BY_ORDER_DATE_GENERAL: one row per item of an order, as of its
`last-updated-date`. The report has no ship-by, no delivery date, no order item id and no time of shipping; the Orders
API (`amazon`) has. It is a source of its own, ranked behind the API: where that told the same order, its lines count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from pipelines.sources.amazon import CHANNELS
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.mapping.values import TextFormat, Value, parse_text
from pipelines.sources.places import region_expr, zone_expr
from pipelines.sources.sheets import FILE, REF, ROW, Layout, Sheets, attributes, plain_header
from storage.contracts import ORDER

LAYOUT: Final = Layout(
    columns={
        "order_id": ("amazonorderid",),
        "merchant_order_id": ("merchantorderid",),
        "purchased_at": ("purchasedate",),
        "updated_at": ("lastupdateddate",),
        "order_status": ("orderstatus",),
        "fulfilled_by": ("fulfillmentchannel",),
        "sales_channel": ("saleschannel",),
        "service_level": ("shipservicelevel",),
        "sku": ("sku",),
        "asin": ("asin",),
        "item_status": ("itemstatus",),
        "quantity": ("quantity", "quantitypurchased"),
        "currency": ("currency",),
        "price": ("itemprice",),
        "discount": ("itempromotiondiscount",),
        "shipping": ("shippingprice",),
        "region": ("shipstate",),
        "postal_code": ("shippostalcode",),
        "country": ("shipcountry",),
        "is_business": ("isbusinessorder",),
        "po_number": ("purchaseordernumber",),
        "is_replacement": ("isreplacementorder",),
        "original_order_id": ("originalorderid",),
    },
    required=("order_id", "purchased_at", "sku", "quantity", "order_status", "fulfilled_by"),
    ignored=(
        "orderchannel", "url", "productname", "itemtax", "shippingtax", "giftwrapprice", "giftwraptax",
        "shippromotiondiscount", "shipcity", "promotionids", "buyercompanyname", "buyername", "buyeremail",
        "recipientname", "shipaddress1", "shipaddress2", "shipaddress3", "shipphonenumber",
    ),
    separator="\t",
)  # fmt: skip

_MARKS: Final = frozenset({"amazonorderid", "purchasedate", "orderstatus", "fulfillmentchannel"})


def recognises(file: SourceFile) -> bool:
    """Say whether the header is that of the all-orders report."""
    return plain_header(file, "\t") >= _MARKS


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read the report into captured lines and cancellations; of an item that comes again the newest row counts."""
    sheets = Sheets.read(files, LAYOUT)
    sheets.judge(_values(context))
    # A report from which somebody took the date of the last update tells how things stood at the purchase or later.
    sheets.rows = sheets.rows.with_columns(pl.coalesce("updated_at", "purchased_at").alias("updated_at"))
    newest = pl.col("updated_at") == pl.col("updated_at").max().over("order_id", "sku", "asin")
    told = [name for name in sheets.rows.columns if name not in (REF, FILE, ROW)]
    rows = sheets.rows.filter(newest).unique(told, keep="first", maintain_order=True)
    twin = pl.int_range(pl.len()).over("order_id", "sku", order_by=["asin", "price"])
    region, country = region_expr(pl.col("region")), pl.col("country").str.to_uppercase()
    units = pl.when(pl.col("quantity") > 0).then("quantity")
    gone = {"cancelled", "canceled"}
    rows = rows.with_columns(
        # The report numbers no lines: the SKU does, and a count where an order has it twice.
        pl.when(twin == 0).then("sku").otherwise(pl.format("{}#{}", pl.col("sku"), twin + 1)).alias("line_id"),
        units.alias("units"),
        ((pl.col("price") - pl.col("discount").fill_null(0)) / units).cast(pl.Decimal(18, 4)).alias("unit_price"),
        pl.when(pl.col("is_replacement").str.to_lowercase() == "true").then(pl.lit("replacement")).alias("order_type"),
        region.alias("ship_to_region"),
        country.alias("ship_to_country"),
        zone_expr(region, country, str(context.zone)).alias("clock_zone"),
        attributes(
            merchant_order_id=pl.col("merchant_order_id"),
            asin=pl.col("asin"),
            status=pl.col("order_status"),
            item_status=pl.col("item_status"),
            sales_channel=pl.col("sales_channel"),
            is_business_order=pl.col("is_business"),
            purchase_order_number=pl.col("po_number"),
            original_order_id=pl.col("original_order_id"),
        ).alias("attributes"),
        (
            pl.col("order_status").str.to_lowercase().is_in(gone)
            | pl.col("item_status").str.to_lowercase().is_in(gone).fill_null(value=False)
        ).alias("is_cancelled"),
    )
    captured = _events(rows, "order.captured", "purchased_at", "instant").with_columns(
        rows["unit_price"],
        rows["shipping"].alias("freight_amount"),
        rows["currency"].fill_null(context.currency),
        rows["order_type"],
        rows["service_level"],
        rows["ship_to_region"],
        rows["ship_to_country"],
        rows["postal_code"].alias("ship_to_postal_code"),
        rows["clock_zone"],
    )
    # Neither who cancelled is told, nor when: the last update stands in.
    cancelled = _events(rows.filter("is_cancelled"), "order.cancelled", "updated_at", "estimated").with_columns(
        pl.lit("unknown").alias("actor")
    )
    return sheets.batch({"order": [captured, cancelled]})


def _values(context: AdapterContext) -> dict[str, Value]:
    style = TextFormat(str(context.zone))
    types = {
        "purchased_at": "event_at",
        "updated_at": "event_at",
        "quantity": "quantity",
        "price": "unit_price",
        "discount": "unit_price",
        "shipping": "freight_amount",
    }
    values = {
        name: parse_text(pl.col(name), ORDER.column(kind), style, label=f"column {name}")
        for name, kind in types.items()
    }
    for name in ("order_id", "purchased_at", "sku"):
        missing = pl.when(pl.col(name).is_null()).then(pl.lit(f"{LAYOUT.columns[name][0]} is missing"))
        read = values.get(name, Value(pl.col(name), pl.lit(None, dtype=pl.String)))
        values[name] = Value(read.value, pl.coalesce(missing, read.fault))
    by = pl.col("fulfilled_by")
    channel = by.str.to_lowercase().replace_strict(list(CHANNELS), list(CHANNELS.values()), default=None)
    unknown = pl.when(channel.is_null()).then(
        pl.format("fulfillment-channel: '{}' is neither Merchant (MFN) nor Amazon (AFN)", by.fill_null(""))
    )
    values["channel"] = Value(channel, unknown)
    return values


def _events(rows: pl.DataFrame, event_type: str, at: str, quality: str) -> pl.DataFrame:
    return rows.select(
        pl.lit(event_type).alias("event_type"),
        pl.col(at).alias("event_at"),
        pl.col("updated_at").alias("observed_at"),
        pl.lit(quality).alias("time_quality"),
        pl.col(REF).alias("source_ref"),
        "order_id",
        "line_id",
        "sku",
        pl.col("units").alias("quantity"),
        "channel",
        "attributes",
    )
