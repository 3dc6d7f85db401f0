"""Open lines that may miss their window: how likely, at what expected loss, why, what helps, and how good that is."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards import charts, components
from dashboards.formats import MISSING, count_text, instant_text, money_text, other_service, value_text, words
from dashboards.loading import ask
from dashboards.queries import build_info, line_risks, risk_lenses, risk_reliability, risk_scores, risks_missing

info = ask(build_info)
components.page_header("At risk", info)
missing = ask(risks_missing)
if missing:
    components.nothing(missing[:1].upper() + missing[1:] + ".")
    st.stop()
lenses = ask(risk_lenses)
if not lenses:
    components.nothing("No line is open whose window has not ended yet.")
with st.container(horizontal=True):
    lens = st.selectbox(
        "Lens", ["headline", *lenses], format_func=words, key="at_risk_lens", width=240,
        help="The rule that judges a line; headline: each line's own.",
    )  # fmt: skip
    lines = ask(line_risks, lens=lens) if lenses else ask(line_risks)
    picks = {
        column: st.multiselect(
            label, sorted(set(lines[column].drop_nulls())), key=f"at_risk_{column}", placeholder="all", width=176
        )
        for column, label in (("channel", "Channel"), ("stage", "Stage"), ("action", "Next step"))
    }
shown = lines.filter(*(pl.col(column).is_in(wanted) for column, wanted in picks.items() if wanted))
judged = ask(risk_scores, lens="" if lens == "headline" else lens)
unknown = shown.filter(pl.col("probability").is_null())
is_foretold = unknown.height < shown.height
sums = {
    name: float(shown[name].sum()) if shown[name].null_count() < shown.height else None
    for name in ("probability", "expected_loss_amount", "action_value_amount")
}
components.facts([
    ("Open lines", f"{shown.height:,}"),
    ("Misses expected", count_text(sums["probability"])),
    ("Expected loss", money_text(sums["expected_loss_amount"], currency=info.currency)),
    ("Worth of next steps", money_text(sums["action_value_amount"], currency=info.currency)),
    ("Without a probability", f"{unknown.height:,}"),
])  # fmt: skip
for reason in sorted(set(unknown["unavailable_reason"].drop_nulls())):
    components.nothing(f"No probability: {reason}.")

if shown.is_empty():
    components.nothing("No open line matches these filters.")
else:
    if not is_foretold:
        shown = shown.sort("window_end_at", "order_id", "line_id")
    money = st.column_config.NumberColumn
    written = "dollar" if info.currency == "USD" else "localized"
    percent = st.column_config.ProgressColumn
    columns = {
        "probability": percent("Miss", format="%.0f%%", min_value=0.0, max_value=100.0, width="small"),
        "expected_loss_amount": money("Loss", format=written, width="small"),
        "order_id": st.column_config.TextColumn("Order", width=140),
        "action": st.column_config.TextColumn("Next step", width="medium"),
        "probability_after": money("Then", format="%.0f%%", width="small"),
        "action_value_amount": money("Worth", format=written, width="small"),
        "reason": st.column_config.TextColumn("Why", width="large"),
        "line_id": st.column_config.TextColumn("Line", width="small"),
        "stage": "Stage",
        "window_end_at": st.column_config.DatetimeColumn("Due", format="D MMM HH:mm", timezone=info.zone),
        "channel": "Channel",
    }
    if not is_foretold:
        known = ("order_id", "line_id", "window_end_at", "stage", "channel")
        columns = {name: columns[name] for name in known} | {"loss_amount": money("A miss costs", format=written)}
    picked = components.table(
        shown.with_columns(
            pl.col("probability", "probability_after") * 100,
            stage=pl.Series([words(stage) for stage in shown["stage"]], dtype=pl.String),
        ),
        columns,
        on_select="rerun",
        selection_mode="single-row",
        key="at_risk_table",
    )
    rows = picked.selection.rows if picked else []
    item = shown.row(rows[0] if rows and rows[0] < shown.height else 0, named=True)
    with st.container(border=True):
        st.subheader(f"Order {item['order_id']}, line {item['line_id']}", anchor=False)
        if not rows:
            which = "most expensive" if is_foretold else "first due"
            st.caption(f"The {which} one; select a row above for another.")
        st.markdown(components.plain(item["unavailable_reason"] or item["reason"] or ""))
        if item["action"]:
            st.markdown(f"**To do:** {item['action']}")
        if item["action_note"]:
            st.markdown(f"**Weighed:** {item['action_note']}.")
        told = [
            ("Chance of a miss", value_text(item["probability"], "ratio")),
            ("Once that is done", value_text(item["probability_after"], "ratio")),
            ("More freight", money_text(item["action_cost_amount"], currency=info.currency)),
            ("Which is worth", money_text(item["action_value_amount"], currency=info.currency)),
            ("A miss costs", money_text(item["loss_amount"], currency=info.currency)),
            ("In this stage for", value_text(item["age_hours"], "hours")),
            ("Half are through in", value_text(item["typical_hours"], "hours")),
            ("Nine of ten in", value_text(item["slow_hours"], "hours")),
            ("Like lines seen", count_text(item["lines_behind"])),
            ("Due", instant_text(item["window_end_at"], info.zone)),
        ]
        components.facts([(name, text) for name, text in told if text != MISSING])
        if item["other_note"]:
            st.markdown(
                "**By another carrier, service or node:** " + components.plain(other_service(item, info.currency))
            )
        st.caption(f"Loss: {item['loss_basis']}.")
        st.page_link(
            "app_pages/order.py", label=f"Open order {item['order_id']}", icon=":material/arrow_forward:",
            query_params={"order_id": item["order_id"]},
        )  # fmt: skip

st.subheader("How good are these chances?", anchor=False)
first = judged.row(0, named=True) if judged.height else None
if first is None or first["unavailable_reason"]:
    components.nothing(f"Not judged: {first['unavailable_reason'] if first else 'no held-out week has this lens'}.")
else:
    left, right = st.columns(2, gap="large")
    with left:
        st.altair_chart(
            charts.reliability(ask(risk_reliability, lens="" if lens == "headline" else lens)), width="stretch"
        )
    with right:
        components.facts([
            ("Held-out weeks", f"{first['weeks']}"),
            ("Line-days", f"{first['rows']:,}"),
            ("Less error than the usual share", value_text(first["skill"], "ratio")),
            ("Said and happened differ by", f"{first['calibration_error'] * 100:.1f} points"),
        ])  # fmt: skip
        components.table(
            judged.with_columns(horizon=pl.when(pl.col("horizon") == "").then(pl.lit("all")).otherwise("horizon")),
            {
                "horizon": "To the deadline",
                "rows": st.column_config.NumberColumn("Line-days", format="localized"),
                "misses": st.column_config.NumberColumn("Misses", format="localized"),
                "brier": st.column_config.NumberColumn("Brier", format="%.3f"),
                "brier_base": st.column_config.NumberColumn("Usual share", format="%.3f"),
                "calibration_error": st.column_config.NumberColumn("Gap", format="%.3f"),
            },
        )
        if first["skill"] <= 0:
            st.warning("On the held-out weeks this lens was foretold no better than by its usual share.")
    st.caption(
        "Each held-out week was predicted from what was known at its start. A dot on the line: of the lines that were "
        "given this chance, so many did miss."
    )
