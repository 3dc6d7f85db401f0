"""Landing a CSV through a mapping, against pandas reading it and writing it to SQLite.

Ours does more: zones, row contract, content ids, duplicate check, manifest, one durable transaction.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.harness import Result, best_of
from pipelines.checks.verdict import Verdict
from pipelines.landing import ingest
from storage.settings import Settings

ROWS = 200_000
MAPPING = """
name: shop
zone: America/New_York
tables:
  orders: {files: "*orders*.csv"}
events:
  - type: order.captured
    from: orders
    at: placed
    columns: {order_id: order, line_id: line, sku: sku, quantity: qty, unit_price: price}
"""


def run() -> list[Result]:
    """Measure and compare."""
    folder = Path(tempfile.mkdtemp())
    try:
        source = folder / "in" / "orders.csv"
        source.parent.mkdir()
        _write_orders(source)

        def ours() -> None:
            home = Path(tempfile.mkdtemp(dir=folder))
            (home / "mapping.yml").write_text(MAPPING)
            ingest(Settings(home=home), [source.parent], mapping=home / "mapping.yml", judge=lambda *_: Verdict())

        def theirs() -> None:
            frame = pd.read_csv(source, dtype=str)
            frame["placed"] = pd.to_datetime(frame["placed"], format="%Y-%m-%d %H:%M:%S")
            connection = sqlite3.connect(Path(tempfile.mkdtemp(dir=folder)) / "peer.sqlite")
            frame.to_sql("orders", connection, index=False)
            connection.close()

        return [
            Result(
                name="land a CSV of order lines",
                data=f"{ROWS:,} generated rows, {source.stat().st_size / 1e6:.0f} MB",
                peer=f"pandas {pd.__version__} read_csv + to_sql(SQLite)",
                ours=best_of(ours),
                theirs=best_of(theirs),
                unit="s",
                note="the expectation suite is left out on our side; the peer checks nothing",
            )
        ]
    finally:
        shutil.rmtree(folder)


def _write_orders(path: Path) -> None:
    with path.open("w") as handle:
        handle.write("order,line,sku,placed,qty,price\n")
        for number in range(ROWS):
            day, hour = 1 + number % 28, number % 24
            handle.write(
                f"A{number},1,SKU-{number % 500},2026-03-{day:02d} {hour:02d}:15:00,{1 + number % 5},{number % 90}.50\n"
            )
