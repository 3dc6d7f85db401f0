"""Small worlds for the allocation: one node, one lane, whatever a test adds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from optimizer.allocation import AllocationData, AllocationOptions, Weights
from optimizer.allocation.frames import (
    EXTRA_SPECS,
    INVENTORY,
    LANES,
    NODES,
    OPEN_LINES,
    RECEIPTS,
    RESERVATIONS,
    FrameSpec,
)

AS_OF = datetime(2026, 11, 16, 5, tzinfo=UTC).replace(tzinfo=None)
"""Monday 16 November 2026, 00:00 in New York."""

QUIET = Weights(pick_pack_cents=0, payment_fee_bp=0, marketplace_fee_bp=0)

_DTYPES = {
    "text": pl.String(),
    "whole": pl.Decimal(18, 3),
    "cents": pl.Decimal(18, 4),
    "rate": pl.Decimal(18, 4),
    "flag": pl.Boolean(),
    "instant": pl.Datetime("us"),
    "signed": pl.Decimal(18, 4),
    "date": pl.Date(),
}


OPTIONAL = frozenset(
    {
        *list(OPEN_LINES.columns)[list(OPEN_LINES.columns).index("deliver_not_before_at") :],
        *("expires_on", "customer_id", "cap_quantity", "buffer_quantity", "release_at"),
        *("daily_dock_appointments", "handling", "pickup_days", "transit_weekdays", "needs_appointment"),
    }
)


def frame(spec: FrameSpec, rows: list[dict[str, Any]]) -> pl.DataFrame:
    # Columns that no row names are left out, as a feed without them would.
    named = {name for row in rows for name in row}
    kept = {name: kind for name, kind in spec.columns.items() if name in named or name not in OPTIONAL}
    schema = {name: pl.Int64() if name == "priority_rank" else _DTYPES[kind] for name, kind in kept.items()}
    decimals = {name for name, kind in schema.items() if isinstance(kind, pl.Decimal)}
    filled = [
        {
            name: Decimal(str(row[name])) if name in decimals and row.get(name) is not None else row.get(name)
            for name in schema
        }
        for row in rows
    ]
    return pl.DataFrame(filled, schema=schema)


def line(order_id: str = "1", line_id: str = "1", **given: Any) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "line_id": line_id,
        "sku": "A",
        "channel": "dtc",
        "channel_type": "dtc",
        "lane_zone": "east",
        "open_quantity": 1,
        "unit_price": 20,
        "unit_cost": 10,
        "fine_rate": 0,
        "is_on_hold": False,
        "is_ship_complete": False,
        "priority_rank": 1,
        "captured_at": AS_OF - timedelta(days=1),
        **given,
    }


def node(node_id: str = "n1", **given: Any) -> dict[str, Any]:
    return {
        "node_id": node_id,
        "zone": "America/New_York",
        "cut_off_time": "15:00",
        "operating_days": "1,2,3,4,5",
        "daily_capacity_units": None,
        **given,
    }


def lane(node_id: str = "n1", **given: Any) -> dict[str, Any]:
    return {
        "node_id": node_id,
        "lane_zone": "east",
        "carrier": "swift",
        "service": "ground",
        "transit_days": 1,
        "cost_per_unit": 1,
        **given,
    }


def stock(sku: str = "A", node_id: str = "n1", on_hand: Any = 10, **given: Any) -> dict[str, Any]:
    return {"sku": sku, "node_id": node_id, "on_hand": on_hand, "quarantine": 0, "safety_stock": 0, **given}


def receipt(quantity: Any, days: float, sku: str = "A", node_id: str = "n1", **given: Any) -> dict[str, Any]:
    return {
        "receipt_id": f"r-{sku}-{node_id}-{days}",
        "sku": sku,
        "node_id": node_id,
        "quantity": quantity,
        "is_confirmed": True,
        "expected_at": AS_OF + timedelta(days=days, hours=6),
        **given,
    }


def reservation(channel: str, quantity: Any, sku: str = "A", node_id: str = "n1", **given: Any) -> dict[str, Any]:
    return {"sku": sku, "node_id": node_id, "channel": channel, "quantity": quantity, **given}


def make(
    lines: list[dict[str, Any]],
    inventory: list[dict[str, Any]] | None = None,
    *,
    receipts: list[dict[str, Any]] | None = None,
    reservations: list[dict[str, Any]] | None = None,
    nodes: list[dict[str, Any]] | None = None,
    lanes: list[dict[str, Any]] | None = None,
    extras: dict[str, list[dict[str, Any]]] | None = None,
    **options: Any,
) -> AllocationData:
    specs = {spec.name: spec for spec in EXTRA_SPECS}
    options = {"as_of": AS_OF, "weights": QUIET, **options}
    return AllocationData.from_frames(
        frame(OPEN_LINES, lines),
        frame(INVENTORY, [stock()] if inventory is None else inventory),
        inbound_receipts=frame(RECEIPTS, receipts or []),
        channel_reservations=frame(RESERVATIONS, reservations or []),
        nodes=frame(NODES, [node()] if nodes is None else nodes),
        lanes=frame(LANES, [lane()] if lanes is None else lanes),
        options=AllocationOptions(**options),
        extras={name: frame(specs[name], rows) for name, rows in (extras or {}).items()},
    )


class World:
    """What tests build from."""

    AS_OF = AS_OF
    QUIET = QUIET
    frame = staticmethod(frame)
    line = staticmethod(line)
    node = staticmethod(node)
    lane = staticmethod(lane)
    stock = staticmethod(stock)
    receipt = staticmethod(receipt)
    reservation = staticmethod(reservation)
    make = staticmethod(make)


@pytest.fixture(scope="session")
def world() -> type[World]:
    """Builders of small problems."""
    return World


@pytest.fixture(scope="session")
def day() -> Callable[[float], datetime]:
    """The instant so many days after the decision."""
    return lambda days: AS_OF + timedelta(days=days)
