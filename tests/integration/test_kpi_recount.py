"""Every KPI again, in plain Python from the landed events and the definitions, for the sample company.

Nothing here reads a model: the warehouse's and carrier's words, the shop's orders and the partners' documents are
folded order by order. OTIF_RECOUNT_HOMES names further built workspaces (separated by colons) to recount as well.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from storage.duck import connect
from storage.publish import open_published
from storage.settings import Settings

pytestmark = pytest.mark.slow

Event = dict[str, Any]
Sums = dict[str, tuple[float, float]]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CLASSES = {
    "changed_mind": "choice", "not_as_described": "product", "defective": "product", "wrong_item": "fulfilment",
    "damaged_in_transit": "fulfilment", "arrived_late": "fulfilment",
}  # fmt: skip


@dataclass
class Line:
    """A line with what became of it."""

    quantity: float
    price: float
    base: float = 0
    cancels: list[tuple[datetime, str, float | None]] = field(default_factory=list)
    pieces: list[Event] = field(default_factory=list)
    start: datetime | None = None
    end: datetime | None = None
    ship_window_start: datetime | None = None
    ship_by: datetime | None = None
    released: datetime | None = None
    node: str | None = None

    @property
    def shipped(self) -> float:
        return sum(piece["quantity"] for piece in self.pieces if piece["accepted"])

    @property
    def first(self) -> float:
        """Units that left on the day the first of them left."""
        gone = [piece for piece in self.pieces if piece["accepted"]]
        day = min((piece["day"] for piece in gone), default=None)
        return sum(piece["quantity"] for piece in gone if piece["day"] == day)

    def cancelled(self, wanted: Callable[[datetime, str], bool]) -> float:
        left = max(self.base - self.shipped, 0)
        total = 0.0
        for moment, actor, quantity in sorted(self.cancels, key=lambda cancel: cancel[0]):
            taken = max(min(left if quantity is None else quantity, left), 0)
            left -= taken
            total += taken if wanted(moment, actor) else 0
        return total


Verdict = tuple[Line, float, float, float, int, int]
"""A line, its base, units in the window, units by its end, pieces, pieces in the window."""


@dataclass
class Order:
    """An order with its lines."""

    captured: datetime
    wholesale: bool
    customer: str
    zone: ZoneInfo
    lines: dict[str, Line] = field(default_factory=dict)
    promise: datetime | None = None
    edited: list[datetime] = field(default_factory=list)
    holds: list[datetime] = field(default_factory=list)

    @property
    def released(self) -> datetime | None:
        return min((line.released for line in self.lines.values() if line.released), default=None)

    @property
    def gone(self) -> list[Event]:
        return [piece for line in self.lines.values() for piece in line.pieces if piece["accepted"]]

    @property
    def is_cancelled(self) -> bool:
        return bool(self.lines) and all(
            line.base > 0 and not line.shipped and line.cancelled(lambda *_: True) >= line.base
            for line in self.lines.values()
        )


@dataclass
class Company:
    """What a workspace has landed."""

    settings: Settings
    as_of: datetime
    events: dict[str, list[Event]]
    orders: dict[str, Order]
    nodes: dict[str, dict[str, str]]

    def local(self, moment: datetime) -> date:
        return moment.replace(tzinfo=UTC).astimezone(self.settings.zone).date()


HOMES = [None, *map(Path, filter(None, os.environ.get("OTIF_RECOUNT_HOMES", "").split(":")))]


@pytest.fixture(scope="module", params=HOMES, ids=lambda home: "sample" if home is None else home.name)
def company(request: pytest.FixtureRequest, sample_home: Path) -> Company:
    return read(request.param or sample_home)


def read(home: Path) -> Company:
    settings = Settings.load(home)
    with open_published(settings) as published:
        as_of = published.execute("select as_of from marts.build_info").fetchone()[0]
    connection = connect(settings.var / "otif.duckdb", read_only=True)
    events = {}
    for family in ("order", "shipment", "return", "finance", "document", "inventory"):
        found = connection.execute(f"select * from landing.{family}_events order by event_at, source_ref")
        names = [column[0] for column in found.description]
        events[family] = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    connection.close()
    nodes = {row["node_id"]: row for row in _seed(settings, "nodes")}
    return Company(settings, as_of, events, _orders(events, settings.zone), nodes)


def _orders(events: dict[str, list[Event]], zone: ZoneInfo) -> dict[str, Order]:
    orders: dict[str, Order] = {}
    for event in events["order"]:
        if event["event_type"] == "order.captured" and event["order_type"] not in ("test", "no_ship"):
            order = orders.setdefault(
                event["order_id"],
                Order(
                    event["event_at"], event["channel"] == "wholesale", event["customer_id"],
                    ZoneInfo(event["clock_zone"]),
                ),
            )  # fmt: skip
            order.lines[event["line_id"]] = Line(
                float(event["quantity"]), float(event["unit_price"]), base=float(event["quantity"]),
                start=event["window_start_at"], end=event["window_end_at"],
                ship_window_start=event["ship_window_start_at"], ship_by=event["ship_by_at"],
            )  # fmt: skip
    for event in events["order"]:
        if event["order_id"] in orders:
            _tell(orders[event["order_id"]], event)
    _ship(orders, events["shipment"], zone)
    return orders


def _tell(order: Order, event: Event) -> None:
    named = [order.lines[event["line_id"]]] if event["line_id"] in order.lines else list(order.lines.values())
    kind, at = event["event_type"], event["event_at"]
    if kind == "order.promised" and not order.wholesale:
        order.promise = order.promise or event["promise_at"]
    elif kind == "order.changed":
        order.edited.append(at)
        if event["actor"] == "customer":
            named[0].base = float(event["quantity"])
    elif kind == "order.cancelled":
        quantity = None if event["quantity"] is None else float(event["quantity"])
        for line in named:
            line.cancels.append((at, event["actor"], quantity))
    elif kind == "hold.placed":
        order.holds.append(at)
    elif kind == "order.released" and event["line_id"] in order.lines:
        named[0].released = min(filter(None, (named[0].released, at)), default=at)
        named[0].node = event["node_id"]


def _ship(orders: dict[str, Order], events: list[Event], zone: ZoneInfo) -> None:
    """Pieces as the warehouse tells them, with the first scan and the delivery of their parcel."""
    scans: dict[str, dict[str, datetime]] = defaultdict(dict)
    estimates: dict[str, tuple[datetime, datetime]] = {}
    stages: dict[tuple[str, str, str], dict[str, datetime]] = defaultdict(dict)
    for event in events:
        number, kind = event["tracking_number"], event["event_type"]
        if event["source"] == "carrier":
            scans[number].setdefault(kind, event["event_at"])
            if event["estimated_delivery_at"] is not None and number not in estimates:
                estimates[number] = (event["event_at"], event["estimated_delivery_at"])
        elif event["source"] == "wms":
            stages[event["shipment_id"], event["order_id"], event["line_id"]][kind] = event["event_at"]
    for event in events:
        if event["source"] == "wms" and event["event_type"] == "ship.confirmed" and event["order_id"] in orders:
            number = event["tracking_number"]
            accepted = scans[number].get("carrier.accepted")
            orders[event["order_id"]].lines[event["line_id"]].pieces.append({
                "quantity": float(event["quantity"]), "shipment_id": event["shipment_id"], "tracking": number,
                "confirmed": event["event_at"], "accepted": accepted,
                "day": accepted and accepted.replace(tzinfo=UTC).astimezone(zone).date(),
                "delivered": scans[number].get("delivered"), "node": event["node_id"],
                "estimate": estimates.get(number, (None, None))[1],
                **stages[event["shipment_id"], event["order_id"], event["line_id"]],
            })  # fmt: skip


def _judged(
    company: Company,
) -> Iterator[tuple[str, Order, datetime, list[tuple[Line, float, float, float, int, int]]]]:
    """Yield every due order as the verdicts on its lines."""
    grace = {"target": (-1, 1), "kroger": (0, 1)}
    for order in company.orders.values():
        rows: list[Verdict] = []
        is_due = True
        for line in order.lines.values():
            start, end = (line.start, line.end) if order.wholesale else (None, order.promise)
            if end is None:
                continue
            before, after = grace.get(order.customer, (0, 0)) if order.wholesale else (0, 0)
            end = _shifted(end, after, order.zone)
            start = _shifted(start, before, order.zone) if start else None

            def excused(moment: datetime, actor: str, end: datetime = end) -> bool:
                return actor in ("fraud", "payment") or (actor == "customer" and moment < end)

            base = line.base - line.cancelled(excused)
            if base <= 0:
                continue
            is_due = is_due and end <= company.as_of
            by_end = [p for p in line.pieces if p["accepted"] and p["delivered"] and p["delivered"] < end]
            within = [p for p in by_end if start is None or p["delivered"] >= start]
            inside, came = (min(sum(p["quantity"] for p in pieces), base) for pieces in (within, by_end))
            rows.append((line, base, inside, came, sum(bool(p["accepted"]) for p in line.pieces), len(within)))
        if rows and is_due:
            yield rows


def _shifted(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    local = moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    return local.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def service(company: Company) -> Sums:
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def count(kpi: str, numerator: float, denominator: float) -> None:
        sums[kpi][0] += numerator
        sums[kpi][1] += denominator

    for rows in _judged(company):
        pieces, within = sum(row[4] for row in rows), sum(row[5] for row in rows)
        count("on_time", bool(pieces) and pieces == within, 1)
        count("in_full", all(by_end >= base for _, base, _, by_end, _, _ in rows), 1)
        count("otif", all(inside >= base for _, base, inside, _, _, _ in rows), 1)
        count("order_fill", all(line.first >= base for line, base, *_ in rows), 1)
        for line, base, inside, by_end, *_ in rows:
            count("otif_line", inside >= base, 1)
            count("otif_case", inside, base)
            count("unit_fill_revised", by_end, base)
            count("unit_fill_first_pass", min(line.first, base), base)
            count("value_fill", by_end * line.price, base * line.price)
            count("line_fill", by_end >= base, 1)
            count("backorder_rate", line.first < base, 1)
            missing = base - min(line.first, base)
            if missing:
                count("backorder_recovery", min(line.shipped - line.first, missing), missing)
    return {kpi: (pair[0], pair[1]) for kpi, pair in sums.items()}


def flow(company: Company) -> Sums:
    orders = company.orders.values()
    cancelled = [order for order in orders if order.is_cancelled]
    actors = [{actor for line in order.lines.values() for _, actor, _ in line.cancels} for order in cancelled]
    captured = len(company.orders)
    released = [order for order in orders if order.released]
    touched = sum(
        any(moment < order.released for moment in (*order.edited, *order.holds))
        or any(at < order.released for line in order.lines.values() for at, _, _ in line.cancels)
        for order in released
    )
    lines = [line for order in orders for line in order.lines.values()]
    oversold = sum(min(line.cancelled(lambda _, actor: actor == "seller_oos"), line.quantity) for line in lines)
    return {
        "cancellation_rate": (len(cancelled), captured),
        "cancellation_rate_customer": (sum(a == {"customer"} for a in actors), captured),
        "cancellation_rate_fraud": (sum(bool(a) and a <= {"fraud", "payment"} for a in actors), captured),
        "cancellation_rate_seller": (sum(a == {"seller_oos"} for a in actors), captured),
        "cancellation_rate_retailer": (0, captured),
        "touchless_rate": (len(released) - touched, len(released)),
        "oversell_rate": (oversold, sum(line.quantity for line in lines)),
    }


def returns(company: Company) -> Sums:
    received: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    reasons = {
        (e["rma_id"], e["line_id"]): e["reason"] for e in company.events["return"] if e["event_type"] == "rma.created"
    }
    graded: dict[str, float] = defaultdict(float)
    damaged: dict[tuple[str, str], float] = defaultdict(float)
    for event in company.events["return"]:
        key, quantity = (event["order_id"], event["line_id"]), float(event["quantity"] or 0)
        reason = reasons.get((event["rma_id"], event["line_id"]))
        if event["event_type"] == "return.received":
            received[key][CLASSES[str(reason)]] += quantity
        elif event["event_type"] == "return.graded":
            graded[event["disposition"]] += quantity
        elif event["event_type"] == "rma.created" and reason == "damaged_in_transit":
            damaged[key] += quantity
    shipped = {
        (name, number): line.shipped
        for name, order in company.orders.items()
        for number, line in order.lines.items()
        if line.shipped
    }
    units, all_graded = sum(shipped.values()), sum(graded.values())
    sums = {
        f"return_rate_{name}": (sum(min(received[key][name], shipped[key]) for key in shipped), units)
        for name in ("choice", "product", "fulfilment")
    }
    return sums | {
        "return_rate": (sum(min(sum(received[key].values()), shipped[key]) for key in shipped), units),
        "damage_rate": (sum(min(damaged[key], shipped[key]) for key in shipped), units),
        "restock_rate": (graded["restock_a"], all_graded),
        "resale_rate": (graded["b_grade"] + graded["refurbish"] + graded["rtv"], all_graded),
        "write_off_rate": (graded["liquidate"] + graded["donate"] + graded["destroy"], all_graded),
    }


def _operating_day(company: Company, node: str, moment: datetime) -> datetime:
    """End of the operating day that a release reaches: before the cut-off the same day, else the next one open."""
    seed = company.nodes[node]
    zone = ZoneInfo(seed["zone"])
    local = moment.replace(tzinfo=UTC).astimezone(zone)
    hour, minute = map(int, seed["cut_off_time"].split(":"))
    day = local.date() if local.time() < time(hour, minute) else local.date() + DAY
    while str(day.isoweekday()) not in seed["operating_days"].split(","):
        day += DAY
    return datetime.combine(day + DAY, time(), tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def execution(company: Company) -> Sums:
    parcels: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for name, order in company.orders.items():
        for piece in order.gone:
            parcels[name, piece["tracking"]].append(piece)
    due = [pieces for pieces in parcels.values() if pieces[0]["estimate"] and pieces[0]["estimate"] <= company.as_of]
    on_time = sum(all(p["delivered"] and p["delivered"] <= p["estimate"] for p in pieces) for pieces in due)
    cut_offs: dict[tuple[str, str], list[bool]] = defaultdict(list)
    ends: dict[tuple[str, str], datetime] = {}
    for name, order in company.orders.items():
        for line in order.lines.values():
            is_gone = not line.shipped and line.cancelled(lambda *_: True) >= line.base
            if line.released is None or is_gone:
                continue
            node = line.pieces[0]["node"] if line.pieces else str(line.node)
            end = _operating_day(company, node, line.released)
            key = (name, node)
            ends[key] = max(ends.get(key, end), end)
            kept = [bool(p["accepted"]) and p["accepted"] < end for p in line.pieces]
            cut_offs[key].append(bool(kept) and all(kept))
    in_time = [all(flags) for key, flags in cut_offs.items() if ends[key] <= company.as_of]
    return {"carrier_on_time": (on_time, len(due)), "cut_off_adherence": (sum(in_time), len(in_time))}


def documents(company: Company) -> Sums:
    sent: dict[tuple[str, ...], list[Event]] = defaultdict(list)
    answers: dict[tuple[str, ...], list[Event]] = defaultdict(list)
    for event in company.events["document"]:
        key = tuple(
            str(event[name]) for name in ("partner_id", "direction", "document_type", "group_control", "set_control")
        )
        if event["event_type"] in ("document.sent", "document.received"):
            if event["document_type"] != "997":
                sent[key].append(event)
        else:
            answers[key].append(event)
    judged = timely = answered = rejected = 0
    for key, events in sent.items():
        for event in events:
            found = sorted((a for a in answers[key] if a["event_at"] >= event["event_at"]), key=lambda a: a["event_at"])
            judged += bool(found) or company.as_of - event["event_at"] > DAY
            timely += bool(found) and found[0]["event_at"] - event["event_at"] <= DAY
            if found and key[1] == "out":
                answered += 1
                rejected += found[0]["status"] in ("R", "P")
    orders: dict[str, datetime] = {}
    replies: dict[str, datetime] = {}
    for event in company.events["document"]:
        if event["document_type"] == "850" and event["event_type"] == "document.received":
            orders.setdefault(event["order_id"], event["event_at"])
        elif event["document_type"] == "855" and event["event_type"] == "document.sent":
            replies.setdefault(event["order_id"], event["event_at"])
    asked = [name for name, at in orders.items() if name in replies or at + 48 * HOUR <= company.as_of]
    in_time = sum(name in replies and replies[name] <= orders[name] + 48 * HOUR for name in asked)
    return {
        "ack_timeliness": (timely, judged),
        "document_reject_rate": (rejected, answered),
        "po_answer_timeliness": (in_time, len(asked)),
    }


def money(company: Company) -> Sums:
    totals, invoiced_on, rejected = {}, {}, set()
    for event in company.events["finance"]:
        if event["event_type"] == "invoice.sent" and event["line_id"] is None:
            totals[event["document_id"]] = float(event["amount"])
            invoiced_on[event["document_id"]] = company.local(event["event_at"])
        elif event["event_type"] == "invoice.rejected":
            rejected.add(event["document_id"])
    taken = [event for event in company.events["finance"] if event["event_type"] == "deduction.taken"]
    codes = {row["partner_code"]: row["violation"] for row in _seed(company.settings, "violation_map")}
    corrected = {event["reference_id"] for event in taken if codes.get(event["reason_code"], "").startswith("invoice")}
    cohort = [name for name, day in invoiced_on.items() if day <= company.local(company.as_of) - 45 * DAY]
    deducted = sum(float(event["amount"]) for event in taken)
    return {
        "chargeback_rate": (deducted, sum(totals.values())),
        "chargeback_amount": (deducted, 0),
        "invoice_accuracy": (sum(name not in corrected | rejected for name in cohort), len(cohort)),
    }


def _seed(settings: Settings, name: str) -> list[dict[str, str]]:
    with (settings.home / "seeds" / f"{name}.csv").open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


RECOUNTS = (service, flow, returns, execution, documents, money)


@pytest.mark.parametrize("recount", RECOUNTS, ids=lambda recount: recount.__name__)
def test_the_published_figures_are_those_of_a_recount_from_events(
    company: Company, recount: Callable[[Company], Sums]
) -> None:
    counted = recount(company)
    with open_published(company.settings) as published:
        rows = published.execute(
            "select kpi_id, sum(numerator), sum(denominator) from metrics.kpi_values "
            "where is_headline or profile_id = '' group by 1"
        ).fetchall()
    figures = {kpi: (numerator, denominator) for kpi, numerator, denominator in rows}
    assert counted
    wrong = {
        kpi: (figures.get(kpi), pair)
        for kpi, pair in counted.items()
        if figures.get(kpi) != pytest.approx(pair, rel=1e-9, abs=1e-6)
    }
    assert wrong == {}
