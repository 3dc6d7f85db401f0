"""The format on disk: what INSTANCE.md says, what comes back, what is refused."""

from __future__ import annotations

import itertools
import os
import re
import textwrap
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from benchmarks.generalized_assignment import Assignment, assignment_problem, read_assignment, read_bounds, value_of
from benchmarks.tiny_allocation import tiny_problem
from optimizer.allocation import AllocationOptions, CarrierCap, Reserve, Status, Weights, allocate
from optimizer.allocation.instance import REQUIRED, TABLES, document_of, problem_from_tables, tables_of
from optimizer.errors import InvalidDataError
from otif.problems import read_problem, write_problem

LIBRARY = Path(os.environ.get("OTIF_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data")) / "orlib_gap"
KINDS = {"cents": "money", "signed": "signed money"}
LINE = {"order_id": "1", "line_id": "1", "sku": "A", "channel": "dtc", "open_quantity": "2", "unit_price": "20"}


def folder_of(path, tables, document="as_of: 2026-11-16T05:00:00Z\n"):
    path.mkdir(exist_ok=True)
    (path / "instance.yaml").write_text(document, encoding="utf-8")
    base = {
        "open_lines": [LINE],
        "inventory": [{"sku": "A", "node_id": "n1", "on_hand": "5"}],
        "nodes": [{"node_id": "n1"}],
    }
    for name, rows in (base | tables).items():
        pl.DataFrame(rows).write_csv(path / f"{name}.csv")
    return path


def test_the_page_names_every_table_and_column_with_its_kind(project_root):
    page = (project_root / "optimizer/allocation/INSTANCE.md").read_text(encoding="utf-8")
    parts = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    assert [re.match(r"\w+", part).group() for part in parts] == list(TABLES)
    for part, (name, spec) in zip(parts, TABLES.items(), strict=True):
        rows = re.findall(r"^\| (\w+) \| ([a-z ]+?)(, required)? \|", part.split("\n## ")[0], re.MULTILINE)
        expected = [
            (column, KINDS.get(kind, kind), ", required" if column in spec.required else "")
            for column, kind in spec.columns.items()
        ]
        assert [row for row in rows if row[0] != "column"] == expected, name
        heading = part.split("\n", 1)[0]
        assert not spec.key or f"key {', '.join(spec.key)}" in heading, name
        assert spec.name == name or f"(frame `{spec.name}`)" in heading


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("seed", range(12))
def test_a_problem_comes_back_as_it_was(tmp_path, seed, kind):
    problem = tiny_problem(seed)
    write_problem(problem, tmp_path / "problem", name="tiny", kind=kind)
    again = read_problem(tmp_path / "problem")
    assert again.fingerprint() == problem.fingerprint()
    assert again.notes == problem.notes
    assert again.options == replace(problem.options, as_of=problem.options.moment)


def test_every_option_comes_back(world, tmp_path):
    options = AllocationOptions(
        as_of=world.AS_OF.replace(tzinfo=UTC),
        horizon_days=3,
        reservations=Reserve.DECIDE,
        carrier_caps=(CarrierCap(carrier="swift", node_id=None, units=4, first_date=date(2026, 11, 17), service="x"),),
        max_nodes=2,
        weights=Weights(split_cents=1),
    )
    write_problem(world.make([world.line()]).with_options(options), tmp_path / "problem", name="options")
    assert read_problem(tmp_path / "problem").options == options
    document = yaml.safe_load((tmp_path / "problem/instance.yaml").read_text(encoding="utf-8"))
    assert document["name"] == "options"
    assert set(document["options"]) == {"horizon_days", "reservations", "carrier_caps", "max_nodes", "weights"}


def test_a_problem_is_written_over_an_earlier_one_but_never_over_other_files(world, tmp_path):
    write_problem(world.make([world.line()], receipts=[world.receipt(1, 1)]), tmp_path / "p")
    write_problem(world.make([world.line()]), tmp_path / "p", kind="csv")
    assert not list((tmp_path / "p").glob("*.parquet"))
    assert not (tmp_path / "p/receipts.csv").exists()
    (tmp_path / "p/thesis.docx").touch()
    with pytest.raises(InvalidDataError, match=r"holds thesis\.docx"):
        write_problem(world.make([world.line()]), tmp_path / "p")


def test_three_tables_make_a_problem(tmp_path):
    result = allocate(read_problem(folder_of(tmp_path, {})))
    assert result.allocations.select("quantity", "cost_cents").rows() == [(2, 0)]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-20T15:00:00Z", [2026, 11, 20, 15]),
        ("2026-11-20 15:00", [2026, 11, 20, 15]),
        ("2026-11-20T15:00:00.500+02:00", [2026, 11, 20, 13, 0, 0, 500_000]),
        ("2026-11-20T15:00-0500", [2026, 11, 20, 20]),
        ("2026-11-20", [2026, 11, 20]),
    ],
)
def test_instants_are_read_with_their_offset(tmp_path, text, meant):
    data = read_problem(folder_of(tmp_path, {"open_lines": [{**LINE, "need_at": text}]}))
    assert data.lines["need_at"].to_list() == [datetime(*meant, tzinfo=UTC).replace(tzinfo=None)]


def test_truth_values_and_blanks_are_read(tmp_path):
    rows = [
        {**LINE, "line_id": str(number), "is_on_hold": text, "max_nodes": " "}
        for number, text in enumerate(["TRUE", "no", "1", "0", "", " yes "])
    ]
    data = read_problem(folder_of(tmp_path, {"open_lines": rows}))
    assert data.lines["is_on_hold"].to_list() == [True, False, True, False, False, True]
    assert data.lines["max_nodes"].null_count() == 6


def test_every_fault_of_a_folder_says_where(tmp_path):
    rows = [{**LINE, "unit_price": "20 EUR", "need_at": "soon", "is_on_hold": "maybe"}, {**LINE, "line_id": "2"}]
    lots = [{"sku": "A", "node_id": "n1", "quantity": "x", "expires_on": "31.12.2026"}]
    with pytest.raises(InvalidDataError) as caught:
        read_problem(folder_of(tmp_path, {"open_lines": rows, "lots": lots}))
    assert caught.value.faults == (
        "lots.quantity: 1 values are no numbers, the first in row 1: 'x'; expected a whole number such as 12",
        "lots.expires_on: 1 values are no dates, the first in row 1: '31.12.2026'; expected a date such as 2026-11-20",
        "open_lines.unit_price: 1 values are no amounts, the first in row 1: '20 EUR'; expected an amount such as "
        "19.95",
        "open_lines.is_on_hold: 1 values are no truth values, the first in row 1: 'maybe'; expected true or false",
        "open_lines.need_at: 1 values are no instants, the first in row 1: 'soon'; "
        "expected an instant such as 2026-11-20T15:00:00Z",
    )


def test_unknown_tables_and_columns_are_refused_with_a_hint(tmp_path):
    tables = {"lane": [{"node_id": "n1"}], "zzz": [{"a": "1"}], "open_lines": [{**LINE, "quantity": "2"}]}
    with pytest.raises(InvalidDataError) as caught:
        read_problem(folder_of(tmp_path, tables))
    assert caught.value.faults[0] == "table lane is unknown; did you mean lanes?"
    assert caught.value.faults[1].startswith("table zzz is unknown; known are open_lines, inventory")
    assert caught.value.faults[2] == "open_lines: column quantity is unknown; did you mean open_quantity?"


def test_a_folder_that_is_no_problem_says_why(tmp_path):
    with pytest.raises(InvalidDataError, match="is no folder"):
        read_problem(tmp_path / "nothing")
    with pytest.raises(InvalidDataError, match=r"instance\.yaml is missing"):
        read_problem(tmp_path)
    folder_of(tmp_path, {}, "as_of: tomorrow\ncolour: red\n")
    (tmp_path / "nodes.csv").unlink()
    with pytest.raises(InvalidDataError) as caught:
        read_problem(tmp_path)
    assert caught.value.faults == (
        "instance.yaml: unknown colour; expected name, as_of and options",
        "instance.yaml: as_of is 'tomorrow'; expected an instant such as 2026-11-16T05:00:00Z",
        "table nodes is missing",
    )
    (tmp_path / "instance.yaml").write_text("- 1", encoding="utf-8")
    with pytest.raises(InvalidDataError, match="expected the keys"):
        read_problem(tmp_path)
    (tmp_path / "instance.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(InvalidDataError, match="cannot be read"):
        read_problem(tmp_path)
    folder_of(tmp_path, {})
    (tmp_path / "nodes.parquet").write_bytes(b"no parquet")
    with pytest.raises(InvalidDataError, match="nodes is there twice"):
        read_problem(tmp_path)
    (tmp_path / "nodes.csv").unlink()
    with pytest.raises(InvalidDataError, match=r"nodes\.parquet cannot be read"):
        read_problem(tmp_path)


def test_tables_without_rows_are_left_out_unless_they_must_be_there(world):
    assert set(tables_of(world.make([], []))) == {*REQUIRED, "lanes"}
    assert document_of(world.make([]), name="x")["name"] == "x"
    assert problem_from_tables(tables_of(world.make([])), document_of(world.make([]))).lines.is_empty()


# Known problem classes


def best_assignment(given, *, maximize):
    """Try every assignment."""
    agents, jobs = given.cost.shape
    values = []
    for picked in itertools.product(range(agents), repeat=jobs):
        chosen = list(picked)
        load = np.bincount(chosen, weights=given.need[chosen, range(jobs)], minlength=agents)
        if (load <= given.capacity).all():
            values.append(int(given.cost[chosen, range(jobs)].sum()))
    return (max if maximize else min)(values)


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_generalised_assignment_is_solved(tmp_path, seed, maximize):
    random = np.random.default_rng(seed)
    need = random.integers(1, 9, (3, 6))
    given = Assignment(random.integers(5, 40, (3, 6)), need, np.full(3, int(need.sum() / 3 * 0.5)))
    write_problem(assignment_problem(given, maximize=maximize), tmp_path / "p", kind="csv")
    result = allocate(read_problem(tmp_path / "p"))
    assert result.allocations.height == 6
    assert result.status is Status.OPTIMAL
    assert value_of(given, result.objective_cents, maximize=maximize) == best_assignment(given, maximize=maximize)


@pytest.mark.parametrize("name", ["c0515_1", "c0520_3", "a05100"])
def test_problems_of_the_or_library_reach_their_known_optimum(name):
    if not LIBRARY.is_dir():
        pytest.skip(f"{LIBRARY} is not there")
    given, bounds = read_assignment(LIBRARY / name), read_bounds(LIBRARY / "bounds.txt")
    for maximize in (False, True):
        result = allocate(assignment_problem(given, maximize=maximize))
        value = value_of(given, result.objective_cents, maximize=maximize)
        low, high = bounds[f"{name}_{'Max' if maximize else 'Min'}"]
        assert low <= value <= high
        assert result.gap == 0


def test_a_file_of_another_size_is_refused(tmp_path):
    (tmp_path / "short").write_text("2 2\n1 2 3", encoding="ascii")
    with pytest.raises(ValueError, match="5 values, expected 12 for 2 agents and 2 jobs"):
        read_assignment(tmp_path / "short")


def test_orders_are_assigned_to_node_day_and_carrier(tmp_path, world):
    lines = [
        world.line(str(order), str(part), sku=sku, is_ship_complete=True, is_single_shipment=True)
        for order in range(3)
        for part, sku in enumerate("AB")
    ]
    cells = [(sku, node) for sku in "AB" for node in ("n1", "n2")]
    lanes = [
        world.lane(node, carrier=carrier, cost_per_unit=cost)
        for node, base in (("n1", 1), ("n2", 2))
        for carrier, cost in (("swift", base), ("dear", base + 3))
    ]
    daily = {
        "lane_capacity": [
            {"carrier": "swift", "node_id": node, "capacity_units": 2, "first_date": None, "last_date": None}
            for node in ("n1", "n2")
        ]
    }
    data = world.make(
        lines,
        [world.stock(sku, node, 2) for sku, node in cells],
        nodes=[world.node("n1", daily_capacity_units=2), world.node("n2", daily_capacity_units=2)],
        lanes=lanes,
        extras=daily,
        horizon_days=2,
    )
    write_problem(data, tmp_path / "p")
    result = allocate(read_problem(tmp_path / "p"))
    loads = result.allocations.group_by("order_id").agg(
        pl.struct("node_id", "ship_date", "carrier").n_unique().alias("loads"), pl.len().alias("lines")
    )
    assert sorted(loads.rows()) == [("0", 1, 2), ("1", 1, 2), ("2", 1, 2)]
    assert result.allocations["carrier"].unique().to_list() == ["swift"]
    assert result.allocations.group_by("node_id", "ship_date").len()["len"].to_list() == [2, 2, 2]


def test_the_assignment_on_the_page_counts_prices_and_costs_only(project_root, tmp_path):
    """Two jobs, two agents that can take one each: 2 · 100 − (3 + 4) or − (5 + 4)."""
    page = (project_root / "optimizer/allocation/INSTANCE.md").read_text(encoding="utf-8")
    document = re.search(r"price · jobs − cost:\n\n((?:    .*\n)+)", page).group(1)
    texts = {
        "instance.yaml": textwrap.dedent(document),
        "open_lines.csv": "order_id,line_id,sku,channel,open_quantity,unit_price,is_single_source\n"
        "J1,1,J1,jobs,1,100,true\nJ2,1,J2,jobs,1,100,true\n",
        "inventory.csv": "sku,node_id,on_hand\nJ1,A,1\nJ1,B,1\nJ2,A,1\nJ2,B,1\n",
        "nodes.csv": "node_id,daily_capacity_units\nA,5\nB,5\n",
        "line_nodes.csv": "order_id,line_id,node_id,capacity_use,cost_per_unit\n"
        "J1,1,A,4,3\nJ1,1,B,3,5\nJ2,1,A,3,4\nJ2,1,B,4,4\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    plan = allocate(read_problem(tmp_path))
    assert plan.objective_cents == 20_000 - 700
    assert "freight costs what line_nodes says" in " ".join(plan.notes)
