"""The week at a glance: tiles, one KPI over time and by channel, causes, exceptions, the next fortnight."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import streamlit as st

from dashboards import charts, components
from dashboards.decisions import open_proposals
from dashboards.formats import day_text, money_text, words
from dashboards.loading import ask, later, ledger, settings_of_run
from dashboards.queries import at_risk, build_info, exceptions_list, kpi_table, miss_causes, risks_ahead, week_named
from dashboards.reports.moves import signal_moved
from dashboards.reports.narrative import headline, late_feeds, without_causes
from dashboards.reports.pages import actions_now, snapshot_tiles, week_page
from dashboards.reports.tiles import cohort_days, judge, tile_catalogue, weekly_history
from dashboards.reports.weekly import last_week

info = ask(build_info)
newest = last_week(info)
components.page_header("Snapshot", info, remarks=ask(late_feeds))

with ledger() as book:
    waiting = open_proposals(book, currency=info.currency)
with st.container(horizontal=True, vertical_alignment="bottom"):
    name = st.selectbox("Week", [newest.back(n).name for n in range(26)], key="snapshot_week", width=170)
    st.download_button(
        "Weekly report",
        data=later(week_page, week=name, company=settings_of_run().company.name, proposals=waiting),
        file_name=f"weekly-{name}.html",
        mime="text/html",
        icon=":material/download:",
        on_click="ignore",
    )
week = week_named(name, week_start=info.week_start)
st.caption(f"{day_text(week.start)} to {day_text(week.end)} {week.end.year}")
tiles = ask(snapshot_tiles, week=name)
st.markdown(components.plain(headline(tiles)))
components.tiles(tiles, week=name)

st.subheader("Over time", anchor=False)
catalogue = {row["kpi_id"]: row for row in ask(tile_catalogue).iter_rows(named=True)}
chosen = st.pills(
    "KPI", list(catalogue), format_func=lambda key: catalogue[key]["kpi_name"], default=next(iter(catalogue), None),
    key="snapshot_kpi", label_visibility="collapsed",
)  # fmt: skip
if chosen:
    unit = catalogue[chosen]["unit"]
    history = ask(weekly_history, kpi_id=chosen, week=week)
    points = history.filter(pl.col("value").is_not_null())
    if points.height < 2:
        components.nothing("There is no weekly history of this KPI.")
    else:
        reading = judge(history, unit)
        st.altair_chart(
            charts.control_chart(
                points,
                unit=unit,
                title=catalogue[chosen]["kpi_name"],
                target=points["target"][-1],
                limits=reading.limits,
            ),
            width="stretch",
        )
        st.caption(f"{reading.comment.capitalize()}. Band: natural limits; dashed: target; orange: provisional.")
        if moved := ask(signal_moved, kpi_id=chosen, week=name):
            components.moved(moved, kpi=chosen)
    first, last = ask(cohort_days, kpi_id=chosen, week=week)
    if chosen == "cycle_time":
        components.stage_table(ask(kpi_table, kpis=[chosen], date_from=first, date_to=last))
    else:
        by_channel = ask(kpi_table, kpis=[chosen], by=["channel"], date_from=first, date_to=last)
        components.channel_table(by_channel, unit=unit, currency=info.currency)
    st.page_link(
        "app_pages/passport.py", label="Rows behind the number", icon=":material/fingerprint:",
        query_params={"kpi": chosen, "week": name},
    )  # fmt: skip
    if first and last and first != week.start:
        st.caption(f"{day_text(first)} to {day_text(last)}: later days are still under way.")

causes, risk = st.columns(2, gap="large")
with causes:
    st.subheader("Why orders missed", anchor=False)
    missed = ask(miss_causes, date_from=week.start, date_to=week.end)
    if missed.is_empty():
        components.nothing(without_causes(tiles))
    else:
        named = missed.with_columns(cause=pl.Series([words(c) for c in missed["miss_cause"]], dtype=pl.String))
        st.altair_chart(
            charts.share_bars(named, category="cause", value="orders", title="missed orders"), width="stretch"
        )
with risk:
    st.subheader("Next 14 days", anchor=False)
    ahead = ask(at_risk, date_from=info.as_of_date, date_to=info.as_of_date + timedelta(days=13))
    if ahead.is_empty():
        components.nothing("No open orders are needed in the next 14 days.")
    else:
        money = st.column_config.NumberColumn
        likely = ask(risks_ahead, date_from=info.as_of_date, date_to=info.as_of_date + timedelta(days=13))
        components.table(
            ahead.join(likely.select("channel", "expected_misses"), on="channel", how="left"),
            {
                "channel": "Channel",
                "orders": st.column_config.NumberColumn("Orders", format="localized"),
                "value": money("Open value", format="dollar" if info.currency == "USD" else "localized"),
                "short_value": money("Short", format="dollar" if info.currency == "USD" else "localized"),
                "fine_exposure": money("Fines", format="dollar" if info.currency == "USD" else "localized"),
                "expected_misses": st.column_config.NumberColumn("Likely misses", format="%.0f"),
            },
        )
        st.caption("Open orders against free stock today; the scenario decides who gets what.")

st.subheader("Top exceptions", anchor=False)
top = ask(exceptions_list, limit=5)
if top.is_empty():
    components.nothing("No open exceptions.")
for row in top.iter_rows(named=True):
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        amount = components.plain(money_text(row["money_at_risk"], currency=row["currency"]))
        st.markdown(f"**{components.plain(row['title'])}**  \n{amount} at risk · {words(row['owner_role'])}")
        if row["order_id"]:
            st.page_link(
                "app_pages/order.py", label="Open order", icon=":material/arrow_forward:",
                query_params={"order_id": row["order_id"]},
            )  # fmt: skip

todo, decide = st.columns(2, gap="large")
with todo:
    st.subheader("To do", anchor=False)
    components.steps([(action.what, f"{action.owner}, by {action.due}") for action in ask(actions_now)])
with decide:
    st.subheader("Decisions asked", anchor=False)
    components.steps([(" · ".join(filter(None, (item.title, item.gain))), item.owner) for item in waiting])
    if waiting:
        st.page_link("app_pages/scenarios.py", label="Open scenarios", icon=":material/arrow_forward:")
