"""Every KPI again, in plain Python from the landed events and the definitions: the sample company and random ones.

Nothing here reads a model: the warehouse's and carrier's words, the shop's orders and the partners' documents are
folded order by order. OTIF_RECOUNT_COMPANIES says how many random companies to simulate and from which seed on (`50` or
`50:2000`; by default one); OTIF_RECOUNT_HOMES names further built workspaces (separated by colons).
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from storage.duck import Connection, connect
from storage.errors import NotPublishedError
from storage.publish import current_publication
from storage.settings import PROJECT_ROOT, Settings

pytestmark = pytest.mark.slow

Event = dict[str, Any]
Sums = dict[str, tuple[float, float]]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CLASSES = {
    "changed_mind": "choice", "not_as_described": "product", "defective": "product", "wrong_item": "fulfilment",
    "damaged_in_transit": "fulfilment", "arrived_late": "fulfilment",
}  # fmt: skip
CUSTOMER_HOLDS = ("address", "payment")


@dataclass
class Cancel:
    """A cancellation of a line; quantity None = all that is open."""

    at: datetime
    actor: str
    quantity: float | None


@dataclass
class Line:
    """A line with what became of it."""

    sku: str
    price: float
    cost: float | None
    freight: float | None
    original: float
    total: float
    """Asked for now, whoever changed it."""
    most: float
    """Largest total that the buyer ever asked for."""
    buyer_difference: float = 0
    cut_difference: float = 0
    """What our changes for want of stock took, less what we gave back."""
    cut_at: datetime | None = None
    """When the last of these changes took something."""
    cancels: list[Cancel] = field(default_factory=list)
    zeroed: Cancel | None = None
    """Who changed it to nothing."""
    pieces: list[Event] = field(default_factory=list)
    promises: list[tuple[datetime, datetime]] = field(default_factory=list)
    start: datetime | None = None
    end: datetime | None = None
    requested: datetime | None = None
    ship_by: datetime | None = None
    ship_start: datetime | None = None
    cancel_after: datetime | None = None
    released: datetime | None = None
    node: str | None = None
    asked: dict[str, tuple[datetime, float]] = field(default_factory=dict)
    """Nodes it was released to: when first, and how many units in all."""

    @property
    def base(self) -> float:
        """What the buyer wants after his own changes."""
        return max(min(self.original + self.buyer_difference, self.most), 0)

    @property
    def cut(self) -> float:
        """What is gone for want of stock, as far as the buyer still wants it."""
        return max(min(self.cut_difference, self.base - self.total), 0)

    @property
    def left(self) -> list[Event]:
        """Pieces that left the building."""
        return [piece for piece in self.pieces if piece["left"]]

    @property
    def shipped(self) -> float:
        return sum(piece["quantity"] for piece in self.left)

    @property
    def first(self) -> float:
        """Units that left on the day the first of them left."""
        day = min((piece["day"] for piece in self.left), default=None)
        return sum(piece["quantity"] for piece in self.left if piece["day"] == day)

    @property
    def accepted(self) -> datetime | None:
        """When the carrier had the first of it."""
        return min((piece["accepted"] for piece in self.pieces if piece["accepted"]), default=None)

    def release(self, at: datetime, node: str, quantity: float) -> None:
        """Ask a node for units."""
        self.released = self.released or at
        self.node = node
        first, units = self.asked.get(node, (at, 0.0))
        self.asked[node] = first, units + quantity

    def change(self, total: float, actor: str, at: datetime) -> None:
        """Take another total; only the buyer's own changes move the base."""
        if actor == "customer":
            self.buyer_difference += total - self.total
            self.most = max(self.most, total)
        if actor == "seller_oos" and total < self.total:
            self.cut_at = at
        if actor == "seller_oos" or (actor == "seller_other" and total > self.total):
            self.cut_difference += self.total - total
        if total != self.total:
            self.zeroed = None if total else Cancel(at, actor, None)
        self.total = total

    def cancelled(self, wanted: Callable[[datetime, str], bool]) -> float:
        """Units that cancellations took."""
        return sum(quantity for cancel, quantity in self.taken() if wanted(cancel.at, cancel.actor))

    def taken(self) -> Iterator[tuple[Cancel, float]]:
        """Yield what each cancellation took: stated quantities first, then what is open, as far as there was any."""
        left = max(self.total - self.shipped, 0)
        for cancel in sorted(self.cancels, key=lambda cancel: (cancel.quantity is None, cancel.at)):
            quantity = min(left if cancel.quantity is None else cancel.quantity, left)
            left -= quantity
            yield cancel, quantity

    @property
    def open(self) -> float:
        return max(self.total - self.shipped - self.cancelled(lambda *_: True), 0)

    @property
    def is_cancelled(self) -> bool:
        cancelled = self.cancelled(lambda *_: True)
        return self.total <= 0 or (self.open <= 0 and cancelled > 0 and not self.left)


Verdict = tuple[Line, float, float, float, float, int, int]
"""A line, its base, its original base, units in the window, units by its end, pieces, pieces in the window."""


@dataclass
class Order:
    """An order with its lines."""

    captured: datetime
    wholesale: bool
    customer: str
    zone: ZoneInfo
    kind: str
    lines: dict[str, Line] = field(default_factory=dict)
    promises: list[tuple[datetime, datetime]] = field(default_factory=list)
    cancel: str = ""
    """Who cancelled the whole of it first."""
    edited: list[datetime] = field(default_factory=list)
    holds: list[datetime] = field(default_factory=list)
    open_holds: dict[tuple[str | None, str], datetime | None] = field(default_factory=dict)
    """When the hold was placed that is open now."""

    @property
    def released(self) -> datetime | None:
        return min((line.released for line in self.lines.values() if line.released), default=None)

    @property
    def left(self) -> list[Event]:
        return [piece for line in self.lines.values() for piece in line.left]

    @property
    def is_cancelled(self) -> bool:
        return all(line.is_cancelled for line in self.lines.values()) or bool(self.cancel and not self.left)

    @property
    def cancelled_by(self) -> str:
        """Who cancelled the order, if it was one."""
        if self.cancel:
            return self.cancel
        told = [
            [*line.cancels, *filter(None, [line.zeroed])]  # of one instant the cancellation goes before the change
            for line in self.lines.values()
            if line.is_cancelled
        ]
        actors = {min(cancels, key=lambda cancel: cancel.at).actor for cancels in told if cancels}
        return actors.pop() if len(actors) == 1 else ""

    def held_by(self, line_id: str) -> str | None:
        """Why the line waits now; a hold of its own before that of its order, the last by name of several."""
        for place in (line_id, None):
            if kinds := [kind for (where, kind), since in self.open_holds.items() if where == place and since]:
                return max(kinds)
        return None

    @property
    def accepted(self) -> datetime | None:
        """When the carrier had the last of it; nothing while something is open or unscanned."""
        times = [piece["accepted"] for piece in self.left]
        return max(times) if times and all(times) and not any(line.open for line in self.lines.values()) else None

    @property
    def delivered(self) -> datetime | None:
        times = [piece["delivered"] for piece in self.left]
        return max(times) if times and all(times) and not any(line.open for line in self.lines.values()) else None


@dataclass
class Company:
    """What a workspace has landed before its as-of, and the figures that were made of it."""

    settings: Settings
    as_of: datetime
    events: dict[str, list[Event]]
    orders: dict[str, Order]
    nodes: dict[str, dict[str, str]]
    closed: set[tuple[str, str]]
    figures: Sums

    def local(self, moment: datetime) -> date:
        return moment.replace(tzinfo=UTC).astimezone(self.settings.zone).date()

    @property
    def counted(self) -> dict[str, Order]:
        """Orders without those that replace another one."""
        return {name: order for name, order in self.orders.items() if order.kind != "replacement"}


HOMES = [None, *map(Path, filter(None, os.environ.get("OTIF_RECOUNT_HOMES", "").split(":")))]
COUNT, _, FIRST = os.environ.get("OTIF_RECOUNT_COMPANIES", "1").partition(":")
SEEDS = range(int(FIRST or 1), int(FIRST or 1) + int(COUNT))


@pytest.fixture(scope="module", params=HOMES, ids=lambda home: "sample" if home is None else home.name)
def company(request: pytest.FixtureRequest, sample_home: Path) -> Company:
    return read(Settings.load(request.param or sample_home))


def read(settings: Settings) -> Company:
    with _open_built(settings) as built:
        as_of = built.execute("select as_of from marts.build_info").fetchone()[0]
        rows = built.execute(
            "select kpi_id, sum(numerator), sum(denominator) from metrics.kpi_values "
            "where is_headline or profile_id = '' group by 1"
        ).fetchall()
        stages = built.execute(
            "select kpi_id || ' ' || stage_id, sum(hours), count(hours) from metrics.kpi_durations where is_valid "
            "group by 1"
        ).fetchall()
    events = {}
    with closing(connect(settings.database, read_only=True)) as connection:
        for family in ("order", "shipment", "return", "finance", "document", "inventory"):
            found = connection.execute(
                f"select * from landing.{family}_events where event_at < ? order by event_at, observed_at, event_id",
                [as_of],
            )
            names = [column[0] for column in found.description]
            events[family] = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    costs = {row["sku"]: float(row["unit_cost"]) for row in _seed(settings, "skus") if row["unit_cost"]}
    return Company(
        settings,
        as_of,
        events,
        _orders(events, settings.zone, costs),
        {row["node_id"]: row for row in _seed(settings, "nodes")},
        {(row["calendar_id"], row["holiday_date"]) for row in _seed(settings, "holidays")},
        {kpi: (numerator, denominator) for kpi, numerator, denominator in rows + stages},
    )


@contextmanager
def _open_built(settings: Settings) -> Iterator[Connection]:
    try:
        path = current_publication(settings)
    except NotPublishedError:
        path = settings.database
    with closing(connect(path, read_only=True)) as connection:
        yield connection


def _orders(events: dict[str, list[Event]], zone: ZoneInfo, costs: dict[str, float]) -> dict[str, Order]:
    orders: dict[str, Order] = {}
    tests = {event["order_id"] for event in events["order"] if event["order_type"] == "test"}
    for event in events["order"]:
        is_goods = event["event_type"] == "order.captured" and event["order_type"] != "no_ship"
        if is_goods and event["order_id"] not in tests:
            order = orders.setdefault(
                event["order_id"],
                Order(
                    event["event_at"], event["channel"] == "wholesale", event["customer_id"],
                    ZoneInfo(event["clock_zone"]), event["order_type"],
                ),
            )  # fmt: skip
            quantity = float(event["quantity"])
            cost = event["unit_cost"]
            order.lines[event["line_id"]] = Line(
                event["sku"], float(event["unit_price"]), costs.get(event["sku"]) if cost is None else float(cost),
                None if event["freight_amount"] is None else float(event["freight_amount"]),
                quantity, quantity, quantity,
                start=event["window_start_at"], end=event["window_end_at"], requested=event["requested_at"],
                ship_by=event["ship_by_at"], cancel_after=event["cancel_after_at"],
                ship_start=event["ship_window_start_at"],
            )  # fmt: skip
    for event in events["order"]:
        order = orders.get(event["order_id"])
        if order and (event["line_id"] is None or event["line_id"] in order.lines):  # gift cards have no line here
            _tell(order, event)
    _ship(orders, events["shipment"], zone)
    return orders


def _tell(order: Order, event: Event) -> None:
    kind, at, line_id = event["event_type"], event["event_at"], event["line_id"]
    named = list(order.lines.values()) if line_id is None else [order.lines[line_id]]
    if event["promise_at"] is not None and kind in ("order.captured", "order.promised", "order.changed"):
        (order if line_id is None else named[0]).promises.append((at, event["promise_at"]))
    if kind == "order.changed":
        order.edited.append(at)
        if event["quantity"] is not None:
            named[0].change(float(event["quantity"]), event["actor"], at)
    elif kind == "order.cancelled":
        if line_id is None:
            order.cancel = order.cancel or event["actor"]
        quantity = None if event["quantity"] is None or line_id is None else float(event["quantity"])
        for line in named:
            line.cancels.append(Cancel(at, event["actor"], quantity))
    elif kind in ("hold.placed", "hold.released"):
        place = line_id, event["hold_type"]
        order.open_holds[place] = (order.open_holds.get(place) or at) if kind == "hold.placed" else None
        if kind == "hold.placed":
            order.holds.append(at)
    elif kind == "order.released" and line_id is not None:
        named[0].release(at, event["node_id"], float(event["quantity"]))


def _ship(orders: dict[str, Order], events: list[Event], zone: ZoneInfo) -> None:
    """Pieces as the warehouse tells them, with the scans of their parcel."""
    scans: dict[str, dict[str, datetime]] = defaultdict(dict)
    estimates: dict[str, datetime] = {}
    pieces: dict[tuple[str, str, str], dict[str, Event]] = defaultdict(dict)
    for event in events:
        number, kind = event["tracking_number"], event["event_type"]
        if event["source"] == "carrier":
            scans[number].setdefault(kind, event["event_at"])
            if event["estimated_delivery_at"] is not None:
                estimates.setdefault(number, event["estimated_delivery_at"])
        elif event["source"] == "wms":
            pieces[event["order_id"], event["line_id"], event["shipment_id"]][kind] = event
    scanned = {
        event["carrier"]
        for told in pieces.values()
        for event in told.values()
        if set(scans.get(event["tracking_number"], {})) & {"carrier.accepted", "in_transit", "arrived", "delivered"}
    }
    for (order_id, line_id, shipment_id), told in pieces.items():
        if order_id not in orders:
            continue
        number = next((event["tracking_number"] for event in told.values() if event["tracking_number"]), None)
        scan = scans.get(number, {})
        confirmed = told["ship.confirmed"]["event_at"] if "ship.confirmed" in told else None
        is_scanned = {event["carrier"] for event in told.values()} & scanned
        # Of a carrier that never scans anything the warehouse's word has to do.
        accepted = scan.get("carrier.accepted") or scan.get("in_transit") or (None if is_scanned else confirmed)
        left = accepted or confirmed or scan.get("delivered")
        best = next(told[kind] for kind in ("ship.confirmed", "label.created", "packed", "pick.completed",
                                            "pick.started") if kind in told)  # fmt: skip
        orders[order_id].lines[line_id].pieces.append({
            "quantity": float(best["quantity"]), "shipment_id": shipment_id, "tracking": number, "left": left,
            "accepted": accepted, "confirmed": confirmed, "labelled": confirmed or "label.created" in told,
            "day": left and left.replace(tzinfo=UTC).astimezone(zone).date(),
            "delivered": scan.get("delivered"), "node": best["node_id"], "estimate": estimates.get(number),
            "packed": told["packed"]["event_at"] if "packed" in told else None,
            "picked": told["pick.started"]["event_at"] if "pick.started" in told else None,
        })  # fmt: skip


def _judged(company: Company) -> Iterator[tuple[str, Order, list[Verdict]]]:
    """Yield every due order with the verdicts on its lines."""
    grace = {"target": (-1, 1), "kroger": (0, 1)}
    for name, order in company.counted.items():
        rows: list[Verdict] = []
        is_due = True
        for line in order.lines.values():
            start, end = (line.start, line.end) if order.wholesale else (None, _promised(order, line)[0])
            if end is None:
                continue
            before, after = grace.get(order.customer, (0, 0)) if order.wholesale else (0, 0)
            end = _shifted(end, after, order.zone)
            start = _shifted(start, before, order.zone) if start else None

            def excused(moment: datetime, actor: str, end: datetime = end) -> bool:
                return actor in ("fraud", "payment") or (actor == "customer" and moment < end)

            out = line.cancelled(excused)
            base, original = max(line.base - out, 0), max(line.original - out, 0)
            if base <= 0:
                continue
            is_due = is_due and end <= company.as_of
            by_end = [p for p in line.pieces if p["delivered"] and p["delivered"] < end]
            within = [p for p in by_end if start is None or p["delivered"] >= start]
            inside, came = (min(sum(p["quantity"] for p in pieces), base) for pieces in (within, by_end))
            rows.append((line, base, original, inside, came, len(line.left), len(within)))
        if rows and is_due:
            yield name, order, rows


def _promised(order: Order, line: Line) -> tuple[datetime | None, datetime | None]:
    """The first and the latest promise of a line: its own, else its order's; of several told at once the last."""

    def first(promises: list[tuple[datetime, datetime]]) -> datetime | None:
        return max((to for at, to in promises if at == promises[0][0]), default=None)

    def latest(promises: list[tuple[datetime, datetime]]) -> datetime | None:
        return max((to for at, to in promises if at == promises[-1][0]), default=None)

    own, order_said = line.promises, order.promises
    is_own = bool(own) and (not order_said or own[-1][0] >= order_said[-1][0])
    return first(own) or first(order_said), latest(own if is_own else order_said)


def _shifted(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    local = moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    return local.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


class Tally:
    """Numerators and denominators as they are counted."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}

    def __call__(self, kpi: str, numerator: float, denominator: float) -> None:
        pair = self._sums.setdefault(kpi, [0.0, 0.0])
        pair[0] += numerator
        pair[1] += denominator

    @property
    def sums(self) -> Sums:
        return {kpi: (pair[0], pair[1]) for kpi, pair in self._sums.items()}


def _is_on_time(rows: list[Verdict]) -> bool:
    pieces, within = sum(row[5] for row in rows), sum(row[6] for row in rows)
    return bool(pieces) and pieces == within


def _is_in_full(rows: list[Verdict]) -> bool:
    return all(by_end >= base for _, base, _, _, by_end, _, _ in rows)


def service(company: Company) -> Sums:
    count = Tally()
    for _, _, rows in _judged(company):
        count("on_time", _is_on_time(rows), 1)
        count("in_full", _is_in_full(rows), 1)
        count("otif", all(inside >= base for _, base, _, inside, _, _, _ in rows), 1)
        count("order_fill", all(line.first >= base for line, base, *_ in rows), 1)
        for line, base, original, inside, by_end, *_ in rows:
            count("otif_line", inside >= base, 1)
            count("otif_case", inside, base)
            if line.cost is not None:
                count("otif_value", inside * line.cost, base * line.cost)
            count("unit_fill_revised", by_end, base)
            count("unit_fill_original", min(by_end, original), original)
            count("unit_fill_first_pass", min(line.first, base), base)
            count("value_fill", by_end * line.price, base * line.price)
            count("line_fill", by_end >= base, 1)
            count("backorder_rate", line.first < base, 1)
            missing = base - min(line.first, base)
            if missing:
                count("backorder_recovery", min(line.shipped - line.first, missing), missing)
    return count.sums


def perfection(company: Company) -> Sums:
    """The perfect order and its components: a claim within 30 days of delivery demotes it."""
    claims: dict[str, set[str]] = defaultdict(set)
    for event in company.events["return"]:
        order = company.orders.get(event["order_id"])
        if order and event["event_type"] == "rma.created":
            at = event["event_at"]
            if at <= (order.delivered or at) + 30 * DAY:
                claims[event["order_id"]].add(event["reason"])
    late = {name for name, is_timely in _notices(company) if not is_timely}
    invoices = {e["document_id"]: e["order_id"] for e in company.events["finance"] if e["event_type"] == "invoice.sent"}
    disputed = {
        invoices.get(event["reference_id"], event["order_id"])
        for event in _deductions(company)
        if event["violation"].startswith("invoice")
    } | {invoices.get(e["document_id"]) for e in company.events["finance"] if e["event_type"] == "invoice.rejected"}
    unanswered = {
        event["order_id"]
        for event, answer in _answered(company)
        if event["direction"] == "out"
        and (answer["status"] == "R" if answer else company.as_of - event["event_at"] > DAY)
    }
    count = Tally()
    for name, order, rows in _judged(company):
        parts = {
            "on_time": _is_on_time(rows),
            "in_full": _is_in_full(rows) and "wrong_item" not in claims[name],
            "condition": not claims[name] & {"damaged_in_transit", "defective"},
            "documents": name not in late | disputed | unanswered
            and (order.wholesale or all(piece["tracking"] and piece["accepted"] for piece in _labelled(order))),
        }
        for part, is_right in parts.items():
            count(f"perfect_{part}", is_right, 1)
        count("perfect_order", all(parts.values()), 1)
    return count.sums


def _labelled(order: Order) -> list[Event]:
    return [piece for line in order.lines.values() for piece in line.pieces if piece["labelled"] or piece["accepted"]]


def notices(company: Company) -> Sums:
    verdicts = [is_timely for _, is_timely in _notices(company)]
    return {"asn_timeliness": (sum(verdicts), len(verdicts))} if verdicts else {}


def _notices(company: Company) -> Iterator[tuple[str, bool]]:
    """Yield every shipment whose notice was due, as its order and whether the notice was in time."""
    sent: dict[tuple[str, str], datetime] = {}
    rejected = {
        (event["document_id"], event["event_at"])
        for event, answer in _answered(company)
        if event["document_type"] == "856" and answer and answer["status"] == "R"
    }
    noticed = [event for event in company.events["shipment"] if event["event_type"] == "asn.sent"]
    for event in noticed:
        if (event["shipment_id"], event["event_at"]) not in rejected:
            sent.setdefault((event["order_id"], event["tracking_number"]), event["event_at"])
    # Who rejects a notice gets them all the same.
    names = {event["order_id"] for event in noticed}
    partners = {company.orders[name].customer for name in names & company.orders.keys()}
    for name, order in company.orders.items():
        shipments: dict[str, list[Event]] = defaultdict(list)
        for piece in order.left:
            shipments[piece["tracking"]].append(piece)
        for number, pieces in shipments.items():
            shipped = min(
                (p["accepted"] or p["confirmed"] for p in pieces if p["accepted"] or p["confirmed"]), default=None
            )
            arrived = min((p["delivered"] for p in pieces if p["delivered"]), default=None)
            if not order.wholesale or order.customer not in partners or shipped is None:
                continue
            deadline = _notice_due(order.customer, shipped, arrived)
            if deadline and deadline <= company.as_of:
                at = sent.get((name, number))
                yield name, at is not None and at <= deadline


def _notice_due(customer: str, shipped: datetime, arrived: datetime | None) -> datetime | None:
    if customer == "target":
        return arrived and arrived + HOUR
    due = shipped + HOUR
    if customer == "kohls":
        central = ZoneInfo("America/Chicago")
        day = shipped.replace(tzinfo=UTC).astimezone(central).date() + DAY
        due = datetime.combine(day, time(6), tzinfo=central).astimezone(UTC).replace(tzinfo=None)
    return min(due, arrived or due)


def _answers_of_accounts(company: Company) -> dict[str, datetime]:
    """When the first 855 of an order was sent."""
    answers: dict[str, datetime] = {}
    for event in company.events["document"]:
        if event["document_type"] == "855" and event["event_type"] == "document.sent":
            answers.setdefault(event["order_id"], event["event_at"])
    return answers


def flow(company: Company) -> Sums:
    orders = company.counted.values()
    actors = [order.cancelled_by for order in orders if order.is_cancelled]
    captured = len(orders)
    released = [order for order in orders if order.released]
    touched = sum(
        any(moment < order.released for moment in order.edited + order.holds)
        or any(cancel.at < order.released for line in order.lines.values() for cancel in line.cancels)
        for order in released
    )
    lines = [(order, line) for order in company.orders.values() for line in order.lines.values()]
    answers = _answers_of_accounts(company)
    oversold = accepted = 0.0
    for name, order in company.orders.items():
        for line in order.lines.values():
            answered = answers.get(name, order.captured - DAY)  # without an answer nothing was refused
            refused = line.cut if line.cut_at and line.cut_at <= answered else 0
            out = line.cut - refused
            for cancel, quantity in line.taken():
                if cancel.at <= answered and cancel.actor in ("seller_oos", "seller_other"):
                    refused += quantity
                elif cancel.actor == "seller_oos":
                    out += quantity
            if line.original > refused:
                accepted += line.original - refused
                oversold += min(out, line.original - refused)
    promised = [(first, latest) for first, latest in (_promised(*pair) for pair in lines) if first]
    return {
        "cancellation_rate": (len(actors), captured),
        "cancellation_rate_customer": (actors.count("customer"), captured),
        "cancellation_rate_fraud": (actors.count("fraud") + actors.count("payment"), captured),
        "cancellation_rate_seller": (actors.count("seller_oos") + actors.count("seller_other"), captured),
        "cancellation_rate_retailer": (actors.count("retailer_expiry"), captured),
        "touchless_rate": (len(released) - touched, len(released)),
        "oversell_rate": (oversold, accepted),
        "promise_slip_rate": (sum(latest > first for first, latest in promised), len(promised)),
    }


def freight(company: Company) -> Sums:
    """Orders of which somebody states the freight, on their lines."""
    count = Tally()
    for order in company.orders.values():
        if not order.is_cancelled and any(line.freight is not None for line in order.lines.values()):
            for line in order.lines.values():
                count("freight_share", line.freight or 0, (line.freight or 0) + line.base * line.price)
    return count.sums


def waiting(company: Company) -> Sums:
    """Open units past the day they were needed."""
    count = Tally()
    for order in company.orders.values():
        for line in order.lines.values():
            needed = line.end or line.requested or _promised(order, line)[0]
            is_over = line.cancel_after is not None and line.cancel_after <= company.as_of
            if needed is None or needed >= company.as_of or is_over or line.is_cancelled or not line.open:
                continue
            count("backorder_units", line.open, 0)
            count("backorder_value", line.open * line.price, 0)
            days = (company.as_of - needed) // DAY
            count("backorder_value_over_7d", line.open * line.price if days > 7 else 0, 0)
    return count.sums


def returns(company: Company) -> Sums:
    received: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    reasons = {
        (e["rma_id"], e["line_id"]): e["reason"] for e in company.events["return"] if e["event_type"] == "rma.created"
    }
    graded: dict[str, float] = defaultdict(float)
    damaged: dict[tuple[str, str], float] = defaultdict(float)
    wrong: dict[str, datetime] = {}
    for event in company.events["return"]:
        key, quantity = (event["order_id"], event["line_id"]), float(event["quantity"] or 0)
        reason = reasons.get((event["rma_id"], event["line_id"]))
        if event["event_type"] == "return.received":
            received[key][CLASSES[str(reason)]] += quantity
        elif event["event_type"] == "return.graded":
            graded[event["disposition"]] += quantity
        elif event["event_type"] == "rma.created" and reason == "damaged_in_transit":
            damaged[key] += quantity
        elif event["event_type"] == "rma.created" and reason == "wrong_item":
            wrong.setdefault(event["order_id"], event["event_at"])
    lines = {
        (name, number): line
        for name, order in company.orders.items()
        for number, line in order.lines.items()
        if line.accepted and line.shipped
    }
    shipped = {key: line.shipped for key, line in lines.items()}
    based = {key: line for key, line in lines.items() if line.base > 0}
    units, all_graded = sum(shipped.values()), sum(graded.values())
    sums = {
        f"return_rate_{name}": (sum(min(received[key][name], shipped[key]) for key in shipped), units)
        for name in ("choice", "product", "fulfilment", "refused", "unclassified")
    }
    gone = {name: order for name, order in company.counted.items() if order.accepted}
    content = {
        event["order_id"] for event in _deductions(company) if event["violation"] in ("substitution", "carton_content")
    }
    claimed = {
        name
        for name, order in gone.items()
        if name in content or (name in wrong and wrong[name] <= (order.delivered or wrong[name]) + 30 * DAY)
    }
    return sums | {
        "return_rate": (sum(min(sum(received[key].values()), shipped[key]) for key in shipped), units),
        "damage_rate": (sum(min(damaged[key], shipped[key]) for key in based), sum(shipped[key] for key in based)),
        "over_shipped_rate": (
            sum(max(line.shipped - line.base, 0) for line in based.values()),
            sum(line.base for line in based.values()),
        ),
        "restock_rate": (graded["restock_a"], all_graded),
        "resale_rate": (graded["b_grade"] + graded["refurbish"] + graded["rtv"], all_graded),
        "write_off_rate": (graded["liquidate"] + graded["donate"] + graded["destroy"], all_graded),
        "fulfilment_accuracy": (len(gone) - len(claimed), len(gone)),
    }


def _operating_day(company: Company, node: str, moment: datetime) -> datetime:
    """End of the operating day that a release reaches: before the cut-off the same day, else the next one open."""
    seed = company.nodes[node]
    zone = ZoneInfo(seed["zone"])
    local = moment.replace(tzinfo=UTC).astimezone(zone)
    hour, minute = map(int, seed["cut_off_time"].split(":"))
    day = local.date() if local.time() < time(hour, minute) else local.date() + DAY
    while str(day.isoweekday()) not in seed["operating_days"].split(",") or (node, str(day)) in company.closed:
        day += DAY
    return datetime.combine(day + DAY, time(), tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def carriers(company: Company) -> Sums:
    parcels: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for name, order in company.orders.items():
        for line in order.lines.values():
            for piece in line.pieces:
                if piece["accepted"]:
                    parcels[name, piece["tracking"]].append(piece)
    due = [pieces for pieces in parcels.values() if pieces[0]["estimate"] and pieces[0]["estimate"] <= company.as_of]
    on_time = sum(all(p["delivered"] and p["delivered"] < p["estimate"] for p in pieces) for pieces in due)
    return {"carrier_on_time": (on_time, len(due))}


def handover(company: Company) -> Sums:
    count = Tally()
    for order in company.counted.values():
        handed = []
        for number, line in order.lines.items():
            verdict = _handed_over(company, order, number)
            if verdict is not None:
                is_early = order.wholesale and any(
                    p["accepted"] and line.ship_start and p["accepted"] < line.ship_start for p in line.left
                )
                handed.append((verdict[0], verdict[1] and not is_early))
                if line.ship_by is not None and verdict[0] <= company.as_of:
                    count("ship_by_adherence", verdict[1], 1)
        if handed and all(end <= company.as_of for end, _ in handed):
            count("on_time_ship", all(is_handed for _, is_handed in handed), 1)
    return count.sums


def cut_offs(company: Company) -> Sums:
    """Orders at every node that shipped a part of them or owes one, by that node's own clock."""
    kept: dict[tuple[str, str], list[bool]] = defaultdict(list)
    ends: dict[tuple[str, str], datetime] = {}
    for name, order in company.orders.items():
        for number, line in order.lines.items():
            for node, end, is_kept in _promises_of_nodes(company, order, number, line):
                ends[name, node] = max(ends.get((name, node), end), end)
                kept[name, node].append(is_kept)
    in_time = [all(flags) for key, flags in kept.items() if ends[key] <= company.as_of]
    return {"cut_off_adherence": (sum(in_time), len(in_time))}


def _nodes_of(company: Company, line: Line, told: list[Event]) -> Iterator[tuple[str, datetime, list[Event], bool]]:
    """Yield the nodes that answer for a line: the end of the day by which, what each did of it and if it owes some."""
    is_parted = sum(units for _, units in line.asked.values()) <= line.base
    for node in {*line.asked, *(piece["node"] for piece in told)}:
        released, units = line.asked.get(node, (line.released, 0.0))
        pieces = [piece for piece in told if piece["node"] == node]
        shipped = sum(piece["quantity"] for piece in pieces)
        is_owed = bool(line.open) and (shipped < units if is_parted and node in line.asked else node == line.node)
        is_elsewhere = not pieces and not is_owed and (bool(line.left) or node != line.node)
        if released is not None and not is_elsewhere:
            yield node, _operating_day(company, node, released), pieces, is_owed


def _promises_of_nodes(company: Company, order: Order, number: str, line: Line) -> Iterator[tuple[str, datetime, bool]]:
    """Yield the nodes that answer for a line, with the end of the day by which and whether it was handed over."""
    for node, end, pieces, is_owed in _nodes_of(company, line, line.pieces):
        held = [since for (place, _), since in order.open_holds.items() if place in (None, number) and since]
        called_off = max((cancel.at for cancel, taken in line.taken() if taken), default=None)
        if called_off is None:
            called_off = min((cancel.at for cancel in [*line.cancels, line.zeroed] if cancel), default=None)
        if line.is_cancelled and (called_off is None or called_off < end):
            continue
        if held and min(held) < end and not line.left:
            continue
        yield node, end, bool(pieces) and not is_owed and all(p["accepted"] and p["accepted"] < end for p in pieces)


def _handed_over(company: Company, order: Order, number: str) -> tuple[datetime, bool] | None:
    """When a line was due with the carrier, and whether all of it was; None = it is not judged."""
    line = order.lines[number]
    if line.ship_by is None:
        ends = {node: end for node, end, *_ in _nodes_of(company, line, line.left)}
    else:
        ends = dict.fromkeys([piece["node"] for piece in line.left], line.ship_by)
    end = line.ship_by or max(ends.values(), default=None)
    if end is None:
        return None

    def excused(moment: datetime, actor: str) -> bool:
        return actor in ("fraud", "payment") or (actor == "customer" and moment < end)

    if line.base - line.cancelled(excused) <= 0 or (order.held_by(number) in CUSTOMER_HOLDS and not line.left):
        return None
    in_time = [bool(piece["accepted"]) and piece["accepted"] < ends[piece["node"]] for piece in line.left]
    return end, bool(in_time) and all(in_time) and not line.open


def order_hours(company: Company) -> Sums:
    """Hours of the stages of orders that ended, and how many did."""
    count = Tally()
    for order in company.counted.values():
        marks = {
            "capture": order.captured, "release": order.released, "accept": order.accepted, "deliver": order.delivered,
            "pick": min((p["picked"] for p in order.left if p["picked"]), default=None),
            "pack": max((p["packed"] for p in order.left if p["packed"]), default=None),
        }  # fmt: skip
        for start, end in (
            ("capture", "release"), ("release", "pick"), ("pick", "pack"), ("pack", "accept"), ("capture", "accept"),
            ("accept", "deliver"), ("capture", "deliver"),
        ):  # fmt: skip
            if not order.is_cancelled:
                began, ended = marks[start], marks[end]
                _time(count, f"cycle_time {start}_to_{end}", began, ended)
                at = {piece["node"] for piece in order.left}
                is_work = start in ("release", "pick", "pack") and len(at) == 1 and at <= company.nodes.keys()
                if is_work and began and ended and began <= ended:
                    hours = _worked(company, *at, began, ended)
                    count(f"cycle_time {start}_to_{end}_in_operating_hours", hours, 1)
    return count.sums


def _time(count: Tally, stage: str, start: datetime | None, end: datetime | None) -> None:
    if start and end and end >= start:
        count(stage, (end - start) / HOUR, 1)


def _worked(company: Company, node: str | None, start: datetime, end: datetime) -> float:
    """Return the hours that a node works between two instants, day by day; one without a seed works all of them."""
    seed = company.nodes.get(node or "")
    if seed is None:
        return (end - start) / HOUR
    zone = ZoneInfo(seed["zone"])

    def instant(day: date, clock: str) -> datetime:
        return datetime.combine(day, time.fromisoformat(clock), tzinfo=zone).astimezone(UTC).replace(tzinfo=None)

    hours = 0.0
    day = start.date() - DAY
    while day <= end.date() + DAY:
        if str(day.isoweekday()) in seed["operating_days"].split(",") and (node, str(day)) not in company.closed:
            opens = instant(day, seed.get("opens_at") or "00:00")
            closes = instant(day, seed["closes_at"]) if seed.get("closes_at") else instant(day + DAY, "00:00")
            hours += max((min(end, closes) - max(start, opens)) / HOUR, 0.0)
        day += DAY
    return hours


def other_hours(company: Company) -> Sums:
    """The same of receipts and returns; what is done at a node by the hours it works."""
    count = Tally()
    told: dict[tuple[str, ...], dict[str, datetime]] = defaultdict(dict)
    nodes: dict[tuple[str, ...], str] = {}
    for event in company.events["inventory"]:
        if event["event_type"] in ("receipt.checked_in", "receipt.received"):
            key: tuple[str, ...] = (event["receipt_id"], event["sku"], event["node_id"])
            told[key][event["event_type"]] = event["event_at"]
            nodes[key] = event["node_id"]
    for event in company.events["return"]:
        if event["source"] == "returns":
            key = (event["rma_id"], event["line_id"])
            told[key][event["event_type"]] = event["event_at"]
            if event["node_id"]:
                nodes[key] = event["node_id"]
    for key, times in told.items():
        for stage, first, last in (
            ("dock_to_stock check_in_to_stock", "receipt.checked_in", "receipt.received"),
            ("return_cycle_time return_request_to_scan", "rma.created", "return.in_transit"),
            ("return_cycle_time return_scan_to_receive", "return.in_transit", "return.received"),
            ("return_cycle_time return_receive_to_grade", "return.received", "return.graded"),
            ("return_cycle_time return_receive_to_refund", "return.received", "refund.issued"),
        ):
            start, end = times.get(first), times.get(last)
            if start and end and end >= start:
                is_at_node = first in ("receipt.checked_in", "return.received")
                hours = _worked(company, nodes.get(key), start, end) if is_at_node else (end - start) / HOUR
                count(stage, hours, 1)
    return count.sums


def _answered(company: Company) -> Iterator[tuple[Event, Event | None]]:
    """Yield every document that wants a 997, with the first that answered it."""
    sent: dict[tuple[str, ...], list[Event]] = defaultdict(list)
    answers: dict[tuple[str, ...], list[Event]] = defaultdict(list)
    for event in company.events["document"]:
        key = tuple(
            str(event[name]) for name in ("partner_id", "direction", "document_type", "group_control", "set_control")
        )
        if event["event_type"] not in ("document.sent", "document.received"):
            answers[key].append(event)
        elif event["document_type"] != "997":
            sent[key].append(event)
    for key, events in sent.items():
        for event in events:
            yield event, next((answer for answer in answers[key] if answer["event_at"] >= event["event_at"]), None)


def documents(company: Company) -> Sums:
    judged = timely = answered = rejected = 0
    for event, answer in _answered(company):
        judged += bool(answer) or company.as_of - event["event_at"] > DAY
        timely += bool(answer and answer["event_at"] - event["event_at"] <= DAY)
        if answer and event["direction"] == "out":
            answered += 1
            rejected += answer["status"] in ("R", "P")
    orders: dict[str, datetime] = {}
    replies = _answers_of_accounts(company)
    for event in company.events["document"]:
        if event["document_type"] == "850" and event["event_type"] == "document.received":
            orders.setdefault(event["order_id"], event["event_at"])
    asked = [
        name
        for name, at in orders.items()
        if name in company.orders and (name in replies or at + 48 * HOUR <= company.as_of)
    ]
    in_time = sum(name in replies and replies[name] <= orders[name] + 48 * HOUR for name in asked)
    return {
        "ack_timeliness": (timely, judged),
        "document_reject_rate": (rejected, answered),
        "po_answer_timeliness": (in_time, len(asked)),
    }


def _deductions(company: Company) -> list[Event]:
    codes = {row["partner_code"]: row["violation"] for row in _seed(company.settings, "violation_map")}
    return [
        event | {"violation": event["violation"] or codes.get(event["reason_code"], "")}
        for event in company.events["finance"]
        if event["event_type"] == "deduction.taken"
    ]


def _is_of_an_account(company: Company, order: str | None) -> bool:
    """Whether it may be an account's: of what has no known order nobody can say that it is not."""
    return order not in company.orders or company.orders[order].wholesale


def money(company: Company) -> Sums:
    totals, invoiced_on, of_order = {}, {}, {}
    rejected, void = set(), set()
    filed, won = {}, {}
    for event in company.events["finance"]:
        if event["event_type"] == "invoice.sent" and event["line_id"] is None:
            totals[event["document_id"]] = float(event["amount"])
            invoiced_on[event["document_id"]] = company.local(event["event_at"])
            of_order[event["document_id"]] = event["order_id"]
            void.discard(event["document_id"])
        elif event["event_type"] == "invoice.rejected":
            rejected.add(event["document_id"])
            void.add(event["document_id"])
        elif event["event_type"] in ("dispute.filed", "dispute.resolved"):
            told = filed if event["event_type"] == "dispute.filed" else won
            told[event["reference_id"] or event["document_id"]] = float(event["amount"])
    taken = _deductions(company)
    corrected = {event["reference_id"] for event in taken if event["violation"].startswith("invoice")}
    cohort = [name for name, day in invoiced_on.items() if day <= company.local(company.as_of) - 45 * DAY]
    others = {row["violation"] for row in _seed(company.settings, "violations") if row["is_compliance"] == "false"}
    deducted = sum(
        float(event["amount"])
        for event in taken
        if event["violation"] not in others and _is_of_an_account(company, event["order_id"])
    )
    invoiced = sum(
        amount
        for name, amount in totals.items()
        if name not in void and amount >= 0 and _is_of_an_account(company, of_order[name])
    )
    resolved = {name: amount for name, amount in filed.items() if name in won and amount > 0}
    return {
        "chargeback_rate": (deducted, invoiced),
        "chargeback_amount": (deducted, 0),
        "invoice_accuracy": (sum(name not in corrected | rejected for name in cohort), len(cohort)),
        "dispute_recovery": (sum(min(won[name], resolved[name]) for name in resolved), sum(resolved.values())),
    }


def _seed(settings: Settings, name: str) -> list[dict[str, str]]:
    own = settings.home / "seeds" / f"{name}.csv"
    path = own if own.exists() else PROJECT_ROOT / "data" / "seeds" / f"{name}.csv"
    with path.open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


RECOUNTS = (
    service, perfection, notices, flow, freight, waiting, returns, carriers, handover, cut_offs, order_hours,
    other_hours, documents, money,
)  # fmt: skip


def differences(company: Company, counted: Sums) -> dict[str, Any]:
    """KPIs whose figure is another one, as figure and recount; a sum of nothing has no figure."""
    return {
        kpi: (company.figures.get(kpi), pair)
        for kpi, pair in counted.items()
        if company.figures.get(kpi, (0, 0)) != pytest.approx(pair, rel=1e-9, abs=1e-6)
    }


@pytest.mark.parametrize("recount", RECOUNTS, ids=lambda recount: recount.__name__)
def test_the_published_figures_are_those_of_a_recount_from_events(
    company: Company, recount: Callable[[Company], Sums]
) -> None:
    counted = recount(company)
    assert counted
    assert differences(company, counted) == {}


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", SEEDS)
def test_the_figures_of_a_random_company_are_those_of_a_recount_from_events(
    seed: int, random_company: Callable[[int], Settings]
) -> None:
    company = read(random_company(seed))
    counted = {kpi: pair for recount in RECOUNTS for kpi, pair in recount(company).items()}
    assert len(counted) > 40
    assert differences(company, counted) == {}
