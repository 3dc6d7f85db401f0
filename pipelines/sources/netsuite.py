"""NetSuite saved-search exports (CSV) → order, shipment, return and invoice events.

Read are sales orders, item fulfilments, return authorisations, item receipts of returns and invoices, in one export or
several. Columns go by their label or by their internal name (`LAYOUT`). Rows that are no items (main line, tax,
shipping, cost of goods) say nothing of their own and are passed over. Transactions refer to each other by internal id
where the export has it; the text "Sales Order #SO123" is what is left otherwise.

Dates are in the format of the user's preference and in the account's zone (the workspace's): the format is found out
from all dates of the batch, and an export that fits two formats is refused (`dates.detect`). So it is with decimal
points and commas, file by file (`numbers.detect`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from pipelines.sources import numbers
from pipelines.sources.assembly import earliest, hold_turns
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.dates import detect
from pipelines.sources.mapping.values import TextFormat, Value, no_fault, parse_end_of_day, parse_text
from pipelines.sources.places import region_expr, zone_expr
from pipelines.sources.sheets import FILE, REF, ROW, Layout, Sheets, attributes, plain_header
from storage.contracts import ORDER

LAYOUT: Final = Layout(
    columns={
        "internal_id": ("internalid", "id", "transactioninternalid"),
        "number": ("documentnumber", "documentnumberid", "tranid", "documentid", "docnumber", "transactionnumber"),
        "type": ("type", "transactiontype", "recordtype"),
        "date": ("date", "trandate", "transactiondate"),
        "created": ("datecreated", "createddate", "datetimecreated"),
        "modified": ("lastmodified", "lastmodifieddate", "datelastmodified"),
        "status": ("status", "transactionstatus", "statusref", "orderstatus"),
        "approved": ("approvaldate", "approveddate", "dateapproved"),
        "closed_on": ("dateclosed", "closedate"),
        "customer": (
            "customerinternalid", "customerid", "entityid", "name", "customer", "entity", "customername", "mainname",
            "companyname",
        ),
        "po_number": ("pocheckno", "pochecknumber", "ponumber", "otherrefnum", "po", "customerpo"),
        "external_order": (
            "etailordernumber", "etailordername", "etailorderid", "externalid", "weborder", "webordernumber",
            "externalordernumber", "shopifyordername", "shopifyordernumber", "channelordernumber",
        ),
        "created_from": ("createdfrom",),
        "created_from_id": ("createdfrominternalid", "createdfromid", "appliedtotransactioninternalid"),
        "main_line": ("mainline", "*"),
        "tax_line": ("taxline",),
        "shipping_line": ("shippingline", "shipline"),
        "cogs_line": ("cogsline", "cogs", "iscogs"),
        "line_id": ("lineid", "line", "lineuniquekey", "uniquekey", "linesequencenumber", "linenumber"),
        "order_line": ("orderline", "orderlineid"),
        "sku": ("itemsku", "sku", "item", "itemname", "itemnumber"),
        "item_type": ("itemtype",),
        "quantity": ("quantity", "quantityordered", "qty"),
        "fulfilled": ("quantityfulfilledreceived", "quantityfulfilled", "quantityshiprecv", "quantityshipped"),
        "committed": ("quantitycommitted",),
        "backordered": ("quantitybackordered",),
        "billed": ("quantitybilled",),
        "closed": ("closed", "isclosed", "lineclosed"),
        "rate": ("itemrate", "rate", "unitprice", "price"),
        "amount": ("amountforeigncurrency", "amount", "netamount", "foreignamount"),
        "currency": ("currency", "currencycode", "currencysymbol"),
        "units": ("units", "uom", "unit"),
        "location": ("location", "locationname", "inventorylocation"),
        "class": ("class", "saleschannel", "channel"),
        "ship_via": ("shipvia", "shipmethod", "shippingmethod"),
        "tracking": ("trackingnumbers", "trackingnumber", "packagetrackingnumber"),
        "ship_date": ("actualshipdate", "shippeddate", "shippedon"),
        "ship_by": ("expectedshipdate", "shipdate", "requestedshipdate"),
        "requested": ("requesteddeliverydate", "requesteddate", "requestdate", "deliverby", "deliverydate"),
        "promised": ("promisedate", "promiseddate", "promiseddeliverydate"),
        "cancel_after": ("cancelafter", "canceldate", "cancelafterdate"),
        "due": ("duedate",),
        "incoterm": ("incoterm", "incoterms"),
        "region": ("shippingstateprovince", "shippingstate", "shipstate", "shiptostate"),
        "country": ("shippingcountrycode", "shippingcountry", "shipcountry", "shiptocountry"),
        "postal_code": ("shippingzip", "shipzip", "shippingpostalcode", "shiptozip"),
        "memo": ("memo", "memomain"),
    },
    required=("number", "date", "sku", "quantity"),
    ignored=("email", "phone", "shippingaddress", "billingaddress", "shippingaddressee", "shippingcity"),
)  # fmt: skip
"""Our names → labels and internal names of NetSuite's columns; any other column is kept with its row."""

KINDS: Final = {
    "salesorder": "order", "salesord": "order",
    "itemfulfillment": "shipment", "itemfulfilment": "shipment", "itemship": "shipment",
    "returnauthorization": "return", "returnauthorisation": "return", "rtnauth": "return",
    "itemreceipt": "receipt", "itemrcpt": "receipt",
    "invoice": "invoice", "custinvc": "invoice",
}  # fmt: skip
"""Transaction type as written → what it is; rows of other types are passed over."""

ORDER_STATUSES: Final = {
    "pendingapproval": "A", "pendingfulfillment": "B", "pendingfulfilment": "B", "cancelled": "C", "canceled": "C",
    "partiallyfulfilled": "D", "pendingbillingpartiallyfulfilled": "E", "pendingbilling": "F", "billed": "G",
    "closed": "H",
}  # fmt: skip
"""Status of a sales order in words → letter of its code (`SalesOrd:B`)."""

SHIPMENT_STATUSES: Final = {"picked": "A", "packed": "B", "shipped": "C"}
"""Status of an item fulfilment → letter of its code; only C has left."""

SHIPMENT_EVENTS: Final = {"A": "pick.completed", "B": "packed", "C": "ship.confirmed"}

NOT_ITEMS: Final = (
    "taxitem", "taxgroup", "taxgrp", "shipitem", "discount", "subtotal", "markup", "description", "payment",
    "endgroup", "group",
)  # fmt: skip
"""Item types that are no goods."""

_DATES: Final = ("date", "created", "modified", "approved", "closed_on", "ship_date", "due")
_DAYS: Final = ("ship_by", "requested", "promised", "cancel_after")
_NUMBERS: Final = {"quantity": "quantity", "fulfilled": "quantity", "rate": "unit_price", "amount": "unit_price"}
_MARKS: Final = frozenset({
    "internalid", "mainline", "taxline", "shippingline", "cogsline", "createdfrom", "quantityfulfilledreceived",
    "quantityfulfilled", "quantityshiprecv", "quantitycommitted", "quantitybackordered", "quantitybilled", "trandate",
    "pocheckno", "pochecknumber", "otherrefnum", "linesequencenumber", "lineuniquekey", "statusref",
})  # fmt: skip
_UNTOLD: Final = (
    "neither a type nor the status (e.g. SalesOrd:B) tells what kind of transaction this is: let the saved search show "
    "Type"
)
_TRUE: Final = ("t", "true", "yes", "y", "1", "*")


def recognises(file: SourceFile) -> bool:
    """Say whether the header is that of a saved search over transaction lines."""
    names = plain_header(file)
    numbered = names & {"documentnumber", "documentnumberid", "tranid"}
    typed = names & {"type", "transactiontype", "recordtype", "status", "statusref", "orderstatus"}
    return bool(numbered and typed) and len(names & _MARKS) >= 2 and bool(names & {"quantity", "quantityordered"})


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read transactions line by line."""
    sheets = Sheets.read(files, LAYOUT)
    formats = detect([sheets.rows[name] for name in (*_DATES, *_DAYS)])
    if formats.fault is not None:
        sheets.refuse(sheets.rows.select(REF, pl.lit(formats.fault).alias("reason"), FILE, ROW))
        sheets.rows = sheets.rows.clear()
    styles = _number_styles(sheets)
    rows = _classified(sheets.rows)
    untold = rows.filter(pl.col("kind").is_null(), pl.col("type").is_null(), pl.col("sku").is_not_null())
    sheets.refuse(untold.select(REF, pl.lit(_UNTOLD).alias("reason"), FILE, ROW))
    sheets.rows = _items(rows)
    bare = rows.filter(pl.col("kind") == "order").join(sheets.rows, ["kind", "number"], "anti").unique("number")
    told = pl.format("order {} has no item row: let the saved search show line items too (Main Line is any)", "number")
    sheets.refuse(bare.sort(FILE, ROW).select(REF, told.alias("reason"), FILE, ROW))
    sheets.judge(_values(formats.formats or ("%Y-%m-%d",), styles, context))
    rows = _related(_described(sheets.rows, context))
    orders = rows.filter(pl.col("kind") == "order")
    order_events = [
        _captured(orders),
        _promises(orders),
        *_approvals(orders),
        *_cancellations(orders),
    ]
    batch = sheets.batch({
        "order": order_events,
        "shipment": [_shipments(rows.filter(pl.col("kind") == "shipment"))],
        "return": [_returns(rows)],
        "finance": [_invoices(rows.filter(pl.col("kind") == "invoice"))],
    })  # fmt: skip
    if "order" not in batch.events:
        return batch
    settled = hold_turns(earliest(batch.events["order"], "order.cancelled"))
    return ParsedBatch(events={**batch.events, "order": settled}, rejects=batch.rejects, rows_in=batch.rows_in)


def _number_styles(sheets: Sheets) -> dict[int, str]:
    """Return file → how its numbers are written; a file of which that is not certain is refused."""
    styles = {}
    for (position,), rows in sheets.rows.group_by(FILE, maintain_order=True):
        found = numbers.detect(rows[name] for name in _NUMBERS)
        styles[int(str(position))] = found.style
        if found.fault is not None:
            sheets.refuse(rows.select(REF, pl.lit(found.fault).alias("reason"), FILE, ROW))
            sheets.rows = sheets.rows.filter(pl.col(FILE) != position)
    return styles


def _classified(rows: pl.DataFrame) -> pl.DataFrame:
    """Add what kind of transaction a row belongs to and the letter of its status."""
    words = pl.col("status").str.to_lowercase()
    prefix = words.str.extract(r"^([a-z ]+?)\s*:", 1).str.replace_all(r"[^a-z]", "")
    stated = pl.col("type").str.to_lowercase().str.replace_all(r"[^a-z]", "")
    kind = pl.coalesce(
        *(name.replace_strict(list(KINDS), list(KINDS.values()), default=None) for name in (stated, prefix))
    )
    own = words.str.replace(r"^[a-z ]+:\s*", "").str.replace_all(r"[^a-z]", "")
    letter = pl.when(own.str.len_chars() == 1).then(own.str.to_uppercase())
    named = {
        kind: own.replace_strict(list(names), list(names.values()), default=None)
        for kind, names in (("order", ORDER_STATUSES), ("shipment", SHIPMENT_STATUSES))
    }
    return rows.with_columns(
        kind.alias("kind"),
        pl.coalesce(
            letter,
            pl.when(kind == "order").then(named["order"]),
            pl.when(kind == "shipment").then(named["shipment"]),
        ).alias("letter"),
    )


def _flag(name: str) -> pl.Expr:
    return pl.col(name).str.to_lowercase().is_in(_TRUE).fill_null(value=False)


def _items(rows: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows of goods. A fulfilment posts each item twice, out of stock and into cost: the first counts."""
    item_type = pl.col("item_type").str.to_lowercase().str.replace_all(r"[^a-z]", "")
    is_item = ~(_flag("main_line") | _flag("tax_line") | _flag("shipping_line") | _flag("cogs_line"))
    goods = rows.filter(
        is_item,
        pl.col("kind").is_not_null(),
        pl.col("sku").is_not_null(),
        ~item_type.is_in(NOT_ITEMS).fill_null(value=False),
    )
    negative = pl.col("quantity").str.starts_with("-").fill_null(value=False)
    twice = (pl.col("kind") == "shipment") & negative.any().over("kind", "number", "sku") & ~negative
    return goods.filter(~twice)


def _values(formats: tuple[str, ...], styles: Mapping[int, str], context: AdapterContext) -> dict[str, Value]:
    style = TextFormat(str(context.zone), formats)
    values = {
        name: parse_text(pl.col(name), ORDER.column("event_at"), style, label=f"column {name}") for name in _DATES
    }
    values |= {name: parse_end_of_day(pl.col(name), style, label=f"column {name}") for name in _DAYS}
    values |= {name: _number(name, styles) for name in _NUMBERS}
    for name, text in (("created", "created"), ("date", "date"), ("ship_date", "ship_date")):
        values[f"{name}_has_time"] = Value(pl.col(text).str.contains(":").fill_null(value=False), no_fault())
    for name in ("number", "quantity", "date"):
        read = values.get(name, Value(pl.col(name), no_fault()))
        missing = pl.when(pl.col(name).is_null()).then(pl.lit(f"{name} is missing"))
        values[name] = Value(read.value, pl.coalesce(missing, read.fault))
    unknown = pl.when(
        pl.col("kind").is_in(["order", "shipment"]), pl.col("status").is_not_null(), pl.col("letter").is_null()
    ).then(pl.format("status: '{}' is not known (expected e.g. SalesOrd:B, Pending Fulfillment, ItemShip:C)", "status"))
    values["letter"] = Value(pl.col("letter"), unknown)
    return values


def _number(name: str, styles: Mapping[int, str]) -> Value:
    point, comma = (
        parse_text(pl.col(name), ORDER.column(_NUMBERS[name]), TextFormat(numbers=style), label=f"column {name}")
        for style in (numbers.POINT, numbers.COMMA)
    )
    has_comma = pl.col(FILE).is_in([position for position, style in styles.items() if style == numbers.COMMA])
    return Value(
        pl.when(has_comma).then(comma.value).otherwise(point.value),
        pl.when(has_comma).then(comma.fault).otherwise(point.fault),
    )


def _described(rows: pl.DataFrame, context: AdapterContext) -> pl.DataFrame:
    region, country = region_expr(pl.col("region")), pl.col("country").str.to_uppercase()
    document = ["kind", "number"]
    count = pl.int_range(1, pl.len() + 1).over(document).cast(pl.String)
    shop_order = pl.coalesce("external_order", pl.when(pl.col("po_number").str.starts_with("#")).then("po_number"))
    return rows.sort(FILE, ROW).with_columns(
        pl.coalesce("line_id", count).alias("line_id"),
        # Items of a family are written "Parent : Child".
        pl.col("sku").str.split(" : ").list.last(),
        pl.col("quantity").abs(),
        pl.col("fulfilled").abs(),
        pl.coalesce(pl.col("rate").abs(), (pl.col("amount").abs() / pl.col("quantity").abs()))
        .cast(pl.Decimal(18, 4))
        .alias("unit_price"),
        pl.col("currency").str.to_uppercase().str.extract(r"^([A-Z]{3})$").fill_null(context.currency),
        # "1042 Jane Doe": the number will do.
        pl.coalesce(pl.col("customer").str.extract(r"^(\S*\d\S*)\s"), "customer").alias("customer_id"),
        region.alias("ship_to_region"),
        country.alias("ship_to_country"),
        zone_expr(region, country, str(context.zone)).alias("clock_zone"),
        attributes(
            netsuite_id=pl.col("internal_id"),
            po_number=pl.col("po_number"),
            external_order_id=shop_order.str.strip_prefix("#"),
            status=pl.col("status"),
            committed=pl.col("committed"),
            backordered=pl.col("backordered"),
            billed=pl.col("billed"),
            location=pl.col("location"),
            incoterm=pl.col("incoterm").str.to_uppercase().str.extract(r"^([A-Z]{3})\b"),
            memo=pl.col("memo"),
        ).alias("attributes"),
    )


def _related(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the number of the order (and return) that a row belongs to: by internal id, else by the text."""
    text = pl.col("created_from")
    by_id = pl.coalesce("created_from_id", pl.when(text.str.contains(r"^\d+$")).then(text))
    of_text = pl.coalesce(text.str.extract(r"#\s*(\S+)\s*$", 1), pl.when(~text.str.contains(r"^\d+$")).then(text))
    origin = text.str.to_lowercase().str.extract(r"^([a-z ]+?)\s*#", 1).str.replace_all(" ", "")
    known = (
        rows.filter(pl.col("internal_id").is_not_null())
        .select(
            pl.col("internal_id").alias("by_id"),
            pl.col("number").alias("from_number"),
            pl.col("kind").alias("from_kind"),
        )
        .unique("by_id", keep="first", maintain_order=True)
    )
    joined = rows.with_columns(by_id.alias("by_id")).join(known, "by_id", "left", maintain_order="left")
    joined = joined.with_columns(
        pl.coalesce("from_number", of_text, "by_id").alias("from_number"),
        pl.coalesce(
            "from_kind", origin.replace_strict(list(KINDS), list(KINDS.values()), default="other"), pl.lit("order")
        ).alias("from_kind"),
    )
    # A receipt names its return, and only the return its order.
    returns = joined.filter(pl.col("kind") == "return").select(
        pl.col("number").alias("from_number"), pl.col("from_number").alias("returned_order")
    )
    joined = joined.join(
        returns.unique("from_number", maintain_order=True), "from_number", "left", maintain_order="left"
    )
    return joined.with_columns(
        pl.when(pl.col("kind") == "order")
        .then("number")
        .when(pl.col("kind") == "receipt")
        .then("returned_order")
        .otherwise("from_number")
        .alias("order_id")
    )


def _quality(has_time: str) -> pl.Expr:
    return pl.when(has_time).then(pl.lit("instant")).otherwise(pl.lit("date")).alias("time_quality")


def _events(
    rows: pl.DataFrame, event_type: str, at: pl.Expr, quality: pl.Expr, *columns: str | pl.Expr
) -> pl.DataFrame:
    return rows.select(
        pl.lit(event_type).alias("event_type"),
        at.alias("event_at"),
        quality.alias("time_quality"),
        pl.col("modified").alias("observed_at"),
        pl.col(REF).alias("source_ref"),
        "order_id",
        "attributes",
        *columns,
    )


def _captured(orders: pl.DataFrame) -> pl.DataFrame:
    dated = orders.with_columns(pl.when("created_has_time").then("created").otherwise("date").alias("at"))
    return _events(
        dated,
        "order.captured",
        pl.col("at"),
        pl.when(pl.col("created_has_time") | pl.col("date_has_time")).then(pl.lit("instant")).otherwise(pl.lit("date")),
        "line_id", "sku", "quantity", "unit_price", "currency", "clock_zone", "ship_to_region", "ship_to_country",
        "customer_id",
        pl.col("class").str.to_lowercase().alias("channel"),
        pl.col("units").alias("uom"),
        pl.col("postal_code").alias("ship_to_postal_code"),
        pl.col("ship_via").alias("service_level"),
    )  # fmt: skip


def _promises(orders: pl.DataFrame) -> pl.DataFrame:
    dated = orders.filter(pl.any_horizontal(pl.col(*_DAYS).is_not_null()))
    return _events(
        dated,
        "order.promised",
        pl.col("date"),
        _quality("date_has_time"),
        "line_id", "sku", "quantity", "clock_zone",
        pl.col("ship_by").alias("ship_by_at"),
        pl.col("requested").alias("requested_at"),
        pl.col("promised").alias("promise_at"),
        pl.col("cancel_after").alias("cancel_after_at"),
    )  # fmt: skip


def _approvals(orders: pl.DataFrame) -> list[pl.DataFrame]:
    """Return holds of orders that wait for approval and their end: the approval's date, else a later snapshot."""
    heads = orders.unique(["order_id", "letter", "modified"], keep="first", maintain_order=True)
    approved = heads.filter(pl.col("approved").is_not_null()).unique("order_id", keep="first", maintain_order=True)
    changed = heads.filter(
        pl.col("approved").is_null(), pl.col("letter") != "A", pl.col("modified") > pl.col("date")
    )  # fmt: skip
    waiting = heads.filter(pl.col("letter") == "A")
    hold = [pl.lit("other").alias("hold_type"), pl.lit("pending approval").alias("reason")]
    placed_at = pl.when("created_has_time").then("created").otherwise("date")
    return [
        _events(waiting, "hold.placed", placed_at, _quality("created_has_time"), *hold),
        _events(approved, "hold.released", pl.col("approved"), pl.lit("instant"), *hold),
        _events(changed, "hold.released", pl.col("modified"), pl.lit("estimated"), *hold),
        _events(approved, "order.approved", pl.col("approved"), pl.lit("instant")),
    ]


def _cancellations(orders: pl.DataFrame) -> list[pl.DataFrame]:
    """Return cancelled orders, and closed lines that were not fulfilled: what is closed open is cut by the seller."""
    at = pl.coalesce("closed_on", "modified", "date")
    cancelled = orders.filter(pl.col("letter") == "C").unique("order_id", keep="first", maintain_order=True)
    missing = pl.col("quantity") - pl.col("fulfilled")
    is_closed = _flag("closed") | (pl.col("letter") == "H")
    cut = orders.filter(is_closed & (pl.col("letter") != "C").fill_null(value=True), missing > 0)
    return [
        _events(cancelled, "order.cancelled", at, pl.lit("estimated"), pl.lit("unknown").alias("actor"),
                pl.lit("Cancelled").alias("reason")),
        _events(cut, "order.cancelled", at, pl.lit("estimated"), "line_id", "sku",
                missing.cast(pl.Decimal(18, 3)).alias("quantity"), pl.lit("seller_other").alias("actor"),
                pl.lit("Closed").alias("reason")),
    ]  # fmt: skip


def _shipments(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what fulfilments of sales orders say; transfers between locations are no shipments to a customer."""
    own = rows.filter(pl.col("from_kind") == "order", pl.col("letter").is_in(list(SHIPMENT_EVENTS)))
    event_type = pl.col("letter").replace_strict(SHIPMENT_EVENTS, return_dtype=pl.String)
    at = pl.coalesce("ship_date", "date")
    has_time = pl.when(pl.col("ship_date").is_not_null()).then("ship_date_has_time").otherwise("date_has_time")
    return _events(
        own.with_columns(has_time.alias("has_time")),
        "",
        at,
        _quality("has_time"),
        pl.col("order_line").alias("line_id"),
        "sku", "quantity", "ship_to_region",
        pl.coalesce("number", "internal_id").alias("shipment_id"),
        pl.col("units").alias("uom"),
        pl.col("ship_via").alias("service"),
        pl.col("tracking").str.split_exact(" ", 1).struct.field("field_0").alias("tracking_number"),
    ).with_columns(own.select(event_type.alias("event_type")).to_series())  # fmt: skip


def _returns(rows: pl.DataFrame) -> pl.DataFrame:
    authorised = rows.filter(pl.col("kind") == "return").with_columns(pl.col("number").alias("rma_id"))
    received = rows.filter(pl.col("kind") == "receipt", pl.col("from_kind") == "return").with_columns(
        pl.col("from_number").alias("rma_id")
    )
    columns = ("rma_id", "sku", "quantity")
    return pl.concat([
        _events(authorised, "rma.created", pl.col("date"), _quality("date_has_time"), *columns),
        _events(received, "return.received", pl.col("date"), _quality("date_has_time"), *columns),
    ])  # fmt: skip


def _invoices(rows: pl.DataFrame) -> pl.DataFrame:
    return _events(
        rows.filter(pl.col("from_kind") == "order"),
        "invoice.sent",
        pl.col("date"),
        _quality("date_has_time"),
        pl.col("number").alias("document_id"),
        "line_id", "sku", "quantity", "unit_price", "currency",
        pl.col("amount").abs().cast(pl.Decimal(18, 4)),
        "customer_id",
        pl.col("due").alias("due_at"),
    )  # fmt: skip
