"""Reports: figures of a publication → self-contained HTML and mail parts. Nothing is sent from here."""

from __future__ import annotations

from dashboards.reports.facts import Proposal
from dashboards.reports.pictures import ReportImage
from dashboards.reports.weekly import WeeklyReport, build_weekly

__all__ = ["Proposal", "ReportImage", "WeeklyReport", "build_weekly"]
