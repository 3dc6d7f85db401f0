"""Every error the dashboards raise; each message says what, where, what was expected and the next step.

    OtifError
    └── DashboardError
        ├── QuestionError      a KPI, dimension, grain, lens or week was asked for that does not exist
        └── PublicationError   the publication cannot answer: a table is missing or the file is damaged

Catch `OtifError` at the edge to show any of them.
"""

from __future__ import annotations

from storage.errors import OtifError


class DashboardError(OtifError):
    """Base of the dashboards' errors."""


class QuestionError(DashboardError):
    """Something was asked for that does not exist."""


class PublicationError(DashboardError):
    """The publication cannot answer the question."""
