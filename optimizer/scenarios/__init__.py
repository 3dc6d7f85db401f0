"""Scenarios: typed changes on today's problem, solved and laid side by side on the same orders.

    scenario = parse_scenario(text, where="launch.yml")       # YAML → typed changes, faults with line numbers
    run = run_scenario(World(frames, options), scenario)      # applied, solved, verified
    compare_runs([base, run])                                 # figures, money, moves, what changed per order

Belongs here: what a scenario may change and how two plans compare. Not here: files, ledger, screens.
"""

from __future__ import annotations

from optimizer.allocation.world import World
from optimizer.scenarios.compare import Comparison, compare_runs
from optimizer.scenarios.document import dump_scenario, parse_scenario
from optimizer.scenarios.model import Scenario
from optimizer.scenarios.run import ScenarioRun, rules_run, run_scenario

__all__ = [
    "Comparison",
    "Scenario",
    "ScenarioRun",
    "World",
    "compare_runs",
    "dump_scenario",
    "parse_scenario",
    "rules_run",
    "run_scenario",
]
