"""Every error the optimizer raises.

    OptimizerError            base; message says what, where, expected, next step
    ├── InvalidDataError      the frames or options cannot be a problem; carries every fault found
    ├── InvalidRulesError     a rule set document is malformed; carries every fault found
    ├── InvalidScenarioError  a scenario is malformed or names what the data does not have; carries every fault found
    └── PlanRejectedError     a plan breaks its own constraints; carries every violation

An infeasible or empty problem is an answer (a status), not an error.
This package imports nothing from the other rooms, so its base stands alone; `otif` shows it like any other.
"""

from __future__ import annotations

from collections.abc import Sequence


class OptimizerError(Exception):
    """Base of errors whose message is fit to be shown to a user as it is."""


class _ListedError(OptimizerError):
    def __init__(self, what: str, faults: Sequence[str], advice: str) -> None:
        self.faults = tuple(faults)
        listed = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"{what}: {len(self.faults)} found. {advice}{listed}")


class InvalidDataError(_ListedError):
    """The frames or options cannot be a problem; `faults` lists all of them."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("faults in the allocation data", faults, "Mend what they name and try again.")


class InvalidRulesError(_ListedError):
    """A rule set document is malformed; `faults` lists all of them."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("faults in the rule set", faults, "Mend the document and try again.")


class InvalidScenarioError(_ListedError):
    """A scenario is malformed or names what the data does not have; `faults` lists all of them."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("faults in the scenario", faults, "Mend the scenario and try again.")


class PlanRejectedError(_ListedError):
    """A plan breaks its own constraints; `faults` lists every violation. Such a plan is never shown."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("violations in the plan", faults, "This is a defect of the optimizer: please report it.")
