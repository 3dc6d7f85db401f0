"""Node files: orders received by the node and shipments that left it. Stamps in the node's own zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.clock import zone
from pipelines.simulator.company import CARRIERS, NODES, WHOLESALE
from pipelines.simulator.model import Order, Shipment
from pipelines.simulator.transport import Transport
from pipelines.simulator.writers.files import write_gzip

ORDER_HEADER = "warehouse,order_number,order_line,sku,quantity,received_at\n"
SHIPMENT_HEADER = (
    "warehouse,shipment_id,order_number,order_line,sku,quantity_shipped,pick_started_at,pick_completed_at,packed_at,"
    "label_created_at,shipped_at,carrier,service,tracking_number,freight_cost,ship_to_state\n"
)


def write_orders(folder: Path, week: str, released: Iterable[Shipment]) -> None:
    """Write what each node received in a week."""
    by_node = _by_node(released)
    for node in NODES:
        rows = sorted(by_node.get(node.index, []), key=lambda s: (s.released_at, s.shipment_id))
        write_gzip(folder / f"{node.node_id}-orders-{week}.csv.gz", _orders(rows))


def write_shipments(folder: Path, week: str, shipped: Iterable[Shipment], waiting: Iterable[Shipment]) -> None:
    """Write what left each node in a week, and what stands packed at the dock at its end."""
    by_node = _by_node([*shipped, *waiting])
    for node in NODES:
        rows = sorted(by_node.get(node.index, []), key=lambda s: (s.pick_started_at, s.shipment_id))
        write_gzip(folder / f"{node.node_id}-shipments-{week}.csv.gz", _shipments(rows))


def order_number(order: Order) -> str:
    """Return the order number as the nodes print it."""
    return order.order_id if order.channel == WHOLESALE else f"#{order.order_id}"


def _by_node(shipments: Iterable[Shipment]) -> dict[int, list[Shipment]]:
    groups: dict[int, list[Shipment]] = {}
    for shipment in shipments:
        groups.setdefault(shipment.node, []).append(shipment)
    return groups


def _orders(shipments: list[Shipment]) -> Iterator[str]:
    yield ORDER_HEADER
    for shipment in shipments:
        node = NODES[shipment.node]
        stamp = zone(node.zone).text(shipment.released_at)
        number = order_number(shipment.order)
        for line, units in shipment.lines:
            yield f"{node.node_id},{number},{line.line_id},{SKUS[line.sku].code},{units},{stamp}\n"


def _shipments(shipments: list[Shipment]) -> Iterator[str]:
    yield SHIPMENT_HEADER
    for shipment in shipments:
        node, carrier = NODES[shipment.node], CARRIERS[shipment.carrier]
        text = zone(node.zone).text
        stamps = ",".join(
            (
                text(shipment.pick_started_at), text(shipment.pick_completed_at), text(shipment.packed_at),
                text(shipment.label_at), text(shipment.shipped_at) if shipment.shipped_at else "",
            )
        )  # fmt: skip
        head = f"{node.node_id},{shipment.shipment_id},{order_number(shipment.order)}"
        tail = f"{carrier.carrier},{shipment.service},{shipment.tracking}"
        cost = Transport.lane(shipment).cost
        for line, units in shipment.lines:
            freight = f"{cost * units // 100}.{cost * units % 100:02d}"
            yield (
                f"{head},{line.line_id},{SKUS[line.sku].code},{units},{stamps},{tail},{freight},{shipment.order.state}\n"
            )
