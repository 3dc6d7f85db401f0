"""Tables that lie in the order of capture days tell the day of their orders: builds pass over blocks by it."""

from __future__ import annotations

from pathlib import Path

from storage.duck import connect
from storage.settings import PROJECT_ROOT, Settings

BY_DAY = sorted(
    path.stem
    for path in (PROJECT_ROOT / "models").rglob("*.sql")
    if "by_capture_day=true" in path.read_text(encoding="utf-8")
)


def test_a_table_by_capture_day_gives_each_row_the_day_of_its_order(sample_home: Path) -> None:
    assert "fct_orders" in BY_DAY
    connection = connect(Settings.load(sample_home).database, read_only=True)
    astray = {}
    for table in BY_DAY:
        schema = "marts" if table.startswith("fct_") else "intermediate"
        [counted] = connection.execute(
            f"select count(*), count(case when orders.order_id is null or told.captured_date is distinct from "
            f"orders.captured_date then 1 end) from {schema}.{table} as told "
            "left join intermediate.int_orders_consolidated as orders using (order_id)"
        ).fetchall()
        astray[table] = counted
    connection.close()
    assert all(rows > 0 and wrong == 0 for rows, wrong in astray.values()), astray
