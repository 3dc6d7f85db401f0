"""What becomes of every real payload of shops, marketplaces, ERP and CRM: a table, looked at row by row.

`shop_payloads.tsv` holds file names, counts and reasons, nothing of the payloads. Write it anew after a change that is
meant with `OTIF_WRITE_GOLDEN=1`, and look at the difference.
"""

from __future__ import annotations

import os
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.registry import load_source

GOLDEN = Path(__file__).with_name("shop_payloads.tsv")
OWN = (
    "shopify", "shopify_csv", "woocommerce", "bigcommerce", "amazon", "amazon_report", "netsuite", "salesforce",
)  # fmt: skip
FOLDERS = (
    "json_payloads/Shopify+shopify_api",
    "json_payloads/Shopify+shopify_python_api",
    "json_payloads/amzn+selling-partner-api-models",
    "json_payloads/woocommerce+woocommerce-rest-api-docs",
    "source_exports",
)
COLUMNS = "file\tsource\trecords\tevents\trejects\treasons"
NOT_READ = {
    "*/Shopify+*/draft_order*": "a draft is not yet an order",
    "*/Shopify+*/*checkout*": "a checkout is not yet an order",
    "*/Shopify+*/carts.json": "a cart is not yet an order",
    "*/Shopify+*/order_risk*": "a risk assessment has no time and no order number",
    "*/Shopify+*/*transaction*": "payments of shop orders are not read",
    "*/Shopify+*/fulfillment_request.json": "a request to a fulfilment service; its fulfilment order is read",
    "*/Shopify+*/refund_calculate.json": "a calculation: no refund was issued",
    "*/Shopify+*/fulfillment_order_locations_for_move.json": "a list of locations",
    "*/Shopify+*/graphql.json": "the shop itself (REST shape in spite of its name)",
    "*/Shopify+*/inventory_level*": "stock of a location, without SKU: only the variant's inventory item id",
    "*/Shopify+*": "no order, fulfilment, refund or return (catalogue, shop, content, accounts)",
    "*/ordersV0/*address*": "an address without its order's date or lines",
    "*/ordersV0/*buyerInfo*": "what a buyer wrote on gifts",
    "*/ordersV0/*regulatedInfo*": "a pharmacist's review",
    "*/vendor*": "vendor and drop-ship API: the retailer's purchase orders come by EDI",
    "*/fulfillmentOutbound*": "orders of other channels that Amazon ships for the seller (multi-channel fulfilment)",
    "*/FulfillmentOrderStatusNotification/*": "multi-channel fulfilment",
    "*/fulfillmentInbound*": "inbound to Amazon's warehouses",
    "*/externalFulfillment*": "external fulfilment (a seller's warehouse that works for Amazon)",
    "*/tracking_*": "Amazon Shipping's tracking of parcels, not of marketplace orders",
    "*/shipping*": "Amazon Shipping: rates and labels",
    "*/merchantFulfillment*": "Buy Shipping: rates and labels",
    "*/easyShip*": "Easy Ship: pick-up slots and packages",
    "*/ShipmentTrackingMilestoneChangedNotification/*": "Amazon Shipping's milestones of parcels",
    "*/transfers_*": "transfers of money",
    "*/finances*": "settlements",
    "*/ListingsItem*": "a notification about listings or stock",
    "*/*Notification*": "a notification about offers, listings, stock, reports or money",
    "*/woocommerce+*/order-notes*": "a note on an order: text only",
    "*/woocommerce+*/v2/orders_05.json": "the list of statuses",
    "*/woocommerce+*/v3/orders_06.json": "the list of statuses",
    "*/woocommerce+*/v2/orders_*": "a note on an order: text only",
    "*/woocommerce+*/webhooks*": "the subscription to a webhook, not what it delivers",
    "*/woocommerce+*": "customers, coupons or reports",
    "source_exports/fivetran+dbt_shopify/*": "a table of a connector's database: joined by a mapping",
    "source_exports/fivetran+dbt_netsuite/*": "a table of a connector's database: joined by a mapping",
}
"""Why a file is not read; the first pattern that fits counts."""


def row(file: SourceFile, source: str) -> str:
    """Return the line of a file that a source reads."""
    batch = apply_row_contracts(load_source(source).parse([file], AdapterContext()), source=source)
    kinds = Counter(kind for frame in batch.events.values() for kind in frame["event_type"])
    events = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "-"
    reasons = "; ".join(sorted(set(batch.rejects["reason"]))) or "-"
    return f"{file.name}\t{source}\t{batch.rows_in[file.name]}\t{events}\t{batch.rejects.height}\t{reasons}"


@pytest.fixture(scope="module")
def files(shared_data: Path) -> list[SourceFile]:
    paths = sorted(path for name in FOLDERS for path in (shared_data / name).rglob("*"))
    return [
        SourceFile(path, path.relative_to(shared_data).as_posix()) for path in paths if path.suffix in (".json", ".csv")
    ]


def test_the_table_of_real_payloads_is_as_it_was_looked_at(files: list[SourceFile]) -> None:
    rows = [COLUMNS]
    for file in files:
        own = [name for name in OWN if load_source(name).recognises(file)]
        rows += [row(file, name) for name in own]
        if not own:
            reason = next(reason for pattern, reason in NOT_READ.items() if fnmatch(file.name, pattern))
            rows.append(f"{file.name}\t-\t-\t-\t-\t{reason}")
    if os.environ.get("OTIF_WRITE_GOLDEN"):
        GOLDEN.write_text("\n".join(rows) + "\n")
    assert rows == GOLDEN.read_text().splitlines()


def test_items_and_their_order_read_together_lose_nothing(shared_data: Path) -> None:
    folder = shared_data / "json_payloads" / "amzn+selling-partner-api-models" / "ordersV0"
    names = ("orders_v0_orders_get_200_sandbox_0.json", "orders_v0_orders_orderId_orderItems_get_200_sandbox_0.json")
    batch = load_source("amazon").parse([SourceFile(folder / name, name) for name in names], AdapterContext())
    assert batch.rejects.is_empty()
    captured = batch.events["order"].filter(batch.events["order"]["event_type"] == "order.captured")
    assert sorted(captured.select("order_id", "line_id", "sku").rows(), key=str) == [
        ("902-1845936-5435065", "05015851154158", "NABetaASINB00551Q3CS"),
        ("902-8745147-1934268", None, None),
    ]
