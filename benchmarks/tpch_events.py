"""TPC-H as a company's events: orders captured, lines shipped, delivered and returned, in the canonical event tables.

A line is promised, and has to be shipped, by the end of its commit date (the specification compares both the ship and
the receipt date with it); a line whose return flag is R comes back whole ten days after its receipt. The market segment
is the channel, the customer's nation the region, the supplier's region the fulfilment node, the ship mode the carrier's
service. All days are moved by 28 years, so that weekdays stay and service profiles are in force: orders run from 2020
to 2026-08-02.

The rows are written to the landing tables directly, in the order of their time, as a company's events come, and with
the ids that landing gives: reading, checking and landing files is measured by `benchmarks.landing`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pipelines.landing import prepare_landing
from storage.contracts import EVENT_TABLES, EventTable
from storage.duck import Connection

AS_OF: Final = datetime(2026, 8, 2, tzinfo=UTC)
"""The last day of orders has not happened yet: it is the day that is landed on its own."""

NEXT_DAY: Final = AS_OF + timedelta(days=1)

_SOURCE_TABLES: Final = ("orders", "lineitem", "customer", "nation", "supplier", "region")

_LINES: Final = """
create or replace temp view tpch_lines as
select
    cast(orders.o_orderkey as varchar) as order_id,
    cast(lineitem.l_linenumber as varchar) as line_id,
    cast(orders.o_custkey as varchar) as customer_id,
    lower(customer.c_mktsegment) as channel,
    nation.n_name as ship_to_region,
    'P' || lineitem.l_partkey as sku,
    lineitem.l_quantity as quantity,
    lineitem.l_extendedprice / lineitem.l_quantity as unit_price,
    'dc_' || replace(lower(region.r_name), ' ', '_') as node_id,
    lower(lineitem.l_shipmode) as service,
    lineitem.l_returnflag = 'R' as is_returned,
    cast(orders.o_orderdate + interval 28 year as timestamp) as ordered_at,
    cast(lineitem.l_shipdate + interval 28 year as timestamp) as shipped_at,
    cast(lineitem.l_commitdate + interval 28 year as timestamp) + interval 1 day as committed_at,
    cast(lineitem.l_receiptdate + interval 28 year as timestamp) as delivered_at
from '{folder}/lineitem.parquet' as lineitem
inner join '{folder}/orders.parquet' as orders on lineitem.l_orderkey = orders.o_orderkey
inner join '{folder}/customer.parquet' as customer on orders.o_custkey = customer.c_custkey
inner join '{folder}/nation.parquet' as nation on customer.c_nationkey = nation.n_nationkey
inner join '{folder}/supplier.parquet' as supplier on lineitem.l_suppkey = supplier.s_suppkey
inner join '{folder}/nation.parquet' as origin on supplier.s_nationkey = origin.n_nationkey
inner join '{folder}/region.parquet' as region on origin.n_regionkey = region.r_regionkey
"""

_EVENTS: Final = (
    (
        "order",
        """
        select 'order.captured' as event_type, ordered_at as event_at, 'erp' as source,
            'orders#' || order_id as source_ref, order_id, line_id, channel, customer_id, 'USD' as currency, sku,
            quantity, unit_price, node_id, ship_to_region, committed_at as requested_at, committed_at as promise_at,
            committed_at as ship_by_at
        from tpch_lines
        """,
    ),
    (
        "shipment",
        """
        select 'ship.confirmed' as event_type, shipped_at as event_at, 'wms' as source,
            'shipped#' || order_id || '-' || line_id as source_ref, 'S' || order_id || '-' || line_id as shipment_id,
            order_id, line_id, sku, quantity, node_id, 'tpch' as carrier, service, ship_to_region
        from tpch_lines
        """,
    ),
    (
        "shipment",
        """
        select 'delivered' as event_type, delivered_at as event_at, 'wms' as source,
            'delivered#' || order_id || '-' || line_id as source_ref, 'S' || order_id || '-' || line_id as shipment_id,
            order_id, line_id, sku, quantity, node_id, 'tpch' as carrier, service, ship_to_region
        from tpch_lines
        """,
    ),
    (
        "return",
        """
        select 'return.received' as event_type, delivered_at + interval 10 day as event_at, 'wms' as source,
            'returned#' || order_id || '-' || line_id as source_ref, 'R' || order_id || '-' || line_id as rma_id,
            order_id, line_id, sku, quantity, node_id
        from tpch_lines
        where is_returned
        """,
    ),
)


def generate(folder: Path, scale: float) -> None:
    """Write the tables as Parquet with tpchgen-cli, where they are not there yet."""
    if all((folder / f"{table}.parquet").exists() for table in _SOURCE_TABLES):
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    generator = shutil.which("tpchgen-cli", path=path)
    if generator is None:
        message = "tpchgen-cli is not installed: pip install tpchgen-cli"
        raise FileNotFoundError(message)
    subprocess.run(
        [generator, "parquet", "--scale-factor", f"{scale:g}", "--output-dir", str(folder), "--overwrite",
         "--tables", ",".join(_SOURCE_TABLES)],
        check=True, capture_output=True,
    )  # fmt: skip


def land(connection: Connection, folder: Path, since: datetime | None, until: datetime) -> int:
    """Write the events of a span of time to the landing tables as one batch, and return how many there are.

    Args:
        connection: The workspace's database.
        folder: Where `generate` wrote the tables.
        since: First instant; None = from the beginning.
        until: First instant that is not landed any more.
    """
    prepare_landing(connection)
    connection.execute(_LINES.format(folder=folder))
    batch = f"tpch-{until:%Y%m%d}"
    start = since or datetime(1900, 1, 1, tzinfo=UTC)
    for family, rows in _EVENTS:
        span = f"event_at >= timestamp '{start:%Y-%m-%d}' and event_at < timestamp '{until:%Y-%m-%d}'"
        connection.execute(_insert(connection, EVENT_TABLES[family], rows, where=span, batch=batch, at=until))
    [(landed,)] = connection.execute(
        " union all by name ".join(
            f"select count(*) as n from {table.table} where batch_id = '{batch}'" for table in EVENT_TABLES.values()
        ).join(("select cast(sum(n) as bigint) from (", ")"))
    ).fetchall()
    connection.execute(
        "insert into landing.batches (batch_id, source, status, landed_at, seconds, files, rows_in, events_landed, "
        "events_duplicate, rows_rejected, first_event_at, last_event_at) values (?, 'tpch', 'landed', ?, 0, 1, ?, ?, "
        "0, 0, ?, ?)",
        [batch, until.replace(tzinfo=None), landed, landed, start.replace(tzinfo=None), until.replace(tzinfo=None)],
    )
    connection.execute("checkpoint")
    return int(landed)


def _insert(connection: Connection, table: EventTable, rows: str, *, where: str, batch: str, at: datetime) -> str:
    """Return the statement that lands rows: typed as the contract says, with the id that landing gives."""
    stated = {name for name, *_ in connection.execute(f"describe {rows}").fetchall()}
    fixed = {
        "batch_id": f"'{batch}'",
        "observed_at": f"timestamp '{at:%Y-%m-%d %H:%M:%S}'",
        "time_quality": "'date'",
    }
    names = [name for name in table.names if name != "event_id"]
    values = ", ".join(
        f"cast({fixed.get(name, name if name in stated else 'null')} as {table.column(name).type}) as {name}"
        for name in names
    )
    return (
        f"insert into {table.table} (event_id, {', '.join(names)}) select {table.id_expression()}, {', '.join(names)} "
        f"from (select {values} from ({rows}) where {where}) order by event_at"
    )
