"""An upper bound on the objective that holds whatever a solver returned.

For any prices y (>= 0 on inequality rows) the number y'b + sum_j max(0, c_j - (A'y)_j) u_j bounds the program from
above: poor prices give a weak bound, never a wrong one.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from optimizer.allocation.model import Floats, Model

_ALLOWANCE: Final = 1e-9
"""Share of the summed magnitudes by which a bound is raised before it is cut to whole cents (float64 rounding)."""


def valid_prices(model: Model, prices: Floats) -> Floats:
    """Return the prices with those of inequality rows cut at 0."""
    return np.where(model.lower == model.upper, prices, np.maximum(prices, 0.0))


def reduced_gains(model: Model, prices: Floats) -> Floats:
    """Return each variable's gain after paying the prices of the rows it uses."""
    return np.asarray(model.gain - model.matrix.T @ valid_prices(model, prices))


def certified_bound(model: Model, prices: Floats) -> int:
    """Return the bound in whole cents that the prices (one per row) prove."""
    rows = valid_prices(model, prices) * model.upper
    columns = np.maximum(reduced_gains(model, prices), 0.0) * model.bound
    magnitude = float(np.abs(rows).sum() + columns.sum())
    return model.offset + math.floor(float(rows.sum() + columns.sum()) + _ALLOWANCE * magnitude + 1e-6)
