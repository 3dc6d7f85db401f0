"""Generalised assignment (OR-Library) as allocation problems: the converter, and a check against known optima.

`python -m benchmarks.generalized_assignment FOLDER` writes each file of the OR-Library format found in FOLDER as a
problem folder beside it, see optimizer/allocation/INSTANCE.md.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from optimizer.allocation import AllocationData, Weights
from optimizer.allocation.instance import problem_from_tables
from otif.problems import write_problem

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """`cost[m, n]` and `need[m, n]` of agent and job, `capacity[m]` of each agent."""

    cost: Ints
    need: Ints
    capacity: Ints


def read_assignment(path: Path) -> Assignment:
    """Read an OR-Library file: m n, then m rows of costs, m rows of needs and m capacities.

    Raises:
        ValueError: The file has another number of values than its first two promise.
    """
    numbers = np.array(path.read_text(encoding="ascii").split(), dtype=np.int64)
    agents, jobs = int(numbers[0]), int(numbers[1])
    size = agents * jobs
    if numbers.size != 2 + 2 * size + agents:
        message = f"{path}: {numbers.size} values, expected {2 + 2 * size + agents} for {agents} agents and {jobs} jobs"
        raise ValueError(message)
    cost, need, capacity = np.split(numbers[2:], [size, 2 * size])
    return Assignment(cost.reshape(agents, jobs), need.reshape(agents, jobs), capacity)


def read_bounds(path: Path) -> dict[str, tuple[int, int]]:
    """Read `bounds.txt`: name_Min or name_Max → lower and upper bound of the optimum."""
    rows = (line.split() for line in path.read_text(encoding="ascii").splitlines() if line.strip())
    return {name: (int(low), int(high)) for name, low, high in rows}


def price_of(given: Assignment) -> int:
    """Return the price of a job in cents: no saving elsewhere is worth leaving one job out."""
    return int(given.cost.max(axis=0).sum()) + 1


def tables_for(given: Assignment, *, maximize: bool = False) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """Return the tables and the document of the problem; one unit of cost is one cent."""
    agents, jobs = given.cost.shape
    agent, job = np.repeat(np.arange(agents), jobs), np.tile(np.arange(jobs), agents)
    cost = given.cost.max() - given.cost if maximize else given.cost
    nodes = [f"agent-{number:03d}" for number in range(agents)]
    orders = np.array([f"job-{number:05d}" for number in range(jobs)])
    at = np.array(nodes)[agent]
    tables = {
        "open_lines": pl.DataFrame({"order_id": orders}).with_columns(
            line_id=pl.lit("1"),
            sku=pl.col("order_id"),
            channel=pl.lit("jobs"),
            channel_type=pl.lit("wholesale"),
            open_quantity=pl.lit(1),
            unit_price=pl.lit(price_of(given) / 100),
            unit_cost=pl.lit(0.0),
            is_single_source=pl.lit(value=True),
        ),
        "inventory": pl.DataFrame({"sku": orders[job], "node_id": at}).with_columns(on_hand=pl.lit(1)),
        "nodes": pl.DataFrame({"node_id": nodes, "daily_capacity_units": given.capacity}),
        "line_nodes": pl.DataFrame(
            {
                "order_id": orders[job],
                "line_id": ["1"] * job.size,
                "node_id": at,
                "capacity_use": given.need.ravel(),
                "cost_per_unit": cost.ravel() / 100,
            }
        ),
    }
    weights = {item.name: 0 for item in fields(Weights)}
    options = {"horizon_days": 1, "weights": weights, "exact_line_limit": max(6_000, jobs)}
    return tables, {"as_of": datetime(2026, 1, 5, tzinfo=UTC), "options": options}


def assignment_problem(given: Assignment, *, maximize: bool = False) -> AllocationData:
    """Return the allocation problem whose best plan is the best assignment."""
    return problem_from_tables(*tables_for(given, maximize=maximize))


def value_of(given: Assignment, objective_cents: int, *, maximize: bool = False) -> int:
    """Return the assignment's total cost (or profit) from the plan's objective, if every job is assigned."""
    jobs = given.cost.shape[1]
    cost: int = price_of(given) * jobs - objective_cents
    return int(given.cost.max()) * jobs - cost if maximize else cost


def main(folder: Path) -> None:
    """Write every problem file of the folder (they have no suffix) as a problem folder beside it."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.suffix:
            write_problem(
                assignment_problem(read_assignment(path)), path.with_name(f"{path.name}-problem"), name=path.name
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
