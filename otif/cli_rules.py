"""`otif rules …`: propose, show, approve, push and roll back rule sets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from otif.command import EXIT_WARNINGS, JsonOption, RuleSetArgument, VersionArgument, load_settings

rules_app = typer.Typer(help="Rule sets: propose, approve, push to the OMS, roll back.", no_args_is_help=True)


@rules_app.command("adopt")
def rules_adopt(by: Annotated[str, typer.Option(help="who says so")]) -> None:
    """Take today's rules over as version 1 and put them to the OMS, so that changes have a base."""
    from otif.rules import adopt_rules

    version = adopt_rules(load_settings(), by=by)
    print(f"{version.rule_set_id} version {version.version} is {version.state.value}: {_count(version)} rules")


@rules_app.command("propose")
def rules_propose(
    plan: Annotated[int | None, typer.Option(help="plan of the ledger (default: the newest)")] = None,
    by: Annotated[str, typer.Option(help="who proposes")] = "otif",
) -> None:
    """Turn what a plan released into a proposed version of the rule set."""
    from otif.rules import propose_rules

    version, words = propose_rules(load_settings(), plan_id=plan, by=by)
    print(f"{version.rule_set_id} version {version.version} is {version.state.value}. {version.reason}")
    for sentence in words:
        print(f"  {sentence}")
    print(f"next: otif rules approve {version.rule_set_id} {version.version} --by NAME")


@rules_app.command("list")
def rules_list(as_json: JsonOption = False) -> None:
    """List rule-set versions, newest first."""
    from otif.render import console, print_json, table
    from storage.ledger import open_ledger

    with open_ledger(load_settings()) as ledger:
        versions = ledger.list_versions()
    if as_json:
        print_json([_version_facts(version) for version in versions])
        return
    order = ("rule set", "version", "state", "rules", "by", "why")
    columns: list[tuple[str, Any]] = [(name, "right" if name in ("version", "rules") else "left") for name in order]
    rows = [(v.rule_set_id, v.version, v.state.value, _count(v), v.created_by, v.reason) for v in versions]
    console.print(table("", columns, rows))


@rules_app.command("show")
def rules_show(rule_set: RuleSetArgument, version: VersionArgument) -> None:
    """Print a version's document as JSON."""
    from otif.render import print_json
    from storage.ledger import open_ledger

    with open_ledger(load_settings()) as ledger:
        print_json(ledger.get_version(rule_set, version).document)


@rules_app.command("diff")
def rules_diff(rule_set: RuleSetArgument, version: VersionArgument, as_json: JsonOption = False) -> None:
    """Show what a version changes against the one it was proposed on."""
    from otif.render import print_json
    from otif.rules import version_changes
    from storage.ledger import open_ledger

    with open_ledger(load_settings()) as ledger:
        chosen = ledger.get_version(rule_set, version)
        changes = version_changes(ledger, chosen)
    if as_json:
        print_json([{"change": change.type.value, "words": change.words()} for change in changes])
        return
    base = f"on version {chosen.parent_version}" if chosen.parent_version else "the first"
    print(f"{rule_set} version {version} ({chosen.state.value}, {base}): {chosen.reason}")
    for change in changes:
        print(f"  {change.words()}")
    if not changes:
        print("  nothing changes")


@rules_app.command("approve")
def rules_approve(
    rule_set: RuleSetArgument,
    version: VersionArgument,
    by: Annotated[str, typer.Option(help="your name")],
    note: Annotated[str, typer.Option(help="a remark for the record")] = "",
) -> None:
    """Approve a proposed version; a named person has to."""
    from datetime import UTC

    from storage.ledger import open_ledger

    with open_ledger(load_settings()) as ledger:
        approved = ledger.approve_version(rule_set, version, by=by, now=datetime.now(tz=UTC), note=note)
    print(f"{rule_set} version {version} is {approved.state.value}; next: otif rules push {rule_set} {version}")


@rules_app.command("push")
def rules_push(
    rule_set: RuleSetArgument,
    version: VersionArgument,
    by: Annotated[str, typer.Option(help="who pushes")] = "otif",
) -> None:
    """Put an approved version in force at the OMS; repeating it changes nothing."""
    from otif.rules import push_rules

    _print_push(push_rules(load_settings(), rule_set_id=rule_set, version=version, by=by))


@rules_app.command("rollback")
def rules_rollback(
    rule_set: RuleSetArgument,
    by: Annotated[str, typer.Option(help="your name")],
    to: Annotated[int | None, typer.Option(help="version to restore (default: the one before the active)")] = None,
    reason: Annotated[str, typer.Option(help="why")] = "rolled back by hand",
) -> None:
    """Restore the content of an earlier version as a new version, here and at the OMS."""
    from otif.rules import roll_back_rules

    _print_push(roll_back_rules(load_settings(), rule_set_id=rule_set, to_version=to, by=by, reason=reason))


@rules_app.command("status")
def rules_status(rule_set: Annotated[str | None, typer.Argument()] = None) -> None:
    """Compare what the OMS does with the version in force here, and list the pushes."""
    from otif.rules import check_rules
    from storage.ledger import open_ledger

    settings = load_settings()
    chosen = rule_set or settings.oms.rule_set_id
    report = check_rules(settings, rule_set_id=chosen)
    print(f"{chosen}: {'in step with the OMS' if report.is_in_step else 'NOT in step with the OMS'}")
    for sentence in report.words:
        print(f"  {sentence}")
    with open_ledger(settings) as ledger:
        for push in ledger.list_pushes(chosen):
            error = f" ({push.error})" if push.error else ""
            print(f"  {push.kind} of version {push.version} by {push.by}: {push.status}{error}")
    if not report.is_in_step:
        raise typer.Exit(EXIT_WARNINGS)


def _count(version: Any) -> int:  # noqa: ANN401 - the ledger is imported lazily
    return len(version.document["rules"])


def _version_facts(version: Any) -> dict[str, Any]:  # noqa: ANN401
    from dataclasses import asdict

    return {**asdict(version), "state": version.state.value, "document": None, "rules": _count(version)}


def _print_push(push: Any) -> None:  # noqa: ANN401
    statuses: dict[str, int] = {}
    for ack in push.acks:
        statuses[ack["status"]] = statuses.get(ack["status"], 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())) or "no rules"
    print(f"{push.rule_set_id} version {push.version} {push.kind}: {push.status} at {push.target}; {told}")
