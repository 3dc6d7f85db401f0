"""Random companies: the simulator's, with calendars, zones and mixes of their own, and what goes wrong in feeds."""

from __future__ import annotations

import csv
import random
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.checks.verdict import Verdict
from pipelines.landing import ingest
from pipelines.simulator.company import AS_OF
from pipelines.simulator.run import simulate
from pipelines.transform import make_models
from storage.contracts import EVENT_TABLES
from storage.duck import Connection, connect
from storage.settings import Settings

ZONES = ("America/New_York", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland")
CUT_OFFS = ("06:00", "11:30", "14:00", "17:45", "23:59")
ACTORS = ("customer", "seller_oos", "seller_other", "fraud", "payment", "retailer_expiry")


@pytest.fixture
def random_company(tmp_path: Path) -> Iterator[Callable[[int], Settings]]:
    """Make the company of a seed with the KPIs built, nothing published; it is gone after the test."""

    def made(seed: int) -> Settings:
        return make_random_company(tmp_path / f"company-{seed}", seed)

    yield made
    shutil.rmtree(tmp_path, ignore_errors=True)


def make_random_company(home: Path, seed: int) -> Settings:
    """Simulate, land, disturb and build the company of a seed."""
    dice = random.Random(seed)
    simulate(home, orders=dice.randint(120, 450), seed=seed, weeks=dice.randint(2, 14))
    _change_settings(home, dice)
    settings = Settings.load(home)
    ingest(settings, [home / "inbox"], judge=lambda *_: Verdict())
    connection = connect(settings.database)
    _disturb(connection, dice, seed)
    connection.close()
    as_of = datetime.fromisoformat(AS_OF).replace(tzinfo=UTC) - timedelta(hours=dice.randint(-24, 24 * 10))
    make_models(settings, as_of, "+kpi_values", "+kpi_exclusions", "+kpi_facts", "+kpi_durations", "build_info")
    return settings


def _change_settings(home: Path, dice: random.Random) -> None:
    settings = home / "otif.toml"
    told = re.sub(r'zone = "[^"]+"', f'zone = "{dice.choice(ZONES)}"', settings.read_text(encoding="utf-8"))
    settings.write_text(told.replace("monday", dice.choice(("monday", "sunday"))), encoding="utf-8")
    nodes = home / "seeds" / "nodes.csv"
    with nodes.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        row["cut_off_time"] = dice.choice(CUT_OFFS)
        row["operating_days"] = ",".join(map(str, sorted(dice.sample(range(1, 8), dice.randint(3, 7)))))
        row["zone"] = dice.choice(ZONES)
        row["opens_at"], row["closes_at"] = dice.choice((("", ""), ("06:00", "22:30"), ("07:15", ""), ("", "18:00")))
    _write(nodes, rows)
    days = [datetime.fromisoformat(AS_OF).date() - timedelta(days=back) for back in dice.sample(range(100), 8)]
    _write(
        home / "seeds" / "holidays.csv",
        [
            {"calendar_id": dice.choice(rows)["node_id"], "holiday_date": str(day), "holiday_name": "closed"}
            for day in days
        ],
    )


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _disturb(connection: Connection, dice: random.Random, seed: int) -> None:
    """Lose scans, cancel, hold and edit more, mix currencies and kinds of orders, spread lines over nodes, and learn
    everything out of order.
    """

    def share(part: str, percent: int, key: str = "event_id") -> str:
        return f"hash({key} || '{part}{seed}') % 100 < {percent}"

    lost = dice.choice((0, 2, 10))
    connection.execute(f"delete from landing.shipment_events where source = 'carrier' and {share('lost', lost)}")
    foreign = share("currency", dice.choice((0, 20)), "order_id")
    for table in EVENT_TABLES.values():
        if {"order_id", "currency"} <= set(table.names):
            connection.execute(f"update {table.table} set currency = 'EUR' where currency is not null and {foreign}")
    kinds = f"case when {share('test', 50, 'order_id')} then 'test' else 'replacement' end"
    connection.execute(
        f"update landing.order_events set order_type = {kinds} "
        f"where event_type = 'order.captured' and {share('kind', dice.choice((0, 5)), 'order_id')}"
    )
    for part, percent, changes in (
        ("cancel", dice.choice((0, 6)), {"event_type": "'order.cancelled'", "quantity": "greatest(quantity - 1, 1)"}),
        ("void", dice.choice((0, 6)), {"event_type": "'order.cancelled'", "quantity": "null"}),
        ("edit", dice.choice((0, 6)), {"event_type": "'order.changed'", "quantity": "quantity + 1"}),
        ("cut", dice.choice((0, 6)), {"event_type": "'order.changed'", "quantity": "greatest(quantity - 2, 0)"}),
        ("hold", dice.choice((0, 6)), {"event_type": "'hold.placed'", "hold_type": "'credit'", "quantity": "null"}),
    ):
        actors = ", ".join(f"'{actor}'" for actor in ACTORS)
        actor = f"([{actors}])[cast(1 + hash(event_id || 'actor{part}{seed}') % {len(ACTORS)} as bigint)]"
        later = f"event_at + to_minutes(cast(hash(event_id || 'at{part}{seed}') % 20000 as int))"
        values = {
            "event_id": f"md5(event_id || '{part}')",
            "event_at": later,
            "observed_at": later,
            "source_ref": f"source_ref || ' {part}'",
            "actor": actor,
            "promise_at": "null",
            "attributes": "null",
        } | changes
        replaced = ", ".join(f"{value} as {name}" for name, value in values.items())
        connection.execute(
            f"insert into landing.order_events by name select * replace ({replaced}) from landing.order_events "
            f"where event_type = 'order.captured' and {share(part, percent)}"
        )
    _spread(connection, share, dice)
    for table in EVENT_TABLES.values():
        connection.execute(
            f"create temporary table shuffled as from {table.table} order by hash(event_id || 'order{seed}')"
        )
        connection.execute(f"delete from {table.table}")
        connection.execute(f"insert into {table.table} from shuffled")
        connection.execute("drop table shuffled")


def _spread(connection: Connection, share: Callable[..., str], dice: random.Random) -> None:
    """Release some lines in parts to two nodes or to another node later, and ship some where nobody asked for them."""
    other = (
        "(select min(node_id) from landing.order_events as others "
        "where others.event_type = 'order.released' and others.node_id <> told.node_id)"
    )
    released = "event_type = 'order.released' and line_id is not null and quantity is not null"
    for part, percent, quantity, later in (
        ("parted", dice.choice((0, 8)), "quantity - floor(quantity / 2)", "event_at"),
        ("moved", dice.choice((0, 8)), "quantity", "event_at + interval '30' hour"),
    ):
        chosen = f"{released} and {share(part, percent, 'order_id || line_id')}"
        connection.execute(
            f"insert into landing.order_events by name select * replace (md5(event_id || '{part}') as event_id, "
            f"{other} as node_id, {quantity} as quantity, {later} as event_at, {later} as observed_at) "
            f"from landing.order_events as told where {chosen} and quantity >= 2"
        )
        if part == "parted":
            connection.execute(
                "update landing.order_events as told set quantity = floor(quantity / 2) "
                f"where {chosen} and quantity >= 2 and event_id in (select event_id from landing.order_events as kept "
                f"where md5(kept.event_id || '{part}') in (select event_id from landing.order_events))"
            )
    connection.execute(
        f"update landing.shipment_events as told set node_id = {other} "
        f"where source = 'wms' and node_id is not null and {share('strange', dice.choice((0, 8)), 'shipment_id')}"
    )
