"""Decisions in waiting: allocation plans against their baseline, and the rule changes proposed from them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import polars as pl
import streamlit as st

from dashboards import comparing, components, plan_parts
from dashboards.decisions import lines_frame, version_changes
from dashboards.formats import counted, day_text, words
from dashboards.loading import ask, ledger
from dashboards.queries import build_info
from storage.ledger import VersionState

info = ask(build_info)
components.page_header("Scenarios", info)

with ledger() as book:
    plans = {plan.plan_id: plan for plan in book.list_plans()}
    versions = {(version.rule_set_id, version.version): version for version in book.list_versions()}

st.subheader("Plan against the rules", anchor=False)
if not plans:
    components.nothing("No plan yet. `otif allocate` solves a scenario and puts it here.")
else:
    picked = st.selectbox(
        "Plan", list(plans), key="scenarios_plan", width=420,
        format_func=lambda key: f"{key} · {plans[key].scenario} · {day_text(plans[key].as_of)}",
    )  # fmt: skip
    plan = plans[picked]
    plan_parts.show_facts(plan, currency=info.currency, zone=info.zone)
    others = comparing.names(plan)[1:]
    views = ["Compared", "Lines", "What would help", *(["Orders"] if others else [])]
    view = st.segmented_control("View", views, default=views[0], key="scenarios_view", label_visibility="collapsed")
    match view:
        case "Lines":
            with ledger() as book:
                plan_parts.show_lines(lines_frame(book.plan_lines(picked)))
        case "What would help":
            plan_parts.show_help(plan, currency=info.currency)
        case "Orders":
            plan_parts.show_orders(plan, others)
        case _:
            plan_parts.show_comparison(plan)

st.subheader("Rule changes", anchor=False)
if not versions:
    components.nothing("No rule set yet. `otif rules propose` distils one from a plan.")
    st.stop()
chosen = st.selectbox(
    "Version", list(versions), key="scenarios_version", width=420,
    format_func=lambda key: f"{key[0]} version {key[1]} · {versions[key].state.value}",
)  # fmt: skip
version = versions[chosen]
with ledger() as book:
    changes = version_changes(book, version)
    words_of_people = book.list_approvals(*chosen)
components.facts([
    ("State", words(version.state.value)),
    ("Changes", counted(len(changes), "rule")),
    ("Proposed by", version.created_by),
    ("Based on version", str(version.parent_version or "–")),
    ("From plan", str(version.plan_id or "–")),
    ("Digest", version.digest[:12]),
])  # fmt: skip
if version.reason:
    st.markdown(components.plain(version.reason))
if changes:
    columns = {"scope": "For", "before": "In force", "after": "Proposed", "kind": "Rule", "change": "Change"}
    components.table(pl.DataFrame([asdict(change) for change in changes]), columns)
else:
    components.nothing("Nothing differs from the version it was proposed on.")
for decision in words_of_people:
    st.caption(f"{words(decision.decision)} by {decision.by}, {day_text(decision.at)}. {decision.note}")

if version.state is VersionState.PROPOSED:
    with (
        st.form(f"scenarios_{version.digest}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        person = st.text_input("Your name", width=200)
        note = st.text_input("Note", width=320)
        approved = st.form_submit_button("Approve", icon=":material/check:")
        declined = st.form_submit_button("Decline", icon=":material/close:")
    if approved or declined:
        now = datetime.now(tz=UTC)
        with ledger() as book:
            if approved:
                # The form carries the digest in its key: other content would be another form and this click void.
                book.approve_version(*chosen, by=person, now=now, digest=version.digest, note=note)
            else:
                book.reject_version(*chosen, by=person, now=now, note=note)
        st.rerun()
elif version.state is VersionState.APPROVED:
    st.caption("Approved and waiting: `otif rules push` sends it to the OMS.")
