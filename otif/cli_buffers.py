"""`otif buffers`: reserves and safety stock as decisions, judged on weeks they were not chosen on."""

from __future__ import annotations

from typing import Annotated

import typer

from otif.command import JsonOption, load_settings


def buffers(
    weeks: Annotated[int, typer.Option(min=1, max=52, help="held-out weeks to judge the method on")] = 8,
    propose: Annotated[
        bool, typer.Option("--propose", help="propose the reserves as a version of the rule set")
    ] = False,
    by: Annotated[str, typer.Option(help="who proposes")] = "otif",
    as_json: JsonOption = False,
) -> None:
    """Choose channel reserves and safety stock from demand history; show what they cost and which protected nothing."""
    from otif.buffers import advise_buffers, propose_buffers
    from otif.render import console, print_json, records
    from otif.tables import buffer_tables

    settings = load_settings()
    advice = advise_buffers(settings, weeks=weeks)
    version = propose_buffers(settings, advice, by=by) if propose else None
    if as_json:
        print_json(
            {
                "reserves": records(advice.chosen.reserves),
                "safety": records(advice.chosen.safety),
                "curve": records(advice.curve),
                "regret": records(advice.regret()),
                "judged": records(advice.judged),
                "today": records(advice.worthless),
                "proposed": None if version is None else {"version": version[0].version, "changes": version[1]},
                "notes": advice.notes,
            }
        )
        return
    for part in buffer_tables(advice):
        console.print(part)
    if version is not None:
        proposed, changes = version
        name = f"{proposed.rule_set_id} {proposed.version}"
        print(f"proposed as {name} with {changes} changes; next: otif rules diff {name}")
