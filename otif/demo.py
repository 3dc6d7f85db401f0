"""`otif demo`: the whole loop on the sample company, told as it happens and summed up on one screen."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.text import Text

from otif.render import cents, console, money, notes, table
from storage.settings import Settings

if TYPE_CHECKING:
    from optimizer.replay.run import ReplayResult
    from otif.decisions import SolvedScenario
    from otif.reporting import WrittenReport
    from storage.ledger import RuleSetVersion

_SETUP: Final = "demo set-up"
_REPLAY_WEEKS: Final = 13
_TOP_EXCEPTIONS: Final = 5
_GOOD: Final = "green"
_BAD: Final = "red"


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demonstration did, for its summary."""

    settings: Settings
    solved: SolvedScenario
    proposal: RuleSetVersion
    changes: int
    replay: ReplayResult
    written: WrittenReport
    mails: int
    seconds: float


def run_demo(folder: Path) -> DemoResult:
    """Run the loop in a fresh workspace and print what came out.

    Args:
        folder: Workspace; what an earlier demonstration generated there is replaced.
    """
    from otif.decisions import read_scenario, solve_scenario
    from otif.endpoint import background_endpoint, free_port
    from otif.jobs import run_build, run_ingest
    from otif.replaying import replay_versions
    from otif.reporting import write_weekly
    from otif.rules import adopt_rules, propose_rules
    from otif.workspace import SAMPLE, create_sample_workspace

    started = time.perf_counter()
    settings = create_sample_workspace(folder)
    with _step("ingest, check and land the source files") as step:
        reports = run_ingest(settings, [SAMPLE / "inbox"], on_batch=lambda report: step.show(report.source))
        events, rejected = sum(r.events_landed for r in reports), sum(r.rows_rejected for r in reports)
        step.done(f"{sum(r.files for r in reports)} files → {events:,} events, {rejected} rows rejected")
    with _step("build the models and publish them") as step:
        build = run_build(settings, settings.resolve_as_of())
        step.done(f"{build.models} models, {build.tests} data tests passed")
    with (
        _step("put today's rules in force at a rule endpoint") as step,
        background_endpoint(settings, port=free_port()) as url,
    ):
        adopted = adopt_rules(_with_oms(settings, url), by=_SETUP)
        step.done(f"version {adopted.version}, {len(adopted.document['rules'])} rules")
    with _step("solve who gets the scarce units") as step:
        solved = solve_scenario(settings, read_scenario(None), by=_SETUP, why=3)
        step.done(f"{solved.plan.status.value} in {solved.plan.seconds:.1f} s")
    with _step("propose rule changes and replay them on past weeks") as step:
        proposal, sentences = propose_rules(settings, plan_id=solved.record.plan_id, by=_SETUP)
        replayed = replay_versions(settings, version_a=adopted.version, version_b=proposal.version, weeks=_REPLAY_WEEKS)
        step.done(f"version {proposal.version}, {len(sentences)} changes")
    with _step("write the weekly snapshot and mail it to a local catcher") as step:
        written = write_weekly(settings)
        mails = _mail(settings, written)
        step.done(f"{mails} mails")
    result = DemoResult(
        settings, solved, proposal, len(sentences), replayed, written, mails, time.perf_counter() - started
    )
    _summarise(result)
    return result


class _step:  # noqa: N801 - reads as a verb where it is used
    """One line per step: what is being done, then what came of it and how long it took."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._status = notes.status(what) if notes.is_terminal else None
        self._started = time.perf_counter()
        self._outcome = ""

    def __enter__(self) -> _step:
        if self._status:
            self._status.start()
        return self

    def show(self, detail: str) -> None:
        if self._status:
            self._status.update(f"{self._what}: {detail}")

    def done(self, outcome: str) -> None:
        self._outcome = outcome

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._status:
            self._status.stop()
        seconds = time.perf_counter() - self._started
        mark = "✗" if kind else "✓"
        notes.print(f"{mark} {self._what}: {self._outcome or 'failed'}  [dim]{seconds:.1f} s[/dim]")


def _with_oms(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"oms": settings.oms.model_copy(update={"url": url})})


def _mail(settings: Settings, written: WrittenReport) -> int:
    from otif.reporting import send_weekly
    from pipelines.outbound.catcher import MailCatcher

    with MailCatcher(settings.var / "mail") as catcher:
        deliveries = send_weekly(
            settings, written.report, now=datetime.now(tz=UTC), mail_settings=catcher.settings(settings.mail.sender)
        )
    return sum(delivery.status == "sent" for delivery in deliveries)


def _summarise(result: DemoResult) -> None:
    from dashboards.queries import build_info, exceptions_list
    from dashboards.reports.pages import snapshot_tiles
    from storage.publish import open_published

    week = result.written.report.week
    with open_published(result.settings) as connection:
        info = build_info(connection)
        tiles = snapshot_tiles(connection, week=week)
        top = exceptions_list(connection, limit=_TOP_EXCEPTIONS)
    console.print()
    console.rule(
        Text(f"{result.settings.company.name} · week {week} · as of {info.as_of:%Y-%m-%d %H:%M} UTC", style="bold"),
        align="left",
        style="dim",
    )
    rows = [(tile.name, tile.value, tile.target, _verdict(tile.verdict), tile.comment) for tile in tiles]
    columns = ("KPI of the week", "value", "target", "", "")
    console.print(table("", [(name, "right" if name in ("value", "target") else "left") for name in columns], rows))
    console.print()
    console.print(
        table(
            "Top exceptions",
            [("at risk", "right"), ("what", "left"), ("whose", "left")],
            [
                (money(row["money_at_risk"], row["currency"]), row["title"], row["owner_role"])
                for row in top.iter_rows(named=True)
            ],
        )
    )
    console.print()
    for line in _proposal_lines(result):
        console.print(line)
    console.print()
    for line in _closing_lines(result):
        console.print(line)


def _verdict(word: str) -> Text:
    return {"good": Text("on target", style=_GOOD), "bad": Text("misses target", style=_BAD)}.get(word, Text(""))


def _proposal_lines(result: DemoResult) -> list[Text]:
    solved, plan = result.solved, result.solved.plan
    served = int(plan.summary["lines_full_on_time"].sum()) - int(solved.rules.summary["lines_full_on_time"].sum())
    proven = "proven best" if plan.gap == 0 else f"at most {plan.gap:.1%} from the best"
    fill = result.replay.measures[0]
    return [
        Text("Proposal", style="bold"),
        Text(f"Release reserved units that their channel does not need: {result.changes} reservations change."),
        Text(
            f"On today's open orders that is worth {cents(solved.gain_cents)} more than priority-then-FIFO ({proven}), "
            f"and {served} more lines arrive in full and on time."
        ),
        Text(f"Replayed on the last {_REPLAY_WEEKS} weeks: {fill.words()}."),
    ]


def _closing_lines(result: DemoResult) -> list[Text]:
    home = os.path.relpath(result.settings.home)
    version = f"{result.proposal.rule_set_id} {result.proposal.version}"
    report = os.path.relpath(result.written.path)
    lines = [
        ("Report", f"{report} (mailed to {result.mails}; the mails are in {home}/var/mail)"),
        ("Look around", "make serve" if home == "demo" else f"otif --home {home} serve"),
        ("Decide", f"otif --home {home} rules diff {version}, then rules approve {version} --by NAME"),
        ("Time", f"{result.seconds:.0f} s"),
    ]
    return [Text.assemble((f"{name:<13}", "dim"), text) for name, text in lines]
