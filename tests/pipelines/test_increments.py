"""A build stands on the last one only where that is safe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.increments import Plan, begin, complete, fingerprint
from pipelines.landing import prepare_landing
from storage.duck import Connection, connect
from storage.settings import Settings

AS_OF = datetime(2026, 3, 16, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def connection() -> Connection:
    """A database in memory with two landed order events and one complete build, published as p1."""
    connection = connect()
    prepare_landing(connection)
    land(connection, "a", "b")
    complete(connection, start(connection, published=""), publication="p1")
    return connection


def land(connection: Connection, *events: str) -> None:
    for event in events:
        connection.execute(
            "insert into landing.order_events (event_id, batch_id, event_type, event_at, observed_at, time_quality, "
            "source, source_ref, order_id) values (?, 'b', 'order.captured', ?, ?, 'instant', 'shop', 'f#1', 'O1')",
            [event, AS_OF.replace(tzinfo=None) - DAY, AS_OF.replace(tzinfo=None)],
        )


def start(
    connection: Connection,
    *,
    as_of: datetime = AS_OF,
    mark: str = "same",
    published: str = "p1",
    full: bool = False,
) -> Plan:
    return begin(connection, as_of, mark, published=published, full=full)


def test_a_later_build_stands_on_the_last_one_and_knows_what_that_saw(connection: Connection) -> None:
    land(connection, "c")

    plan = start(connection, as_of=AS_OF + DAY)

    assert (plan.why_full, plan.is_current) == ("", False)
    assert connection.execute("select since_as_of from builds.context").fetchall() == [(AS_OF.replace(tzinfo=None),)]
    assert connection.execute("select events from builds.seen where family = 'order'").fetchall() == [(2,)]


def test_nothing_is_to_do_for_the_same_instant_and_events(connection: Connection) -> None:
    assert start(connection).is_current
    assert start(connection).is_current, "looking twice takes nothing away"
    assert not start(connection, published="p0").is_current, "readers see another publication"


def test_events_that_landed_late_are_something_to_do(connection: Connection) -> None:
    land(connection, "c")

    assert not start(connection).is_current


def test_a_file_that_brought_only_rejects_is_something_to_do(connection: Connection) -> None:
    connection.execute(
        "insert into landing.rejects (batch_id, source, source_ref, reason) values ('b', 'shop', 'f#2', 'no order')"
    )

    assert not start(connection).is_current


def test_a_build_that_did_not_end_makes_the_next_one_full(connection: Connection) -> None:
    land(connection, "c")
    start(connection)

    assert start(connection).why_full == "no complete build before"
    assert connection.execute("select count(*) from builds.seen").fetchall() == [(0,)]


def test_other_rules_an_earlier_instant_or_lost_events_make_a_build_full(connection: Connection) -> None:
    complete(connection, start(connection, mark="other"), publication="p1")
    assert "changed" in start(connection, mark="third").why_full
    complete(connection, start(connection, mark="third"), publication="p1")
    assert "earlier" in start(connection, mark="third", as_of=AS_OF - DAY).why_full
    complete(connection, start(connection, mark="third"), publication="p1")
    connection.execute("delete from landing.order_events where event_id = 'a'")
    assert "gone" in start(connection, mark="third").why_full


def test_a_full_build_can_be_asked_for(connection: Connection) -> None:
    assert start(connection, full=True).why_full == "asked for"


def test_the_fingerprint_tells_seeds_and_settings_apart(tmp_path: Path) -> None:
    (tmp_path / "otif.toml").write_text('[company]\nname = "A"\n', encoding="utf-8")
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    (seeds / "nodes.csv").write_text("node_id\nn1\n", encoding="utf-8")
    settings = Settings.load(tmp_path)
    before = fingerprint(settings, seeds)

    assert fingerprint(settings, seeds) == before
    (seeds / "nodes.csv").write_text("node_id\nn2\n", encoding="utf-8")
    changed_seed = fingerprint(settings, seeds)
    (tmp_path / "otif.toml").write_text('[company]\nname = "B"\n', encoding="utf-8")
    assert len({before, changed_seed, fingerprint(settings, seeds)}) == 3


def test_every_eighth_build_on_top_of_others_packs_the_tables(connection: Connection) -> None:
    packs = []
    for number in range(1, 18):
        plan = start(connection, as_of=AS_OF + number * DAY)
        packs.append(connection.execute("select builds_left from builds.packing").fetchall() == [(0,)])
        complete(connection, plan, publication="p1")

    assert [number for number, is_packing in enumerate(packs, start=1) if is_packing] == [8, 16]

    complete(connection, start(connection, full=True), publication="p1")
    assert connection.execute("select builds_left from builds.packing").fetchall() == [(7,)], "a new file is packed"
