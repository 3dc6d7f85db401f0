"""The three paths, statuses and bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from ortools.math_opt.python import mathopt

from optimizer.allocation import CarrierCap, Reserve, Status, allocate, baseline, solve
from optimizer.allocation.backend import Answer, first_order_prices, read_reason, simplex_prices, solve_program
from optimizer.allocation.baseline import rule_plan, value_plan
from optimizer.allocation.bound import certified_bound
from optimizer.allocation.model import build_model
from optimizer.allocation.plan import objective_cents, prepare


@pytest.fixture(scope="module")
def company(world):
    """A hundred orders that compete for half of what they ask."""
    random = np.random.default_rng(7)
    lines, skus = [], [f"S{number}" for number in range(12)]
    for number in range(100):
        wholesale = number % 10 == 0
        for position, sku in enumerate(
            random.choice(skus, 4 if wholesale else int(random.integers(1, 3)), replace=False)
        ):
            lines.append(
                world.line(
                    f"{number:03d}",
                    str(position),
                    sku=str(sku),
                    channel="wholesale" if wholesale else "dtc",
                    channel_type="wholesale" if wholesale else "dtc",
                    open_quantity=int(random.integers(6, 12)) if wholesale else int(random.integers(1, 3)),
                    unit_price=int(random.integers(10, 60)),
                    fine_rate="0.03" if wholesale else "0",
                    is_ship_complete=bool(number % 7 == 0),
                    need_at=world.AS_OF + timedelta(days=int(random.integers(-2, 8))),
                    priority_rank=4 if wholesale else 1,
                )
            )
    cells = [(sku, node_id) for sku in skus for node_id in ("n1", "n2")]
    inventory = [world.stock(sku, node_id, int(random.integers(0, 14)), safety_stock=1) for sku, node_id in cells]
    receipts = [world.receipt(int(random.integers(1, 9)), 2, sku, node_id) for sku, node_id in cells[::3]]
    reservations = [world.reservation("wholesale", 3, sku, node_id) for sku, node_id in cells[::4]]
    nodes = [world.node("n1", daily_capacity_units=15), world.node("n2", daily_capacity_units=15)]
    lanes = [
        world.lane("n1"),
        world.lane("n2", cost_per_unit=2),
        world.lane("n2", carrier="fast", cost_per_unit=3, transit_days=0),
    ]
    caps = (CarrierCap(carrier="fast", node_id="n2", units=5),)
    return world.make(
        lines, inventory, receipts=receipts, reservations=reservations, nodes=nodes, lanes=lanes, carrier_caps=caps
    )


@pytest.fixture(scope="module")
def optimum(company):
    return allocate(company)


def test_the_exact_path_proves_its_plan(company, optimum):
    assert (optimum.path, optimum.status, optimum.is_reproducible) == ("exact", Status.OPTIMAL, True)
    assert optimum.bound_cents == optimum.objective_cents
    assert optimum.objective_cents > baseline(company).objective_cents
    assert optimum.objective_cents > baseline(company, by_value=True).objective_cents


def test_deciding_about_reserves_is_never_worse(company, optimum):
    decided = allocate(company, replace(company.options, reservations=Reserve.DECIDE, safety_stock=Reserve.DECIDE))
    assert decided.objective_cents >= optimum.objective_cents
    assert decided.releases.height


def test_the_kernel_path_states_the_bound_of_the_relaxation(company, optimum, monkeypatch):
    monkeypatch.setattr(solve, "EXACT_COLUMNS", 10)
    result = allocate(company)
    assert result.path == "kernel"
    assert result.objective_cents <= optimum.objective_cents <= result.bound_cents
    assert result.objective_cents >= baseline(company, by_value=True).objective_cents
    assert result.gap > 0


@pytest.fixture
def beyond_kernels(monkeypatch):
    """Let every problem have a rule that the kernels do not know."""
    monkeypatch.setattr(solve, "unsupported", lambda _: ("a rule",))


def test_the_greedy_path_serves_where_neither_solver_nor_kernels_reach(company, optimum, beyond_kernels):
    result = allocate(company, replace(company.options, exact_line_limit=10))
    assert (result.path, result.status) == ("greedy", Status.FEASIBLE)
    assert result.objective_cents <= optimum.objective_cents <= result.bound_cents


def test_prices_come_from_pdlp_where_a_simplex_method_is_too_slow(company, optimum, monkeypatch, beyond_kernels):
    monkeypatch.setattr(solve, "SIMPLEX_COLUMNS", 10)
    result = allocate(company, replace(company.options, exact_line_limit=10))
    assert result.is_reproducible
    assert optimum.objective_cents <= result.bound_cents


def test_a_relaxation_that_the_clock_stopped_marks_the_plan(company, optimum, monkeypatch, beyond_kernels):
    monkeypatch.setattr(solve, "simplex_prices", lambda *_, **__: None)
    result = allocate(company, replace(company.options, exact_line_limit=10))
    assert not result.is_reproducible
    assert optimum.objective_cents <= result.bound_cents


def test_a_killed_solver_leaves_the_rules_plan(company, optimum):
    result = allocate(company, replace(company.options, kill_seconds=0))
    assert not result.is_reproducible
    assert result.objective_cents <= optimum.objective_cents <= result.bound_cents
    assert result.objective_cents >= baseline(company).objective_cents


def test_a_solver_that_answers_nothing_leaves_the_rules_plan(company, monkeypatch):
    nothing = Answer(Status.ERROR, None, float("inf"), is_killed=False)
    monkeypatch.setattr(solve, "solve_program", lambda *_, **__: nothing)
    problem = prepare(company)
    result = allocate(company)
    assert result.status is Status.FEASIBLE
    assert result.objective_cents == max(objective_cents(problem, plan(problem)) for plan in (rule_plan, value_plan))


def test_every_way_to_bound_is_above_the_optimum(company, optimum):
    problem = prepare(company)
    model = build_model(problem.data, problem.stock, problem.arcs)
    rows = model.upper.size
    random = np.random.default_rng(1)
    trivial = certified_bound(model, np.zeros(rows))
    exact = certified_bound(model, simplex_prices(model, kill_seconds=60))
    near = certified_bound(model, first_order_prices(model, iterations=400))
    assert optimum.objective_cents <= exact <= near
    assert exact < trivial
    assert certified_bound(model, random.normal(0, 500, rows)) >= optimum.objective_cents


def test_an_unfinished_relaxation_gives_no_prices(company):
    problem = prepare(company)
    model = build_model(problem.data, problem.stock, problem.arcs)
    assert simplex_prices(model, kill_seconds=0) is None


def test_reasons_of_the_solver_become_statuses(company):
    assert read_reason(mathopt.TerminationReason.OPTIMAL) is Status.OPTIMAL
    assert read_reason(mathopt.TerminationReason.FEASIBLE) is Status.FEASIBLE
    assert read_reason(mathopt.TerminationReason.INFEASIBLE) is Status.INFEASIBLE
    assert read_reason(mathopt.TerminationReason.NO_SOLUTION_FOUND) is Status.NO_SOLUTION
    assert read_reason(mathopt.TerminationReason.NUMERICAL_ERROR) is Status.ERROR


def test_a_program_no_plan_can_meet_is_infeasible(company):
    problem = prepare(company)
    model = build_model(problem.data, problem.stock, problem.arcs)
    impossible = replace(model, lower=model.upper + 1, upper=np.full(model.upper.size, np.inf))
    impossible = replace(impossible, lower=np.full(model.upper.size, 1e7))
    columns = np.arange(model.gain.size)
    answer = solve_program(impossible, columns, seed=1, node_limit=1, gap=0.0, kill_seconds=30)
    assert (answer.status, answer.values) == (Status.INFEASIBLE, None)
