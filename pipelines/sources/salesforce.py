"""Salesforce exports of orders and their approvals (Bulk API CSV) → order and hold events.

Told apart by their columns: Order, OrderItem, OrderHistory, ProcessInstance (one submission for approval) and
ProcessInstanceStep (its steps). A submission puts its order on hold until it is approved or recalled; a rejection
leaves the hold in place until the order is submitted again. Records refer to each other by id, of 15 or 18 characters;
without the Order in the batch (or its number in `TargetObject.Name`) the id itself names the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile, merge_batches
from pipelines.sources.mapping.values import TextFormat, Value, no_fault, parse_end_of_day, parse_text
from pipelines.sources.places import region_expr, zone_expr
from pipelines.sources.sheets import REF, Layout, Sheets, attributes, plain_header
from storage.contracts import ORDER

_EXTERNAL: Final = (
    "externalorderidc", "externalordernumberc", "externalidc", "orderreferencenumber", "weborderidc",
    "webordernumberc", "shopifyordernumberc", "shopifyordernamec", "ecommerceorderidc",
)  # fmt: skip
"""Fields in which Salesforce orders keep the number of the system that captured them."""

LAYOUTS: Final = {
    "order": Layout(
        {
            "id": ("id",),
            "number": ("ordernumber",),
            "status": ("status", "statuscode"),
            "effective": ("effectivedate",),
            "created": ("createddate",),
            "activated": ("activateddate",),
            "modified": ("lastmodifieddate", "systemmodstamp"),
            "account": ("accountid",),
            "po_number": ("ponumber",),
            "external": _EXTERNAL,
            "type": ("type",),
            "currency": ("currencyisocode",),
            "deliver_by": ("requesteddeliverydatec", "requesteddeliverydate", "deliverybydatec"),
            "region": ("shippingstatecode", "shippingstate"),
            "country": ("shippingcountrycode", "shippingcountry"),
            "postal_code": ("shippingpostalcode",),
            "channel": ("saleschannelc", "channelc", "salesstoreid"),
            "deleted": ("isdeleted",),
        },
        required=("id", "number", "created"),
        ignored=("shippingstreet", "shippingcity", "billingstreet", "billingcity", "billingstate", "billingcountry"),
    ),
    "item": Layout(
        {
            "id": ("id",),
            "order": ("orderid",),
            "number": ("orderordernumber",),
            "line": ("orderitemnumber",),
            "sku": ("stockkeepingunit", "product2stockkeepingunit", "productcode", "product2productcode", "skuc"),
            "product": ("product2id",),
            "quantity": ("quantity",),
            "price": ("unitprice", "listprice"),
            "deleted": ("isdeleted",),
        },
        required=("id", "order", "quantity"),
    ),
    "history": Layout(
        {
            "order": ("orderid",),
            "number": ("orderordernumber",),
            "field": ("field",),
            "old": ("oldvalue",),
            "new": ("newvalue",),
            "created": ("createddate",),
        },
        required=("order", "field", "new", "created"),
    ),
    "instance": Layout(
        {
            "id": ("id",),
            "target": ("targetobjectid",),
            "number": ("targetobjectordernumber", "targetobjectname"),
            "target_type": ("targetobjecttype",),
            "status": ("status",),
            "process": ("processdefinitionname", "processdefinitiondevelopername", "processdefinitionid"),
            "created": ("createddate",),
            "completed": ("completeddate", "lastmodifieddate"),
        },
        required=("id", "target", "status", "created"),
    ),
    "step": Layout(
        {
            "instance": ("processinstanceid",),
            "status": ("stepstatus",),
            "comments": ("comments",),
            "actor": ("actorid",),
            "created": ("createddate",),
        },
        required=("instance", "status", "created"),
        ignored=("id", "originalactorid", "stepnodeid", "createdbyid", "systemmodstamp", "elapsedtimeindays"),
    ),
}  # fmt: skip
"""Kind of file → its columns."""

_MARKS: Final = {
    "order": frozenset({"id", "ordernumber", "createddate"}),
    "item": frozenset({"id", "orderid", "quantity", "unitprice"}),
    "history": frozenset({"orderid", "field", "oldvalue", "newvalue", "createddate"}),
    "instance": frozenset({"id", "targetobjectid", "status", "createddate"}),
    "step": frozenset({"processinstanceid", "stepstatus", "createddate"}),
}
"""Columns by which each kind is recognised."""

_SALESFORCE: Final = frozenset(
    {"accountid", "effectivedate", "systemmodstamp", "isdeleted", "activateddate", "ownerid"}
)
"""Columns of which an Order export has at least one; `Id`, `OrderNumber` and `CreatedDate` alone could be anybody's."""

HOLD_WORDS: Final = {"credit": "credit", "fraud": "fraud", "risk": "fraud", "address": "address", "payment": "payment",
                     "stock": "stock", "inventory": "stock"}  # fmt: skip
"""Word in the name of an approval process → hold type; any other process is `other`."""

ENDS: Final = {"approved": "approved", "removed": "recalled", "recalled": "recalled"}
"""Status of a submission that ends its hold → reason; `Rejected` does not, nor `Pending`, `Started`, `Reassigned`."""

_OPEN: Final = ("pending", "started", "rejected", "reassigned", "noresponse", "fault", "hold")
_ID: Final = 15
"""Characters of an id that count; the other three of 18 are a check sum."""


def recognises(file: SourceFile) -> bool:
    """Say whether the header is one of an order, its items, its history or an approval."""
    return _kind(plain_header(file)) is not None


def _kind(names: frozenset[str]) -> str | None:
    fitting = [kind for kind, marks in _MARKS.items() if marks <= names]
    if fitting == ["order"] and not names & _SALESFORCE:
        return None
    return fitting[0] if fitting else None


def parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
    """Read orders, items and approvals of a batch together."""
    groups: dict[str, list[SourceFile]] = {kind: [] for kind in LAYOUTS}
    for file in files:
        groups[_kind(plain_header(file)) or "order"].append(file)
    sheets = {kind: Sheets.read(group, LAYOUTS[kind]) for kind, group in groups.items()}
    for kind, values in _values(context).items():
        sheets[kind].judge(values)
    orders = _orders(sheets["order"], context)
    numbers = orders.select("id", pl.col("order_id").alias("known"))
    events: dict[str, list[pl.DataFrame]] = {
        "order": [*_order_events(orders), _promises(orders)],
        "item": [_lines(sheets["item"], orders)],
        "history": _history(sheets["history"], numbers),
        "instance": _approvals(sheets["instance"], sheets["step"], numbers),
        "step": [],
    }
    return merge_batches([sheets[kind].batch({"order": frames}) for kind, frames in events.items()])


def _values(context: AdapterContext) -> Mapping[str, Mapping[str, Value]]:
    style = TextFormat(str(context.zone))

    def moment(name: str) -> Value:
        return parse_text(pl.col(name), ORDER.column("event_at"), style, label=f"column {name}")

    def number(name: str, kind: str) -> Value:
        return parse_text(pl.col(name), ORDER.column(kind), style, label=f"column {name}")

    status = pl.col("status").str.to_lowercase()
    unknown = pl.when(status.is_not_null(), ~status.is_in([*ENDS, *_OPEN])).then(
        pl.format("Status: '{}' is not known (expected Approved, Rejected, Removed, Pending or Started)", "status")
    )
    return {
        "order": {
            **{name: moment(name) for name in ("created", "activated", "modified")},
            "deliver_by": parse_end_of_day(pl.col("deliver_by"), style, label="column deliver_by"),
            "number": _needed("number", "OrderNumber"),
        },
        "item": {
            "quantity": number("quantity", "quantity"),
            "price": number("price", "unit_price"),
            "order": _needed("order", "OrderId"),
        },
        "history": {"created": moment("created"), "order": _needed("order", "OrderId")},
        "instance": {
            "created": moment("created"),
            "completed": moment("completed"),
            "status": Value(status, unknown),
            "target": _needed("target", "TargetObjectId"),
        },
        "step": {"created": moment("created")},
    }


def _needed(name: str, label: str) -> Value:
    missing = pl.when(pl.col(name).is_null()).then(pl.lit(f"{label} is missing"))
    return Value(pl.col(name), pl.coalesce(missing, no_fault()))


def _orders(sheets: Sheets, context: AdapterContext) -> pl.DataFrame:
    region, country = region_expr(pl.col("region")), pl.col("country").str.to_uppercase()
    status = pl.col("status").str.to_lowercase()
    rows = sheets.rows.filter(~pl.col("deleted").str.to_lowercase().is_in(["true", "1"]).fill_null(value=False))
    return rows.with_columns(
        pl.col("id").str.slice(0, _ID),
        pl.col("number").str.strip_prefix("#").alias("order_id"),
        status.alias("state"),
        pl.when(status == "draft").then(pl.lit("draft")).otherwise(pl.lit("standard")).alias("order_type"),
        region.alias("ship_to_region"),
        country.alias("ship_to_country"),
        zone_expr(region, country, str(context.zone)).alias("clock_zone"),
        pl.col("currency").fill_null(context.currency),
        pl.col("channel").str.to_lowercase(),
        attributes(
            salesforce_order_id=pl.col("id").str.slice(0, _ID),
            external_order_id=pl.col("external").str.strip_prefix("#"),
            po_number=pl.col("po_number"),
            status=pl.col("status"),
        ).alias("attributes"),
    )


def _events(rows: pl.DataFrame, event_type: str, at: str, quality: str, *columns: str | pl.Expr) -> pl.DataFrame:
    return rows.filter(pl.col(at).is_not_null()).select(
        pl.lit(event_type).alias("event_type"),
        pl.col(at).alias("event_at"),
        pl.lit(quality).alias("time_quality"),
        pl.col(REF).alias("source_ref"),
        "order_id",
        "attributes",
        *columns,
    )


_OF_THE_ORDER: Final = (
    "order_type", "clock_zone", "currency", "channel", "ship_to_region", "ship_to_country", "customer_id",
    "ship_to_postal_code",
)  # fmt: skip


def _order_events(orders: pl.DataFrame) -> list[pl.DataFrame]:
    rows = orders.with_columns(
        pl.col("account").alias("customer_id"), pl.col("postal_code").alias("ship_to_postal_code")
    )
    ended = rows.filter(pl.col("state").is_in(["cancelled", "canceled"]))
    actor = pl.lit("unknown").alias("actor")
    return [
        _events(rows, "order.captured", "created", "instant", pl.col("modified").alias("observed_at"), *_OF_THE_ORDER),
        _events(rows, "order.approved", "activated", "instant"),
        # An order says that it is cancelled, not when: OrderHistory does.
        _events(ended, "order.cancelled", "modified", "estimated", actor, pl.col("state").alias("reason")),
    ]


def _promises(orders: pl.DataFrame) -> pl.DataFrame:
    asked = orders.filter(pl.col("deliver_by").is_not_null())
    return _events(
        asked, "order.promised", "created", "instant", "clock_zone", pl.col("deliver_by").alias("requested_at")
    )


def _lines(sheets: Sheets, orders: pl.DataFrame) -> pl.DataFrame:
    """Return captured lines; an item has the date of its order, which has to be in the batch."""
    heads = orders.with_columns(
        pl.col("account").alias("customer_id"), pl.col("postal_code").alias("ship_to_postal_code")
    ).select("order_id", "created", "modified", "attributes", *_OF_THE_ORDER, pl.col("id").alias("order"))
    items = sheets.rows.filter(~pl.col("deleted").str.to_lowercase().is_in(["true", "1"]).fill_null(value=False))
    items = items.with_columns(pl.col("order").str.slice(0, _ID)).join(
        heads.unique("order", keep="last", maintain_order=True), "order", "left", maintain_order="left"
    )
    lost = items.filter(pl.col("order_id").is_null())
    told = pl.format("order item of order {} came without its Order, which has its date: export both together", "order")
    sheets.refuse(lost.select(REF, told.alias("reason"), "\x00file", "\x00row"))
    return _events(
        items.filter(pl.col("order_id").is_not_null()),
        "order.captured",
        "created",
        "instant",
        pl.col("modified").alias("observed_at"),
        pl.coalesce("line", pl.col("id").str.slice(0, _ID)).alias("line_id"),
        pl.coalesce("sku", "product").alias("sku"),
        "quantity",
        pl.col("price").alias("unit_price"),
        *_OF_THE_ORDER,
    )


def _numbered(rows: pl.DataFrame, numbers: pl.DataFrame, key: str) -> pl.DataFrame:
    known = numbers.unique("id", keep="last", maintain_order=True).rename({"id": key})
    joined = rows.with_columns(pl.col(key).str.slice(0, _ID)).join(known, key, "left", maintain_order="left")
    number = pl.col("number").str.strip_prefix("#")
    return joined.with_columns(
        pl.coalesce("known", number, key).alias("order_id"),
        attributes(salesforce_order_id=pl.col(key)).alias("attributes"),
    )


def _history(sheets: Sheets, numbers: pl.DataFrame) -> list[pl.DataFrame]:
    rows = _numbered(sheets.rows.filter(pl.col("field").str.to_lowercase() == "status"), numbers, "order")
    new = pl.col("new").str.to_lowercase()
    cancelled = rows.filter(new.is_in(["cancelled", "canceled"]))
    return [
        _events(rows.filter(new == "activated"), "order.approved", "created", "instant"),
        _events(cancelled, "order.cancelled", "created", "instant", pl.lit("unknown").alias("actor"),
                new.alias("reason")),
    ]  # fmt: skip


def _approvals(sheets: Sheets, steps: Sheets, numbers: pl.DataFrame) -> list[pl.DataFrame]:
    """Return holds from submission to the decision that ends them; the last step's comment is the reason."""
    # Ids of orders begin with 801; approvals of quotes, accounts … are none of ours.
    is_order = pl.col("target").str.starts_with("801") | (pl.col("target_type").str.to_lowercase() == "order")
    rows = _numbered(sheets.rows.filter(is_order.fill_null(value=False)), numbers, "target")
    instances = sheets.rows.select(pl.col("id").str.slice(0, _ID).alias("instance"))
    own = steps.rows.with_columns(pl.col("instance").str.slice(0, _ID))
    lost = own.join(instances, "instance", "anti")
    told = pl.format("step of {} came without its ProcessInstance, which names the order: export both", "instance")
    steps.refuse(lost.select(REF, told.alias("reason"), "\x00file", "\x00row"))
    comments = (
        own.filter(pl.col("comments").is_not_null())
        .sort("created", maintain_order=True)
        .unique("instance", keep="last", maintain_order=True)
        .select("instance", "comments")
    )
    process = pl.col("process").str.to_lowercase()
    hold_type = pl.coalesce(
        *(pl.when(process.str.contains(word, literal=True)).then(pl.lit(kind)) for word, kind in HOLD_WORDS.items()),
        pl.lit("other"),
    )
    rows = rows.with_columns(pl.col("id").str.slice(0, _ID).alias("instance"), hold_type.alias("hold_type"))
    rows = rows.join(comments, "instance", "left", maintain_order="left")
    ended = rows.filter(pl.col("status").is_in(list(ENDS)))
    reason = pl.coalesce("comments", pl.col("status").replace(ENDS)).alias("reason")
    return [
        _events(rows, "hold.placed", "created", "instant", "hold_type", pl.col("process").alias("reason")),
        _events(ended, "hold.released", "completed", "instant", "hold_type", reason),
    ]
