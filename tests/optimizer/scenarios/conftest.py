"""A small company for scenarios: two nodes, three carriers, three channels, one SKU short."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from optimizer.allocation import AllocationOptions, Weights
from optimizer.allocation.world import World

AS_OF = datetime(2026, 11, 16, 5, tzinfo=UTC).replace(tzinfo=None)
"""Monday 16 November 2026, 00:00 in New York."""

QUIET = Weights(pick_pack_cents=0, payment_fee_bp=0, marketplace_fee_bp=0)


def frames() -> dict[str, pl.DataFrame]:
    in_days = {days: AS_OF + timedelta(days=days) for days in range(12)}

    def line(order: str, sku: str, quantity: int, channel: str, customer: str, zone: str = "east", **more: Any):
        return {
            "order_id": order,
            "line_id": "1",
            "sku": sku,
            "channel": channel,
            "channel_type": "wholesale" if channel == "wholesale" else "dtc",
            "customer_id": customer,
            "lane_zone": zone,
            "open_quantity": quantity,
            "unit_price": 20.0,
            "unit_cost": 10.0,
            "fine_rate": 0.0,
            "priority_rank": 1 if channel == "wholesale" else 3,
            "is_on_hold": False,
            "hold_type": None,
            "is_ship_complete": False,
            "captured_at": AS_OF - timedelta(days=1),
            "ship_not_before_at": None,
            "need_at": in_days[5],
            "ship_by_at": None,
            "cancel_after_at": None,
            **more,
        }

    lines = [
        line("po1", "A", 12, "wholesale", "target", fine_rate=0.05, ship_not_before_at=in_days[2], need_at=in_days[8]),
        line("po2", "B", 10, "wholesale", "kohls", is_on_hold=True, hold_type="credit"),
        line("s1", "A", 2, "dtc", "c1"),
        line("s2", "A", 3, "dtc", "c2", zone="west"),
        line("s3", "B", 1, "dtc", "c3", need_at=in_days[2]),
        line("m1", "A", 2, "amazon", "c4"),
    ]
    return {
        "open_lines": pl.DataFrame(lines, infer_schema_length=None),
        "inventory": pl.DataFrame(
            [
                {"sku": "A", "node_id": "east", "on_hand": 9, "quarantine": 0, "safety_stock": 1},
                {"sku": "A", "node_id": "west", "on_hand": 2, "quarantine": 0, "safety_stock": 0},
                {"sku": "B", "node_id": "east", "on_hand": 40, "quarantine": 0, "safety_stock": 0},
            ]
        ),
        "inbound_receipts": pl.DataFrame(
            [
                {
                    "receipt_id": "r1",
                    "sku": "A",
                    "node_id": "east",
                    "quantity": 6,
                    "is_confirmed": True,
                    "expected_at": in_days[9],
                },
            ]
        ),
        "channel_reservations": pl.DataFrame([{"sku": "A", "node_id": "east", "channel": "wholesale", "quantity": 6}]),
        "nodes": pl.DataFrame(
            [
                {
                    "node_id": "east",
                    "zone": "America/New_York",
                    "cut_off_time": "15:00",
                    "operating_days": "1,2,3,4,5",
                    "daily_capacity_units": 50,
                },
                {
                    "node_id": "west",
                    "zone": "America/New_York",
                    "cut_off_time": "15:00",
                    "operating_days": "1,2,3,4,5",
                    "daily_capacity_units": None,
                },
            ]
        ),
        "lanes": pl.DataFrame(
            [
                {
                    "node_id": node,
                    "lane_zone": zone,
                    "carrier": carrier,
                    "service": "ground",
                    "transit_days": 1 if node == zone else 3,
                    "cost_per_unit": cost,
                }
                for node in ("east", "west")
                for zone in ("east", "west")
                for carrier, cost in (("swift", 1.0), ("blue", 1.5))
            ]
        ),
    }


@pytest.fixture
def world() -> World:
    """Today's problem; reserves may be released."""
    return World.of(frames(), AllocationOptions(as_of=AS_OF, weights=QUIET, reservations="decide"))
