"""How 3PLs and carriers kept their clocks: raw, with excuses, the proof of each miss, and credits to claim."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards import components
from dashboards.formats import weekdays_text, words
from dashboards.loading import ask
from dashboards.queries import build_info, clocks_missing, credit_claims, scorecard, sla_cases, week_containing

info = ask(build_info)
components.page_header("Scorecards", info)
if missing := ask(clocks_missing):
    components.nothing(missing[:1].upper() + missing[1:] + ".")
    st.stop()
last = week_containing(info.as_of_date, week_start=info.week_start).back(1)
spans = {"all": None} | {week.name: week for week in (last.back(back) for back in range(13))}
with st.container(horizontal=True):
    whose = st.selectbox("Whose", ["3pl", "carrier"], format_func=str.upper, key="scorecards_whose", width=160)
    chosen = spans[st.selectbox("Week", list(spans), key="scorecards_week", width=160)]
span = {"date_from": chosen.start, "date_to": chosen.end} if chosen else {}
cards = ask(scorecard, whose=whose, **span)
if cards.is_empty():
    components.nothing("No clock has run out in this time, or the sources tell of none.")
    st.stop()
share = st.column_config.NumberColumn
components.table(
    cards,
    {
        "party_id": "Node" if whose == "3pl" else "Carrier",
        "cases": share("Cases", format="localized"),
        "raw": share("Kept, raw", format="percent"),
        **(
            {
                "stock_out": "Excused: stock-out",
                "volume_above_cap": "Excused: volume",
                "carrier_no_show": "Excused: no-show",
                "adjusted": share("Kept, adjusted", format="percent"),
            }
            if whose == "3pl"
            else {}
        ),
        "missed": share("Misses that count", format="localized"),
        "credit_amount": share("To claim", format="%.2f"),
    },
)
claims = ask(credit_claims, whose=whose, **span)
st.caption(
    f"{claims.height:,} misses give a credit by the agreed terms (seed sla_terms)."
    if claims.height
    else "No credit to claim: no week below an agreed target (seed sla_terms; nothing agreed, nothing claimed)."
)

party = st.selectbox("Proof of the misses of", cards["party_id"].to_list(), key="scorecards_party", width=240)
cases = ask(sla_cases, whose=whose, party=party, **span)
clocks = cases["clock_zone"].unique().to_list()
zone = clocks[0] if len(clocks) == 1 and clocks[0] else info.zone  # a 3PL reads its misses on its own clock
if cases.is_empty():
    components.nothing("No miss.")
    st.stop()
stamp = st.column_config.DatetimeColumn
picked = components.table(
    cases.with_columns(
        verdict=pl.Series([f"excused: {words(one)}" if one else "counts" for one in cases["excuse"]], dtype=pl.String),
        operating_days=pl.Series([weekdays_text(days) for days in cases["operating_days"]], dtype=pl.String),
    ),
    {
        "order_id": "Order",
        "verdict": "Verdict",
        "started_at": stamp("Clock began", format="ddd D MMM HH:mm", timezone=zone),
        "cut_off_time": "Cut-off",
        "operating_days": "Works on",
        "due_at": stamp("Due", format="ddd D MMM HH:mm", timezone=zone),
        "pause_hours": share("On hold, h", format="%.1f"),
        "stopped_at": stamp("Stopped", format="ddd D MMM HH:mm", timezone=zone),
    },
    on_select="rerun",
    selection_mode="single-row",
    key="scorecards_table",
)
st.caption(f"Times on the clock of {zone}.")
components.order_link(picked, cases["order_id"])
