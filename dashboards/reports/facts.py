"""What the weekly snapshot states, as frozen facts: everything a template may show, already decided and written.

Templates only lay out; whoever audits a snapshot reads these. The report's data hash is taken over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "bad", "none"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A decision that waits for an answer, handed in from the ledger.

    Attributes:
        title: What is asked, e.g. "Approve rule set live, version 3".
        detail: What would change, in one or two sentences.
        gain: What it is worth, already written (`"+$4,200 a week"`), or empty.
        owner: Role that decides.
        due: Answer needed by, already written, or empty.
    """

    title: str
    detail: str = ""
    gain: str = ""
    owner: str = ""
    due: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """Where the figures come from and how complete they are."""

    company: str
    week: str
    days: str
    as_of: str
    is_provisional: bool
    late_feeds: tuple[str, ...]
    freshest: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One KPI of the week.

    Attributes:
        value: Written value, or a dash.
        count: What it rests on.
        change: Change against the comparison, with sign and unit.
        against: What the change compares with.
        target: Written target, or empty.
        verdict: Against the target.
        state: XmR state, or unavailable.
        comment: XmR comment, or why the KPI cannot be measured.
        note: Cohort or provisional remark.
    """

    kpi_id: str
    name: str
    value: str
    count: str
    change: str
    against: str
    target: str
    verdict: Verdict
    state: Literal["signal", "routine", "unknown", "unavailable"]
    comment: str
    note: str


@dataclass(frozen=True, slots=True)
class TrendFacts:
    """One chart: trailing weeks and months of a KPI."""

    kpi_id: str
    name: str
    unit: str
    target: float | None
    weeks: tuple[tuple[str, float | None, bool], ...]
    months: tuple[tuple[str, float | None, bool], ...]
    alt_text: str


@dataclass(frozen=True, slots=True)
class ExceptionFacts:
    """A group of exceptions of one kind."""

    kind: str
    count: int
    since: str
    money: str
    severity: str
    cause: str
    owner: str
    action: str
    due: str


@dataclass(frozen=True, slots=True)
class CauseFacts:
    """Missed orders with one cause, this week against the weeks before."""

    cause: str
    orders: int
    usual: float
    value: str


@dataclass(frozen=True, slots=True)
class BridgeFacts:
    """What a channel contributes to the change of OTIF."""

    member: str
    rate: str
    mix: str


@dataclass(frozen=True, slots=True)
class DriverFacts:
    """A place that explains part of a change."""

    place: str
    share: str
    expected: str
    now: str
    effect: str


@dataclass(frozen=True, slots=True)
class MoveFacts:
    """What moved the leading KPI since the weeks that its natural limits rest on, if its week is a signal.

    Attributes:
        change: The change in words.
        verdict: What kind of change it is.
        parts: The parts, which add up to the change.
        drivers: Places that stand out.
    """

    change: str
    verdict: str
    parts: str
    drivers: tuple[DriverFacts, ...]


@dataclass(frozen=True, slots=True)
class RiskFacts:
    """Open work of one channel needed in the next fortnight, against free stock, and the misses expected of it."""

    channel: str
    orders: str
    value: str
    short_units: str
    short_value: str
    held_units: str
    fines: str
    misses: str
    expected_loss: str


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """Deductions whose right to dispute ends soon."""

    customer: str
    count: str
    amount: str
    deadline: str


@dataclass(frozen=True, slots=True)
class ActionFacts:
    """One thing to do, by whom and until when."""

    what: str
    owner: str
    due: str


@dataclass(frozen=True, slots=True)
class DefinitionFacts:
    """How a KPI on the page is defined."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class RestatementFacts:
    """A published figure of a past week that this publication changed."""

    kpi: str
    week: str
    before: str
    now: str
    causes: str


@dataclass(frozen=True, slots=True)
class WeeklyFacts:
    """The whole page in reading order."""

    header: Header
    headline: str
    lead: Tile | None
    tiles: tuple[Tile, ...]
    trends: tuple[TrendFacts, ...]
    bridge: tuple[BridgeFacts, ...]
    exceptions: tuple[ExceptionFacts, ...]
    exceptions_total: str
    causes: tuple[CauseFacts, ...]
    risks: tuple[RiskFacts, ...]
    risk_days: str
    disputes: tuple[DisputeFacts, ...]
    actions: tuple[ActionFacts, ...]
    decisions: tuple[Proposal, ...]
    definitions: tuple[DefinitionFacts, ...]
    restatements: tuple[RestatementFacts, ...] = ()
    restatements_total: int = 0
    without_causes: str = ""
    moved: MoveFacts | None = None
