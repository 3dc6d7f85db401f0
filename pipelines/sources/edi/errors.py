"""Errors of the EDI package. Reading raises none: faults of a file are values (`envelope.Fault`)."""

from __future__ import annotations

from pipelines.errors import PipelineError


class X12WriteError(PipelineError):
    """What is to be written does not fit into an interchange."""
