"""The truth agrees with the files: misses are recounted from them, and each has a cause."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pipelines.simulator.geography import STATE_BY_CODE

AS_OF = datetime(2026, 11, 16, 5, tzinfo=UTC)
CAUSES = {
    "customer_change", "hold_credit", "hold_fraud", "hold_address", "hold_payment", "no_stock", "channel_reserved",
    "late_release", "missed_cut_off", "pick_pack_delay", "missed_pickup", "carrier_transit", "early_delivery",
    "unknown",
}  # fmt: skip
GRACE = {"walmart": (0, 0), "target": (1, 1), "kohls": (0, 0), "kroger": (0, 1)}
NEW_YORK = ZoneInfo("America/New_York")


def pieces(company):
    """(order, line) → [(delivered, units)]."""
    found = defaultdict(list)
    for row in company.shipped:
        scan = (
            company.trackers[row["tracking_number"]].get("arrived_at_destination")
            if (row["tracking_number"] in company.trackers)
            else None
        )
        if scan:
            at = datetime.fromisoformat(scan["datetime"])
            found[row["order_number"].removeprefix("#"), row["order_line"]].append((at, int(row["quantity_shipped"])))
    return found


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def consumer_base(order, line, due):
    """Units that count for a consumer line, or 0."""
    refunds = [
        (datetime.fromisoformat(refund["created_at"]), refund["note"], item)
        for refund in order["refunds"]
        for item in refund["refund_line_items"]
        if item["line_item_id"] == line["id"]
    ]
    if order["cancelled_at"]:
        before = datetime.fromisoformat(order["cancelled_at"]) < due
        if order["cancel_reason"] in ("fraud", "declined") or (order["cancel_reason"] == "customer" and before):
            return 0
        return line["quantity"]
    gone = sum(item["quantity"] for _, _, item in refunds)
    revised = line["current_quantity"] + gone
    return revised - sum(
        item["quantity"]
        for at, note, item in refunds
        if item["restock_type"] == "cancel" and note == "customer" and at < due
    )


def recount(company):
    """Missed (order, line) and the number of lines due, from the files."""
    delivered = pieces(company)
    missed, count = set(), 0
    for number, order in company.orders.items():
        zone = ZoneInfo(STATE_BY_CODE[order["shipping_address"]["province_code"]].zone)
        promised = date.fromisoformat(order["note_attributes"][0]["value"])
        due = local_midnight(promised + timedelta(days=1), zone)
        if order["test"] or due > AS_OF:
            continue
        for line in order["line_items"]:
            base = 0 if line["gift_card"] else consumer_base(order, line, due)
            if base:
                count += 1
                key = (number, str(line["id"]))
                if sum(units for at, units in delivered[key] if at < due) < base:
                    missed.add(key)
    for number, order in company.purchase_orders.items():
        before, after = GRACE[order["retailer"]]
        start = local_midnight(date.fromisoformat(order["dates"]["064"]) - timedelta(days=before), NEW_YORK)
        end = local_midnight(date.fromisoformat(order["dates"]["063"]) + timedelta(days=1 + after), NEW_YORK)
        if end > AS_OF:
            continue
        for line, (_, units) in order["lines"].items():
            count += 1
            if sum(u for at, u in delivered[number, line] if start <= at < end) < units:
                missed.add((number, line))
    return missed, count


def test_the_missed_lines_are_those_that_the_files_show(company):
    missed, count = recount(company)
    truth = {(miss["order_id"], miss["line_id"]) for miss in company.truth["missed_lines"]}
    assert truth == missed
    assert company.truth["due_lines"] == count


def test_every_missed_line_has_a_known_cause(company):
    causes = [miss["cause"] for miss in company.truth["missed_lines"]]
    assert set(causes) <= CAUSES
    assert causes.count("unknown") <= 0.01 * len(causes)
    assert {"no_stock", "channel_reserved", "pick_pack_delay", "carrier_transit", "hold_credit"} <= set(causes)


def test_a_hold_is_only_a_cause_where_an_order_was_held(company):
    held = {(row["order_number"], f"hold_{row['hold_type']}") for row in company.rows("holds/*.csv.gz")}
    blamed = {
        (miss["order_id"], miss["cause"]) for miss in company.truth["missed_lines"] if miss["cause"].startswith("hold_")
    }
    assert blamed
    assert blamed <= held


def test_early_is_only_a_cause_for_retailers(company):
    early = [miss["order_id"] for miss in company.truth["missed_lines"] if miss["cause"] == "early_delivery"]
    assert all(order_id in company.purchase_orders for order_id in early)
