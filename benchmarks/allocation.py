"""The allocation plan against the two ways in which it is decided without an optimizer, on the sample company.

Peers on the very same instance: priority, then first come first served, nearest node (what most order systems do), and
a margin-aware greedy (the honest yardstick). Figures are objective values, so here more is better.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import Result
from optimizer.allocation import allocate, baseline
from otif.decisions import allocation_problem
from storage.settings import PROJECT_ROOT, Settings


def run() -> list[Result]:
    """Measure and compare; needs the workspace of `make demo`."""
    home = Path(PROJECT_ROOT / "demo")
    if not (home / "otif.toml").exists():
        print("| allocation | – | – | – | – | – | skipped: run `make demo` first |")
        return []
    data = allocation_problem(Settings.load(home), {"reservations": "decide"})
    plan = allocate(data)
    peers = {
        "priority, then first come first served, nearest node": baseline(data),
        "greedy by margin": baseline(data, by_value=True),
    }
    note = f"{plan.status.value}, gap {plan.gap:.2%}, solved in {plan.seconds:.1f} s; more is better"
    return [
        Result(
            name="value of an allocation plan",
            data=f"{data.lines.height} open lines of the sample company",
            peer=name,
            ours=plan.objective_cents / 100,
            theirs=peer.objective_cents / 100,
            unit="$",
            note=note,
        )
        for name, peer in peers.items()
    ]
