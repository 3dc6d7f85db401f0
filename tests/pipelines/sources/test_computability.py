"""What each shop, marketplace, ERP and CRM source can tell, by an example that fills all it knows.

The table is that of the KPI specification ("Computability by source"). A fact that a source does not tell may not
appear in its events: the KPIs that need it (seed kpi_requirements) are then unavailable with their reason, not wrong.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest


def examples(name: str) -> SimpleNamespace:
    """Return the examples of another test module."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name(f"test_{name}.py"))))


AMAZON, BIGCOMMERCE, NETSUITE, SALESFORCE = map(examples, ("amazon", "bigcommerce", "netsuite", "salesforce"))
SHOPIFY, SHOPIFY_CSV, WOOCOMMERCE = map(examples, ("shopify_shapes", "shopify_csv", "woocommerce"))
DELIVERED = SHOPIFY.REST["fulfillments"][0] | {"shipment_status": "delivered"}
HELD = {**SHOPIFY.FULFILMENT_ORDER}
WOO = WOOCOMMERCE.order(status="completed", date_completed_gmt="2026-03-24T12:00:00", payment_method="bacs")
RMA = {
    "number": "RMA5",
    "type": "Return Authorization",
    "date": "3/25/2026",
    "from": "Sales Order #SO123",
    "item": "MUG",
    "quantity": "-1",
}
EXAMPLES: dict[str, tuple[str, Any, str]] = {
    "shopify": ("shopify", [SHOPIFY.REST | {"fulfillments": [DELIVERED]}, HELD], "a.json"),
    "shopify csv": ("shopify_csv", SHOPIFY_CSV.export(SHOPIFY_CSV.FIRST, SHOPIFY_CSV.SECOND), "a.csv"),
    "woocommerce": ("woocommerce", [WOO, WOOCOMMERCE.REFUND], "a.json"),
    "bigcommerce": (
        "bigcommerce",
        [BIGCOMMERCE.ORDER | {"status_id": 12}, BIGCOMMERCE.SHIPMENT],
        "a.json",
    ),
    "amazon v0": ("amazon", [{"payload": AMAZON.ORDER}, {"payload": AMAZON.ITEMS}], "a.json"),
    "amazon 2026": ("amazon", {"order": AMAZON.NEW}, "a.json"),
    "amazon report": ("amazon_report", AMAZON.report(AMAZON.NEWEST), "a.txt"),
    "netsuite": (
        "netsuite",
        NETSUITE.search(NETSUITE.ORDER | {"status": "Pending Approval"}, NETSUITE.SHIPMENT, RMA),
        "a.csv",
    ),
    "salesforce": ("salesforce", SALESFORCE.APPROVALS, "a.csv"),
}
TELLS = {
    "shopify": {"capture", "promise", "hold", "mark", "shipped quantity", "delivered", "refund", "money"},
    "shopify csv": {"capture", "promise", "mark", "money"},
    "woocommerce": {"capture", "promise", "hold", "mark", "refund", "money"},
    "bigcommerce": {"capture", "hold", "mark", "shipped quantity", "money"},
    "amazon v0": {"capture", "promise", "ship by", "money"},
    "amazon 2026": {"capture", "promise", "ship by", "mark", "shipped quantity", "money"},
    "amazon report": {"capture", "money"},
    "netsuite": {"capture", "ship by", "hold", "mark", "shipped quantity", "return", "money"},
    "salesforce": {"hold"},
}
FACTS = {
    "capture": ("order", pl.col("event_type") == "order.captured"),
    "promise": ("order", pl.col("promise_at").is_not_null() | pl.col("requested_at").is_not_null()),
    "ship by": ("order", pl.col("ship_by_at").is_not_null()),
    "hold": ("order", pl.col("event_type").is_in(["hold.placed", "hold.released"])),
    "money": ("order", pl.col("unit_price").is_not_null()),
    "mark": ("shipment", pl.col("event_type") == "ship.confirmed"),
    "shipped quantity": ("shipment", (pl.col("event_type") == "ship.confirmed") & pl.col("quantity").is_not_null()),
    "scan": ("shipment", pl.col("event_type") == "carrier.accepted"),
    "delivered": ("shipment", pl.col("event_type") == "delivered"),
    "received": ("shipment", pl.col("event_type") == "received"),
    "refund": ("return", pl.col("event_type") == "refund.issued"),
    "return": ("return", pl.col("event_type").is_in(["rma.created", "return.received"])),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_source_tells_what_it_knows_and_nothing_it_does_not(read, name):
    source, content, file_name = EXAMPLES[name]
    batch = read(source, content, file_name)
    told = {
        fact
        for fact, (family, is_fact) in FACTS.items()
        if family in batch.events and not batch.events[family].filter(is_fact).is_empty()
    }
    assert told == TELLS[name]
