"""Nothing is shipped that was not there: stock is recounted from the written files alone."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.simulator.demand import plan_scale


def test_opening_plus_receipts_minus_shipments_plus_restocks_is_closing(company):
    snapshots = list(company.rows("inventory/snapshots-*.csv.gz"))
    stamps = sorted({datetime.fromisoformat(row["snapshot_at"]) for row in snapshots})
    first, last = (
        {
            (row["warehouse"], row["sku"]): int(row["on_hand"])
            for row in snapshots
            if datetime.fromisoformat(row["snapshot_at"]) == stamp
        }
        for stamp in (stamps[0], stamps[-1])
    )
    moved: Counter[tuple[str, str]] = Counter(first)
    for row in company.rows("inventory/receipts-*.csv.gz"):
        if row["received_at"]:
            moved[row["warehouse"], row["sku"]] += int(row["quantity_received"])
    for row in company.shipped:
        moved[row["warehouse"], row["sku"]] -= int(row["quantity_shipped"])
    for case in company.returns.values():
        if case["restocked_at"]:
            item = case["line_items"][0]
            moved[case["warehouse"], item["sku"]] += item["quantity"]
    assert len(last) == 3 * 240
    assert {key: moved[key] for key in last} == last


def test_no_cell_of_a_snapshot_is_negative_or_given_away_twice(company):
    for row in company.rows("inventory/snapshots-*.csv.gz"):
        assert 0 <= int(row["allocated"]) <= int(row["on_hand"]), row
        assert 0 <= int(row["quarantine"]) <= int(row["on_hand"]), row


def test_nothing_is_shipped_that_was_not_released_to_the_node(company):
    released: Counter[tuple[str, str, str]] = Counter()
    for row in company.rows("wms/*-orders-*.csv.gz"):
        released[row["warehouse"], row["order_number"], row["order_line"]] += int(row["quantity"])
    for row in company.shipped:
        released[row["warehouse"], row["order_number"], row["order_line"]] -= int(row["quantity_shipped"])
    assert min(released.values()) >= 0


def test_no_line_ships_more_than_was_ordered(company):
    shipped: Counter[tuple[str, str]] = Counter()
    for row in company.shipped:
        shipped[row["order_number"].removeprefix("#"), row["order_line"]] += int(row["quantity_shipped"])
    ordered = {
        (number, str(line["id"])): line["quantity"]
        for number, order in company.orders.items()
        for line in order["line_items"]
    } | {
        (number, line): units
        for number, order in company.purchase_orders.items()
        for line, (_, units) in order["lines"].items()
    }
    assert shipped
    assert all(units <= ordered[key] for key, units in shipped.items())


@settings(deadline=None, max_examples=60)
@given(orders=st.integers(100, 2_000_000), weeks=st.integers(2, 104))
def test_the_orders_of_the_weeks_add_up_to_the_total(orders, weeks):
    scale = plan_scale(orders, 20_000, weeks)
    assert sum(scale.consumer_by_week) + sum(scale.wholesale_by_week) == orders
    assert len(scale.consumer_by_week) == weeks
    assert min(scale.consumer_by_week + scale.wholesale_by_week) >= 0
