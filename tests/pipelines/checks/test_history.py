"""Volume and freshness beside a source's own history: odd deliveries are named, usual ones and new sources are not."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines.checks.history import Delivery, judge_freshness, judge_volume
from pipelines.landing import ingest
from storage.duck import connect
from storage.settings import Settings

UTC = ZoneInfo("UTC")
MONDAY = datetime(2026, 3, 2, 20, tzinfo=UTC).replace(tzinfo=None)


def deliveries(*events: int, every_days: int = 7, age_hours: float = 6) -> list[Delivery]:
    """Return earlier deliveries, the latest a week before MONDAY."""
    made = []
    for back, count in enumerate(reversed(events), start=1):
        last = MONDAY - timedelta(days=every_days * back)
        made.append(Delivery(count, last, last + timedelta(hours=age_hours)))
    return made


def test_a_monday_is_compared_with_mondays() -> None:
    mondays = deliveries(1000, 1040, 980, 1010, 1005)
    others = [Delivery(100, MONDAY - timedelta(days=n), MONDAY) for n in (1, 2, 3, 4, 5)]
    usual = judge_volume(mondays + others, 990, MONDAY, UTC)
    assert (usual.scope, usual.history, usual.usual) == ("Mondays", 5, 1005)
    assert usual.deviation is not None
    assert abs(usual.deviation) < 1
    truncated = judge_volume(mondays + others, 400, MONDAY, UTC)
    assert truncated.deviation is not None
    assert truncated.deviation < -5


def test_one_odd_day_in_the_history_moves_nothing() -> None:
    calm = judge_volume(deliveries(100, 101, 99, 100, 102), 100, MONDAY, UTC)
    shaken = judge_volume(deliveries(100, 101, 99, 100_000, 102), 100, MONDAY, UTC)
    assert calm.usual == 100
    assert shaken.usual == 101


def test_too_little_history_judges_nothing() -> None:
    standing = judge_volume(deliveries(100, 100, 100), 1, MONDAY, UTC)
    assert (standing.usual, standing.deviation) == (None, None)
    assert judge_freshness(deliveries(1, 1, 1), MONDAY, MONDAY).deviation is None


def test_the_weekday_is_that_of_the_company() -> None:
    tokyo = judge_volume(deliveries(5, 5, 5, 5), 5, MONDAY, ZoneInfo("Asia/Tokyo"))
    assert tokyo.scope == "Tuesdays"


def test_an_old_newest_event_is_stale_only_beside_a_fresh_history() -> None:
    fresh = deliveries(*[10] * 8, age_hours=6)
    late = judge_freshness(fresh, MONDAY, MONDAY + timedelta(hours=60))
    assert (late.value, late.usual) == (60, 6)
    assert late.deviation is not None
    assert late.deviation > 5
    slow = judge_freshness(deliveries(*[10] * 8, age_hours=58), MONDAY, MONDAY + timedelta(hours=60))
    assert slow.deviation is not None
    assert slow.deviation < 1


def test_a_truncated_delivery_lands_with_a_warning_that_says_which_and_by_how_much(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    reports = []
    for week in range(6):
        day = MONDAY.date() + timedelta(days=7 * week)
        count = 100 if week < 5 else 10
        path = tmp_path / f"events-{week}.csv"
        lines = [f"order.captured,{day} 10:00:00,W{week}-{n},1,S,1\n" for n in range(count)]
        path.write_text("event_type,event_at,order_id,line_id,sku,quantity\n" + "".join(lines))
        reports += ingest(settings, [path])
    assert [report.status for report in reports] == ["landed"] * 5 + ["warned"]
    [sentence] = reports[-1].failures
    assert "10 events; median of the last 5 Mondays: 100" in sentence
    assert reports[-1].events_landed == 10
    connection = connect(settings.database, read_only=True)
    [(verdict,)] = connection.execute("select verdict from landing.batches where status = 'warned'").fetchall()
    connection.close()
    assert "Mondays" in verdict
