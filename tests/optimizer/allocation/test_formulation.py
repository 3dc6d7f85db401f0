"""FORMULATION.md and the code say the same."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields

import pytest

from optimizer.allocation import Weights, model
from optimizer.allocation.plan import prepare


@pytest.fixture(scope="module")
def rows(project_root):
    text = (project_root / "optimizer/allocation/FORMULATION.md").read_text(encoding="utf-8")
    table = text.split("## Constraints", 1)[1].split("\n\n", 2)[1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert cells[0] == ["id", "formula", "meaning", "function", "name"]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def functions():
    return {
        name for name, _ in inspect.getmembers(model, inspect.isfunction) if re.fullmatch(r"add_\w+_constraints", name)
    }


def test_every_constraint_of_the_document_is_a_function_and_the_reverse(rows):
    assert {f"add_{row['id']}_constraints" for row in rows} == functions()
    assert all(row["function"] == f"`add_{row['id']}_constraints`" for row in rows)
    assert all(row["name"].startswith(f"{row['id']}[") for row in rows)


def test_the_model_builds_each_family_once_in_the_order_of_the_document(rows, world):
    problem = prepare(world.make([world.line()]))
    built = model.build_model(problem.data, problem.stock, problem.arcs)
    assert [name for name, _ in built.families] == [row["id"] for row in rows]


def test_the_document_names_every_block_of_variables(project_root):
    text = (project_root / "optimizer/allocation/FORMULATION.md").read_text(encoding="utf-8")
    table = text.split("## Variables", 1)[1].split("## Objective", 1)[0]
    assert {item.name for item in fields(model.Variables)} == set(re.findall(r"^\| \w+ \| (\w+) \|", table, re.M)) - {
        "block"
    }


def test_every_weight_says_its_unit_and_where_it_comes_from():
    for item in fields(Weights):
        assert item.metadata["unit"]
        assert re.match(r"(assumption|tie-break|cautious): ", item.metadata["provenance"]), item.name
