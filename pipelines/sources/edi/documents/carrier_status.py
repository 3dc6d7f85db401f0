"""214 carrier shipment status → what the carrier did, where it failed, what it agreed and what it expects.

AT701 says what happened, AT703 what was agreed. An estimate (AG, X2) is a forecast: it never becomes an arrival or a
delivery. Times without a zone are local.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pipelines.sources.edi.document import Business, Document
from pipelines.sources.edi.documents.shared import (
    ENVELOPE,
    PURCHASE_ORDER,
    REFERENCE_SEGMENTS,
    Moment,
    add,
    code,
    envelope,
    first,
    moment,
    pick,
    reference,
    text,
)
from pipelines.sources.edi.rows import EventRows, attributes

COLUMNS: Final = (
    *ENVELOPE,
    "shipment_id",
    "order_id",
    "carrier",
    "tracking_number",
    "status_code",
    "reason",
    "estimated_delivery_at",
    "appointment_at",
    "origin_region",
    "ship_to_region",
    "attributes",
)

STATUSES: Final[dict[str, str]] = {
    **dict.fromkeys(("AF", "CP", "AM", "BA"), "carrier.accepted"),
    **dict.fromkeys(
        ("X6", "X4", "P1", "AR", "RL", "R1", "J1", "AN", "AJ", "AV", "BC", "I1", "OA", "K1", "CL"), "in_transit"
    ),
    **dict.fromkeys(("X1", "X5", "S1"), "arrived"),
    "D1": "delivered",
    **dict.fromkeys(("A3", "A7", "A9", "AH", "AI", "AP", "CA", "OO", "PR", "SD"), "exception"),
}
"""AT701 (element 1650) → event."""

FORECASTS: Final = frozenset({"AG", "X2"})
"""AT701: estimated delivery, estimated arrival at the consignee."""

NO_EVENT: Final = frozenset({"X3", "X8", "XB", "L1", "CD", "B6", "C1", "E1", "NS"})
"""AT701 that move no goods of ours: the carrier waits for them, plans, or has left after unloading."""

DELIVERY_APPOINTMENTS: Final = frozenset({"AB", "X9", "ED", "LD"})
PICKUP_APPOINTMENTS: Final = frozenset({"AA", "XA", "EP", "LP"})
APPOINTMENT_FORECASTS: Final = frozenset({"AC"})
"""AT703 (element 1652)."""

_NORMAL: Final = frozenset({"NS", "NA"})
_ORDERS: Final = (PURCHASE_ORDER, "OP")
_SHIPPERS, _CONSIGNEES = ("SH", "SF"), ("CN", "ST")


@dataclass(slots=True)
class _Stop:
    """References of the LX loop a status stands in."""

    references: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Status:
    offset: int
    segment: list[str]
    stop: _Stop
    city: str = ""
    region: str = ""
    country: str = ""
    equipment: str = ""


def read(document: Document, rows: EventRows) -> Business:
    """Read a 214."""
    offset, header = first(document, "B10")
    number, shipment, scac = text(header, 1), text(header, 2), text(header, 3)
    references, regions, statuses = _gather(document)
    # B10-04/05 is a further number of the shipment, where the first two are missing.
    if text(header, 4) and text(header, 5):
        references.setdefault(code(header, 4), text(header, 5))
    tracking = number or pick(references, "CN", "2I") or shipment or pick(references, "BM", "MB")
    facts: dict[str, object] = {"shipment": shipment, "carrier": scac, "references": references}
    business = Business(number or shipment, None, attributes(facts))
    if not tracking:
        rows.reject(document.ref(offset), "B1001 (PRO number) and B1002 (shipment) are missing", document.set.text)
        return business
    common: dict[str, object] = {
        "shipment_id": shipment or pick(references, "BM", "SI") or number,
        "carrier": scac.lower(),
        "tracking_number": tracking,
        "origin_region": next((regions[role] for role in _SHIPPERS if role in regions), ""),
        "ship_to_region": next((regions[role] for role in _CONSIGNEES if role in regions), ""),
    }
    silent: list[str] = []
    for status in statuses:
        silent += _add(document, rows, status, common, references)
    if not statuses:
        rows.reject(document.ref(0), "214 without AT7: it tells no status", document.set.text)
    if not silent:
        return business
    return Business(business.document_id, None, attributes(facts | {"other_statuses": silent}))


def _gather(document: Document) -> tuple[dict[str, str], dict[str, str], list[_Status]]:
    """Return the references of the shipment, the region of each party, and the statuses."""
    references: dict[str, str] = {}
    regions: dict[str, str] = {}
    statuses: list[_Status] = []
    stop, role = _Stop(references), ""
    for offset, segment in enumerate(document.segments):
        name = segment[0]
        if name == "LX":
            stop, role = _Stop(), ""
        elif name in REFERENCE_SEGMENTS:
            stop.references.setdefault(*reference(segment))
        elif name == "N1":
            role = code(segment, 1)
        elif name == "N4" and role:
            regions.setdefault(role, code(segment, 2))
        elif name == "AT7":
            statuses.append(_Status(offset, segment, stop))
        elif name == "MS1" and statuses:
            last = statuses[-1]
            last.city, last.region, last.country = text(segment, 1), code(segment, 2), code(segment, 3)
        elif name == "MS2" and statuses:
            statuses[-1].equipment = text(segment, 2)
    return references, regions, statuses


def _stamp(document: Document, at7: list[str]) -> Moment | None:
    """Return the moment of an AT7. Before release 4010 the century stands between date and time."""
    date, time, zone = text(at7, 5), text(at7, 6), text(at7, 7)
    if len(date) == 6 and len(time) == 2:
        date, time, zone = time + date, zone, text(at7, 8)
    return moment(document.clock, date, time, zone)


def _add(
    document: Document,
    rows: EventRows,
    status: _Status,
    common: dict[str, object],
    references: dict[str, str],
) -> Iterator[str]:
    """Add the event of a status; yields the code of one that is none of ours."""
    at7 = status.segment
    happened, agreed = code(at7, 1), code(at7, 3)
    known = happened or agreed
    if happened in NO_EVENT or (happened and happened not in STATUSES and happened not in FORECASTS):
        yield happened
        return
    stamp = _stamp(document, at7)
    if not known or (
        not happened and agreed not in DELIVERY_APPOINTMENTS | PICKUP_APPOINTMENTS | APPOINTMENT_FORECASTS
    ):
        yield known or "(none)"
        return
    if stamp is None:
        told = f"{text(at7, 5)} {text(at7, 6)}".strip()
        rows.reject(
            document.ref(status.offset), f"AT705/06 {told!r} is not a date and time", document.raw(status.offset)
        )
        return
    own = {**references, **status.stop.references}
    order = pick(own, *_ORDERS)
    reason = code(at7, 2) or code(at7, 4)
    facts = {
        "stop": ("pickup" if agreed in PICKUP_APPOINTMENTS else "delivery") if agreed else "",
        "city": status.city,
        "region": status.region,
        "country": status.country,
        "equipment": status.equipment,
        "po_number": order,
        "stop_number": pick(status.stop.references, "QN"),
        "bill_of_lading": pick(own, "BM", "MB"),
    }
    values: dict[str, object] = {
        **common,
        "order_id": order,
        "status_code": known,
        "reason": "" if reason in _NORMAL else reason,
        "attributes": attributes(facts),
    }
    if happened in STATUSES:
        values |= envelope(document, status.offset, STATUSES[happened], stamp)
    elif happened in FORECASTS or agreed in APPOINTMENT_FORECASTS:
        end = _end(document, at7, stamp)
        values |= envelope(document, status.offset, "eta.updated") | {"estimated_delivery_at": end}
    else:
        values |= envelope(document, status.offset, "appt.scheduled") | {"appointment_at": stamp.at}
    add(rows, "shipment", COLUMNS, values)


def _end(document: Document, at7: list[str], stamp: Moment) -> object:
    """Return a forecast: the instant it names, or the end of the day."""
    if stamp.quality == "instant":
        return stamp.at
    date, century = text(at7, 5), text(at7, 6)
    return document.clock.end(century + date if len(date) == 6 and len(century) == 2 else date)
