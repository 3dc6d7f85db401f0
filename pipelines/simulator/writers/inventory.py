"""Stock snapshots and inbound receipts. Stamps in the node's own zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.clock import Zone, zone
from pipelines.simulator.company import NODES
from pipelines.simulator.inbound import ReceiptNews
from pipelines.simulator.journal import WeekJournal
from pipelines.simulator.writers.files import write_gzip

Cells = list[list[int]]


def write_snapshots(path: Path, snapshots: Iterable[tuple[int, Cells, Cells, Cells]]) -> None:
    """Write stock snapshots, every SKU at every node."""
    write_gzip(path, _snapshots(snapshots))


def _snapshots(snapshots: Iterable[tuple[int, Cells, Cells, Cells]]) -> Iterator[str]:
    yield "snapshot_at,warehouse,sku,on_hand,allocated,quarantine\n"
    for at, on_hand, allocated, quarantine in snapshots:
        for node in NODES:
            head = f"{zone(node.zone).text(at)},{node.node_id}"
            cells = zip(SKUS, on_hand[node.index], allocated[node.index], quarantine[node.index], strict=True)
            for sku, hand, given, quality in cells:
                yield f"{head},{sku.code},{hand},{given},{quality}\n"


def write_receipts(path: Path, week: WeekJournal) -> None:
    """Write the news of inbound receipts."""
    news = sorted(week.receipts, key=lambda row: (row.noted_at, row.receipt.receipt_id))
    write_gzip(path, _receipts(news))


def _receipts(news: list[ReceiptNews]) -> Iterator[str]:
    yield (
        "noted_at,receipt_id,warehouse,sku,quantity,expected_at,confirmed,checked_in_at,received_at,quantity_received\n"
    )
    for row in news:
        receipt = row.receipt
        node = NODES[receipt.node]
        clock = zone(node.zone)
        received = f"{row.quantity_received}" if row.received_at else ""
        yield (
            f"{clock.text(row.noted_at)},{receipt.receipt_id},{node.node_id},{SKUS[receipt.sku].code},"
            f"{receipt.quantity},{clock.text(row.expected_at)},{'true' if row.confirmed else 'false'},"
            f"{_stamp(clock, row.checked_in_at)},{_stamp(clock, row.received_at)},{received}\n"
        )


def _stamp(clock: Zone, at: int) -> str:
    return clock.text(at) if at else ""
