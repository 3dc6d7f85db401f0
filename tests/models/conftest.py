"""A workspace with the eleven golden orders, landed as events and built."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.landing import prepare_landing
from pipelines.transform import build
from storage.duck import open_writer
from storage.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Land, MadeOnce

at = datetime.fromisoformat
WINDOW = (at("2026-03-09 05:00"), at("2026-03-12 05:00"))
LATER_WINDOW = (at("2026-03-16 05:00"), at("2026-03-19 05:00"))
GOLDEN_AS_OF = at("2026-03-16 00:00").replace(tzinfo=UTC)
CAPTURED = at("2026-03-01 15:00")
LINES = {
    "O1": (100,), "O2": (100,), "O3": (100,), "O4": (50, 50), "O5": (100,), "O6": (100,), "O7": (100,), "O8": (100,),
    "O9": (100,), "O10": (100,), "O11": (100,),
}  # fmt: skip
ARRIVALS = (
    ("O1", "1", 100, at("2026-03-10 15:00")),
    ("O2", "1", 100, at("2026-03-08 15:00")),
    ("O3", "1", 60, at("2026-03-10 15:00")),
    ("O3", "1", 40, at("2026-03-12 15:00")),
    ("O4", "1", 60, at("2026-03-10 15:00")),
    ("O4", "2", 40, at("2026-03-10 15:00")),
    ("O5", "1", 80, at("2026-03-12 04:30")),  # 23:30 of the 11th in Chicago
    ("O6", "1", 70, at("2026-03-10 15:00")),
    ("O9", "1", 100, at("2026-03-14 15:00")),
)
APPOINTMENTS = (
    ("O1", at("2026-03-10 15:00")),
    ("O2", at("2026-03-09 14:00")),
    ("O3", at("2026-03-11 15:00")),
    ("O3", at("2026-03-12 15:30")),  # moved: past the window
    ("O4", at("2026-03-10 14:00")),
    ("O10", at("2026-03-11 14:00")),
)


def _order_events() -> Iterator[dict[str, Any]]:
    for order, quantities in LINES.items():
        start, end = LATER_WINDOW if order in ("O8", "O9") else WINDOW
        for number, quantity in enumerate(quantities, start=1):
            yield {
                "event_type": "order.captured", "event_at": CAPTURED, "order_id": order, "line_id": str(number),
                "channel": "wholesale", "customer_id": "acme", "currency": ("USD", "CAD")[number - 1],
                "sku": f"SKU-{number}",
                "quantity": quantity, "unit_price": 10, "unit_cost": 4, "clock_zone": "America/Chicago",
                "window_start_at": start, "window_end_at": end,
            }  # fmt: skip
    change = {"event_type": "order.changed", "line_id": "1"}
    yield change | {"event_at": at("2026-03-03 00:00"), "order_id": "O5", "quantity": 80, "actor": "customer"}
    yield change | {"event_at": at("2026-03-03 00:00"), "order_id": "O6", "quantity": 70, "actor": "seller_oos"}
    cancel = {"event_type": "order.cancelled", "actor": "customer"}
    yield cancel | {"event_at": at("2026-03-06 15:00"), "order_id": "O7"}
    yield cancel | {"event_at": at("2026-03-13 15:00"), "order_id": "O11"}


def _shipment_events() -> Iterator[dict[str, Any]]:
    for number, (order, line, quantity, arrived_at) in enumerate(ARRIVALS):
        piece = {"shipment_id": f"S{number}", "order_id": order, "line_id": line, "quantity": quantity}
        yield piece | {"event_type": "ship.confirmed", "event_at": at("2026-03-05 20:00")}
        yield piece | {"event_type": "arrived", "event_at": arrived_at}
    for hour, (order, agreed_at) in enumerate(APPOINTMENTS):
        agreed = {"event_type": "appt.scheduled", "event_at": at(f"2026-03-06 {hour + 10}:00")}
        yield agreed | {"order_id": order, "appointment_at": agreed_at, "attributes": '{"stop":"delivery"}'}


def build_golden(home: Path, land: Land, orders: list[dict[str, Any]], shipments: list[dict[str, Any]]) -> None:
    """Build a workspace with the golden orders and further events."""
    home.mkdir()
    (home / "otif.toml").write_text('[company]\nname = "Golden"\nzone = "America/Chicago"\n', encoding="utf-8")
    settings = Settings.load(home)
    with open_writer(settings, purpose="golden orders") as connection:
        prepare_landing(connection)
        # Learned backwards: the order of arrival must not matter.
        land(connection, "order", [*_order_events(), *orders][::-1])
        land(connection, "shipment", [*_shipment_events(), *shipments][::-1])
    build(settings, GOLDEN_AS_OF, tests=False)


@pytest.fixture(scope="session")
def golden_settings(made_once: MadeOnce, land: Land) -> Settings:
    """The built workspace."""
    return Settings.load(made_once("golden", lambda home: build_golden(home, land, [], [])))


@pytest.fixture(scope="session")
def doubted_settings(made_once: MadeOnce, land: Land) -> Settings:
    """The same with three orders in doubt.

    P1 left and nothing more is told; of P2 60 of 100 arrived, the rest left; P3 was cancelled nobody knows when.
    """
    captured = next(_order_events())
    shipped = {"event_type": "ship.confirmed", "event_at": at("2026-03-05 20:00"), "line_id": "1"}
    orders = [
        *(captured | {"order_id": order} for order in ("P1", "P2", "P3")),
        {"event_type": "order.cancelled", "actor": "customer", "event_at": at("2026-03-13 15:00")}
        | {"order_id": "P3", "time_quality": "estimated"},
    ]
    shipments = [
        shipped | {"shipment_id": "SP1", "order_id": "P1", "quantity": 100},
        shipped | {"shipment_id": "SP2", "order_id": "P2", "quantity": 60},
        shipped | {"shipment_id": "SP3", "order_id": "P2", "quantity": 40},
        shipped
        | {"shipment_id": "SP2", "order_id": "P2", "quantity": 60, "event_type": "arrived"}
        | {"event_at": at("2026-03-10 15:00")},
    ]
    return Settings.load(made_once("doubted", lambda home: build_golden(home, land, orders, shipments)))


@pytest.fixture(scope="session")
def golden_as_of() -> datetime:
    """Instant the golden orders are seen from."""
    return GOLDEN_AS_OF
