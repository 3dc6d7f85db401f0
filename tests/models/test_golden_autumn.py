"""The day with an hour that exists twice: cut-offs, windows and promises in two zones, from events to verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.landing import prepare_landing
from pipelines.transform import make_models
from storage.duck import Connection, connect, open_writer
from storage.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Land

pytestmark = pytest.mark.exhaustive

at = datetime.fromisoformat
AS_OF = at("2026-11-10 00:00").replace(tzinfo=UTC)

# New York falls back on 1 November at 06:00 UTC: 01:30 comes at 05:30 and again at 06:30. Berlin does on 25 October.
CUT_OFFS = {
    "first pass": ("night", "2026-11-01 05:45:00", "2026-11-02 05:00:00"),
    "second pass": ("night", "2026-11-01 06:29:59", "2026-11-02 05:00:00"),
    "at the cut-off": ("night", "2026-11-01 06:30:00", "2026-11-03 05:00:00"),
    "before the long day's cut-off": ("day", "2026-10-25 12:59:59", "2026-10-25 23:00:00"),
    "at the long day's cut-off": ("day", "2026-10-25 13:00:00", "2026-10-26 23:00:00"),
}
# Target's window ends a day later than stated: a day of 25 hours here. Zone, stated end, delivery, in time.
WINDOWS = {
    "chicago in": ("America/Chicago", "2026-11-01 05:00:00", "2026-11-02 05:59:59", True),
    "chicago out": ("America/Chicago", "2026-11-01 05:00:00", "2026-11-02 06:00:00", False),
    "berlin in": ("Europe/Berlin", "2026-10-24 22:00:00", "2026-10-25 22:59:59", True),
    "berlin out": ("Europe/Berlin", "2026-10-24 22:00:00", "2026-10-25 23:00:00", False),
}
# Promised for 01:30 in New York, the second time, and for 02:30 in Berlin, the second time.
PROMISES = {
    "new york in": ("America/New_York", "2026-11-01 06:30:00", "2026-11-01 06:29:59", True),
    "new york out": ("America/New_York", "2026-11-01 06:30:00", "2026-11-01 06:30:01", False),
    "berlin kept": ("Europe/Berlin", "2026-10-25 01:30:00", "2026-10-25 00:45:00", True),
    "berlin missed": ("Europe/Berlin", "2026-10-25 01:30:00", "2026-10-25 01:30:01", False),
}


def _captured(order: str, **words: Any) -> dict[str, Any]:
    return {
        "event_type": "order.captured", "event_at": at("2026-10-15 12:00"), "order_id": order, "line_id": "1",
        "currency": "USD", "sku": "A", "quantity": 5, "unit_price": 10, "unit_cost": 4,
    } | words  # fmt: skip


def _orders() -> Iterator[dict[str, Any]]:
    for order, (node, released, _) in CUT_OFFS.items():
        yield _captured(order, channel="dtc", clock_zone="UTC")
        yield {
            "event_type": "order.released", "event_at": at(released), "order_id": order, "line_id": "1",
            "node_id": node, "quantity": 5,
        }  # fmt: skip
    for order, (zone, end, _, _) in WINDOWS.items():
        yield _captured(
            order, channel="wholesale", customer_id="target", clock_zone=zone,
            window_start_at=at("2026-10-20 05:00"), window_end_at=at(end),
        )  # fmt: skip
    for order, (zone, promise, _, _) in PROMISES.items():
        yield _captured(order, channel="dtc", clock_zone=zone, promise_at=at(promise))


def _shipments() -> Iterator[dict[str, Any]]:
    for order, (_, _, delivered, _) in (WINDOWS | PROMISES).items():
        piece = {"shipment_id": order, "order_id": order, "line_id": "1", "quantity": 5}
        yield piece | {"event_type": "ship.confirmed", "event_at": at("2026-10-17 12:00")}
        for kind in ("arrived", "delivered"):
            yield piece | {"event_type": kind, "event_at": at(delivered)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, land: Land) -> Iterator[Connection]:
    home = tmp_path_factory.mktemp("autumn")
    (home / "otif.toml").write_text('[company]\nname = "Autumn"\nzone = "America/Chicago"\n', encoding="utf-8")
    (home / "seeds").mkdir()
    (home / "seeds" / "nodes.csv").write_text(
        "node_id,node_name,node_type,zone,cut_off_time,operating_days,daily_capacity_units\n"
        'night,Night,tpl,America/New_York,01:30,"1,2,3,4,5,6,7",100\n'
        'day,Day,tpl,Europe/Berlin,14:00,"1,2,3,4,5,6,7",100\n',
        encoding="utf-8",
    )
    settings = Settings.load(home)
    with open_writer(settings, purpose="autumn") as connection:
        prepare_landing(connection)
        land(connection, "order", list(_orders()))
        land(connection, "shipment", list(_shipments()))
    make_models(settings, AS_OF, "+fct_order_assessments", "+int_node_orders_cut_off")
    with closing(connect(settings.database, read_only=True)) as connection:
        yield connection


@pytest.mark.parametrize("order", CUT_OFFS)
def test_a_cut_off_in_an_hour_that_exists_twice_is_one_instant(built: Connection, order: str) -> None:
    _, _, due = CUT_OFFS[order]
    for model in ("int_order_lines_ship_due", "int_node_orders_cut_off"):
        column = "cut_off_due_at" if model == "int_order_lines_ship_due" else "due_at"
        assert built.execute(f"select {column} from intermediate.{model} where order_id = ?", [order]).fetchall() == [
            (at(due),)
        ], model


@pytest.mark.parametrize("order", [*WINDOWS, *PROMISES])
def test_windows_and_promises_hold_on_a_day_of_25_hours(built: Connection, order: str) -> None:
    *_, is_in_time = (WINDOWS | PROMISES)[order]
    rows = built.execute(
        "select is_on_time from marts.fct_order_assessments where order_id = ? and is_headline", [order]
    ).fetchall()
    assert rows == [(is_in_time,)]
