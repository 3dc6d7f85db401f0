"""The files reproduce the simulator's event truth exactly: nothing lost, nothing added, every instant and unit.

The truth is taken from the simulation's own objects while it writes its files; the events come from the adapters. On a
small company by default; `OTIF_EVENT_TRUTH=sample` proves it on the sample company's own parameters.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.landing import find_files
from pipelines.simulator import run
from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.company import NODES, WHOLESALE
from pipelines.simulator.journal import Journal, ReturnCase, WeekJournal
from pipelines.simulator.model import Order, Shipment
from pipelines.sources.base import AdapterContext
from pipelines.sources.registry import load_source
from storage.settings import Settings

ARGUMENTS = (
    {"orders": 5000, "seed": 7, "weeks": 26}
    if os.environ.get("OTIF_EVENT_TRUTH") == "sample"
    else {"orders": 600, "seed": 2, "weeks": 8}
)


@dataclass
class Truth:
    """What the systems were told, week by week, and the workspace they wrote."""

    home: Path
    end: int = 0
    weeks: list[WeekJournal] = field(default_factory=list)
    touched: dict[str, Order] = field(default_factory=dict)
    picked: dict[str, Shipment] = field(default_factory=dict)
    cases: dict[int, ReturnCase] = field(default_factory=dict)

    def events(self, source: str) -> dict[str, pl.DataFrame]:
        """Return what the adapter makes of the source's folder; nothing may be rejected."""
        context = AdapterContext.from_settings(Settings.load(self.home))
        batch = load_source(source).parse(find_files([self.home / "inbox" / source]), context)
        assert batch.rejects.is_empty()
        return dict(batch.events)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """Simulate, and keep what the journal held when each week was written."""
    kept = Truth(tmp_path_factory.mktemp("truth"))
    take = Journal.take
    write_week = run._write_week

    def keep(journal: Journal, week: int) -> WeekJournal:
        told = take(journal, week)
        kept.weeks.append(told)
        kept.end = journal.end
        kept.touched |= {order.order_id: order for order in told.touched.values()}
        kept.cases |= told.returns
        return told

    def write(inbox: Path, label: str, company: Any, **more: Any) -> None:
        waiting = [shipment for warehouse in company.warehouses for shipment in warehouse.in_progress]
        write_week(inbox, label, company, **more)
        kept.picked |= {shipment.shipment_id: shipment for shipment in (*kept.weeks[-1].shipped, *waiting)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "take", keep)
        patch.setattr(run, "_write_week", write)
        run.simulate(kept.home, **ARGUMENTS)
    return kept


def utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None)


def told(frame: pl.DataFrame, event_type: str, *columns: str) -> set[tuple[Any, ...]]:
    return set(frame.filter(pl.col("event_type") == event_type).select(columns).iter_rows())


def test_the_carriers_files_tell_every_acceptance_trouble_and_delivery(truth: Truth) -> None:
    parcels = truth.events("carrier")["shipment"].filter(pl.col("reason").fill_null("") != "estimate")
    news = [(shipment, kind) for week in truth.weeks for _, shipment, kind in week.trackers]
    key = ("tracking_number", "event_at")
    assert told(parcels, "carrier.accepted", *key) == {(s.tracking, utc(s.accepted_at)) for s, _ in news}
    delivered = {(s.tracking, utc(s.delivered_at)) for s, kind in news if kind == "delivered"}
    assert told(parcels, "delivered", *key) == delivered
    trouble = {
        (s.tracking, utc(s.exception_at))
        for s, kind in news
        if kind == "exception" or (kind == "delivered" and 0 < s.exception_at < s.delivered_at)
    }
    assert told(parcels, "exception", *key) == trouble
    assert len(delivered) > 100
    assert trouble
    assert set(parcels["time_quality"]) == {"instant"}


def test_the_nodes_files_tell_every_release_and_stage(truth: Truth) -> None:
    events = truth.events("wms")
    line = ("order_id", "line_id", "sku", "quantity", "node_id", "event_at")
    released = {row for week in truth.weeks for s in week.released for row in _rows(s, s.released_at)}
    assert told(events["order"], "order.released", *line) == released
    stages = {
        "pick.started": "pick_started_at",
        "pick.completed": "pick_completed_at",
        "packed": "packed_at",
        "label.created": "label_at",
    }
    for event_type, stamp in stages.items():
        expected = {row for s in truth.picked.values() for row in _rows(s, getattr(s, stamp))}
        assert told(events["shipment"], event_type, *line) == expected
    shipped = {row for week in truth.weeks for s in week.shipped for row in _rows(s, s.shipped_at)}
    assert told(events["shipment"], "ship.confirmed", *line) == shipped
    assert len(shipped) > 100
    trackings = {(s.shipment_id, s.tracking) for s in truth.picked.values()}
    assert set(events["shipment"].select("shipment_id", "tracking_number").iter_rows()) == trackings


def _rows(shipment: Shipment, at: int) -> Iterator[tuple[Any, ...]]:
    for line, units in shipment.lines:
        sku, node = SKUS[line.sku].code, NODES[shipment.node].node_id
        yield (shipment.order.order_id, line.line_id, sku, Decimal(units), node, utc(at))


def test_the_shops_files_tell_every_order_line_and_cancellation(truth: Truth) -> None:
    orders = truth.events("shopify")["order"]
    assert all(order.channel != WHOLESALE for order in truth.touched.values())
    captured = {
        (
            order.order_id,
            line.line_id,
            None if line.sku < 0 else SKUS[line.sku].code,
            Decimal(line.ordered),
            utc(order.captured_at),
        )
        for order in truth.touched.values()
        for line in order.lines
    }
    assert told(orders, "order.captured", "order_id", "line_id", "sku", "quantity", "event_at") == captured
    whole = {(order.order_id, utc(order.cancelled_at)) for order in truth.touched.values() if order.cancelled_at}
    cancelled = orders.filter(pl.col("line_id").is_null())
    assert told(cancelled, "order.cancelled", "order_id", "event_at") == whole
    assert len(captured) > 100
    assert whole


def test_the_returns_files_tell_every_stage(truth: Truth) -> None:
    returns = truth.events("returns")["return"]
    stages = {
        "rma.created": "created_at", "return.in_transit": "in_transit_at", "return.received": "received_at",
        "return.graded": "graded_at", "return.restocked": "restocked_at", "refund.issued": "refunded_at",
    }  # fmt: skip
    for event_type, stamp in stages.items():
        expected = {
            (str(3_000_000 + case.number), case.line_id, SKUS[case.sku].code, Decimal(case.quantity), utc(at))
            for case in truth.cases.values()
            if 0 < (at := getattr(case, stamp)) < truth.end
        }
        assert told(returns, event_type, "rma_id", "line_id", "sku", "quantity", "event_at") == expected
        assert expected
    graded = returns.filter(pl.col("event_type") == "return.graded").select("rma_id", "disposition").unique()
    kinds = {str(3_000_000 + case.number): case.disposition for case in truth.cases.values()}
    assert all(kinds[rma] == disposition for rma, disposition in graded.iter_rows())


def test_the_stock_files_tell_every_snapshot_and_receipt(truth: Truth) -> None:
    inventory = truth.events("inventory")["inventory"]
    cells = {
        (utc(at), NODES[node].node_id, sku.code, *map(Decimal, (hand[node][i], given[node][i], held[node][i])))
        for week in truth.weeks
        for at, hand, given, held in week.snapshots
        for node in range(len(NODES))
        for i, sku in enumerate(SKUS)
    }
    columns = ("event_at", "node_id", "sku", "quantity", "reserved_quantity", "quarantine_quantity")
    assert told(inventory, "inventory.snapshot", *columns) == cells
    news = [row for week in truth.weeks for row in week.receipts]
    expected = {
        (row.receipt.receipt_id, utc(row.noted_at), Decimal(row.receipt.quantity), utc(row.expected_at)) for row in news
    }
    assert told(inventory, "receipt.expected", "receipt_id", "event_at", "quantity", "expected_at") == expected
    docked = {(row.receipt.receipt_id, utc(row.checked_in_at)) for row in news if row.checked_in_at}
    assert told(inventory, "receipt.checked_in", "receipt_id", "event_at") == docked
    stocked = {(r.receipt.receipt_id, utc(r.received_at), Decimal(r.quantity_received)) for r in news if r.received_at}
    assert told(inventory, "receipt.received", "receipt_id", "event_at", "quantity") == stocked
    assert stocked
