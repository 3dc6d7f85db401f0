"""The only door to OR-Tools: the arrays of a `Program` (a `Model`, say) go in, values or prices come out.

MathOpt with HiGHS solves linear relaxations (with true duals) and mixed-integer programs; PDLP gives prices where a
simplex method is too slow. Measured against CP-SAT and SCIP on the same instances: docs/optimizer.md, "Why HiGHS".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt
from ortools.math_opt import model_pb2
from ortools.math_opt.python import mathopt
from ortools.pdlp import solvers_pb2
from ortools.pdlp.python import pdlp
from scipy import sparse  # type: ignore[import-untyped]
from scipy.optimize import linprog  # type: ignore[import-untyped]

from optimizer.allocation.model import Floats
from optimizer.allocation.stock import Ints

Flags = npt.NDArray[np.bool_]


class Program(Protocol):
    """Maximise `offset + gain x`, `lower <= matrix x <= upper`, `0 <= x <= bound`, x whole where `is_integer`."""

    @property
    def matrix(self) -> sparse.csr_matrix: ...  # noqa: D102
    @property
    def lower(self) -> Floats: ...  # noqa: D102
    @property
    def upper(self) -> Floats: ...  # noqa: D102
    @property
    def bound(self) -> Floats: ...  # noqa: D102
    @property
    def gain(self) -> Floats: ...  # noqa: D102
    @property
    def is_integer(self) -> Flags: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102


class Status(StrEnum):
    """How an answer is to be read; never collapsed to yes or no."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    NO_SOLUTION = "no_solution"
    ERROR = "error"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the solver said; `values` are None without a solution, `is_killed` tells that the clock stopped it."""

    status: Status
    values: Floats | None
    bound: float
    is_killed: bool


_REASONS = {
    mathopt.TerminationReason.OPTIMAL: Status.OPTIMAL,
    mathopt.TerminationReason.FEASIBLE: Status.FEASIBLE,
    mathopt.TerminationReason.INFEASIBLE: Status.INFEASIBLE,
    mathopt.TerminationReason.NO_SOLUTION_FOUND: Status.NO_SOLUTION,
}


def read_reason(reason: mathopt.TerminationReason) -> Status:
    """Map a termination reason; everything unexpected is an ERROR."""
    return _REASONS.get(reason, Status.ERROR)


def solve_program(
    model: Program, columns: Ints, *, seed: int, node_limit: int, gap: float, kill_seconds: float
) -> Answer:
    """Solve the program restricted to the given columns (the others are 0).

    Args:
        model: The program.
        columns: Columns to keep, ascending.
        seed: Random seed of the solver.
        node_limit: Branch-and-bound nodes; the deterministic stop.
        gap: Relative gap at which the solver may stop.
        kill_seconds: Wall clock limit; `is_killed` tells that it was met.
    """
    if _is_empty_row_broken(model, columns):
        return Answer(Status.INFEASIBLE, None, -np.inf, is_killed=False)
    restricted = _mathopt_model(model, columns, integer=True)
    parameters = mathopt.SolveParameters(
        random_seed=seed,
        node_limit=node_limit,
        relative_gap_tolerance=gap,
        absolute_gap_tolerance=0.0,
        time_limit=timedelta(seconds=kill_seconds),
    )
    result = mathopt.solve(restricted, mathopt.SolverType.HIGHS, params=parameters)
    status = read_reason(result.termination.reason)
    values = None
    if result.has_primal_feasible_solution():
        values = np.zeros(model.gain.size)
        values[columns] = list(result.variable_values(list(restricted.variables())))
    killed = result.termination.limit == mathopt.Limit.TIME
    return Answer(status, values, result.termination.objective_bounds.dual_bound, killed)


def _is_empty_row_broken(model: Program, columns: Ints) -> bool:
    """Tell whether a row without any of the columns asks for more than nothing; the solver never sees such rows."""
    empty = np.diff(sparse.csr_matrix(model.matrix[:, columns]).indptr) == 0
    return bool((model.lower[empty] > 0).any() or (model.upper[empty] < 0).any())


def simplex_prices(model: Program, *, kill_seconds: float) -> Floats | None:
    """Return the row prices of the linear relaxation, None if the clock stopped the solver."""
    relaxed = _mathopt_model(model, np.arange(model.gain.size), integer=False)
    parameters = mathopt.SolveParameters(time_limit=timedelta(seconds=kill_seconds))
    result = mathopt.solve(relaxed, mathopt.SolverType.HIGHS, params=parameters)
    if not result.has_dual_feasible_solution():
        return None
    prices = np.zeros(model.upper.size)
    # Rows without a column are not handed over.
    prices[np.diff(model.matrix.indptr) > 0] = result.dual_values(list(relaxed.linear_constraints()))
    return prices


def relaxation(model: Program, *, kill_seconds: float) -> tuple[Floats, Floats] | None:
    """Return an optimal vertex of the linear relaxation and its row prices, None if the clock stopped the solver.

    Through SciPy's HiGHS: reading an answer out of MathOpt takes longer than finding it where programs are small.
    """
    is_equal = model.lower == model.upper
    is_below, is_above = np.isfinite(model.upper) & ~is_equal, np.isfinite(model.lower) & ~is_equal
    found = linprog(
        -model.gain,
        A_ub=sparse.vstack([model.matrix[is_below], -model.matrix[is_above]]),
        b_ub=np.concatenate([model.upper[is_below], -model.lower[is_above]]),
        A_eq=model.matrix[is_equal],
        b_eq=model.lower[is_equal],
        bounds=np.stack([np.zeros(model.gain.size), model.bound], axis=1),
        method="highs-ds",
        options={"presolve": False, "time_limit": kill_seconds},
    )
    if found.status != 0:
        return None
    prices, below = np.zeros(model.upper.size), int(is_below.sum())
    prices[is_equal] = -found.eqlin.marginals
    prices[is_below] = -found.ineqlin.marginals[:below]
    prices[is_above] += found.ineqlin.marginals[below:]
    return found.x, prices


def first_order_prices(model: Program, *, iterations: int) -> Floats:
    """Return approximate row prices after at most so many iterations of PDLP."""
    program = pdlp.QuadraticProgram()
    program.objective_vector = -model.gain
    program.constraint_matrix = model.matrix.tocsc()
    program.constraint_lower_bounds = model.lower
    program.constraint_upper_bounds = model.upper
    program.variable_lower_bounds = np.zeros(model.gain.size)
    program.variable_upper_bounds = model.bound
    parameters = solvers_pb2.PrimalDualHybridGradientParams()
    parameters.termination_criteria.iteration_limit = iterations
    parameters.num_threads = 1
    return -np.asarray(pdlp.primal_dual_hybrid_gradient(program, parameters).dual_solution)


def _mathopt_model(model: Program, columns: Ints, *, integer: bool) -> mathopt.Model:
    # Filling the message in bulk is 20 times faster than MathOpt's modelling calls at this size.
    matrix = sparse.csr_matrix(model.matrix[:, columns])
    kept = np.flatnonzero(np.diff(matrix.indptr))
    matrix = matrix[kept]
    gain, size = model.gain[columns], columns.size
    message = model_pb2.ModelProto()
    message.variables.ids.extend(range(size))
    message.variables.lower_bounds.extend([0.0] * size)
    message.variables.upper_bounds.extend(model.bound[columns].tolist())
    message.variables.integers.extend((model.is_integer[columns] & integer).tolist())
    message.objective.maximize = True
    message.objective.offset = float(model.offset)
    paid = np.flatnonzero(gain)
    message.objective.linear_coefficients.ids.extend(paid.tolist())
    message.objective.linear_coefficients.values.extend(gain[paid].tolist())
    message.linear_constraints.ids.extend(range(kept.size))
    message.linear_constraints.lower_bounds.extend(model.lower[kept].tolist())
    message.linear_constraints.upper_bounds.extend(model.upper[kept].tolist())
    matrix.sort_indices()
    message.linear_constraint_matrix.row_ids.extend(np.repeat(np.arange(kept.size), np.diff(matrix.indptr)).tolist())
    message.linear_constraint_matrix.column_ids.extend(matrix.indices.tolist())
    message.linear_constraint_matrix.coefficients.extend(matrix.data.tolist())
    return mathopt.Model.from_model_proto(message)
