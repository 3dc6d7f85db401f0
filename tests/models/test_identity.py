"""Orders of the sample company with planted collisions: nothing is merged that is not one, nothing parted that is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.transform import build
from storage.duck import Connection, open_writer
from storage.publish import open_published
from storage.settings import Settings

pytestmark = pytest.mark.exhaustive

OLD = timedelta(days=400)
RECYCLED = timedelta(days=60)
Land = Callable[[Connection, str, list[dict[str, Any]]], None]


def _one(settings: Settings, question: str, *values: object) -> tuple[Any, ...]:
    rows = _all(settings, question, *values)
    assert len(rows) == 1, rows
    return rows[0]


def _all(settings: Settings, question: str, *values: object) -> list[tuple[Any, ...]]:
    with open_published(settings) as connection:
        return connection.execute(question, list(values)).fetchall()


@pytest.fixture(scope="module")
def sample(sample_home: Path) -> Settings:
    return Settings.load(sample_home)


@pytest.fixture(scope="module")
def reused_order(sample: Settings) -> tuple[str, datetime]:
    """A purchase order of the sample that was delivered: its id and capture."""
    order_id, captured_at = _one(
        sample,
        "select order_id, captured_at from marts.fct_orders "
        "where source = 'edi' and delivered_at is not null order by order_id limit 1",
    )
    return order_id, captured_at


@pytest.fixture(scope="module")
def shared_number(sample: Settings) -> tuple[str, datetime]:
    """Another purchase order of the sample, whose number a second retailer uses too: its id and capture."""
    order_id, captured_at = _one(
        sample,
        "select order_id, captured_at from marts.fct_orders where source = 'edi' order by order_id desc limit 1",
    )
    return order_id, captured_at


@pytest.fixture(scope="module")
def recycled_parcel(sample: Settings) -> tuple[str, str, datetime, datetime]:
    """A delivered parcel of the sample: its order, tracking number, hand-over and delivery."""
    order_id, number, accepted_at, delivered_at = _one(
        sample,
        "select order_id, tracking_number, accepted_at, delivered_at from marts.fct_shipment_lines "
        "where source = 'wms' and delivered_at is not null and accepted_evidence = 'carrier_scan' "
        "and order_id not like '%-%' order by accepted_at desc, order_id limit 1",
    )
    return order_id, number, accepted_at, delivered_at


@pytest.fixture(scope="module")
def collided(
    tmp_path_factory: pytest.TempPathFactory,
    sample_home: Path,
    land: Land,
    reused_order: tuple[str, datetime],
    shared_number: tuple[str, datetime],
    recycled_parcel: tuple[str, str, datetime, datetime],
) -> Settings:
    home = tmp_path_factory.mktemp("collided")
    shutil.copytree(sample_home, home, dirs_exist_ok=True, ignore=shutil.ignore_patterns("published", "reports"))
    settings = Settings.load(home)
    order_id, captured_at = reused_order
    old = captured_at - OLD
    line = {"order_id": order_id, "line_id": "1", "sku": "OLD-1", "quantity": 6}
    parcel_order, number, accepted_at, _ = recycled_parcel
    early = {"event_at": accepted_at - RECYCLED, "tracking_number": number, "carrier": "swiftparcel"}
    purchase_order = order_id.split("-", 1)[1]
    shared, shared_at = shared_number[0].split("-", 1)[1], shared_number[1]
    with open_writer(settings, purpose="planting collisions") as connection:
        land(
            connection,
            "order",
            [
                line
                | {"event_type": "order.captured", "event_at": old, "channel": "wholesale", "unit_price": 5}
                | {"customer_id": order_id.split("-", 1)[0], "attributes": f'{{"po_date": "{old:%Y%m%d}"}}'},
                {"event_type": "order.captured", "event_at": accepted_at - RECYCLED, "source": "shopify"}
                | {"order_id": "planted", "line_id": "1", "sku": "OLD-2", "quantity": 1, "channel": "dtc"},
                {"event_type": "order.captured", "event_at": captured_at, "source": "netsuite", "order_id": "SO5"}
                | {"line_id": "9", "sku": "ANY", "quantity": 1, "attributes": f'{{"po_number": "{purchase_order}"}}'},
                {"event_type": "order.captured", "event_at": accepted_at, "source": "netsuite"}
                | {"order_id": parcel_order, "line_id": "1", "sku": "NOT-THE-SHOP'S", "quantity": 1},
                {"event_type": "order.captured", "event_at": shared_at, "customer_id": "otherco", "line_id": "1"}
                | {"order_id": f"otherco-{shared}", "sku": "OTHER", "quantity": 4, "channel": "wholesale"},
            ],
        )
        land(
            connection,
            "shipment",
            [
                line | {"event_type": "ship.confirmed", "event_at": old + timedelta(days=5), "source": "wms"},
                {"event_type": "ship.confirmed", "source": "wms", "order_id": "planted", "line_id": "1"}
                | early
                | {"sku": "OLD-2", "quantity": 1},
                {"event_type": "carrier.accepted", "source": "carrier"} | early,
                {"event_type": "delivered", "source": "carrier"}
                | early
                | {"event_at": accepted_at - RECYCLED + timedelta(days=2)},
                {"event_type": "ship.confirmed", "event_at": captured_at, "source": "third", "line_id": "1"}
                | {"order_id": purchase_order, "sku": "ANY", "quantity": 1},
                {"event_type": "ship.confirmed", "event_at": shared_at, "source": "third", "line_id": "1"}
                | {"order_id": shared, "sku": "OTHER", "quantity": 4},
            ],
        )
    build(settings, settings.resolve_as_of(), tests=False)
    return settings


def test_every_order_number_of_the_sample_belongs_to_a_captured_order(sample: Settings) -> None:
    statuses = dict(_all(sample, "select status, count(*) from marts.fct_order_references group by status"))
    orders = _one(sample, "select count(*) from marts.fct_orders")[0]
    assert set(statuses) == {"record", "matched"}
    assert statuses["record"] == orders


def test_a_purchase_order_number_used_again_is_another_order(
    sample: Settings, collided: Settings, reused_order: tuple[str, datetime]
) -> None:
    order_id, captured_at = reused_order
    facts = "units_ordered, units_shipped, merchandise_amount, captured_at, delivered_at"
    old = _one(collided, f"select {facts} from marts.fct_orders where order_id = ?", order_id)
    new = _one(collided, f"select {facts} from marts.fct_orders where order_id like ?", f"{order_id}~%")
    assert old[:2] == (6, 6)
    assert old[3] == captured_at - OLD
    assert new == _one(sample, f"select {facts} from marts.fct_orders where order_id = ?", order_id)


def test_one_number_of_two_retailers_is_two_orders_and_a_bare_mention_of_it_is_left_alone(
    sample: Settings, collided: Settings, shared_number: tuple[str, datetime]
) -> None:
    order_id, _ = shared_number
    bare = order_id.split("-", 1)[1]
    facts = "select units_ordered, units_shipped, captured_at, delivered_at from marts.fct_orders where order_id = ?"
    assert _one(collided, facts, order_id) == _one(sample, facts, order_id)
    assert _one(collided, facts, f"otherco-{bare}")[:2] == (4, 0)
    reference = "select status, order_id, candidates from marts.fct_order_references where order_reference = ?"
    assert _one(collided, reference, bare) == ("ambiguous", bare, 2)
    doubt = "select source, sum(observations) from marts.data_doubt where doubt = 'ambiguous_order_number' group by all"
    assert _all(collided, doubt) == [("third", 1)]


def test_a_recycled_tracking_number_delivers_each_parcel_once(
    collided: Settings, recycled_parcel: tuple[str, str, datetime, datetime]
) -> None:
    order_id, number, accepted_at, delivered_at = recycled_parcel
    times = "select distinct accepted_at, delivered_at from marts.fct_shipment_lines where tracking_number = ?"
    early = accepted_at - RECYCLED
    assert _all(collided, times + " and order_id = 'planted'", number) == [(early, early + timedelta(days=2))]
    assert _all(collided, times + " and order_id = ?", number, order_id) == [(accepted_at, delivered_at)]
    told = "select count(*) from marts.fct_events where order_id = 'planted' and event_type = 'delivered'"
    assert _one(collided, told) == (1,)


def test_other_systems_numbers_find_their_order_and_strangers_stay_apart(
    collided: Settings, reused_order: tuple[str, datetime], recycled_parcel: tuple[str, str, datetime, datetime]
) -> None:
    reference = (
        "select status, rule_id, order_id from marts.fct_order_references where source = ? and order_reference = ?"
    )
    order_id = reused_order[0]
    erp = _one(collided, reference, "netsuite", "SO5")
    assert erp[:2] == ("matched", "po_number")
    assert erp[2].startswith(f"{order_id}~")
    assert _one(collided, reference, "third", order_id.split("-", 1)[1])[:2] == ("matched", "bare_po_number")
    shop_number = recycled_parcel[0]
    assert _one(collided, reference, "netsuite", shop_number) == ("record", "captured", f"{shop_number}@netsuite")


def test_planted_collisions_leave_every_other_order_as_it_was(sample: Settings, collided: Settings) -> None:
    question = (
        "select order_id, units_ordered, units_shipped, delivered_at, order_status from marts.fct_orders "
        "where order_id not like '%~%' order by order_id"
    )
    before, after = set(_all(sample, question)), set(_all(collided, question))
    assert len(before - after) == 1
    assert len(after - before) == 4
