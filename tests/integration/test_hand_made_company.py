"""Figures the simulator makes no data for, on a company made by hand: landed as events, built, recounted from them.

Orders are split over nodes, released anew, held twice at a time, short, never shipped, counted wrong by the retailer,
invoiced late, paid in part, sent back and put on the shelf again. The recount is plain Python from the definitions
(docs/kpis.md) and reads nothing but these events.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from pipelines.landing import prepare_landing
from pipelines.transform import make_models
from storage.duck import Connection, connect, open_writer
from storage.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Land

pytestmark = pytest.mark.exhaustive

Event = dict[str, Any]
AS_OF = datetime(2026, 4, 2, 5)  # noqa: DTZ001 - instants are naive UTC
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOME = ZoneInfo("America/Chicago")
NODES = {
    "east": ("America/New_York", "14:00", "1,2,3,4,5", 40, "", ""),
    "west": ("America/Los_Angeles", "11:30", "1,2,3,4,6", 25, "07:30", "18:00"),
}
WAYS = ("one", "one", "one", "short", "never", "parted", "half", "owed", "strange", "moved", "listed")
LISTED_ONLY = "warehouse_of_a_partner"
"""A node that the seed does not know."""


class _Maker:
    """Makes the events of one order after the other."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.events: dict[str, list[Event]] = defaultdict(list)

    def say(self, family: str, kind: str, at: datetime, source: str, **words: Any) -> None:
        if at < AS_OF:
            self.events[family].append({"event_type": kind, "event_at": at, "source": source} | words)

    def after(self, moment: datetime, least: float, most: float) -> datetime:
        """Return an instant some hours later, to the second."""
        return moment + timedelta(seconds=round(self.dice.uniform(least, most) * 3600))

    def order(self, number: int) -> None:
        dice, name = self.dice, f"H{number}"
        captured = self.after(datetime(2026, 1, 5), 0, 24 * 80)  # noqa: DTZ001
        wholesale = dice.random() < 0.6
        start = self.after(captured, 20, 80) if dice.random() < 0.4 else None
        lines = {str(line): dice.randint(2, 20) for line in range(1, dice.choice((2, 2, 3)))}
        for line, quantity in lines.items():
            self.say(
                "order", "order.captured", captured, "edi" if wholesale else "shopify", order_id=name, line_id=line,
                channel="wholesale" if wholesale else "dtc", customer_id="acme" if wholesale else f"person {number}",
                currency=dice.choice(("USD", "USD", "EUR")) if len(lines) == 1 else "USD", sku=f"SKU-{line}",
                quantity=quantity, unit_price=10, unit_cost=4, clock_zone="America/Chicago",
                promise_at=captured + 9 * DAY, ship_window_start_at=start,
            )  # fmt: skip
        for kind in ("address", "payment", "credit"):
            if dice.random() < 0.25:
                placed = self.after(captured, 0, 30)
                self.say("order", "hold.placed", placed, "shopify", order_id=name, hold_type=kind)
                self.say("order", "hold.released", self.after(placed, 1, 60), "shopify", order_id=name, hold_type=kind)
        if dice.random() < 0.04:
            return
        gone = [self._line(name, line, quantity, self.after(captured, 1, 60)) for line, quantity in lines.items()]
        shipped = sum(sum(parts) for parts, _ in gone)
        if wholesale and shipped:
            self._papers(name, number, gone, max(at for _, at in gone))
        if dice.random() < 0.3 and gone[0][0]:
            self._return(name, number, self.after(gone[0][1], 150, 400))

    def _line(self, name: str, line: str, quantity: int, released: datetime) -> tuple[list[int], datetime]:
        """Release a line and ship it in one way of several; return the quantities that left, and when the last did."""
        dice = self.dice
        first, second = dice.sample(list(NODES), 2)
        whole, parts = [(first, quantity)], [(first, quantity // 2), (second, quantity - quantity // 2)]
        asked, made = {
            "one": (whole, whole), "short": (whole, [(first, quantity - 1)]), "never": (whole, []),
            "parted": (parts, parts), "half": (whole, [(first, part) for _, part in parts]),
            "owed": (parts, parts[1:]), "strange": (whole, [(second, quantity)]),
            "moved": (whole, [(second, quantity)]), "listed": ([(LISTED_ONLY, quantity)], [(LISTED_ONLY, quantity)]),
        }[way := dice.choice(WAYS)]  # fmt: skip
        place = {"order_id": name, "line_id": line}
        for node, units in asked:
            self.say("order", "order.released", released, "wms", node_id=node, quantity=units, **place)
        if way == "moved":
            released = self.after(released, 4, 60)
            self.say("order", "order.released", released, "wms", node_id=second, quantity=quantity, **place)
        if way == "never" and dice.random() < 0.5:
            actor = dice.choice(("customer", "seller_oos"))
            self.say("order", "order.cancelled", self.after(released, 1, 60), "shopify", actor=actor, **place)
        last, left = released, []
        for piece, (node, units) in enumerate(made):
            packed = self.after(released, 1, 12)
            accepted = self.after(packed, 0.5, dice.choice((4, 40)))
            delivered = self.after(accepted, 20, 150)
            words = {
                "order_id": name, "line_id": line, "shipment_id": f"{name}-{line}-{piece}", "quantity": units,
                "node_id": node, "carrier": "swift", "tracking_number": f"T{name}{line}{piece}",
            }  # fmt: skip
            for kind, at in (("packed", packed), ("carrier.accepted", accepted), ("delivered", delivered)):
                self.say("shipment", kind, at, "wms", **words)
            if accepted < AS_OF:
                left.append(units)
                last = max(last, accepted)
        return left, last

    def unknown(self) -> None:
        """Invoice goods without an amount, and get back what nobody knows an order of."""
        order = {"order_id": "U1", "line_id": "1", "quantity": 7}
        captured = datetime(2026, 1, 5)  # noqa: DTZ001
        self.say("order", "order.captured", captured, "edi", channel="wholesale", customer_id="acme", currency="CAD",
                 sku="SKU-1", unit_price=10, unit_cost=4, clock_zone="America/Chicago", ship_window_start_at=None,
                 **order)  # fmt: skip
        self.say("order", "order.released", captured + HOUR, "wms", node_id="east", **order)
        piece = order | {"shipment_id": "U1", "node_id": "east", "carrier": "swift", "tracking_number": "TU1"}
        for kind, hours in (("packed", 2), ("carrier.accepted", 3), ("delivered", 50)):
            self.say("shipment", kind, captured + hours * HOUR, "wms", **piece)
        account = {"order_id": "U1", "customer_id": "acme", "currency": "CAD"}
        for line, amount in (("1", 20), ("2", None)):
            self.say("finance", "invoice.sent", captured + 3 * DAY, "edi", document_id="IU1", line_id=line,
                     amount=amount, **account)  # fmt: skip
        self.say("finance", "cash.applied", captured + 30 * DAY, "edi", document_id="PU1", reference_id="IU1",
                 amount=50, **account)  # fmt: skip
        back = {"rma_id": "RU1", "order_id": "U1", "line_id": "1", "quantity": None, "reason": "changed_mind"}
        self.say("return", "return.received", captured + 9 * DAY, "returns", **back)
        for number, quantity, reason in (("RX1", 3, "changed_mind"), ("RX2", 2, None)):
            words = {"rma_id": number, "order_id": f"nobody's {number}", "line_id": "1", "quantity": quantity}
            self.say("return", "rma.created", captured, "returns", reason=reason, **words)
            self.say("return", "return.received", captured + 9 * DAY, "returns", reason=reason, **words)

    def accounting(self) -> None:
        """Credit and reject invoices, invoice a consumer, and pay what nobody asked for here."""
        captured = datetime(2026, 1, 5)  # noqa: DTZ001
        for name, customer in (("A1", "acme"), ("A2", "someone"), ("A3", "b")):
            channel = "dtc" if name == "A2" else "wholesale"
            self.say("order", "order.captured", captured, "edi", order_id=name, line_id="1", channel=channel,
                     customer_id=customer, currency="USD", sku="SKU-1", quantity=9, unit_price=10, unit_cost=4,
                     clock_zone="America/Chicago", ship_window_start_at=None)  # fmt: skip
            for document, amount, day in ((f"I{name}", 90, 2), (f"J{name}", 70, 3), (f"K{name}", -20, 5)):
                self.say("finance", "invoice.sent", captured + day * DAY, "edi", document_id=document, order_id=name,
                         customer_id=customer, currency="USD", amount=amount)  # fmt: skip
            for document in (f"I{name}", f"J{name}"):
                self.say("finance", "invoice.rejected", captured + 4 * DAY, "edi", document_id=document)
            self.say("finance", "invoice.sent", captured + 6 * DAY, "edi", document_id=f"J{name}", order_id=name,
                     customer_id=customer, currency="USD", amount=70)  # fmt: skip
            for document, reference, amount in ((f"P{name}", f"J{name}", 33), (f"Q{name}", f"I{name}", 11)):
                self.say("finance", "cash.applied", captured + 20 * DAY, "edi", document_id=document, amount=amount,
                         reference_id=reference, order_id=None, customer_id=customer, currency="USD")  # fmt: skip
            self.say("finance", "deduction.taken", captured + 20 * DAY, "edi", document_id=f"D{name}", amount=5,
                     reference_id=f"J{name}", violation="late_arrive", customer_id=customer, currency="USD",
                     order_id=name)  # fmt: skip
        for customer, reference, amount in (
            ("acme", None, 40), ("acme", "I0", 60), ("nobody", None, 80), ("b", None, 99),
        ):  # fmt: skip
            self.say("finance", "cash.applied", captured + 30 * DAY, "edi", document_id=f"S{amount}", amount=amount,
                     reference_id=reference, order_id=None, customer_id=customer, currency="USD")  # fmt: skip

    def _papers(self, name: str, number: int, gone: list[tuple[list[int], datetime]], last: datetime) -> None:
        dice = self.dice
        invoiced = self.after(last, -5, 90)
        currency = next(e["currency"] for e in self.events["order"] if e["order_id"] == name)
        amount = 10 * sum(sum(parts) for parts, _ in gone)
        account = {"order_id": name, "customer_id": "acme", "currency": currency}
        if dice.random() < 0.9:
            self.say("finance", "invoice.sent", invoiced, "edi", document_id=f"I{number}", amount=amount, **account)
            if dice.random() < 0.15:
                self.say("finance", "deduction.taken", self.after(invoiced, 200, 600), "edi", document_id=f"D{number}",
                         reference_id=f"I{number}", amount=round(amount * 0.1, 2),
                         violation=dice.choice(("late_arrive", "short_ship", "trade_promotion", "something")),
                         **account)  # fmt: skip
            if dice.random() < 0.5:
                paid = round(amount * dice.choice((1, 1, 0.6)), 2)
                self.say("finance", "cash.applied", self.after(invoiced, 100, 900), "edi", document_id=f"P{number}",
                         reference_id=f"I{number}", amount=paid, **account)  # fmt: skip
        self._notice(f"N{number}", last + HOUR)
        announced = {str(line): sum(parts) for line, (parts, _) in enumerate(gone, start=1) if parts}
        for line, quantity in announced.items():
            if dice.random() < 0.95:
                self.say("shipment", "asn.sent", last + HOUR, "edi", order_id=name, line_id=line, quantity=quantity,
                         shipment_id=f"N{number}")  # fmt: skip
        if dice.random() < 0.7:
            for line, quantity in announced.items():
                counted = quantity - (dice.random() < 0.2)
                if dice.random() < 0.9:
                    self.say("shipment", "received", self.after(last, 160, 200), "edi", order_id=name, line_id=line,
                             quantity=counted, shipment_id=f"N{number}")  # fmt: skip

    def _notice(self, number: str, sent: datetime) -> None:
        """Send the 856 of an order; the partner accepts or rejects it, or says nothing, or answers a strange number."""
        words = {"partner_id": "acme", "document_type": "856", "direction": "out", "set_control": "1"}
        self.say("document", "document.sent", sent, "edi", document_id=number, group_control=number, **words)
        status, control = self.dice.choice((("A", number), ("A", number), ("R", number), ("", ""), ("A", f"9{number}")))
        if status:
            kind = "document.rejected" if status == "R" else "document.acknowledged"
            self.say("document", kind, self.after(sent, 1, 30), "edi", status=status, group_control=control, **words)

    def _return(self, name: str, number: int, created: datetime) -> None:
        dice = self.dice
        words = {"rma_id": f"R{number}", "order_id": name, "line_id": "1", "quantity": 1, "reason": "changed_mind",
                 "node_id": ("east", "west", LISTED_ONLY, None)[number % 4]}  # fmt: skip
        received = self.after(created, 30, 200)
        graded = self.after(received, 1, 50)
        disposition = dice.choice(("restock_a", "restock_a", "b_grade", "destroy"))
        self.say("return", "rma.created", created, "returns", **words)
        self.say("return", "return.in_transit", created + HOUR, "returns", **words)
        if dice.random() < 0.85:
            self.say("return", "return.received", received, "returns", **words)
            self.say("return", "return.graded", graded, "returns", disposition=disposition, **words)
            if dice.random() < 0.8:
                self.say("return", "return.restocked", self.after(graded, 1, 90), "returns", disposition=disposition,
                         **words)  # fmt: skip


@pytest.fixture(scope="module")
def events() -> dict[str, list[Event]]:
    maker = _Maker(11)
    for number in range(240):
        maker.order(number)
    maker.unknown()
    maker.accounting()
    return maker.events


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, land: Land, events: dict[str, list[Event]]) -> Iterator[Connection]:
    home = tmp_path_factory.mktemp("hand-made")
    (home / "otif.toml").write_text('[company]\nname = "Hand"\nzone = "America/Chicago"\n', encoding="utf-8")
    (home / "seeds").mkdir()
    with (home / "seeds" / "nodes.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(
            (
                "node_id",
                "node_name",
                "node_type",
                "zone",
                "cut_off_time",
                "operating_days",
                "daily_capacity_units",
                "opens_at",
                "closes_at",
            )
        )
        writer.writerows([name, name, "tpl", *words] for name, words in NODES.items())
    settings = Settings.load(home)
    with open_writer(settings, purpose="a company made by hand") as connection:
        prepare_landing(connection)
        for family, rows in events.items():
            land(connection, family, rows[::-1])
    make_models(settings, AS_OF.replace(tzinfo=UTC), "+kpi_values", "+kpi_durations", "+kpi_doubts", "+kpi_exclusions")
    with closing(connect(settings.database, read_only=True)) as connection:
        yield connection


def _told(events: dict[str, list[Event]], family: str, *kinds: str) -> list[Event]:
    return sorted((e for e in events[family] if e["event_type"] in kinds), key=lambda event: event["event_at"])


def _lines(events: dict[str, list[Event]]) -> dict[tuple[str, str], Event]:
    """Return every line with its releases, pieces, and what is still open of it."""
    lines = {
        (e["order_id"], e["line_id"]): e | {"asked": [], "pieces": {}, "cancel": None}
        for e in _told(events, "order", "order.captured")
    }
    for event in _told(events, "order", "order.released"):
        lines[event["order_id"], event["line_id"]]["asked"].append(event)
    for event in _told(events, "order", "order.cancelled"):
        lines[event["order_id"], event["line_id"]]["cancel"] = event
    for event in _told(events, "shipment", "packed", "carrier.accepted", "delivered"):
        pieces = lines[event["order_id"], event["line_id"]]["pieces"]
        pieces.setdefault(event["shipment_id"], event | {"at": {}})["at"][event["event_type"]] = event["event_at"]
    for line in lines.values():
        line["left"] = [p for p in line["pieces"].values() if "carrier.accepted" in p["at"]]
        line["shipped"] = sum(p["quantity"] for p in line["left"])
        line["open"] = 0 if line["cancel"] else line["quantity"] - line["shipped"]
    return lines


def _day_end(node: str, released: datetime) -> datetime:
    zone, cut_off, days, *_ = NODES[node]
    local = released.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    day = local.date() + (local.time() >= time.fromisoformat(cut_off)) * DAY
    while str(day.isoweekday()) not in days:
        day += DAY
    return _midnight(day + DAY, ZoneInfo(zone))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def _cases(events: dict[str, list[Event]]) -> dict[tuple[str, str], list[Event]]:
    """Return per order and node what the node has to answer for, line by line."""
    cases: dict[tuple[str, str], list[Event]] = defaultdict(list)
    held = _held(events)
    for (name, _), line in _lines(events).items():
        for node in {event["node_id"] for event in [*line["asked"], *line["pieces"].values()]} & NODES.keys():
            case = _case(line, node)
            waits = [since for (order, _), since in held.items() if order == name and since < case["end"]]
            is_called_off = line["cancel"] and line["cancel"]["event_at"] < case["end"]
            if not (case["elsewhere"] or is_called_off or (waits and not line["left"])):
                cases[name, node].append(case)
    return cases


def _held(events: dict[str, list[Event]]) -> dict[tuple[str, str], datetime]:
    """Return the holds that are on at the as-of, with when they were placed."""
    held: dict[tuple[str, str], datetime] = {}
    for event in _told(events, "order", "hold.placed", "hold.released"):
        key = event["order_id"], event["hold_type"]
        if event["event_type"] == "hold.placed":
            held[key] = event["event_at"]
        else:
            held.pop(key, None)
    return held


def _case(line: Event, node: str) -> Event:
    asked = [event for event in line["asked"] if event["node_id"] == node]
    pieces = [piece for piece in line["pieces"].values() if piece["node_id"] == node]
    made = sum(piece["quantity"] for piece in pieces)
    units = sum(event["quantity"] for event in asked) or made
    is_last = node == line["asked"][-1]["node_id"]
    is_parted = sum(event["quantity"] for event in line["asked"]) <= line["quantity"] and bool(asked)
    owes = line["open"] > 0 and (made < units if is_parted else is_last)
    end = _day_end(node, (asked or line["asked"])[0]["event_at"])
    days = [_local(piece["at"]["carrier.accepted"]) for piece in line["left"]]
    first = sum(piece["quantity"] for piece, day in zip(line["left"], days, strict=True) if day == min(days))
    return {
        "end": end,
        "units": units,
        "elsewhere": not pieces and not owes and (bool(line["left"]) or not is_last),
        "kept": bool(pieces) and not owes and all(p["at"].get("carrier.accepted", AS_OF) < end for p in pieces),
        "short": (bool(days) and first < line["quantity"]) or (line["cancel"] or {}).get("actor") == "seller_oos",
        "packed": max((piece["at"]["packed"] for piece in pieces), default=None),
    }


def cut_offs(events: dict[str, list[Event]]) -> dict[str, tuple[float, float]]:
    """Raw, and without what short stock, too much volume or a carrier who did not come excuses."""
    cases = _cases(events)
    days: dict[tuple[str, datetime], float] = defaultdict(float)
    for (_, node), rows in cases.items():
        days[node, max(row["end"] for row in rows)] += sum(row["units"] for row in rows)
    raw, adjusted = [], []
    for (_, node), rows in cases.items():
        end = max(row["end"] for row in rows)
        if end > AS_OF:
            continue
        is_kept = all(row["kept"] for row in rows)
        packed = max((row["packed"] for row in rows if row["packed"]), default=AS_OF)
        is_excused = any(row["short"] for row in rows) or days[node, end] > 1.15 * float(NODES[node][3]) or packed < end
        raw.append(is_kept)
        if is_kept or not is_excused:
            adjusted.append(is_kept)
    return {
        "cut_off_adherence": (sum(raw), len(raw)),
        "cut_off_adherence_adjusted": (sum(adjusted), len(adjusted)),
    }


def _local(moment: datetime) -> date:
    return moment.replace(tzinfo=UTC).astimezone(HOME).date()


def hours(events: dict[str, list[Event]]) -> dict[str, tuple[float, float]]:
    """Capture to delivery net of the customer's own time, hand-over to invoice, receipt to the shelf."""
    orders: dict[str, list[Event]] = defaultdict(list)
    for (name, _), line in _lines(events).items():
        orders[name].append(line)
    invoiced = {e["order_id"]: e["event_at"] for e in _told(events, "finance", "invoice.sent")[::-1]}
    spans: dict[str, list[float]] = defaultdict(list)
    for name, lines in orders.items():
        pieces = [piece for line in lines for piece in line["left"]]
        if not pieces or any(line["open"] > 0 for line in lines):
            continue
        accepted = max(p["at"]["carrier.accepted"] for p in pieces)
        if name in invoiced and invoiced[name] >= accepted:
            spans["accept_to_invoice"].append((invoiced[name] - accepted) / HOUR)
        if all("delivered" in p["at"] for p in pieces):
            delivered = max(p["at"]["delivered"] for p in pieces)
            start = max(lines[0]["event_at"], min((li["ship_window_start_at"] or li["event_at"]) for li in lines))
            spans["capture_to_deliver_net"].append(_seconds_of_ours(events, name, start, delivered) / 3600)
    returns: dict[str, dict[str, Event]] = defaultdict(dict)
    for event in _told(events, "return", "return.received", "return.restocked", "return.graded"):
        returns[event["rma_id"]][event["event_type"]] = event
    for told in returns.values():
        shelf = told.get("return.restocked")
        if shelf and shelf["disposition"] == "restock_a":
            came = told["return.received"]
            spans["return_receive_to_restock"].append(_worked(came["node_id"], came["event_at"], shelf["event_at"]))
    return {stage: (sum(found), len(found)) for stage, found in spans.items()}


def _worked(node: str | None, start: datetime, end: datetime) -> float:
    """Hours that a node works between two instants; one that the seed does not know works all of them."""
    if node not in NODES:
        return (end - start) / HOUR
    zone, _, days, _, opens, closes = NODES[node]
    day, hours = start.date() - DAY, 0.0
    while day <= end.date() + DAY:
        if str(day.isoweekday()) in days:
            first = _midnight(day, ZoneInfo(zone)) if not opens else _clock(day, opens, ZoneInfo(zone))
            last = _midnight(day + DAY, ZoneInfo(zone)) if not closes else _clock(day, closes, ZoneInfo(zone))
            hours += max((min(end, last) - max(start, first)) / HOUR, 0.0)
        day += DAY
    return hours


def _clock(day: date, told: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(told), tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def _seconds_of_ours(events: dict[str, list[Event]], name: str, start: datetime, end: datetime) -> float:
    """Return the seconds between two instants during which no hold of the customer was on, by walking its edges."""
    if end <= start:
        return 0.0
    edges = {start, end}
    stays: list[tuple[datetime, datetime]] = []
    for placed in _told(events, "order", "hold.placed"):
        if placed["order_id"] == name and placed["hold_type"] in ("address", "payment"):
            ends = [
                e["event_at"] for e in _told(events, "order", "hold.released")
                if e["order_id"] == name and e["hold_type"] == placed["hold_type"]
            ]  # fmt: skip
            stays.append((placed["event_at"], ends[0] if ends else AS_OF))
            edges |= {moment for moment in stays[-1] if start < moment < end}
    walk = sorted(edges)
    return sum(
        (after - before).total_seconds()
        for before, after in pairwise(walk)
        if not any(placed <= before and after <= released for placed, released in stays)
    )


def _invoices(events: dict[str, list[Event]]) -> dict[str, Event]:
    """Return what accounts were invoiced as it stands: the last word on each invoice, if that is no rejection."""
    of_accounts = {
        event["order_id"] for event in _told(events, "order", "order.captured") if event["channel"] == "wholesale"
    }
    standing: dict[str, Event] = {}
    lines: dict[str, list[float | None]] = defaultdict(list)
    for event in _told(events, "finance", "invoice.sent", "invoice.rejected"):
        number = event["document_id"]
        if event["event_type"] == "invoice.rejected":
            standing.pop(number, None)
        elif event["order_id"] in of_accounts:
            if event.get("line_id"):
                lines[number].append(event["amount"])
                amount = None if None in lines[number] else sum(filter(None, lines[number]))
            else:
                amount = event["amount"]
            standing[number] = event | {"amount": amount}
    return standing


def chargebacks(events: dict[str, list[Event]]) -> dict[str, tuple[float, float, float]]:
    """Deducted for failures to comply per currency, what of it for a reason nobody knows, and invoiced gross."""
    invoiced = {event["document_id"] for event in _told(events, "finance", "invoice.sent")}
    standing = _invoices(events)
    sums: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0])
    for event in _told(events, "finance", "deduction.taken"):
        if event["violation"] != "trade_promotion" and event["order_id"] != "A2":
            sums[event["currency"]][0] += event["amount"]
            sums[event["currency"]][1] += event["amount"] * (event["violation"] == "something")
    for event in standing.values():
        if event["amount"] is not None:
            sums[event["currency"]][2] += max(event["amount"], 0)
    assert standing.keys() < invoiced
    return {currency: tuple(amounts) for currency, amounts in sums.items()}  # type: ignore[misc]


def receivables(events: dict[str, list[Event]]) -> dict[str, float]:
    """Days of sales outstanding per currency: walk back whole months until what is owed is used up."""
    debts: dict[tuple[str, str], float] = defaultdict(float)
    sales: dict[str, dict[tuple[int, int], float]] = defaultdict(lambda: defaultdict(float))
    invoices = _invoices(events)
    unknown = {event["currency"] for event in invoices.values() if event["amount"] is None}
    for event in invoices.values():
        if event["currency"] in unknown:
            continue
        day = _local(event["event_at"])
        debts[event["customer_id"], event["currency"]] += event["amount"]
        sales[event["currency"]][day.year, day.month] += event["amount"]
    orders = {event["order_id"] for event in invoices.values()}
    for event in _told(events, "finance", "cash.applied", "deduction.taken"):
        is_on_account = event["reference_id"] is None and event["order_id"] is None
        if event["reference_id"] in invoices or event["order_id"] in orders or is_on_account:
            debts[event["customer_id"], event["currency"]] -= event["amount"]
    owed: dict[str, float] = defaultdict(float)
    for (_, currency), debt in debts.items():
        if currency not in unknown:
            owed[currency] += max(debt, 0)
    found = {}
    today = _local(AS_OF)
    for currency, rest in owed.items():
        days, left, first_after = 0.0, rest, today
        year, month = today.year, today.month
        for _ in range(24):
            start = date(year, month, 1)
            sold = sales[currency].get((year, month), 0.0)
            share = min(left / sold, 1.0) if sold else 0.0
            days += share * (first_after - start).days
            left -= share * sold
            first_after, (year, month) = start, (year, month - 1) if month > 1 else (year - 1, 12)
        found[currency] = days
    return found


def announced(events: dict[str, list[Event]]) -> tuple[int, int]:
    """Orders whose notice said of every line what the retailer counted, over orders announced and counted."""
    said: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    counted: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for event in _told(events, "shipment", "asn.sent", "received"):
        words = said if event["event_type"] == "asn.sent" else counted
        words[event["order_id"]][event["line_id"]] += event["quantity"]
    both = said.keys() & counted.keys()
    return sum(dict(said[name]) == dict(counted[name]) for name in both), len(both)


def notices(events: dict[str, list[Event]]) -> dict[str, tuple[float, float, float]]:
    """Shipments with a notice in time that was not rejected, those of them without an answer, and all that are due;
    documents answered within a day, those that a strange answer may belong to, and all to be answered.
    """
    sent = {event["document_id"]: event for event in _told(events, "document", "document.sent")}
    answers = {
        event["group_control"]: event
        for event in _told(events, "document", "document.acknowledged", "document.rejected")
    }
    strange = [answer["event_at"] for control, answer in answers.items() if control not in sent]
    in_time = unproven = due = answered = maybe = asked = 0
    announced_orders = {event["order_id"] for event in _told(events, "shipment", "asn.sent")}
    for (name, _), line in _lines(events).items():
        for piece in line["left"] if line["channel"] == "wholesale" else ():
            end = min(piece["at"]["carrier.accepted"] + HOUR, piece["at"].get("delivered", AS_OF + DAY))
            if end > AS_OF:
                continue
            number = f"N{name[1:]}"
            answer = answers.get(number, {}).get("status")
            is_timely = name in announced_orders and sent[number]["event_at"] <= end and answer != "R"
            due += 1
            in_time += is_timely
            unproven += is_timely and answer is None
    for number, event in sent.items():
        at = event["event_at"]
        if number in answers or at + DAY < AS_OF:
            asked += 1
            answered += number in answers and answers[number]["event_at"] <= at + DAY
            maybe += number not in answers and any(at <= moment <= at + DAY for moment in strange)
    return {"asn_timeliness": (in_time, unproven, due), "ack_timeliness": (answered, maybe, asked)}


def test_notices_and_their_answers_and_what_is_not_proven_are_those_of_a_recount(
    built: Connection, events: dict[str, list[Event]]
) -> None:
    counted = notices(events)
    assert min(unproven for _, unproven, _ in counted.values()) > 0
    doubts = built.execute(
        "select kpi_id, sum(met_unproven + missed_unproven) from metrics.kpi_doubts group by 1"
    ).fetchall()
    figures = _figures(built, *counted)
    assert {kpi: (figures[kpi][0], dict(doubts)[kpi], figures[kpi][1]) for kpi in counted} == counted


def test_doubt_of_returns_and_chargebacks_is_that_of_a_recount(
    built: Connection, events: dict[str, list[Event]]
) -> None:
    received = {event["rma_id"] for event in _told(events, "return", "return.received")}
    on_their_way = [e for e in _told(events, "return", "return.in_transit") if e["rma_id"] not in received]
    invoices = _told(events, "finance", "invoice.sent")
    unknown = {event["document_id"] for event in invoices if event["amount"] is None}
    invoiced = {event["order_id"] for event in invoices if event["document_id"] not in unknown}
    astray = [event for event in _told(events, "return", "return.received") if event["rma_id"].startswith("RX")]
    orders: dict[str, list[Event]] = defaultdict(list)
    for (name, _), line in _lines(events).items():
        if line["channel"] == "wholesale" and name not in invoiced:
            orders[name].append(line)
    uninvoiced = sum(
        10 * line["shipped"]
        for lines in orders.values()
        if any(li["left"] for li in lines)
        and all(li["open"] <= 0 and len(li["left"]) == len(li["pieces"]) for li in lines)
        for line in lines
    )
    rows = built.execute(
        "select kpi_id, sum(missed_unproven), sum(left_out) from metrics.kpi_doubts group by 1"
    ).fetchall()
    doubts = {kpi: (missed, left_out) for kpi, missed, left_out in rows}
    assert on_their_way
    assert uninvoiced
    assert unknown
    came = len(on_their_way) + sum(event["quantity"] for event in astray)
    assert came > len(on_their_way)
    assert doubts["return_rate"] == (came, 0)
    assert doubts["return_rate_choice"] == (came, 0)
    assert doubts["return_rate_product"] == (sum(event["quantity"] for event in astray if not event["reason"]), 0)
    assert doubts["chargeback_rate"] == (0, uninvoiced)


def test_an_invoice_without_an_amount_is_left_out_with_its_reason(built: Connection) -> None:
    assert built.execute(
        "select row_key, denominator, exclusion_reason from metrics.kpi_facts_of_deductions "
        "where kpi_id = 'chargeback_rate' and currency = 'CAD'"
    ).fetchall() == [("invoice IU1", None, "no_amount")]
    assert built.execute(
        "select kpi_id, observations from metrics.kpi_exclusions where exclusion_reason = 'no_amount' order by 1"
    ).fetchall() == [("chargeback_rate", 1), ("dso_count_back", 1), ("dso_simple", 1)]


def test_a_line_of_which_nobody_says_how_much_came_back_is_left_out_of_return_rates(built: Connection) -> None:
    rates = ("choice", "fulfilment", "product", "refused", "unclassified")
    assert built.execute(
        "select kpi_id, observations from metrics.kpi_exclusions where exclusion_reason = 'no_returned_quantity' "
        "order by 1"
    ).fetchall() == [("damage_rate", 1), ("return_rate", 1), *((f"return_rate_{name}", 1) for name in rates)]


def handed_over(events: dict[str, list[Event]]) -> dict[str, tuple[float, float]]:
    """Orders whose nodes all gave the carrier what they had to by their own day, over those whose days are past;
    what an account gets before its ship window opens is too early.
    """
    orders: dict[str, list[tuple[datetime, bool]]] = defaultdict(list)
    waiting = {name for name, kind in _held(events) if kind in ("address", "payment")}
    for (name, _), line in _lines(events).items():
        nodes = {event["node_id"] for event in [*line["asked"], *line["left"]]}
        if not nodes or nodes - NODES.keys() or (name in waiting and not line["left"]):
            continue
        gone = line | {"pieces": {piece["shipment_id"]: piece for piece in line["left"]}}
        cases = [case for case in (_case(gone, node) for node in nodes) if not case["elsewhere"]]
        end = max(case["end"] for case in cases)
        cancel = line["cancel"]
        if not (cancel and cancel["actor"] == "customer" and cancel["event_at"] < end):
            opens = line["ship_window_start_at"] if line["channel"] == "wholesale" else None
            is_early = opens and any(piece["at"]["carrier.accepted"] < opens for piece in line["left"])
            is_kept = line["open"] <= 0 and all(case["kept"] for case in cases) and not is_early
            orders[name].append((end, is_kept))
    due = [lines for lines in orders.values() if max(end for end, _ in lines) <= AS_OF]
    return {"on_time_ship": (sum(all(is_kept for _, is_kept in lines) for lines in due), len(due))}


def test_orders_are_with_the_carrier_in_time_if_each_node_met_its_own_day(
    built: Connection, events: dict[str, list[Event]]
) -> None:
    counted = handed_over(events)
    assert 0 < counted["on_time_ship"][0] < counted["on_time_ship"][1]
    assert _figures(built, *counted) == counted


def _figures(built: Connection, *kpis: str) -> dict[str, tuple[float, float]]:
    rows = built.execute(
        "select kpi_id, sum(numerator), sum(denominator) from metrics.kpi_values where list_contains(?, kpi_id) "
        "group by 1",
        [list(kpis)],
    ).fetchall()
    return {kpi: (numerator, denominator) for kpi, numerator, denominator in rows}


def test_cut_off_adherence_raw_and_adjusted_is_that_of_a_recount(
    built: Connection, events: dict[str, list[Event]]
) -> None:
    counted = cut_offs(events)
    assert counted["cut_off_adherence_adjusted"][1] < counted["cut_off_adherence"][1]
    assert _figures(built, *counted) == counted


def test_net_invoice_and_restock_hours_are_those_of_a_recount(
    built: Connection, events: dict[str, list[Event]]
) -> None:
    counted = hours(events)
    assert min(number for _, number in counted.values()) > 15
    rows = built.execute(
        "select stage_id, sum(hours), count(hours) from metrics.kpi_durations where is_valid group by 1"
    ).fetchall()
    figures = {stage: (spent, number) for stage, spent, number in rows}
    assert {stage: figures[stage] for stage in counted} == {
        stage: (pytest.approx(spent), number) for stage, (spent, number) in counted.items()
    }


def test_days_of_sales_outstanding_are_those_of_a_recount(built: Connection, events: dict[str, list[Event]]) -> None:
    rows = built.execute(
        "select currency, sum(numerator) from metrics.kpi_values where kpi_id = 'dso_count_back' group by 1"
    ).fetchall()
    counted = receivables(events)
    assert len(counted) == 2
    assert dict(rows) == {currency: pytest.approx(days) for currency, days in counted.items()}


def test_chargebacks_and_what_they_are_a_share_of_are_those_of_a_recount(
    built: Connection, events: dict[str, list[Event]]
) -> None:
    counted = chargebacks(events)
    rows = built.execute(
        "select currency, sum(numerator), any_value(unknown), sum(denominator) from metrics.kpi_values "
        "left join (select currency, sum(met_unproven) as unknown from metrics.kpi_doubts "
        "where kpi_id = 'chargeback_rate' group by 1) using (currency) where kpi_id = 'chargeback_rate' group by 1"
    ).fetchall()
    assert min(counted["USD"]) > 0
    assert {currency: (taken, unknown or 0, base) for currency, taken, unknown, base in rows} == {
        currency: pytest.approx(amounts) for currency, amounts in counted.items() if amounts[2]
    }
    reasons = built.execute(
        "select exclusion_reason, sum(observations) from metrics.kpi_exclusions where kpi_id = 'chargeback_rate' "
        "group by 1"
    ).fetchall()
    promotions = [e for e in _told(events, "finance", "deduction.taken") if e["violation"] == "trade_promotion"]
    assert dict(reasons) == {
        "no_amount": 1, "rejected": 2, "credit_memo": 2, "no_account": 1, "no_violation": len(promotions),
    }  # fmt: skip


def test_accuracy_of_ship_notices_is_that_of_a_recount(built: Connection, events: dict[str, list[Event]]) -> None:
    exact, compared = announced(events)
    assert 0 < exact < compared
    assert _figures(built, "asn_accuracy") == {"asn_accuracy": (exact, compared)}
