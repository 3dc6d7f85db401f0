"""`otif allocate`: who gets the scarce units, compared with today's rules and other scenarios, with reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from otif.command import JsonOption, load_settings


def allocate(
    scenario: Annotated[
        str | None,
        typer.Argument(help="scenario file (YAML) or its name in scenarios/; default: the standard scenario"),
    ] = None,
    compare: Annotated[
        str | None, typer.Option(help="further scenarios to lay beside it, e.g. baseline,peak-season")
    ] = None,
    why: Annotated[
        int, typer.Option(min=0, max=500, help="short or late lines to solve again for what would have to change")
    ] = 3,
    values: Annotated[
        int, typer.Option(min=0, max=500, help="marginal values to solve (a unit, an hour, a reserved unit)")
    ] = 0,
    problem: Annotated[
        Path | None,
        typer.Option(help="solve the problem in this folder instead (see INSTANCE.md); nothing is recorded"),
    ] = None,
    by: Annotated[str, typer.Option(help="who asks for it")] = "otif",
    out: Annotated[Path | None, typer.Option(help="folder for the plan's tables as CSV")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="name the scenarios that are there, and stop")] = False,
    as_json: JsonOption = False,
) -> None:
    """Solve who gets the scarce units, compare, explain and keep the plan in the ledger."""
    from otif.decisions import list_scenarios, read_scenario, solve_scenario, write_plan
    from otif.plan_tables import allocation_tables, scenario_list_table
    from otif.render import console, print_json

    if problem is not None:
        _solve_folder(problem, out=out, as_json=as_json)
        return
    settings = load_settings()
    if show_list:
        named = {name: read_scenario(path) for name, path in list_scenarios(settings).items()}
        if as_json:
            print_json(
                [{"file": name, "name": item.name, "description": item.description} for name, item in named.items()]
            )
        else:
            console.print(scenario_list_table(named))
        return
    chosen = read_scenario(scenario, settings)
    others = [name.strip() for name in (compare or "").split(",") if name.strip()]
    solved = solve_scenario(settings, chosen, by=by, compare=others, why=why, values=values)
    if out is not None:
        write_plan(solved, out)
    if as_json:
        print_json(_document(solved))
        return
    for part in allocation_tables(solved):
        console.print(part)


def _solve_folder(folder: Path, *, out: Path | None, as_json: bool) -> None:
    from optimizer.allocation import allocate as solve
    from otif.decisions import write_tables
    from otif.plan_tables import result_tables
    from otif.problems import read_problem
    from otif.render import console, print_json, records

    plan = solve(read_problem(folder))
    names = ("allocations", "shorts", "lates", "splits", "summary", "releases", "commitments", "thresholds")
    if out is not None:
        write_tables({name: getattr(plan, name) for name in names}, out)
    if as_json:
        facts = {"status": plan.status.value, "objective_cents": plan.objective_cents, "bound_cents": plan.bound_cents}
        tables = {name: records(getattr(plan, name)) for name in names}
        print_json(
            {**facts, "gap": plan.gap, "seconds": plan.seconds, "path": plan.path, "notes": plan.notes, **tables}
        )
        return
    for part in result_tables(plan, title=f"{folder.name}: "):
        console.print(part)


def _document(solved: Any) -> dict[str, Any]:  # noqa: ANN401 - imported lazily
    from optimizer.allocation import compare
    from otif.decisions import explained_document
    from otif.render import records

    plan, compared = solved.plan, solved.comparison
    return {
        "plan_id": solved.record.plan_id,
        "scenario": solved.run.name,
        "status": plan.status.value,
        "objective_cents": solved.worth_cents,
        "bound_cents": None if solved.run.first is not None else plan.bound_cents,
        "baseline_objective_cents": solved.same_rules.objective_cents,
        "comparison": records(compare(solved.rules, plan)),
        "measures": records(compared.measures),
        "money": records(compared.money),
        "moves": records(compared.moves),
        "orders": records(compared.orders),
        "shorts": records(plan.shorts),
        "lates": records(plan.lates),
        "splits": records(plan.splits),
        "explained": [explained_document(line) for line in solved.explained],
        "marginals": [] if solved.marginals is None else records(solved.marginals),
        "conflicts": [conflict.words() for conflict in solved.run.conflicts],
        "broken": [{"name": item.name, "units": item.units, "cents": item.cents} for item in solved.run.broken],
        "notes": [*solved.run.notes, *plan.notes],
    }
