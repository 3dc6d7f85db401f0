"""Bodies of the X12 4010 transaction sets (segments between ST and SE). Elements are joined with `*`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.clock import compact_day, zone
from pipelines.simulator.company import CARRIERS, NAME, NODES, RETAILERS, ZONE
from pipelines.simulator.geography import STATE_BY_CODE
from pipelines.simulator.journal import Interchange
from pipelines.simulator.model import Line, Order, Shipment

GROUP_CODES: Final = {"850": "PO", "855": "PR", "856": "SH", "810": "IN", "812": "CD", "997": "FA"}
GS1_PREFIX: Final = "0850077"


def sscc(serial: int) -> str:
    """Return the 18 digits of a serial shipping container code, check digit last.

    Example:
        >>> sscc(0)
        '008500770000000003'
    """
    body = f"0{GS1_PREFIX}{serial:09d}"
    return f"{body}{check_digit(body)}"


def check_digit(body: str) -> int:
    """Return the GS1 check digit of a code without it (of odd length, as in SSCC and UPC).

    Example:
        >>> check_digit("00614141123456789")
        0
    """
    total = sum(int(digit) * (3 if position % 2 == 0 else 1) for position, digit in enumerate(body))
    return -total % 10


@lru_cache(maxsize=512)
def upc(sku: int) -> str:
    """Return the 12-digit UPC of a SKU."""
    body = f"850077{sku:05d}"
    return f"{body}{check_digit(body)}"


def money(cents: int) -> str:
    """Return cents as a decimal amount (type R elements)."""
    return f"{cents // 100}.{cents % 100:02d}"


def po_number(order: Order) -> str:
    """Return the purchase order number as the retailer writes it."""
    return str(order.number)


def purchase_order(order: Order, day: int) -> list[str]:
    """Return an 850."""
    terms = order.purchase
    retailer = terms.retailer
    uom = RETAILERS[retailer].uom
    segments = [
        f"BEG*00*SA*{po_number(order)}**{compact_day(day)}",
        "REF*DP*0074",
        f"DTM*010*{compact_day(terms.ship_from)}",
        f"DTM*037*{compact_day(terms.ship_from)}",
        f"DTM*038*{compact_day(terms.ship_to)}",
        f"DTM*064*{compact_day(terms.window_start)}",
        f"DTM*063*{compact_day(terms.window_end)}",
        f"DTM*001*{compact_day(terms.cancel_after)}",
        *_ship_to(order),
    ]
    for line in order.lines:
        sku = SKUS[line.sku]
        quantity = line.ordered // sku.pack if uom == "CA" else line.ordered
        price = line.price * sku.pack if uom == "CA" else line.price
        segments.append(
            f"PO1*{line_number(order, line)}*{quantity}*{uom}*{money(price)}**VN*{sku.code}*UP*{upc(line.sku)}"
        )
        segments.append(f"PID*F****{sku.name.upper()}")
        segments.append(f"PO4*{sku.pack}")
    return [*segments, f"CTT*{len(order.lines)}"]


def line_number(order: Order, line: Line) -> str:
    """Return PO101 as the retailer writes it (some pad with zeros)."""
    return RETAILERS[order.purchase.retailer].line_format.format(int(line.line_id))


def order_acknowledgement(order: Order, at: int) -> list[str]:
    """Return an 855: accepted, cut (IQ, ID) or backordered (IB) by line."""
    terms = order.purchase
    date, _ = zone(ZONE).edi(at)
    po_date, _ = zone(ZONE).edi(order.captured_at)
    changed = any(line.confirmed < line.ordered for line in order.lines)
    segments = [f"BAK*00*{'AC' if changed else 'AD'}*{po_number(order)}*{po_date}****{order.number % 1000000}*{date}"]
    for line in order.lines:
        sku = SKUS[line.sku]
        segments.append(
            f"PO1*{line_number(order, line)}*{line.ordered}*EA*{money(line.price)}**VN*{sku.code}*UP*{upc(line.sku)}"
        )
        ship, later = compact_day(terms.ship_from), compact_day(terms.ship_to)
        rest = line.ordered - line.confirmed
        if not rest:
            segments.append(f"ACK*IA*{line.confirmed}*EA*068*{ship}")
        elif line.cancelled:
            segments.append(f"ACK*IQ*{line.confirmed}*EA*068*{ship}" if line.confirmed else f"ACK*ID*{rest}*EA")
        else:
            if line.confirmed:
                segments.append(f"ACK*IA*{line.confirmed}*EA*068*{ship}")
            segments.append(f"ACK*IB*{rest}*EA*068*{later}")
    return [*segments, f"CTT*{len(order.lines)}"]


def ship_notice(shipment: Shipment, cartons: int, at: int) -> list[str]:
    """Return an 856 in the structure shipment, order, pack, item: one pack loop for each carton."""
    order, carrier, node = shipment.order, CARRIERS[shipment.carrier], NODES[shipment.node]
    date, time = zone(ZONE).edi(at)
    ship_date, ship_time = zone(ZONE).edi(shipment.shipped_at)
    weight = round(sum(SKUS[line.sku].weight_kg * units for line, units in shipment.lines) * 2.2046)
    segments = [
        f"BSN*00*{shipment.shipment_id}*{date}*{time}*0001",
        "HL*1**S",
        f"TD1*CTN*{cartons}****G*{max(weight, 1)}*LB",
        f"TD5*B*2*{carrier.scac}*M",
        f"REF*BM*BOL{shipment.shipment_id[2:]}",
        f"REF*CN*{shipment.tracking}",
        f"DTM*011*{ship_date}*{ship_time}",
        f"DTM*017*{compact_day(shipment.expected_day)}",
        f"N1*SF*{NAME.upper()}*91*{node.node_id.upper()}",
        *_ship_to(order),
        "HL*2*1*O",
        f"PRF*{po_number(order)}",
    ]
    level, serial, total = 2, shipment.sscc, 0
    for line, units in shipment.lines:
        sku = SKUS[line.sku]
        for start in range(0, units, sku.pack):
            quantity = min(sku.pack, units - start)
            segments += [
                f"HL*{level + 1}*2*P",
                f"MAN*GM*00{sscc(serial)}",
                f"HL*{level + 2}*{level + 1}*I",
                f"LIN*{line_number(order, line)}*VN*{sku.code}*UP*{upc(line.sku)}",
                f"SN1*{line_number(order, line)}*{quantity}*EA",
            ]
            level, serial, total = level + 2, serial + 1, total + quantity
    return [*segments, f"CTT*{level}*{total}"]


def invoice(shipment: Shipment, number: str, at: int) -> list[str]:
    """Return an 810 over what a shipment carried."""
    order = shipment.order
    date, _ = zone(ZONE).edi(at)
    po_date, _ = zone(ZONE).edi(order.captured_at)
    segments = [f"BIG*{date}*{number}*{po_date}*{po_number(order)}***DI", *_ship_to(order), "ITD*05*3*****60"]
    for line, units in shipment.lines:
        sku = SKUS[line.sku]
        segments.append(
            f"IT1*{line_number(order, line)}*{units}*EA*{money(line.price)}**VN*{sku.code}*UP*{upc(line.sku)}"
        )
    total = invoice_total(shipment)
    return [*segments, f"TDS*{total}", f"CAD*M***{CARRIERS[shipment.carrier].scac}", f"CTT*{len(shipment.lines)}"]


def invoice_total(shipment: Shipment) -> int:
    """Return the invoiced amount in cents."""
    return sum(line.price * units for line, units in shipment.lines)


def adjustment(order: Order, number: str, at: int, *, amount: int, reason: str, code: str, text: str) -> list[str]:
    """Return an 812: a debit that the retailer takes from us, with its own code in an N9."""
    date, _ = zone(ZONE).edi(at)
    po_date, _ = zone(ZONE).edi(order.captured_at)
    return [
        f"BCD*{date}*{number}**{amount}*D*{date}*{order.invoice}*{po_date}*{po_number(order)}",
        "CUR*BY*USD",
        f"CDD*{reason}*D**{amount}",
        f"N9*ZZ*{code}*{text}",
    ]


def acknowledgement(interchange: Interchange, status: str) -> list[str]:
    """Return a 997 that answers all sets of an interchange alike."""
    segments = [f"AK1*{GROUP_CODES[interchange.set_type]}*{interchange.control}"]
    count = len(interchange.bodies)
    for position in range(1, count + 1):
        segments += [f"AK2*{interchange.set_type}*{position:04d}", f"AK5*{status}"]
    accepted = 0 if status == "R" else count
    return [*segments, f"AK9*{status}*{count}*{count}*{accepted}"]


def _ship_to(order: Order) -> list[str]:
    terms = order.purchase
    retailer = terms.retailer
    state = STATE_BY_CODE[order.state]
    return [
        f"N1*ST*{RETAILERS[retailer].retailer.upper()} DC {terms.centre}*92*{terms.centre}",
        f"N4*{state.city.upper()}*{state.code}*{order.postal}*US",
    ]
