"""The words of the weekly snapshot: exceptions, causes, risks, actions. Only coded evidence speaks; no guessing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from dashboards.formats import (
    MISSING,
    change_text,
    count_text,
    counted,
    day_text,
    money_sums_text,
    money_text,
    value_text,
    words,
)
from dashboards.queries import (
    CAUSES,
    USUAL_WEEKS,
    BuildInfo,
    Week,
    at_risk,
    change_parts,
    disputes_expiring,
    exceptions_list,
    freshness,
    miss_causes,
    restatements,
    risks_ahead,
    week_containing,
    weeks_before,
)
from dashboards.reports.facts import (
    ActionFacts,
    BridgeFacts,
    CauseFacts,
    DisputeFacts,
    ExceptionFacts,
    RestatementFacts,
    RiskFacts,
    Tile,
)
from storage.duck import Connection

LATE_HOURS: Final = 72.0
"""A feed silent for longer is late; the exception `data_feed_late` draws the same line."""

_HOURS_TOLD: Final = 120.0
"""A longer silence is told in days."""

_MOST_EXCEPTIONS: Final = 5
_MOST_ACTIONS: Final = 3
_RISK_DAYS: Final = 14
_DISPUTE_DAYS: Final = 7
_RESTATED: Final = 5
_CONCENTRATED: Final = 0.5
_SEVERITY: Final = {"high": 0, "medium": 1, "low": 2}


def exception_groups(connection: Connection, info: BuildInfo) -> tuple[tuple[ExceptionFacts, ...], str]:
    """Return the five kinds of exceptions with the most money at risk, and a line about all of them."""
    frame = exceptions_list(connection)
    if frame.is_empty():
        return (), "No open exceptions."
    money = money_sums_text(frame.select("currency", "money_at_risk").iter_rows())
    total = f"{count_text(frame.height)} open, {money} at risk"
    groups = (
        frame.group_by("kind")
        .agg(money=pl.col("money_at_risk").sum(), count=pl.len())
        .sort("money", "count", "kind", descending=[True, True, False])
        .head(_MOST_EXCEPTIONS)
    )
    return tuple(_exception(frame.filter(pl.col("kind") == kind), info) for kind in groups["kind"]), total


def _exception(group: pl.DataFrame, info: BuildInfo) -> ExceptionFacts:
    biggest = group.row(0, named=True)
    severity = min(group["severity"].to_list(), key=lambda word: _SEVERITY.get(word, 9))
    ahead = group.filter(pl.col("due_at") >= info.as_of)
    overdue = group.filter(pl.col("due_at") < info.as_of).height
    late = f"{count_text(overdue)} past due. " if overdue else ""
    return ExceptionFacts(
        kind=biggest["kind_name"] or words(biggest["kind"]),
        count=group.height,
        since=_local_day(group["opened_at"].min(), info),
        money=money_sums_text(group.select("currency", "money_at_risk").iter_rows()),
        severity=severity,
        cause=f"{late}{_concentration(group)}Largest: {biggest['title']}{_in_brackets(biggest['evidence'])}",
        owner=words(biggest["owner_role"]),
        action=(biggest["suggested_action"] or MISSING).rstrip("."),
        # What is past due is due at once, not in the past.
        due=day_text(_next_working_day(info.as_of_date)) if overdue else _local_day(ahead["due_at"].min(), info),
    )


def _in_brackets(text: str | None) -> str:
    return f" ({text})" if text else ""


def _concentration(group: pl.DataFrame) -> str:
    if group.height < 3:
        return ""
    total = group["money_at_risk"].sum() or 0
    for column in ("node_id", "carrier", "sku", "customer_id", "channel"):
        named = group.filter(pl.col(column).is_not_null() & ~pl.col(column).is_in(["(none)", "(multiple)"]))
        shares = named.group_by(column).agg(money=pl.col("money_at_risk").sum()).sort("money", column, descending=True)
        if total > 0 and not shares.is_empty() and shares["money"][0] / total >= _CONCENTRATED and shares.height > 1:
            return f"{shares['money'][0] / total:.0%} of it at {shares[column][0]}. "
    return ""


def _local_day(value: object, info: BuildInfo) -> str:
    if not isinstance(value, datetime):
        return MISSING
    return day_text(value.replace(tzinfo=UTC).astimezone(ZoneInfo(info.zone)))


def late_feeds(connection: Connection) -> tuple[str, ...]:
    """Return one remark per feed that lies behind the as-of instant."""
    return tuple(
        f"{words(row['source'])} {_behind(row['hours_behind'])} behind"
        for row in freshness(connection).iter_rows(named=True)
        if row["hours_behind"] is not None and row["hours_behind"] > LATE_HOURS
    )


def _behind(hours: float) -> str:
    return f"{count_text(hours)} h" if hours < _HOURS_TOLD else f"{count_text(hours / 24)} days"


def without_causes(tiles: Sequence[Tile]) -> str:
    """Say why no cause of a miss is told: no order missed, or nobody can tell."""
    judged = [tile for tile in tiles if tile.kpi_id in ("otif", "on_time")]
    if judged and all(tile.value == MISSING for tile in judged):
        return f"Not measured: {judged[0].comment}."
    return "No missed orders in this week."


def causes(connection: Connection, week: Week, info: BuildInfo) -> tuple[CauseFacts, ...]:
    """Return the causes of the week's missed orders, with how many orders a usual week has."""
    now = miss_causes(connection, date_from=week.start, date_to=week.end)
    before = weeks_before(week)
    earlier = miss_causes(connection, date_from=before.start, date_to=before.end)
    usual = dict(zip(earlier["miss_cause"], earlier["orders"], strict=True))
    return tuple(
        CauseFacts(
            cause=row["miss_cause"],
            orders=row["orders"],
            usual=usual.get(row["miss_cause"], 0) / USUAL_WEEKS,
            value=money_text(row["value"], currency=info.currency),
        )
        for row in now.head(8).iter_rows(named=True)
    )


def bridge(connection: Connection, kpi_id: str, week: Week) -> tuple[BridgeFacts, ...]:
    """Return which channels moved a rate since last week: their own rate and their share of the volume."""
    return tuple(
        BridgeFacts(
            member=part.member,
            rate=change_text(part.rate_effect, "ratio"),
            mix=change_text(part.mix_effect, "ratio"),
        )
        for part in change_parts(connection, kpi_id, before=week.back(1), after=week)
    )


def restated_weeks(
    connection: Connection, info: BuildInfo, kpis: Sequence[str]
) -> tuple[tuple[RestatementFacts, ...], int]:
    """Return the youngest of the past weeks whose figures this publication changed, and how many there are."""
    log = restatements(connection, kpis=kpis, is_latest=True)
    weeks = log.group_by("kpi_id", "period", maintain_order=True).agg(
        pl.col("kpi_name", "unit", "old_value", "new_value").first(), pl.col("cause")
    )
    return tuple(
        RestatementFacts(
            kpi=row["kpi_name"],
            week=week_containing(row["period"], week_start=info.week_start).name,
            before=value_text(row["old_value"], row["unit"], currency=info.currency),
            now=value_text(row["new_value"], row["unit"], currency=info.currency),
            causes=", ".join(CAUSES[cause] for cause in row["cause"]),
        )
        for row in weeks.head(_RESTATED).iter_rows(named=True)
    ), weeks.height


def risks(connection: Connection, info: BuildInfo) -> tuple[tuple[RiskFacts, ...], str]:
    """Return the next fortnight's open work against free stock, and its days in words."""
    start = info.as_of_date
    end = start + timedelta(days=_RISK_DAYS - 1)
    frame = at_risk(connection, date_from=start, date_to=end)
    ahead = {row["channel"]: row for row in risks_ahead(connection, date_from=start, date_to=end).iter_rows(named=True)}
    nothing = {"expected_misses": None, "expected_loss_amount": None}
    rows = tuple(
        RiskFacts(
            channel=row["channel"],
            orders=count_text(row["orders"]),
            value=money_text(row["value"], currency=info.currency),
            short_units=count_text(row["short_units"]),
            short_value=money_text(row["short_value"], currency=info.currency),
            held_units=count_text(row["held_units"] or 0),
            fines=money_text(row["fine_exposure"], currency=info.currency),
            misses=count_text(ahead.get(row["channel"], nothing)["expected_misses"]),
            expected_loss=money_text(
                ahead.get(row["channel"], nothing)["expected_loss_amount"], currency=info.currency
            ),
        )
        for row in frame.iter_rows(named=True)
    )
    return rows, f"{day_text(start)} to {day_text(end)}"


def disputes(connection: Connection, info: BuildInfo) -> tuple[DisputeFacts, ...]:
    """Return deductions whose right to dispute ends within a week."""
    start = info.as_of_date
    frame = disputes_expiring(connection, date_from=start, date_to=start + timedelta(days=_DISPUTE_DAYS))
    return tuple(
        DisputeFacts(
            customer=row["customer_id"],
            count=counted(row["deductions"], "deduction"),
            amount=money_text(row["amount"], currency=row["currency"]),
            deadline=day_text(row["first_deadline"]),
        )
        for row in frame.iter_rows(named=True)
    )


def actions(
    groups: tuple[ExceptionFacts, ...], due_disputes: tuple[DisputeFacts, ...], info: BuildInfo
) -> tuple[ActionFacts, ...]:
    """Return at most three things to do: the most expensive exceptions, and disputes that are about to lapse."""
    fallback = day_text(_next_working_day(info.as_of_date))
    found = [
        ActionFacts(
            what=f"{group.action} ({group.kind.lower()}: {count_text(group.count)} open, {group.money} at risk)",
            owner=group.owner,
            due=group.due if group.due != MISSING else fallback,
        )
        for group in groups
    ]
    if due_disputes:
        first = due_disputes[0]
        found.insert(
            min(2, len(found)),
            ActionFacts(
                what=f"Dispute {first.count} of {words(first.customer)} worth {first.amount} before the right lapses",
                owner="Deductions analyst",
                due=first.deadline,
            ),
        )
    return tuple(found[:_MOST_ACTIONS])


def _next_working_day(day: date) -> date:
    following = day + timedelta(days=1)
    while following.isoweekday() > 5:
        following += timedelta(days=1)
    return following


def lead_tile(tiles: Sequence[Tile]) -> Tile | None:
    """Return the figure that the week is told by: the first one that can be judged; null where none can."""
    return next((tile for tile in tiles if tile.state in ("signal", "routine") or tile.change), None)


def headline(tiles: Sequence[Tile]) -> str:
    """Return the week in one or two sentences: signals first, silence about noise."""
    signals = [tile for tile in tiles if tile.state == "signal"]
    judged = [tile for tile in tiles if tile.state in ("signal", "routine")]
    missed = [tile for tile in tiles if tile.verdict == "bad"]
    first = lead_tile(tiles)
    lead = f"{first.name} was {first.value}. " if first else ""
    if signals:
        named = ", ".join(f"{tile.name} {tile.value}" for tile in signals)
        lead += f"{len(signals)} of {len(judged)} judged figures moved beyond routine variation: {named}. "
    elif judged:
        lead += f"All {len(judged)} judged figures stayed within routine variation. "
    if missed:
        lead += f"Below target: {', '.join(tile.name for tile in missed)}."
    return lead.strip() or "Nothing was due in this week."
