"""What can still be promised, SKU by SKU and week by week, and when the lines that are short will be covered."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards import components
from dashboards.formats import money_text, words
from dashboards.loading import ask
from dashboards.queries import available_to_promise, backorder_recoveries, build_info

info = ask(build_info)
components.page_header("Stock", info)
promises, recoveries = ask(available_to_promise), ask(backorder_recoveries)
if promises.is_empty():
    components.nothing("No source tells of stock or receipts: what can be promised is not known, not zero.")
else:
    with st.container(horizontal=True):
        weeks = st.selectbox("Weeks ahead", [4, 8, 13], key="stock_weeks", width=160)
        picks = {
            column: st.multiselect(
                label, sorted(set(promises[column])), key=f"stock_{column}", placeholder="all", width=240
            )
            for column, label in (("sku", "SKU"), ("node_id", "Node"))
        }
        scarce = st.toggle("Only oversold or spoken for", value=True, key="stock_scarce")
    shown = promises.filter(*(pl.col(column).is_in(wanted) for column, wanted in picks.items() if wanted))
    today = shown.filter(pl.col("week_number") == 0)
    near = shown.filter(pl.col("week_number") < weeks)
    components.facts([
        ("SKUs at nodes", f"{today.height:,}"),
        ("Oversold now", f"{today.filter(pl.col('oversold_quantity') > 0).height:,}"),
        ("Nothing left to promise", f"{today.filter(pl.col('cumulative_quantity') == 0).height:,}"),
        ("Units oversold", f"{today['oversold_quantity'].sum():,.0f}"),
    ])  # fmt: skip
    first, *_ = starts = sorted(near["week_start"].unique())
    wide = (
        near.pivot(on="week_start", index=["sku", "node_id"], values="cumulative_quantity")
        .rename({str(start): f"{start:%d %b}" for start in starts})
        .join(
            today.select("sku", "node_id", "opening_quantity", "oversold_quantity"),
            on=["sku", "node_id"],
        )
        .sort(["oversold_quantity", f"{first:%d %b}", "sku", "node_id"], descending=[True, False, False, False])
    )
    if scarce:
        wide = wide.filter((pl.col("oversold_quantity") > 0) | (pl.col(f"{first:%d %b}") == 0))
    if wide.is_empty():
        components.nothing("Nothing is oversold or spoken for here: everything on hand can be promised in part.")
    else:
        units = st.column_config.NumberColumn
        components.table(
            wide,
            {
                "sku": "SKU",
                "node_id": "Node",
                "opening_quantity": units("On hand", format="localized"),
                "oversold_quantity": units("Oversold", format="localized"),
                **{f"{start:%d %b}": units(f"Week of {start.day} {start:%b}", format="localized") for start in starts},
            },
        )
        st.caption(
            "Units that can be promised by the end of the week that begins on the day, without taking them from "
            "anything committed later; confirmed receipts only."
        )

st.subheader("Short lines and what will cover them", anchor=False)
if recoveries.is_empty():
    components.nothing("No open line is short.")
    st.stop()
undated = recoveries.filter(pl.col("recovery_status") == "no_date")
components.facts([
    ("Lines short", f"{recoveries.height:,}"),
    ("Worth", money_text(float(recoveries["short_amount"].sum()), currency=info.currency)),
    ("Without a date", f"{undated.height:,}"),
    ("Worth without a date", money_text(float(undated["short_amount"].sum()), currency=info.currency)),
])  # fmt: skip
stamp = st.column_config.DatetimeColumn
picked = components.table(
    recoveries.with_columns(
        recovery_status=pl.Series([words(status) for status in recoveries["recovery_status"]], dtype=pl.String)
    ),
    {
        "order_id": st.column_config.TextColumn("Order", width=140),
        "line_id": "Line",
        "customer_id": "Customer",
        "sku": "SKU",
        "short_quantity": st.column_config.NumberColumn("Short", format="localized"),
        "short_amount": st.column_config.NumberColumn(
            "Worth", format="dollar" if info.currency == "USD" else "localized"
        ),
        "late_days": "Days past due",
        "recovery_status": "Recovery",
        "covered_at": stamp("Covered", format="ddd D MMM", timezone=info.zone),
        "need_at": stamp("Needed", format="ddd D MMM", timezone=info.zone),
    },
    on_select="rerun",
    selection_mode="single-row",
    key="stock_recoveries",
)
components.order_link(picked, recoveries["order_id"])
