"""A batch beside the earlier ones of its source: is there as much as usual, and is it as new as usual?

Volume is judged against the deliveries whose newest event fell on the same weekday (all deliveries while those
are few), freshness against the age that the newest event used to have when it landed. Both use the median and the
median absolute deviation (MAD), which a single odd day does not move; 1.4826 · MAD estimates a standard deviation
(Rousseeuw & Croux 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from storage.duck import Connection

SAME_WEEKDAY: Final = 4
"""Deliveries of the same weekday from which on only those count."""

ANY_DAY: Final = 8
"""Deliveries of any day below which nothing is judged."""

LATEST: Final = 12
"""How many of the latest deliveries count."""

_MAD_TO_SIGMA: Final = 1.4826
_VOLUME_FLOOR: Final = 0.1
"""Spread of volumes never counts as less than this share of the median: five times it is half as much again."""

_AGE_FLOOR_HOURS: Final = 6.0
_AGE_FLOOR: Final = 0.25


@dataclass(frozen=True, slots=True)
class Standing:
    """A figure beside its own history.

    Attributes:
        value: Of this batch.
        usual: Median of the history; None where there is too little of it.
        deviation: Distance from the median in robust standard deviations; None likewise.
        history: Deliveries compared with.
        scope: What they have in common: `Mondays`, `deliveries`.
    """

    value: float
    usual: float | None
    deviation: float | None
    history: int
    scope: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """An earlier batch: events (new and known), newest event, when it landed; instants in UTC."""

    events: int
    last_event_at: datetime
    landed_at: datetime


def earlier_deliveries(connection: Connection, source: str) -> list[Delivery]:
    """Return the landed deliveries of a source, the latest first."""
    rows = connection.execute(
        "select events_landed + events_duplicate, last_event_at, landed_at from landing.batches "
        "where source = ? and status in ('landed', 'warned') and last_event_at is not null and events_landed > 0 "
        "and batch_id not like '%-retry-%' order by last_event_at desc, landed_at desc limit 200",
        [source],
    ).fetchall()
    return [Delivery(*row) for row in rows]


def judge_volume(earlier: Sequence[Delivery], events: int, last_event_at: datetime, zone: ZoneInfo) -> Standing:
    """Compare the number of events with that of earlier deliveries."""
    weekday = _local(last_event_at, zone).weekday()
    same = [d.events for d in earlier if _local(d.last_event_at, zone).weekday() == weekday][:LATEST]
    if len(same) >= SAME_WEEKDAY:
        return _standing(events, same, _local(last_event_at, zone).strftime("%As"), _VOLUME_FLOOR, 1.0)
    every = [delivery.events for delivery in earlier][:LATEST]
    return _standing(events, every if len(every) >= ANY_DAY else [], "deliveries", _VOLUME_FLOOR, 1.0)


def judge_freshness(earlier: Sequence[Delivery], last_event_at: datetime, now: datetime) -> Standing:
    """Compare the age of the newest event, in hours, with what it used to be at landing."""
    ages = [_hours(delivery.last_event_at, delivery.landed_at) for delivery in earlier][:LATEST]
    enough = ages if len(ages) >= ANY_DAY else []
    return _standing(_hours(last_event_at, now), enough, "deliveries", _AGE_FLOOR, _AGE_FLOOR_HOURS)


def _standing(value: float, history: Sequence[float], scope: str, share: float, least: float) -> Standing:
    if not history:
        return Standing(value, None, None, 0, scope)
    usual = float(median(history))
    spread = _MAD_TO_SIGMA * float(median(abs(figure - usual) for figure in history))
    return Standing(value, usual, (value - usual) / max(spread, share * abs(usual), least), len(history), scope)


def _hours(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / 3600


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.replace(tzinfo=ZoneInfo("UTC")).astimezone(zone)
