"""The questions on available units."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.queries.inventory import available_to_promise, backorder_recoveries
from otif.render import console
from otif.tables import atp_table, recovery_table
from storage.duck import Connection, connect


@pytest.fixture
def stock(tmp_path: Path) -> Connection:
    """Two cells of three weeks and two short lines."""
    connection = connect(tmp_path / "atp.duckdb")
    connection.execute("create schema marts")
    connection.execute(
        "create table marts.fct_atp as "
        "select sku, 'dc' as node_id, week as week_number, if(week = 0, 30, 0)::decimal(18,3) as opening_quantity, "
        "0::decimal(18,3) as receipt_quantity, 5::decimal(18,3) as committed_quantity, "
        "(30 - 5 * (week + 1))::decimal(18,3) as balance_quantity, if(week = 0, 15, 0)::decimal(18,3) as "
        "discrete_quantity, 15::decimal(18,3) as cumulative_quantity, 15::decimal(18,3) as unreserved_quantity, "
        "0::decimal(18,3) as oversold_quantity, date '2026-11-16' + 7 * week::integer as week_start "
        "from (values ('B'), ('A')) as skus(sku) cross join range(3) as weeks(week)"
    )
    connection.execute(
        "create table marts.fct_backorder_recoveries as select * from (values "
        "('o2', '1', 'A', 'no_date', 2, 1.0, 10.0, 0, null::timestamp), "
        "('o1', '1', 'B', 'late', 1, 4.0, 90.0, 3, timestamp '2026-11-20')) as rows(order_id, line_id, sku, "
        "recovery_status, recovery_rank, short_quantity, short_amount, late_days, covered_at)"
    )
    return connection


def test_units_come_by_sku_node_and_week_and_filters_narrow_them(stock: Connection) -> None:
    assert available_to_promise(stock).select("sku", "week_number").rows() == [
        ("A", 0), ("A", 1), ("A", 2), ("B", 0), ("B", 1), ("B", 2),
    ]  # fmt: skip
    assert available_to_promise(stock, skus=["B"], weeks=1)["cumulative_quantity"].to_list() == [15]
    assert available_to_promise(stock, nodes=["west"]).is_empty()
    assert available_to_promise(stock, limit=2).height == 2


def test_short_lines_come_by_rank_and_both_tables_can_be_read(stock: Connection) -> None:
    lines = backorder_recoveries(stock)
    assert lines["order_id"].to_list() == ["o1", "o2"]
    assert backorder_recoveries(stock, skus=["A"])["order_id"].to_list() == ["o2"]
    with console.capture() as told:
        console.print(recovery_table(lines))
        console.print(atp_table(available_to_promise(stock, skus=["A"])))
    assert "20 Nov" in told.get()
    assert "no date" in told.get()
    assert "16 Nov" in told.get()
