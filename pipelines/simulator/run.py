"""Runs the sample company for some weeks and writes what its systems tell, week by week."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Final

from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.clock import day_number, week_label, zone
from pipelines.simulator.company import AS_OF, ZONE
from pipelines.simulator.demand import plan_scale
from pipelines.simulator.errors import SimulationError
from pipelines.simulator.faults import DELAYED_SKUS, FAULTS, OUT_OF_STOCK_SKU, STARVED_SKUS
from pipelines.simulator.journal import Journal
from pipelines.simulator.process import Company
from pipelines.simulator.writers import carrier, edi, inventory, returns, shopify, tables, wms, workspace
from pipelines.simulator.writers.files import write_gzip

MIN_ORDERS: Final = 100
MAX_WEEKS: Final = 104
MIN_WEEKS: Final = 2


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What was simulated.

    Attributes:
        orders: Orders captured.
        lines: Order lines captured.
        files: Files written.
        bytes: Their size.
        due_lines: Lines whose window ended before the end.
        missed_lines: Of those, lines not wholly delivered inside it.
        weeks: ISO weeks simulated.
    """

    orders: int
    lines: int
    files: int
    bytes: int
    due_lines: int
    missed_lines: int
    weeks: int


def simulate(
    out: Path, *, orders: int, seed: int, weeks: int, on_week: Callable[[str], None] = lambda _: None
) -> SimulationReport:
    """Simulate the sample company and write its files.

    The last week always ends at the sample's as-of, so that the planted faults keep their dates. The same
    arguments give the same bytes. Memory holds open orders and one week of text at most.

    Args:
        out: Folder of the workspace to write (otif.toml, seeds, inbox, truth).
        orders: Orders in all, over all channels.
        seed: Seed of all random draws.
        weeks: ISO weeks, ending with the week before the as-of.
        on_week: Called with each finished week's label, for progress output.

    Raises:
        SimulationError: The numbers are out of range.
    """
    _check(orders, weeks)
    end_day = day_number(date.fromisoformat(AS_OF))
    first_day = end_day - 7 * weeks
    clock = zone(ZONE)
    starts = [clock.at(first_day + 7 * week) for week in range(weeks + 1)]
    company = Company(plan_scale(orders, first_day, weeks), Journal(starts), first_day=first_day, seed=seed)
    workspace.write_workspace(out)
    tables.write_seeds(out / "seeds", company.warehouses, company.reservations, company.stock)
    for week in range(weeks):
        company.run_week(week)
        label = week_label(first_day + 7 * week)
        _write_week(out / "inbox", label, company, week=week, until=starts[week + 1])
        on_week(label)
    company.judge_open()
    _write_truth(out / "truth" / "truth.json.gz", company, arguments={"orders": orders, "seed": seed, "weeks": weeks})
    files = [path for path in out.rglob("*") if path.is_file()]
    return SimulationReport(
        orders=company.orders,
        lines=company.lines,
        files=len(files),
        bytes=sum(path.stat().st_size for path in files),
        due_lines=company.tally.due,
        missed_lines=company.tally.missed,
        weeks=weeks,
    )


def _check(orders: int, weeks: int) -> None:
    if orders < MIN_ORDERS:
        message = f"orders={orders}: expected at least {MIN_ORDERS}, fewer do not fill the channels"
        raise SimulationError(message)
    if not MIN_WEEKS <= weeks <= MAX_WEEKS:
        message = f"weeks={weeks}: expected {MIN_WEEKS} to {MAX_WEEKS}"
        raise SimulationError(message)


def _write_week(inbox: Path, label: str, company: Company, *, week: int, until: int) -> None:
    told = company.journal.take(week)
    waiting = [shipment for warehouse in company.warehouses for shipment in warehouse.in_progress]
    shopify.write_orders(inbox / "shopify" / f"orders-{label}.json.gz", told.touched.values())
    edi.write_interchanges(inbox / "edi", label, told.interchanges)
    wms.write_orders(inbox / "wms", label, told.released)
    wms.write_shipments(inbox / "wms", label, told.shipped, waiting)
    carrier.write_trackers(inbox / "carrier" / f"trackers-{label}.jsonl.gz", told.trackers)
    returns.write_returns(inbox / "returns" / f"returns-{label}.json.gz", told.returns.values(), until)
    inventory.write_snapshots(inbox / "inventory" / f"snapshots-{label}.csv.gz", told.snapshots)
    inventory.write_receipts(inbox / "inventory" / f"receipts-{label}.csv.gz", told)
    tables.write_holds(inbox / "holds" / f"holds-{label}.csv.gz", told.holds)
    tables.write_disputes(inbox / "disputes" / f"disputes-{label}.csv.gz", told.disputes)


def _write_truth(path: Path, company: Company, arguments: dict[str, int]) -> None:
    document = {
        "arguments": arguments,
        "as_of": AS_OF,
        "faults": [asdict(fault) for fault in FAULTS],
        "fault_skus": {
            "starved": [SKUS[sku].code for sku in STARVED_SKUS],
            "out_of_stock": [SKUS[OUT_OF_STOCK_SKU].code],
            "delayed_inbound": [SKUS[sku].code for sku in DELAYED_SKUS],
        },
        "due_lines": company.tally.due,
        "missed_lines": [asdict(miss) for miss in sorted(company.misses, key=lambda m: (m.order_id, m.line_id))],
    }
    write_gzip(path, [json.dumps(document, indent=0, sort_keys=True), "\n"])
