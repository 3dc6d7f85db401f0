"""The passport of one number: what it means, rows counted and left out, the files they came from, the recount."""

from __future__ import annotations

from urllib.parse import quote

import polars as pl
import streamlit as st

from dashboards import components
from dashboards.errors import QuestionError
from dashboards.formats import count_text, counted, day_text, value_text, words
from dashboards.loading import ask, later
from dashboards.queries import DIMENSIONS, availability, build_info, members, number_passport, week_named
from dashboards.reports.pages import passport_csv
from dashboards.reports.tiles import cohort_days
from dashboards.reports.weekly import last_week

SHOWN = 500
MOST_PLACES = 2
PARTS = {"numerator": "In the numerator", "denominator": "In the denominator only", "excluded": "Left out"}

info = ask(build_info)
components.page_header("Passport", info)
catalogue = {row["kpi_id"]: row for row in ask(availability).iter_rows(named=True)}
newest = last_week(info)
weeks = [newest.back(n).name for n in range(26)]
linked = {key: st.query_params[key] for key in ("kpi", "week", *DIMENSIONS) if key in st.query_params}
if linked and linked != st.session_state.get("passport_linked"):
    if linked.get("kpi") in catalogue:
        st.session_state["passport_kpi"] = linked["kpi"]
    if linked.get("week") in weeks:
        st.session_state["passport_week"] = linked["week"]
    places = [key for key in linked if key in DIMENSIONS and linked[key] in ask(members, dimension=key)][:MOST_PLACES]
    st.session_state["passport_dimensions"] = places
    for dimension in places:
        st.session_state[f"passport_{dimension}"] = linked[dimension]

with st.container(horizontal=True, vertical_alignment="bottom"):
    kpi = st.selectbox(
        "KPI", list(catalogue), format_func=lambda key: catalogue[key]["kpi_name"], key="passport_kpi", width=260
    )
    name = st.selectbox("Week", weeks, key="passport_week", width=140)
    dimensions = st.multiselect(
        "Where", DIMENSIONS, format_func=words, key="passport_dimensions", placeholder="everywhere",
        max_selections=MOST_PLACES, width=260,
    )  # fmt: skip
    chosen = {
        dimension: st.selectbox(
            words(dimension), ask(members, dimension=dimension), key=f"passport_{dimension}", width=180
        )
        for dimension in dimensions
    }
    where = {dimension: member for dimension, member in chosen.items() if member}
if not kpi:
    components.nothing("There is no KPI in this publication.")
    st.stop()
st.session_state["passport_linked"] = {"kpi": kpi, "week": name, **where}
st.query_params.from_dict(st.session_state["passport_linked"])
first, last = ask(cohort_days, kpi_id=kpi, week=week_named(name, week_start=info.week_start))
asked = {"kpi_id": kpi, "where": where, "date_from": first, "date_to": last}
try:
    found = ask(number_passport, **asked, limit=SHOWN)
except QuestionError as error:
    components.nothing(str(error))
    st.stop()

unit = catalogue[kpi]["unit"]
shown = value_text(found.published.value, unit, currency=info.currency)
span = "as of the build" if first is None else f"{day_text(first)} to {day_text(last)}"
p90 = [("p90", value_text(found.published.p90, unit))] if found.published.p90 is not None else []
sums = [
    (label.capitalize(), count_text(value))
    for label, value in (
        (found.kpi["numerator"] or "numerator", found.published.numerator),
        (found.kpi["denominator"] or "denominator", found.published.denominator),
    )
    if value
]
stage = [("Stage", words(found.where["stage_id"]))] if "stage_id" in found.where else []
components.facts([(found.kpi["kpi_name"], shown), *p90, *sums, ("n", count_text(found.published.observations)), *stage])
st.caption(f"{words(found.kpi['cohort_date'])}: {span}. {found.kpi['definition']}")
if found.agrees:
    st.markdown(":material/check_circle: Counting the rows again gives exactly this number.")
else:
    st.error(f"The rows give {value_text(found.recount.value, unit, currency=info.currency)}, not {shown}.")

st.subheader("Rows", anchor=False)
named = PARTS if found.kpi["denominator"] else PARTS | {"denominator": "Adding nothing"}
labels = {part: f"{label} · {count_text(found.parts[part])}" for part, label in named.items()}
part = st.segmented_control(
    "Part", list(PARTS), format_func=labels.__getitem__, default="numerator", key="passport_part",
    label_visibility="collapsed",
)  # fmt: skip
rows = ask(number_passport, **asked, part=part, limit=SHOWN).rows
if rows.is_empty():
    components.nothing("No such row.")
else:
    components.table(
        rows.with_columns(
            order=pl.Series(
                [f"order?order_id={quote(each)}" if each else None for each in rows["order_id"]], dtype=pl.String
            ),
            reason=pl.col("exclusion_reason").str.replace_all("_", " "),
        ),
        {
            "order": st.column_config.LinkColumn("Order", display_text=r"order_id=(.*)$"),
            "row_key": "Row",
            "period_date": st.column_config.DateColumn("Day", format="D MMM YYYY"),
            "numerator": "Numerator",
            "denominator": "Denominator",
            **({"reason": "Why left out"} if part == "excluded" else {}),
            "channel": "Channel",
            "node_id": "Node",
            "carrier": "Carrier",
            "sku": "SKU",
        },
    )
    st.caption(
        f"{counted(rows.height, 'row')} of {count_text(found.parts[part] if part else sum(found.parts.values()))}."
    )
st.download_button(
    "All rows as CSV", data=later(passport_csv, **asked), file_name=f"{kpi}-{name}.csv", mime="text/csv",
    icon=":material/download:", on_click="ignore",
)  # fmt: skip

left, right = st.columns(2, gap="large")
with left:
    st.subheader("Left out, and why", anchor=False)
    if found.exclusions.is_empty():
        components.nothing("Nothing was left out.")
    else:
        reasons = found.exclusions.with_columns(pl.col("exclusion_reason").str.replace_all("_", " "))
        components.table(reasons, {"exclusion_reason": "Reason", "rows": "Rows"})
with right:
    st.subheader("Files behind the rows", anchor=False)
    if found.sources.is_empty():
        components.nothing("No event is known of these rows.")
    else:
        components.table(found.sources, {"file_name": "File", "batch_id": "Batch", "events": "Events", "rows": "Rows"})

with st.expander(f"SQL of {found.row_model}"):
    st.code(found.sql, language="sql")
st.caption(
    f"Definition {found.definition_version}, rules {found.rules_version}: fingerprints of all models, all seeds."
)
