"""The parts of a plan on the scenarios page: compared figures, lines with reasons, what would help, changed orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

import polars as pl
import streamlit as st

from dashboards import charts, comparing, components
from dashboards.decisions import compare_figures, plan_gain, releases
from dashboards.formats import counted, instant_text, money_text, words
from storage.ledger import Plan

_NUMBER: Final = st.column_config.NumberColumn
_TEXT: Final = st.column_config.TextColumn
_DATE: Final = st.column_config.DateColumn


def show_facts(plan: Plan, *, currency: str, zone: str) -> None:
    """Show what the plan is worth and how good it is, and what promises clash."""
    gap = plan.kpis.get("gap")
    best = "–" if not isinstance(gap, float) else "the best there is" if gap <= 0 else f"within {gap:.2%} of the best"
    components.facts([
        ("Worth more than the rules", money_text(plan_gain(plan), currency=currency)),
        ("Proven", best),
        ("Orders as of", instant_text(plan.as_of.astimezone(UTC).replace(tzinfo=None), zone)),
        ("Solved by", plan.created_by),
    ])  # fmt: skip
    if told := comparing.clashes(plan, currency=currency):
        st.warning(components.plain(told))


def show_comparison(plan: Plan) -> None:
    """Show service, money and moves of the compared scenarios side by side."""
    compared = {f"s{place}": name for place, name in enumerate(comparing.names(plan))}
    if not compared:
        number = {name: _NUMBER(words(name), format="localized") for name in ("baseline", "plan", "change")}
        components.table(compare_figures(plan), {"figure": "Figure", **number})
        return
    level = st.segmented_control("Counted in", comparing.LEVELS, default="unit", key="scenarios_level") or "unit"
    st.markdown(f"**Service on the same orders, by {level}**")
    columns = {"lens": "", "channel": "Channel", "n": _NUMBER("n", format="localized"), **compared}
    components.table(comparing.service(plan, level=level), columns, height="content")
    st.markdown("**Money by term**")
    whole = {column: _NUMBER(name, format="localized") for column, name in compared.items()}
    components.table(comparing.money(plan), {"term": "", **whole}, height="content")
    st.markdown(f"**Moved against {compared['s0']}**")
    moved = comparing.moves(plan)
    counts = {name: _NUMBER(words(name), format="localized") for name in moved.columns if name != "scenario"}
    components.table(moved, {"scenario": "", **counts})


def show_lines(lines: pl.DataFrame) -> None:
    """Show the lines that are short, late, split or displaced: reasons as bars, then each line with its words."""
    kinds = comparing.kinds(lines)
    if not kinds:
        components.nothing("Every line ships in full, on time and with its order.")
        return
    shown = [f"{name} {count:,}" for name, count in kinds.items()]
    picked = st.segmented_control("Kind", shown, default=shown[0], key="scenarios_kind", label_visibility="collapsed")
    kind = (picked or shown[0]).split()[0]
    frame = comparing.lines(lines, kind)
    reasons = frame.group_by("reason").agg(lines=pl.len())
    st.altair_chart(charts.share_bars(reasons, category="reason", value="lines", title="lines"), width="stretch")
    columns: dict[str, Any] = {
        "order_id": "Order",
        "units": _NUMBER(kind.capitalize(), format="localized"),
        "why": _TEXT("Why", width="large"),
        "sku": "SKU",
        "channel": "Channel",
        "open_units": _NUMBER("Of", format="localized"),
        "taken": _TEXT("Units went to", width="medium"),
        "text": _TEXT("What the customer is told", width="large"),
    }
    components.table(frame, columns)


def show_help(plan: Plan, *, currency: str) -> None:
    """Show what would have to change for the dearest lines, what one more is worth, which reserves to release."""
    explained, worth, freed = comparing.explained(plan), comparing.marginals(plan), releases(plan)
    if not explained and worth.is_empty() and freed.is_empty():
        components.nothing("Nothing was asked. `otif allocate --why 5 --values 20` solves it again for each answer.")
    if explained:
        st.markdown("**What would have to change**")
        st.caption("Each change was solved again. The amount is what the whole plan is worth more or less with it.")
    for line in explained:
        st.markdown(components.plain(comparing.headline(line)))
        found = comparing.remedies(line, currency=currency)
        if found:
            components.timeline(found)
        else:
            components.nothing("No single change serves this line.")
    if not worth.is_empty():
        st.markdown("**What one more is worth**")
        columns: dict[str, Any] = {"words": _TEXT("One more", width="large")}
        columns["value"] = _NUMBER("The next one", format="%.2f")
        columns["valid"] = _NUMBER("Worth that for, units", format="localized")
        components.table(worth, columns)
    if not freed.is_empty():
        st.markdown("**Reserves worth releasing**")
        columns = {"sku": "SKU", "node_id": "Node", "holder": "Kept for", "released": "Release", "quantity": "Of"}
        components.table(freed, {**columns, "lines_served": "Lines served", "gain": _NUMBER("Gain", format="%.0f")})


def show_orders(plan: Plan, others: Sequence[str]) -> None:
    """Show what changes per order in one of the compared scenarios."""
    chosen = st.selectbox("Scenario", others, key="scenarios_other", width=420) if len(others) > 1 else others[0]
    changed = comparing.orders(plan, chosen)
    if changed.is_empty():
        components.nothing("Every order is treated alike.")
        return
    total = comparing.orders_in_all(plan, chosen)
    kept = f"; the {changed.height} that change most" if total > changed.height else ""
    st.caption(f"{counted(total, 'order')} that {chosen} treats otherwise than {comparing.names(plan)[0]}{kept}.")
    columns: dict[str, Any] = {
        "order_id": "Order",
        "what": _TEXT("What changes", width="medium"),
        "units_before": _NUMBER("Units before", format="localized"),
        "units_after": _NUMBER("After", format="localized"),
        "units_open": _NUMBER("Of", format="localized"),
        "arrives_before": _DATE("Arrived", format="ddd D MMM"),
        "arrives_after": _DATE("Arrives", format="ddd D MMM"),
        "channel": "Channel",
        "reason": "Why short or late",
    }
    components.table(changed, columns)
