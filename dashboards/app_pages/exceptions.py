"""What needs a person, the most money first; an order is one or two clicks away."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import streamlit as st

from dashboards import components
from dashboards.formats import counted, event_text, instant_text, money_sums_text, money_text, words
from dashboards.loading import ask, ledger
from dashboards.queries import build_info, exceptions_list
from dashboards.queries.work import exception_events
from dashboards.work_items import STATUSES, TO_DO, acknowledge, resolve, snooze, with_states

_EVENTS = 8

info = ask(build_info)
components.page_header("Exceptions", info)
everything = ask(exceptions_list)
if everything.is_empty():
    components.nothing("No open exceptions. Either all is well or no rule has data to look at: see Data health.")
    st.stop()
with ledger() as book:
    everything = with_states(everything, book)

with st.container(horizontal=True):
    kinds = st.multiselect(
        "Kind", sorted(set(everything["kind_name"].drop_nulls())), key="exceptions_kind", placeholder="all", width=168
    )
    severities = st.multiselect(
        "Severity", ["high", "medium", "low"], key="exceptions_severity", placeholder="all", width=168
    )
    owners = st.multiselect(
        "Owner", sorted(set(everything["owner_role"].drop_nulls())), format_func=words, key="exceptions_owner",
        placeholder="all", width=168,
    )  # fmt: skip
    channels = st.multiselect(
        "Channel",
        sorted(set(everything["channel"].drop_nulls())),
        key="exceptions_channel",
        placeholder="all",
        width=168,
    )
    statuses = st.multiselect("Status", STATUSES, key="exceptions_status", placeholder="to do", width=168)

shown = everything.filter(
    *(
        pl.col(column).is_in(wanted)
        for column, wanted in (
            ("kind_name", kinds), ("severity", severities), ("owner_role", owners), ("channel", channels),
            ("status", statuses or TO_DO),
        )
        if wanted
    )
)  # fmt: skip
if shown.is_empty():
    components.nothing("No exception matches these filters.")
    st.stop()

total = money_sums_text(shown.select("currency", "money_at_risk").iter_rows())
components.facts([
    ("Shown", counted(shown.height, "exception")),
    ("Money at risk", total),
    ("High severity", f"{shown.filter(pl.col('severity') == 'high').height:,}"),
    ("Not acknowledged", f"{shown.filter(pl.col('status') == 'open').height:,}"),
])  # fmt: skip
picked = components.table(
    shown.with_columns(
        owner=pl.col("in_hands_of").fill_null(pl.Series([words(role) for role in shown["owner_role"]], dtype=pl.String))
    ),
    {
        "money_at_risk": st.column_config.NumberColumn(
            "At risk", format="dollar" if set(shown["currency"]) == {"USD"} else "localized", width="small"
        ),
        "title": st.column_config.TextColumn("What", width="large"),
        "severity": st.column_config.TextColumn("Severity", width="small"),
        "status": st.column_config.TextColumn("Status", width="small"),
        "owner": "Owner",
        "due_at": st.column_config.DatetimeColumn("Due", format="D MMM HH:mm", timezone=info.zone, width="small"),
        "channel": st.column_config.TextColumn("Channel", width="small"),
    },
    on_select="rerun",
    selection_mode="single-row",
    key="exceptions_table",
)
rows = picked.selection.rows if picked else []
item = shown.row(rows[0] if rows and rows[0] < shown.height else 0, named=True)

with st.container(border=True):
    st.subheader(item["title"], anchor=False)
    if not rows:
        st.caption("The most expensive one; select a row above for another.")
    st.markdown(components.plain(item["evidence"] or "No further evidence."))
    if item["suggested_action"]:
        st.markdown(components.plain(f"**To do:** {item['suggested_action']}"))
    components.facts([
        ("At risk", money_text(item["money_at_risk"], currency=item["currency"])),
        ("Kind", item["kind_name"] or words(item["kind"])),
        ("Opened", instant_text(item["opened_at"], info.zone)),
        ("Due", instant_text(item["due_at"], info.zone)),
        ("Owner", item["in_hands_of"] or words(item["owner_role"])),
    ])  # fmt: skip
    events = ask(exception_events, exception_id=item["exception_id"])
    components.timeline([
        (
            instant_text(row["event_at"], info.zone),
            event_text(row["event_type"], row["summary"], None, None),
            f"{row['source']} · {row['source_ref']}",
        )
        for row in events.tail(_EVENTS).iter_rows(named=True)
    ])  # fmt: skip
    if item["order_id"]:
        st.page_link(
            "app_pages/order.py", label=f"Open order {item['order_id']}", icon=":material/arrow_forward:",
            query_params={"order_id": item["order_id"]},
        )  # fmt: skip
    with (
        st.form(f"exceptions_form_{item['exception_id']}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        person = st.text_input("Your name", key="exceptions_person", width=200)
        note = st.text_input("Note", width=320)
        taken = st.form_submit_button("Acknowledge", icon=":material/front_hand:")
        aside = st.form_submit_button("Snooze a day", icon=":material/snooze:")
        done = st.form_submit_button("Resolve", icon=":material/check:")
    if taken or aside or done:
        with ledger() as book:
            step = acknowledge if taken else snooze if aside else resolve
            step(
                book, item["exception_id"], by=person, note=note, now=datetime.now(tz=UTC),
                shown=everything["exception_id"].to_list(), as_of=info.as_of.replace(tzinfo=UTC),
            )  # fmt: skip
        st.toast("Acknowledged" if taken else "Put aside" if aside else "Resolved")
        st.rerun()
