"""The allocation kernels at size: certified gap, seconds and peak memory, beside greedy plans and exact solvers.

    python -m benchmarks.allocation_scale                     the whole table of benchmarks/README.md
    python -m benchmarks.allocation_scale ROW …               some of its rows
    python -m benchmarks.allocation_scale --seeds 1,2 ROW …   on other seeds, to tune on

Every measurement is a process of its own that loads the arrays from disk, so that its peak memory is the solve's and
not that of making the instance. Seconds are those of `solve_arrays`: from arrays in memory to a plan that the
independent check has passed; processor seconds (of all threads) are what to compare on a busy machine. Compiled
kernels are loaded before (row `compile` counts that). Row `company` starts from frames. The reported seeds are used for
nothing else.

Peers, in the same process: a greedy that ships every order from the nodes and days that bring most (splits paid), in
four sequences (value per unit, value, wholesale first, order of entry); the best of the four counts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.allocation_assignment import FOLDER
from benchmarks.allocation_assignment import measure as measure_assignments
from benchmarks.allocation_company import enlarged
from benchmarks.allocation_instances import Recipe, make
from benchmarks.allocation_proof import optimum_of
from benchmarks.harness import machine
from optimizer.allocation import allocate, baseline
from optimizer.allocation.kernels.check import check
from optimizer.allocation.kernels.engine import greedy, solve_arrays, unit_values
from optimizer.allocation.kernels.passes import Prices
from optimizer.allocation.kernels.problem import KernelAnswer, KernelProblem
from optimizer.allocation.kernels.warm import warm

SEEDS: Final = (9001, 9002, 9003)
"""Nothing was tuned on them."""

_MILLION: Final = 1_037_000
"""Asked of a recipe, it gives a million lines: an order asks for a SKU once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the table.

    Attributes:
        what: The case, in words.
        target: What was aimed at, in words.
        how: Measures one seed in a process of its own; returns its figures.
        recipe: The instance, where it is a synthetic one.
        seeds: Seeds to measure on.
    """

    what: str
    target: str
    how: Callable[[Path], dict[str, Any]]
    recipe: Recipe | None = None
    seeds: tuple[int, ...] = SEEDS


def _recipe(lines: int, *, orders: bool = False, coupled: bool = True, arcs: int = 5) -> Recipe:
    floors = 0.6 if orders else 1.0
    return Recipe(
        lines=lines, seed=0, arcs=arcs, has_reserves=True, is_coupled=coupled, has_orders=orders, floors=floors
    )


def solved(folder: Path) -> dict[str, Any]:
    """Solve an instance cold and compare with greedy plans."""
    problem = _load(folder)
    found, answer = _timed(problem)
    return {**found, **_against_greedy(problem, answer)}


def resolved(folder: Path) -> dict[str, Any]:
    """Solve an instance, cut the first node's capacity by a fifth, and solve that again from its prices and cold."""
    base = _load(folder)
    first = solve_arrays(base)
    node = base.cell_node[base.arc_cell]
    cut = np.unique(base.arc_node_row[(node == 0) & (base.arc_node_row >= 0)])
    capacity = base.row_capacity.copy()
    capacity[cut] = capacity[cut] * 4 // 5
    changed = replace(base, row_capacity=capacity)
    cold, cold_answer = _timed(changed)
    again, answer = _timed(changed, Prices(first.row_prices, first.group_prices))
    best = min(answer.bound_cents, cold_answer.bound_cents)
    behind = (cold_answer.objective_cents - answer.objective_cents) / best
    return {
        **again,
        "gap": 1 - answer.objective_cents / best,
        "behind": behind,
        "cold_seconds": cold["seconds"],
        "cold_processor_seconds": cold["processor_seconds"],
    }


def proven(folder: Path) -> dict[str, Any]:
    """Solve an instance and let HiGHS prove how good the plan is."""
    problem = _load(folder)
    found, answer = _timed(problem)
    started = time.perf_counter()
    low, high = optimum_of(problem, seconds=150)
    if answer.objective_cents > high:
        raise AssertionError(answer.objective_cents, high)
    return {
        **found,
        "behind": 1 - answer.objective_cents / high,
        "proof_gap": 1 - low / high,
        "peer_seconds": time.perf_counter() - started,
    }


def _timed(problem: KernelProblem, start: Prices | None = None) -> tuple[dict[str, Any], KernelAnswer]:
    started, used = time.perf_counter(), time.process_time()
    answer = solve_arrays(problem, start=start)
    seconds, used = time.perf_counter() - started, time.process_time() - used
    return {
        "seconds": seconds,
        "processor_seconds": used,
        "gap": answer.gap,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "lines": problem.lines,
        "orders": problem.orders,
        "objective_cents": answer.objective_cents,
        "bound_cents": answer.bound_cents,
        "path": answer.path,
        "trace": answer.trace,
    }, answer


def _against_greedy(problem: KernelProblem, answer: KernelAnswer) -> dict[str, Any]:
    value = unit_values(problem)
    units = np.bincount(problem.line_order, weights=problem.line_quantity, minlength=problem.orders)
    wholesale = np.zeros(problem.orders, np.bool_)
    wholesale[problem.line_order[problem.line_holder >= 0]] = True
    keys = {"unit value": -value, "value": -value * units, "wholesale first": ~wholesale, "entry": np.zeros(len(value))}
    worth = {}
    for name, key in keys.items():
        checked = check(problem, greedy(problem, np.argsort(key, kind="stable")))
        if checked.faults:
            raise AssertionError(checked.faults)
        worth[name] = checked.objective_cents
    best = max(worth, key=worth.__getitem__)
    return {"greedy": best, "ahead": answer.objective_cents / worth[best] - 1}


def assigned(_: Path) -> dict[str, Any]:
    """Solve the 117 generalised assignment problems of the OR-Library."""
    rows = measure_assignments(FOLDER)
    gaps = np.array([cost / best - 1 if cost >= 0 else 1.0 for _, cost, best, _ in rows])
    near, seconds = float((gaps <= 0.005).mean()), max(row[3] for row in rows)
    return {"instances": len(rows), "near": near, "worst": float(gaps.max()), "seconds": seconds}


def compiled(folder: Path) -> dict[str, Any]:
    """Count what the installation's warm-up costs and what the first solve after it costs more than the second."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-m", "optimizer.allocation.kernels.warm"]
    started = time.perf_counter()
    subprocess.run(command, check=True, env=environment, capture_output=True)
    install = time.perf_counter() - started
    program = (
        "import time; from benchmarks.allocation_instances import Recipe, make;"
        "from optimizer.allocation.kernels.engine import solve_arrays;"
        "problem = make(Recipe(lines=10_000, seed=9001, has_reserves=True, is_coupled=True, has_orders=True));"
        "clock = time.perf_counter; a = clock(); solve_arrays(problem); b = clock(); solve_arrays(problem);"
        "print(b - a, clock() - b)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, env=environment, capture_output=True, text=True)
    first, second = (float(part) for part in done.stdout.split())
    return {"install_seconds": install, "seconds": first - second, "second_solve": second}


def company(folder: Path) -> dict[str, Any]:
    """Solve a company's open orders, enlarged, from its frames."""
    data = enlarged(int((folder / "seed").read_text()), orders=40_000)
    warm()
    started, used = time.perf_counter(), time.process_time()
    plan = allocate(data)
    seconds, used = time.perf_counter() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peer = baseline(data, by_value=True)
    return {
        "seconds": seconds, "processor_seconds": used, "gap": plan.gap, "mib": peak, "lines": data.lines.height,
        "path": plan.path, "orders": data.lines["order_id"].n_unique(), "greedy": "by margin", "solve": plan.seconds,
        "ahead": plan.objective_cents - peer.objective_cents,
    }  # fmt: skip


ROWS: Final[Mapping[str, Row]] = {
    "flow": Row(
        what="inventory and reservations, 1M lines", target="≤ 8 s, ≤ 0.25 %, < 1 GiB", how=solved,
        recipe=_recipe(_MILLION, coupled=False),
    ),
    "coupled-100k": Row(
        what="+ node, lane, full channel floors, 100k × 5", target="≤ 10 s, ≤ 0.5 %, < 0.5 GiB", how=solved,
        recipe=_recipe(103_700),
    ),
    "coupled-1m": Row(
        what="same, 1M × 5", target="≤ 60 s, ≤ 0.5 %, ≤ 1.5 GiB", how=solved, recipe=_recipe(_MILLION)
    ),
    "coupled-1m-10": Row(
        what="same, 1M × 10", target="≤ 90 s, ≤ 0.75 %, ≤ 2 GiB", how=solved, recipe=_recipe(_MILLION, arcs=10)
    ),
    "orders-1k": Row(
        what="+ ship-complete, splits, fragmented stock: 1k orders", target="≤ 15 s, ≤ 3 %", how=solved,
        recipe=_recipe(2_500, orders=True),
    ),
    "orders-40k": Row(
        what="same, 40k orders", target="≤ 60 s, ≤ 5 %, ≥ 15 % over greedy", how=solved,
        recipe=_recipe(100_000, orders=True),
    ),
    "orders-400k": Row(
        what="same, 400k orders", target="≤ 150 s, ≤ 6 %", how=solved, recipe=_recipe(1_000_000, orders=True)
    ),
    "company": Row(
        what="+ ship-complete, splits, the sample company's mix: 40k orders", target="≤ 30 s, ≤ 1 %", how=company
    ),
    "resolve": Row(
        what="solved again after −20 % capacity at a node, 100k", target="≤ 3 s, ≤ 0.1 % behind cold", how=resolved,
        recipe=_recipe(103_700),
    ),
    "proof-flow": Row(
        what="10k lines, inventory and reservations, optimum by HiGHS", target="≤ 0.1 % behind, never above",
        how=proven, recipe=_recipe(10_400, coupled=False),
    ),
    "proof-coupled": Row(
        what="10k lines, + node, lane, floors, optimum by HiGHS", target="≤ 0.1 % behind, never above",
        how=proven, recipe=_recipe(10_400),
    ),
    "assignment": Row(
        what="generalised assignment, OR-Library", target="≤ 0.5 % on 95 %, 30 s each", how=assigned, seeds=(1,)
    ),
    "compile": Row(
        what="kernels compiled at installation", target="first solve < 10 s extra", how=compiled, seeds=(1,)
    ),
    "growth-10k": Row(what="growth: 10k × 5", target="–", how=solved, recipe=_recipe(10_400)),
}  # fmt: skip


def _load(folder: Path) -> KernelProblem:
    with np.load(folder / "arrays.npz") as arrays:
        problem = KernelProblem(**{item.name: arrays[item.name] for item in fields(KernelProblem)})
    warm()
    return problem


def measure(name: str, seed: int) -> dict[str, Any]:
    """Measure one row on one seed, each step in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for step in ("make", "solve"):
            command = [sys.executable, "-m", "benchmarks.allocation_scale", f"--{step}", folder]
            done = subprocess.run([*command, "--seeds", str(seed), name], check=False, capture_output=True, text=True)
            if done.returncode:
                message = f"{name} on seed {seed}: {done.stderr[-2_000:]}"
                raise RuntimeError(message)
    return {"row": name, "seed": seed, **json.loads(done.stdout.splitlines()[-1])}


def prepare(name: str, seed: int, folder: Path) -> None:
    """Write what a measurement loads."""
    (folder / "seed").write_text(str(seed))
    recipe = ROWS[name].recipe
    if recipe is not None:
        problem = make(replace(recipe, seed=seed))
        np.savez(folder / "arrays.npz", **{item.name: getattr(problem, item.name) for item in fields(problem)})


def told(row: Row, found: list[dict[str, Any]]) -> str:
    """Return a row of the table in Markdown: the worst of the seeds for every figure."""

    def worst(key: str, style: str, *, least: bool = False) -> str:
        values = [one[key] for one in found if key in one]
        return style.format(min(values) if least else max(values)) if values else ""

    parts = [
        worst("seconds", "{:.1f} s"),
        worst("processor_seconds", "{:.1f} processor s"),
        worst("gap", "gap {:.2%}"),
        worst("behind", "{:.3%} behind"),
        worst("mib", "{:,.0f} MiB"),
        worst("near", "{:.1%} within 0.5 %", least=True),
        worst("worst", "worst {:.2%}"),
        worst("install_seconds", "installation {:.0f} s"),
    ]
    peers = [
        worst("ahead", "{:+.1%} over greedy", least=True) if row.how is solved else "",
        worst("cold_seconds", "cold {:.1f} s"),
        worst("peer_seconds", "HiGHS {:.0f} s"),
        worst("proof_gap", "proven to {:.3%}"),
    ]
    size = worst("lines", "{:,} lines")
    seeds = len(found)
    return (
        f"| {row.what} | {size} | {row.target} | {', '.join(filter(None, parts))} "
        f"| {', '.join(filter(None, peers))} | {seeds} |"
    )


def main() -> None:
    """Print the table, or serve one step of a measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--seeds")
    parser.add_argument("--make", type=Path)
    parser.add_argument("--solve", type=Path)
    parser.add_argument("--record", type=Path, help="append every measurement to this file as a line of JSON")
    given = parser.parse_args()
    seeds = tuple(int(text) for text in given.seeds.split(",")) if given.seeds else None
    if given.make or given.solve:
        name, seed = given.rows[0], (seeds or SEEDS)[0]
        if given.make:
            prepare(name, seed, given.make)
        else:
            print(json.dumps(ROWS[name].how(given.solve)))
        return
    print(f"Machine: {machine()}. Command: `python -m benchmarks.allocation_scale`. Worst of the seeds.\n")
    print("| case | size | target | reached | peers | seeds |\n|---|---|---|---|---|---|", flush=True)
    for name in given.rows or ROWS:
        found = []
        for seed in seeds or ROWS[name].seeds:
            found.append(measure(name, seed))
            if given.record:
                with given.record.open("a", encoding="utf-8") as record:
                    record.write(json.dumps(found[-1]) + "\n")
        print(told(ROWS[name], found), flush=True)


if __name__ == "__main__":
    main()
