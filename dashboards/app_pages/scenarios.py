"""Decisions in waiting: allocation plans against their baseline, and the rule changes proposed from them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import polars as pl
import streamlit as st

from dashboards import charts, comparing, components
from dashboards.decisions import by_channel, compare_figures, lines_frame, plan_gain, releases, shorts, version_changes
from dashboards.formats import counted, day_text, money_text, value_text, words
from dashboards.loading import ask, ledger
from dashboards.queries import build_info
from storage.ledger import Plan, VersionState

info = ask(build_info)
components.page_header("Scenarios", info)
number = st.column_config.NumberColumn


def _show_reasons(plan: Plan) -> None:
    """Show the dearest short and late lines with what would have to change, and what one more is worth."""
    explained = comparing.explained(plan)
    if explained:
        st.markdown("**What would have to change**")
        st.caption("Each change was solved again; the money is what the whole plan is worth more or less with it.")
    for line in explained:
        taken = f", its units went to {', '.join(line['competing_lines'])}" if line["competing_lines"] else ""
        st.markdown(f"{line['order_id']}, {line['sku']}: {words(line['reason'].lower())}{taken}")
        found = comparing.remedies(line, currency=info.currency)
        if found.is_empty():
            components.nothing("No single change serves this line.")
        else:
            components.table(found, {"words": "Change", "worth": "Plan", "arrives": "Arrives", "pays": "Who pays"})
    worth = comparing.marginals(plan)
    if not worth.is_empty():
        st.markdown("**What one more is worth**")
        money = number("The next one", format="%.2f")
        components.table(worth, {"words": "One more", "value": money, "valid": "Worth that for"})


def _show_changed_orders(plan: Plan, others: list[str]) -> None:
    """Show what changes per order in one of the compared scenarios."""
    if not others:
        return
    st.markdown("**What changes per order**")
    chosen = st.selectbox("Scenario", others, key="scenarios_other", width=420)
    changed = comparing.orders(plan, chosen)
    if changed.is_empty():
        components.nothing("Every order is treated alike.")
    else:
        components.table(changed, {name: words(name) for name in changed.columns})


with ledger() as book:
    plans = {plan.plan_id: plan for plan in book.list_plans()}
    versions = {(version.rule_set_id, version.version): version for version in book.list_versions()}

st.subheader("Plan against baseline", anchor=False)
if not plans:
    components.nothing("No plan yet. `otif allocate` solves a scenario and puts it here.")
else:
    picked = st.selectbox(
        "Plan", list(plans), key="scenarios_plan", width=420,
        format_func=lambda key: f"{key} · {plans[key].scenario} · {day_text(plans[key].as_of)} · {plans[key].status}",
    )  # fmt: skip
    plan = plans[picked]
    gain = plan_gain(plan)
    gap = plan.kpis.get("gap")
    components.facts([
        ("Gain over baseline", money_text(gain, currency=info.currency)),
        ("Status", words(plan.status)),
        ("Gap to the bound", value_text(gap, "ratio") if isinstance(gap, float) else "–"),
        ("Data", plan.publication.split("-")[0]),
        ("Solved by", plan.created_by),
        ("Instance", plan.fingerprint[:12]),
    ])  # fmt: skip
    for place, sentence in enumerate(comparing.conflict(plan, currency=info.currency)):
        (st.warning if place == 0 else st.caption)(sentence.replace("$", "\\$"))
    compared = {f"s{place}": name for place, name in enumerate(comparing.names(plan))}
    if compared:
        st.markdown("**Service on the same orders**")
        level = st.segmented_control("Counted in", comparing.LEVELS, default="unit", key="scenarios_level") or "unit"
        components.table(comparing.service(plan, level=level), {"lens": "", "channel": "Channel", **compared})
        st.markdown("**Money by term**")
        whole = {column: number(name, format="localized") for column, name in compared.items()}
        components.table(comparing.money(plan), {"term": "", **whole})
        st.markdown(f"**Moved against {compared['s0']}**")
        moved = comparing.moves(plan)
        components.table(moved, {name: words(name) for name in moved.columns})
    else:
        components.table(
            compare_figures(plan),
            {
                "figure": "Figure",
                "baseline": number("Baseline", format="localized"),
                "plan": number("Plan", format="localized"),
                "change": number("Change", format="localized"),
            },
        )
    _show_reasons(plan)
    with ledger() as book:
        lines = lines_frame(book.plan_lines(picked))
    _show_changed_orders(plan, list(compared.values())[1:])
    freed = releases(plan)
    if not freed.is_empty():
        st.markdown("**Reserves worth releasing**")
        components.table(freed, {name: words(name) for name in freed.columns})
    channels = by_channel(lines)
    if not channels.is_empty() and not compared:
        st.markdown("**By channel**")
        components.table(channels, {name: words(name) for name in channels.columns})
    left_short = shorts(lines)
    st.markdown(f"**{counted(left_short.height, 'line')} short**")
    if not left_short.is_empty():
        named = left_short.with_columns(name=pl.Series([words(code.lower()) for code in left_short["reason"]]))
        reasons = named.group_by("name").agg(lines=pl.len())
        st.altair_chart(
            charts.share_bars(reasons, category="name", value="lines", title="lines short"), width="stretch"
        )
        components.table(left_short, {name: words(name) for name in left_short.columns})
    late = comparing.lates(plan)
    if not late.is_empty():
        st.markdown(f"**{counted(late.height, 'line')} late**")
        components.table(late, {name: words(name) for name in late.columns})

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
    st.markdown(version.reason.replace("$", "\\$"))
if changes:
    columns = {"change": "Change", "kind": "Rule", "scope": "For", "before": "In force", "after": "Proposed"}
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
