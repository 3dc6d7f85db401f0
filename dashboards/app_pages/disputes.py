"""Which deductions to dispute first, what speaks for each, and the pack to send."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import streamlit as st

from dashboards import components
from dashboards.formats import counted, instant_text, money_sums_text, words
from dashboards.loading import ask, ledger, settings_of_run
from dashboards.queries import build_info
from dashboards.queries.disputes import deduction, dispute_queue, document_chain
from dashboards.reports.dispute_pack import build_pack

info = ask(build_info)
components.page_header("Disputes", info)
queue = ask(dispute_queue)
if queue.is_empty():
    components.nothing("No deduction can be disputed and none waits for an answer.")
    st.stop()
with st.container(horizontal=True):
    customers = st.multiselect(
        "Customer", sorted(set(queue["customer_id"])), key="disputes_customer", placeholder="all", width=200
    )
    states = st.multiselect(
        "State",
        sorted(set(queue["queue_state"])),
        format_func=words,
        key="disputes_state",
        placeholder="all",
        width=200,
    )
shown = queue.filter(
    *(pl.col(name).is_in(wanted) for name, wanted in (("customer_id", customers), ("queue_state", states)) if wanted)
)
if shown.is_empty():
    components.nothing("No deduction matches these filters.")
    st.stop()
components.facts([
    ("Shown", counted(shown.height, "deduction")),
    ("Taken", money_sums_text(shown.select("currency", "amount").iter_rows())),
    ("Expected back", money_sums_text(shown.select("currency", "expected_value").iter_rows())),
    ("Unrated", f"{shown.filter(pl.col('win_probability').is_null() & (pl.col('verdict') != 'valid')).height:,}"),
    ("Run out within a week", f"{shown.filter(pl.col('days_to_deadline').is_between(0, 7)).height:,}"),
])  # fmt: skip
money = st.column_config.NumberColumn
picked = components.table(
    shown.with_columns(
        pl.col("win_probability") * 100,
        reason=pl.Series([words(violation) for violation in shown["violation"]], dtype=pl.String),
        judged=pl.Series([words(verdict) for verdict in shown["verdict"]], dtype=pl.String),
        state=pl.Series([words(state) for state in shown["queue_state"]], dtype=pl.String),
    ),
    {
        "deduction_id": "Deduction",
        "customer_id": "Customer",
        "reason": "For",
        "judged": "Verdict",
        "disputable_amount": money("To ask", format="%.2f"),
        "win_probability": money("Chance %", format="%.0f"),
        "expected_value_per_hour": money("Per hour", format="%.2f"),
        "days_to_deadline": "Days left",
        "attempts_used": "Tries",
        "attempts_allowed": "Allowed",
        "state": "State",
        "first_broken_link": "Chain breaks at",
    },
    on_select="rerun",
    selection_mode="single-row",
    key="disputes_table",
)
rows = picked.selection.rows if picked else []
item = shown.row(rows[0] if rows and rows[0] < shown.height else 0, named=True)
claim = ask(deduction, deduction_id=item["deduction_id"]).row(0, named=True)

with st.container(border=True):
    st.subheader(f"{item['deduction_id']}: {words(item['violation']).lower()}, {item['customer_id']}", anchor=False)
    st.markdown(components.plain(f"**{words(item['verdict'])}.** {item['verdict_reason']}"))
    st.caption(f"Chance {item['probability_note']}.")
    components.facts([
        ("Taken", f"{item['amount']:,.2f} {item['currency']}"),
        ("Supported", "unrated" if claim["supported_amount"] is None else f"{claim['supported_amount']:,.2f}"),
        ("Posted", instant_text(item["taken_at"], info.zone)),
        ("Dispute until", instant_text(item["dispute_due_at"], info.zone)),
        ("Order", item["order_id"] or "unknown"),
    ])  # fmt: skip
    components.chain_strip(ask(document_chain, order_id=item["order_id"] or ""), zone=info.zone)
    if item["order_id"]:
        st.page_link(
            "app_pages/order.py", label=f"Open order {item['order_id']}", icon=":material/arrow_forward:",
            query_params={"order_id": item["order_id"]},
        )  # fmt: skip
    with ledger() as book:
        steps = book.dispute_steps([item["document_id"]])
    pack = ask(build_pack, deduction_id=item["deduction_id"], steps=steps, company=settings_of_run().company.name)
    with st.container(horizontal=True):
        st.download_button("Evidence as a page", pack.html, f"{item['deduction_id']}.html", "text/html")
        st.download_button("Evidence as JSON", pack.document, f"{item['deduction_id']}.json", "application/json")
    for step in steps:
        st.caption(f"{step.at:%Y-%m-%d %H:%M} UTC · {words(step.action)} · {step.by} · {step.text}")
    with (
        st.form(f"disputes_form_{item['deduction_id']}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        person = st.text_input("Your name", key="disputes_person", width=180)
        asked = st.number_input("To ask", value=float(item["disputable_amount"]), min_value=0.0, step=1.0, width=140)
        note = st.text_input("Note", width=280)
        filed = st.form_submit_button("Filed", icon=":material/gavel:")
        accepted = st.form_submit_button("Accept it", icon=":material/check:")
    if filed or accepted:
        named = {"customer_id": item["customer_id"], "by": person, "now": datetime.now(tz=UTC), "text": note}
        with ledger() as book:
            if filed:
                book.file_dispute(item["document_id"], amount=Decimal(f"{asked:.2f}"), **named)
            else:
                book.note_on_dispute(item["document_id"], is_accepted=True, **named)
        st.toast("Noted; it counts with the next build")
        st.rerun()
