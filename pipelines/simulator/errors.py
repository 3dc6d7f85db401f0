"""Errors of the simulator.

PipelineError
└── SimulationError  the arguments cannot be simulated
"""

from __future__ import annotations

from pipelines.errors import PipelineError


class SimulationError(PipelineError):
    """The arguments cannot be simulated."""
