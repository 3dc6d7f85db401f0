"""Runs side by side: same orders, counts that recount, moves that are zero where nothing moved."""

from __future__ import annotations

import polars as pl
import pytest

from optimizer.errors import InvalidScenarioError
from optimizer.scenarios import Scenario, compare_runs, rules_run, run_scenario


def scenario(name, *changes):
    return Scenario.model_validate({"name": name, "changes": list(changes)})


@pytest.fixture
def runs(world):
    surge = {"change": "demand", "percent": 100}
    found = {"change": "supply", "sku": "A", "node": "west", "add": 20}
    return [
        rules_run(world),
        run_scenario(world, scenario("plan")),
        run_scenario(world, scenario("surge", surge)),
        run_scenario(world, scenario("found", found)),
    ]


def one(frame, **where):
    for name, value in where.items():
        frame = frame.filter(pl.col(name) == value)
    return frame.row(0, named=True)


def test_all_runs_are_measured_on_the_same_orders(runs):
    measures = compare_runs(runs).measures
    for lens, level in (("fill", "unit"), ("need", "line"), ("need", "order")):
        rows = measures.filter(pl.col("lens") == lens, pl.col("level") == level, pl.col("channel") == "(all)")
        assert rows["denominator"].n_unique() == 1


def test_figures_recount_from_the_plan(runs):
    compared = compare_runs(runs)
    units = one(compared.measures, scenario="plan", lens="fill", level="unit", channel="(all)")
    assert units["numerator"] == runs[1].result.allocations["quantity"].sum()
    on_time = runs[1].result.allocations.filter(pl.col("days_late") == 0)["quantity"].sum()
    assert one(compared.measures, scenario="plan", lens="need", level="unit", channel="(all)")["numerator"] == on_time
    parts = compared.measures.filter(pl.col("lens") == "fill", pl.col("level") == "unit", pl.col("scenario") == "plan")
    whole = parts.filter(pl.col("channel") == "(all)")["numerator"].sum()
    assert parts.filter(pl.col("channel") != "(all)")["numerator"].sum() == whole


def test_money_terms_add_up_to_the_objective(runs):
    money = compare_runs(runs).money
    for run in runs:
        own = money.filter(pl.col("scenario") == run.name)
        terms = own.filter(~pl.col("term").is_in(["objective", "bound"]))["cents"].sum()
        assert terms == one(own, term="objective")["cents"] == run.result.objective_cents


def test_a_plan_does_not_move_against_itself(world):
    compared = compare_runs([run_scenario(world, scenario("a")), run_scenario(world, scenario("b"))])
    row = compared.moves.row(0, named=True)
    assert (row["units_moved"], row["lines_moved"], row["promises_later"], row["lines_added"]) == (0, 0, 0, 0)
    assert compared.orders.is_empty()


def test_units_that_ship_from_elsewhere_count_as_moved_and_the_order_says_what_changed(world):
    shut = {"change": "node", "node": "west", "closed_from": "2026-11-16", "closed_to": "2026-11-30"}
    compared = compare_runs([run_scenario(world, scenario("plan")), run_scenario(world, scenario("shut", shut))])
    assert compared.moves.row(0, named=True)["units_moved"] > 0
    moved = compared.orders.filter(pl.col("nodes_before").str.contains("west"))
    assert moved.height > 0
    assert all(what for what in moved["what"].to_list())


def test_more_supply_never_lowers_the_objective(runs):
    assert runs[3].result.objective_cents >= runs[1].result.objective_cents


def test_lines_that_a_scenario_adds_are_counted_apart(runs):
    assert one(compare_runs(runs).moves, scenario="surge")["lines_added"] == 6


def test_two_runs_of_one_name_are_refused(runs):
    with pytest.raises(InvalidScenarioError, match="baseline comes twice"):
        compare_runs([runs[0], runs[0]])
