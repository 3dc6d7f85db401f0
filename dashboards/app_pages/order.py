"""One order: its promise, its lines and everything that happened to it, with the source of each fact."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards import components
from dashboards.formats import count_text, event_text, instant_text, money_text, words
from dashboards.loading import ask
from dashboards.queries import build_info, exceptions_list, order_events, order_header, order_lines
from dashboards.queries.disputes import document_chain

info = ask(build_info)
components.page_header("Order", info)
linked = st.query_params.get("order_id", "")
if "order_number" not in st.session_state or (linked and linked != st.session_state.get("order_linked")):
    st.session_state["order_number"] = linked
    st.session_state["order_linked"] = linked
typed = st.text_input("Order number", key="order_number", placeholder="e.g. 100123", width=320)
asked = typed.strip().removeprefix("#")
if not asked:
    components.nothing("Type an order number, or come here from an exception.")
    st.stop()
st.query_params["order_id"] = asked
st.session_state["order_linked"] = asked

header = ask(order_header, order_id=asked)
if header.is_empty():
    st.warning(f"There is no order {asked} in this publication. Numbers carry no '#'; wholesale is retailer-PO number.")
    st.stop()
order = header.row(0, named=True)
stamps = ("captured_at", "released_at", "accepted_at", "delivered_at", "cancelled_at")
components.facts([
    ("Status", words(order["order_status"])),
    ("Channel", order["channel"]),
    ("Customer", order["customer_id"]),
    ("Ship to", order["region"]),
    ("Node", order["node_id"]),
    ("Carrier", order["carrier"]),
    ("Merchandise", money_text(order["merchandise_amount"], currency=order["currency"] or info.currency)),
    ("Units ordered", count_text(order["units_ordered"])),
    ("Units shipped", count_text(order["units_shipped"])),
    *((words(stamp.removesuffix("_at")), instant_text(order[stamp], info.zone)) for stamp in stamps),
])  # fmt: skip

mine = ask(exceptions_list).filter(pl.col("order_id") == asked)
for row in mine.iter_rows(named=True):
    st.warning(components.plain(f"**{row['title']}** · {row['evidence'] or ''} → {row['suggested_action'] or ''}"))

st.subheader("Lines", anchor=False)
lines = ask(order_lines, order_id=asked)
verdicts = {True: "OTIF", False: "missed", None: "not due"}
components.table(
    lines.with_columns(
        verdict=pl.Series([verdicts[value] for value in lines["is_otif"]], dtype=pl.String),
        cause=pl.Series([words(value) if value else "" for value in lines["miss_cause"]], dtype=pl.String),
    ),
    {
        "line_id": "Line",
        "sku": "SKU",
        "line_status": "Status",
        "verdict": "Verdict",
        "cause": "Cause",
        "base_revised": "Ordered",
        "quantity_shipped": "Shipped",
        "quantity_delivered": "Delivered",
        "open_quantity": "Open",
        "window_end_at": st.column_config.DatetimeColumn("Window ends", format="ddd D MMM HH:mm", timezone=info.zone),
        "miss_evidence": "Evidence",
    },
)

chain = ask(document_chain, order_id=asked)
if not chain.is_empty():
    st.subheader("Documents", anchor=False)
    components.chain_strip(chain, zone=info.zone)

st.subheader("Timeline", anchor=False)
events = ask(order_events, order_id=asked)
if events.is_empty():
    components.nothing("No event of this order is published.")
components.timeline([
    (
        instant_text(row["event_at"], info.zone),
        event_text(row["event_type"], row["summary"], row["line_id"], row["quantity"]),
        f"{row['source']} · {row['source_ref']}",
    )
    for row in events.iter_rows(named=True)
])  # fmt: skip
