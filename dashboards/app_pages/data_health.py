"""How far the figures can be trusted: feeds, batches, rejects, findings, and what cannot be measured and why."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards import components
from dashboards.formats import counted, value_text, words
from dashboards.loading import ask, publication_id
from dashboards.queries import (
    CAUSES,
    availability,
    batches,
    build_info,
    data_quality_issues,
    doubts,
    freshness,
    rejects,
    restatements,
)  # fmt: skip
from dashboards.reports.narrative import late_feeds

info = ask(build_info)
components.page_header("Data health", info, remarks=ask(late_feeds))
kpis = ask(availability)
feeds = ask(freshness)
findings = ask(data_quality_issues)
components.facts([
    ("Feeds", f"{feeds.height:,}"),
    ("Events", f"{int(feeds['events'].sum() or 0):,}"),
    ("Rejected rows", f"{int(feeds['rejects'].sum() or 0):,}"),
    ("KPIs measured", f"{kpis.filter('is_available').height} of {kpis.height}"),
    ("Findings", f"{int(findings['occurrences'].sum() or 0):,}"),
])  # fmt: skip
stamp = st.column_config.DatetimeColumn
number = st.column_config.NumberColumn

st.subheader("What can be measured", anchor=False)
components.table(
    kpis.with_columns(state=pl.when("is_available").then(pl.lit("measured")).otherwise(pl.lit("not measured"))).sort(
        "is_available", maintain_order=True
    ),
    {
        "kpi_name": "KPI",
        "state": "State",
        **(
            {"reason": st.column_config.TextColumn("Why not", width="large")}
            if kpis["reason"].null_count() < kpis.height
            else {}
        ),
        "definition": st.column_config.TextColumn("Definition", width="large"),
    },
)

st.subheader("Feeds", anchor=False)
if feeds.is_empty():
    components.nothing("Nothing has landed. Drop files into the inbox and run `otif ingest`.")
else:
    components.table(
        feeds.sort("hours_behind", descending=True),
        {
            "source": "Source",
            "hours_behind": number("Hours behind", format="%.1f"),
            "last_event_at": stamp("Last event", format="D MMM YYYY HH:mm", timezone=info.zone),
            "events": number("Events", format="localized"),
            "rejects": number("Rejected", format="localized"),
        },
    )

st.subheader("Findings in the data", anchor=False)
if findings.is_empty():
    components.nothing("No finding.")
else:
    components.table(
        findings.with_columns(issue=pl.Series([words(issue) for issue in findings["issue"]], dtype=pl.String)),
        {
            "issue": "Finding",
            "occurrences": number("Times", format="localized"),
            "orders": number("Orders", format="localized"),
            "example": st.column_config.TextColumn("Example", width="large"),
            "example_order_id": "Order",
        },
    )

st.subheader("What is in doubt", anchor=False)
doubtful = ask(doubts)
if doubtful.is_empty():
    components.nothing("Nothing.")
else:
    components.table(
        doubtful.with_columns(doubt=pl.Series([words(doubt) for doubt in doubtful["doubt"]], dtype=pl.String)),
        {
            "doubt": "Doubt",
            "source": "Source",
            "observations": number("Times", format="localized"),
            "orders": number("Orders", format="localized"),
            "first_date": st.column_config.DateColumn("First", format="D MMM YYYY"),
            "last_date": st.column_config.DateColumn("Last", format="D MMM YYYY"),
        },
    )
    st.caption("Repeated events are counted once. What a missing proof could change stands beside each figure.")

st.subheader("Restated weeks", anchor=False)
changed = ask(restatements, limit=200)
if changed.is_empty():
    components.nothing("No published figure of a past week has changed.")
else:
    components.table(
        changed.with_columns(
            pl.col("cause").replace(CAUSES),
            old=pl.Series([value_text(*pair) for pair in changed.select("old_value", "unit").rows()], dtype=pl.String),
            new=pl.Series([value_text(*pair) for pair in changed.select("new_value", "unit").rows()], dtype=pl.String),
        ),
        {
            "kpi_name": "KPI",
            "period": st.column_config.DateColumn("Week of", format="D MMM YYYY"),
            "old": "Published before",
            "new": "Now",
            "cause": "Why",
            "rows_changed": number("Rows", format="localized"),
            "as_of": stamp("As of", format="D MMM YYYY HH:mm", timezone=info.zone),
            "detail": st.column_config.TextColumn("What came or changed", width="large"),
        },
    )

st.subheader("Rejected rows", anchor=False)
refused = ask(rejects)
if refused.is_empty():
    components.nothing("No row was rejected.")
else:
    reasons = refused.group_by("reason").agg(rows=pl.len()).sort("rows", "reason", descending=[True, False])
    st.caption(f"{counted(refused.height, 'row')} shown, {counted(reasons.height, 'reason')}.")
    components.table(
        refused,
        {
            "source": "Source",
            "reason": st.column_config.TextColumn("Reason", width="large"),
            "source_ref": st.column_config.TextColumn("Where", width="medium"),
            "raw": st.column_config.TextColumn("Raw row", width="medium"),
        },
    )

st.subheader("Batches", anchor=False)
landed = ask(batches)
if landed.is_empty():
    components.nothing("No batch has landed.")
else:
    components.table(
        landed,
        {
            "landed_at": stamp("Landed", format="D MMM YYYY HH:mm", timezone=info.zone),
            "source": "Source",
            "status": "State",
            "verdict": st.column_config.TextColumn("Failed checks", width="medium"),
            "file_count": number("Files", format="localized"),
            "rows_in": number("Rows", format="localized"),
            "events_landed": number("Events", format="localized"),
            "events_duplicate": number("Duplicates", format="localized"),
            "rows_rejected": number("Rejected", format="localized"),
        },
    )
st.caption(f"Publication {publication_id()}")
