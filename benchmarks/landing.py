"""Landing canonical files and a mapped CSV, against DuckDB reading the same file into a table of a database file.

Ours does more: casts and row contract, content ids, search for known events, the expectation suite with Data Docs,
manifest, rejects, one durable transaction. Each measurement is a process of its own, so that its peak memory is its
own too.

    python -m benchmarks.landing                    1 and 10 million rows
    python -m benchmarks.landing 1000000            this many
    python -m benchmarks.landing 10000000 mapped    only this way: csv, jsonl or mapped
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.harness import Result
from storage.duck import connect

SIZES = (1_000_000, 10_000_000)
WAYS = {"csv": "canonical rows from CSV", "jsonl": "canonical rows from JSON lines", "mapped": "a mapped file from CSV"}

_ROWS = """
select 'order.captured' as event_type, timestamp '2025-01-01' + to_seconds(i * 37 % 31000000) as event_at,
    'instant' as time_quality, 'shop' as source, 'A' || i // 3 as order_id, cast(i % 3 + 1 as varchar) as line_id,
    ['dtc', 'amazon', 'wholesale'][1 + i % 3] as channel, 'C' || i % 50000 as customer_id, 'SKU-' || i % 5000 as sku,
    cast(1 + i % 5 as decimal(18, 3)) as quantity, cast(i % 9000 / 100 as decimal(18, 4)) as unit_price,
    'USD' as currency, ['NY', 'CA', 'TX'][1 + i % 3] as ship_to_region, 'US' as ship_to_country,
    timestamp '2025-01-05' + to_seconds(i * 37 % 31000000) as promise_at
from range({rows}) as numbers (i)
"""

_OURS = """
import json, os, resource, sys
from pathlib import Path
from typing import Any
from pipelines.landing import ingest
from storage.settings import Settings
home, path, mapping = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None
[report] = ingest(Settings(home=home), [path], mapping=Path(mapping) if mapping else None)
assert report.status == "landed", report
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
told = {"seconds": report.seconds, "stages": dict(report.stages), "peak": peak, "worked": sum(os.times()[:4])}
print(json.dumps(told))
"""

_PEER = """
import json, os, resource, sys, time
import duckdb
started = time.perf_counter()
connection = duckdb.connect(sys.argv[1] + "/peer.duckdb")
connection.execute("set enable_progress_bar = false")
reader = "read_csv" if sys.argv[2].endswith(".csv") else "read_json"
connection.execute(f"create table events as select * from {reader}('{sys.argv[2]}')")
connection.close()
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak": peak, "worked": sum(os.times()[:4])}))
"""

_MAPPING = """
name: shop
zone: UTC
ignore: "mapping.yml"
tables:
  orders: {files: "*.csv"}
events:
  - type: order.captured
    from: orders
    at: event_at
    columns:
      order_id: order_id
      line_id: line_id
      channel: channel
      customer_id: customer_id
      sku: sku
      quantity: quantity
      unit_price: unit_price
      currency: currency
      ship_to_region: ship_to_region
      ship_to_country: ship_to_country
      promise_at: promise_at
"""


def run(sizes: tuple[int, ...] = SIZES, ways: tuple[str, ...] = tuple(WAYS)) -> list[Result]:
    """Measure and compare."""
    folder = Path(tempfile.mkdtemp())
    results = []
    try:
        mapping = folder / "mapping.yml"
        mapping.write_text(_MAPPING, encoding="utf-8")
        for rows, way in product(sizes, ways):
            kind, options = ("jsonl", "format json") if way == "jsonl" else ("csv", "header")
            path = folder / f"events.{kind}"
            connection = connect()
            connection.execute(f"copy ({_ROWS.format(rows=rows)}) to '{path}' ({options})")
            connection.close()
            theirs = _measure(folder, _PEER, str(path))
            ours = _measure(folder, _OURS, str(path), *([str(mapping)] if way == "mapped" else []))
            stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in ours["stages"].items())
            results.append(
                Result(
                    name=f"land {WAYS[way]}",
                    data=f"{rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB",
                    peer="DuckDB into a table",
                    ours=ours["seconds"],
                    theirs=theirs["seconds"],
                    unit="s",
                    note=f"{ours['seconds'] / theirs['seconds']:.1f} times the peer's time; s: {stages}; "
                    f"processors with start and imports {ours['worked']:.1f} s, peer's {theirs['worked']:.1f} s; "
                    f"peak {ours['peak'] / 1024:.1f} GB, peer's {theirs['peak'] / 1024:.1f} GB",
                )
            )
            path.unlink()
    finally:
        shutil.rmtree(folder)
    return results


def _measure(folder: Path, program: str, *arguments: str) -> dict[str, Any]:
    home = Path(tempfile.mkdtemp(dir=folder))
    done = subprocess.run(
        [sys.executable, "-c", program, str(home), *arguments], check=True, capture_output=True, text=True
    )
    shutil.rmtree(home)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


if __name__ == "__main__":
    numbers = tuple(int(word) for word in sys.argv[1:] if word.isdigit())
    words = tuple(word for word in sys.argv[1:] if word in WAYS)
    for result in run(numbers or SIZES, words or tuple(WAYS)):
        print(
            f"{result.name} ({result.data}): {result.ours:.1f} s, peer {result.theirs:.1f} s; {result.note}", flush=True
        )
