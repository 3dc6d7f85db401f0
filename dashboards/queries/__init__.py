"""Questions to a publication: a connection in, polars frames or frozen dataclasses out.

No screen and no formatting lives here. The pages, the weekly report and the command line ask the same functions.
"""

from __future__ import annotations

from dashboards.queries.bridges import lens_bridge
from dashboards.queries.dimensions import DIMENSIONS
from dashboards.queries.health import (
    BuildInfo,
    availability,
    batches,
    build_info,
    data_quality_issues,
    doubts,
    freshness,
    rejects,
)
from dashboards.queries.inventory import available_to_promise, backorder_recoveries
from dashboards.queries.kpis import GRAINS, kpi_table, weeks_of_lens
from dashboards.queries.passport import Figure, Passport, members, number_passport, recounted
from dashboards.queries.periods import Week, joined, week_containing, week_named, weeks_named
from dashboards.queries.restatements import CAUSES, Restated, restated_rate, restatements
from dashboards.queries.risk import (
    line_risks,
    risk_groups,
    risk_lenses,
    risk_reliability,
    risk_scores,
    risks_ahead,
    risks_missing,
)
from dashboards.queries.scorecards import clocks_missing, credit_claims, scorecard, sla_cases
from dashboards.queries.series import ChangePart, change_parts, kpi_series, miss_causes
from dashboards.queries.why import USUAL_WEEKS, Why, causes_moved, drivers_table, weeks_before, why_moved
from dashboards.queries.work import (
    at_risk,
    disputes_expiring,
    exceptions_list,
    open_orders,
    order_events,
    order_header,
    order_lines,
)
from dashboards.queries.years import check_calendar, with_period_names, year_on_year

__all__ = [
    "CAUSES",
    "DIMENSIONS",
    "GRAINS",
    "USUAL_WEEKS",
    "BuildInfo",
    "ChangePart",
    "Figure",
    "Passport",
    "Restated",
    "Week",
    "Why",
    "at_risk",
    "availability",
    "available_to_promise",
    "backorder_recoveries",
    "batches",
    "build_info",
    "causes_moved",
    "change_parts",
    "check_calendar",
    "clocks_missing",
    "credit_claims",
    "data_quality_issues",
    "disputes_expiring",
    "doubts",
    "drivers_table",
    "exceptions_list",
    "freshness",
    "joined",
    "kpi_series",
    "kpi_table",
    "lens_bridge",
    "line_risks",
    "members",
    "miss_causes",
    "number_passport",
    "open_orders",
    "order_events",
    "order_header",
    "order_lines",
    "recounted",
    "rejects",
    "restated_rate",
    "restatements",
    "risk_groups",
    "risk_lenses",
    "risk_reliability",
    "risk_scores",
    "risks_ahead",
    "risks_missing",
    "scorecard",
    "sla_cases",
    "week_containing",
    "week_named",
    "weeks_before",
    "weeks_named",
    "weeks_of_lens",
    "why_moved",
    "with_period_names",
    "year_on_year",
]
