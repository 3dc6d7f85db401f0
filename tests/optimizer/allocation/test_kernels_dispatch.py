"""From a problem's frames to the kernels and back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from optimizer.allocation import CarrierCap, Reserve, Status, allocate, baseline, solve
from optimizer.allocation.kernels import engine
from optimizer.allocation.kernels.compile import compile_problem, unsupported
from optimizer.allocation.plan import prepare
from optimizer.allocation.solve import PRICES
from otif.cli import app
from otif.problems import write_problem


@pytest.fixture(autouse=True)
def few_moves(monkeypatch):
    """Search less than at size: the problems here are tiny."""
    monkeypatch.setattr(engine, "MOVES", (3_000, 3_000))
    monkeypatch.setattr(engine, "ORDER_STEPS", (40, 40))


def company(world, seed, *, whole=7, **options):
    random = np.random.default_rng(seed)
    lines, skus = [], [f"S{number}" for number in range(8)]
    for number in range(60):
        wholesale = number % 10 == 0
        for position, sku in enumerate(random.choice(skus, 3 if wholesale else 2, replace=False)):
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
                    is_ship_complete=bool(whole and number % whole == 0),
                    need_at=world.AS_OF + timedelta(days=int(random.integers(-2, 8))),
                )
            )
    cells = [(sku, node_id) for sku in skus for node_id in ("n1", "n2")]
    inventory = [world.stock(sku, node_id, int(random.integers(0, 12)), safety_stock=1) for sku, node_id in cells]
    receipts = [world.receipt(int(random.integers(1, 9)), 2, sku, node_id) for sku, node_id in cells[::3]]
    reservations = [world.reservation("wholesale", 3, sku, node_id) for sku, node_id in cells[::4]]
    nodes = [world.node("n1", daily_capacity_units=15), world.node("n2", daily_capacity_units=15)]
    lanes = [
        world.lane("n1"),
        world.lane("n2", cost_per_unit=2),
        world.lane("n2", carrier="fast", cost_per_unit=3, transit_days=0),
    ]
    options = {"carrier_caps": (CarrierCap(carrier="fast", node_id="n2", units=5),), **options}
    return world.make(
        lines, inventory, receipts=receipts, reservations=reservations, nodes=nodes, lanes=lanes, **options
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("reserve", [Reserve.RESPECT, Reserve.DECIDE])
def test_the_kernels_plan_holds_every_rule_and_stays_below_the_optimum(world, seed, reserve):
    data = company(world, seed)
    data = data.with_options(replace(data.options, reservations=reserve, safety_stock=reserve))
    exact = allocate(data)
    large = allocate(data, replace(data.options, exact_line_limit=10))
    assert (exact.path, exact.status, large.path) == ("exact", Status.OPTIMAL, "prices")
    assert large.objective_cents <= exact.objective_cents <= large.bound_cents
    rules = baseline(data, replace(data.options, exact_line_limit=10), by_value=True)
    assert large.objective_cents >= rules.objective_cents
    assert rules.bound_cents >= exact.objective_cents
    nothing = -int((data.lines["short_cents"] * data.lines["quantity"]).sum())
    assert exact.objective_cents - large.objective_cents <= 0.02 * (exact.objective_cents - nothing)


def test_without_capacity_and_splits_the_kernels_prove_the_optimum(world):
    data = company(world, 5, whole=0, carrier_caps=(), weights=replace(world.QUIET, split_cents=0))
    frames = list(data.sources[:6])
    nodes = frames[4].with_columns(daily_capacity_units=None)
    free = type(data).from_frames(
        frames[0],
        frames[1],
        inbound_receipts=frames[2],
        channel_reservations=frames[3],
        nodes=nodes.cast(frames[4].schema),
        lanes=frames[5],
        options=data.options,
    )
    large = allocate(free, replace(free.options, exact_line_limit=10))
    assert (large.path, large.status) == ("prices", Status.OPTIMAL)
    assert large.objective_cents == allocate(free).objective_cents


def test_a_rule_that_the_kernels_do_not_know_is_named_and_another_path_taken(world):
    lines = [world.line(str(number), open_quantity=4, pack_multiple=2) for number in range(3)]
    data = world.make(lines, [world.stock(on_hand=6)])
    problem = prepare(data)
    assert unsupported(problem) == ("pack multiples",)
    result = allocate(data, replace(data.options, exact_line_limit=1))
    assert result.path == "greedy"
    assert "does not know: pack multiples" in result.notes[-1]


def test_compiled_arrays_are_sound(world):
    compiled = compile_problem(prepare(company(world, 4)))
    assert compiled.problem.faults() == ()
    assert sorted(compiled.arc.tolist()) == list(range(compiled.problem.arcs))


def test_a_problem_folder_with_many_lines_takes_the_path_of_prices(world, tmp_path):
    data = company(world, 6)
    write_problem(data.with_options(replace(data.options, exact_line_limit=10)), tmp_path / "many", name="many")
    done = CliRunner().invoke(app, ["allocate", "--problem", str(tmp_path / "many"), "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["path"]) == (0, "prices")
    assert told["objective_cents"] <= told["bound_cents"]


def test_a_like_problem_starts_from_the_prices_of_the_base(world):
    data = company(world, 2, whole=0)
    options = replace(data.options, exact_line_limit=10)
    base = allocate(data, options)
    assert base.prices is not None
    assert base.prices.schema == PRICES
    assert base.prices["price"].max() > 0
    problem = prepare(data)
    rows, floors = solve._started(problem, base.prices.sample(fraction=1, shuffle=True, seed=1))
    assert np.concatenate([rows, floors]).tolist() == base.prices["price"].to_list()
    assert solve._started(problem, base.prices.clear())[0].tolist() == [0] * rows.size
    exact, again = allocate(data), allocate(data, options, start=base)
    assert again.objective_cents <= exact.objective_cents <= again.bound_cents
