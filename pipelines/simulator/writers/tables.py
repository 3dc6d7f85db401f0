"""Spreadsheets that people keep: holds and disputes; and the company's seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.clock import MINUTE, day_text, zone
from pipelines.simulator.company import (
    CARRIERS,
    CHANNELS,
    LANES,
    NODES,
    RETAILERS,
    ZONE,
)
from pipelines.simulator.finance import CODES
from pipelines.simulator.journal import DisputeRow, HoldRow
from pipelines.simulator.stock import Reservation, Stock
from pipelines.simulator.warehouse import Warehouse
from pipelines.simulator.writers.files import write_gzip, write_text


def write_holds(path: Path, rows: Iterable[HoldRow]) -> None:
    """Write the holds that were placed or released in a week."""
    write_gzip(path, _holds(sorted(rows, key=lambda row: (row.at, row.order_id))))


def _holds(rows: list[HoldRow]) -> Iterator[str]:
    clock = zone(ZONE)
    yield "order_number,hold_type,placed_at,released_at,placed_by,note\n"
    for row in rows:
        released = clock.text(row.released_at) if row.released_at else ""
        yield f"{row.order_id},{row.hold_type},{clock.text(row.placed_at)},{released},{row.placed_by},{row.note}\n"


def write_disputes(path: Path, rows: Iterable[DisputeRow]) -> None:
    """Write the disputes that were filed or resolved in a week."""
    write_gzip(path, _disputes(sorted(rows, key=lambda row: (row.at, row.number))))


def _disputes(rows: list[DisputeRow]) -> Iterator[str]:
    clock = zone(ZONE)
    yield (
        "dispute_number,deduction_number,retailer,order_number,amount,filed_at,deadline,status,resolved_at,recovered\n"
    )
    for row in rows:
        resolved = clock.text(row.resolved_at) if row.resolved_at else ""
        recovered = _money(row.recovered) if row.resolved_at else ""
        yield (
            f"{row.number},{row.deduction},{RETAILERS[row.retailer].retailer},{row.order_id},{_money(row.amount)},"
            f"{clock.text(row.filed_at)},{day_text(row.deadline_day)},{row.status},{resolved},{recovered}\n"
        )


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def write_seeds(folder: Path, warehouses: list[Warehouse], reservations: list[Reservation], stock: Stock) -> None:
    """Write the company's own seeds."""
    tables = {
        "nodes": _nodes(warehouses),
        "carriers": ["carrier,carrier_name,mode", *(f"{c.carrier},{c.name},{c.mode}" for c in CARRIERS)],
        "carrier_codes": ["carrier_code,carrier", *(f"{c.scac.lower()},{c.carrier}" for c in CARRIERS)],
        "lanes": _lanes(),
        "skus": _skus(),
        "channel_reservations": _reservations(reservations),
        "safety_stock": _safety(stock),
        "violation_map": _violations(),
    }
    for name, rows in tables.items():
        write_text(folder / f"{name}.csv", "\n".join(rows) + "\n")


def _nodes(warehouses: list[Warehouse]) -> list[str]:
    rows = [
        "node_id,node_name,node_type,zone,cut_off_time,operating_days,daily_capacity_units,region,opens_at,closes_at"
    ]
    for warehouse in warehouses:
        node = warehouse.node
        cut_off = f"{node.cut_off // 3600:02d}:{node.cut_off % 3600 // MINUTE:02d}"
        days = ",".join(map(str, node.operating_days))
        rows.append(
            f'{node.node_id},{node.name},{node.type},{node.zone},{cut_off},"{days}",{warehouse.capacity},{node.region},,'
        )
    return rows


def _lanes() -> list[str]:
    rows = ["node_id,lane_zone,carrier,service,transit_days,cost_per_unit"]
    for lane in LANES.values():
        carrier, node = CARRIERS[lane.carrier].carrier, NODES[lane.node].node_id
        rows.append(f"{node},{lane.lane_zone},{carrier},{lane.service},{lane.transit_days},{_money(lane.cost)}")
    return rows


def _skus() -> list[str]:
    rows = ["sku,sku_name,category,unit_cost,unit_price,pack_quantity,weight_kg"]
    rows += [
        f"{s.code},{s.name},{s.category.name},{_money(s.cost)},{_money(s.price)},{s.pack},{s.weight_kg:.2f}"
        for s in SKUS
    ]
    return rows


def _reservations(reservations: list[Reservation]) -> list[str]:
    rows = ["sku,node_id,channel,quantity,effective_from,effective_to"]
    for row in reservations:
        last = day_text(row.last_day) if row.last_day else ""
        rows.append(
            f"{SKUS[row.sku].code},{NODES[row.node].node_id},{CHANNELS[row.channel]},{row.quantity},"
            f"{day_text(row.first_day)},{last}"
        )
    return rows


def _safety(stock: Stock) -> list[str]:
    rows = ["sku,node_id,quantity"]
    for node in NODES:
        rows += [
            f"{sku.code},{node.node_id},{stock.safety[node.index][sku.index]}"
            for sku in SKUS
            if stock.safety[node.index][sku.index]
        ]
    return rows


_STANDARD_CODES = {
    "01": "invoice_price", "06": "invoice_qty", "07": "substitution", "19": "invoice_duplicate", "46": "routing_guide",
    "50": "late_arrive", "59": "short_ship", "A034": "short_ship", "A038": "substitution",
}  # fmt: skip


def _violations() -> list[str]:
    codes = dict(_STANDARD_CODES)
    for by_violation in CODES.values():
        codes |= {code: violation for violation, code in by_violation.items()}
    return ["partner_code,violation", *(f"{code},{codes[code]}" for code in sorted(codes))]
