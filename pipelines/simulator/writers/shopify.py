"""Shopify orders as the REST Admin API gives them: the state at the end of the week of each order that changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.clock import day_text, zone
from pipelines.simulator.company import CARRIERS, CURRENCY, SOURCE_NAMES, ZONE
from pipelines.simulator.geography import STATE_BY_CODE
from pipelines.simulator.model import Line, Order, Refund, Shipment
from pipelines.simulator.writers.files import write_gzip

FREE_SHIPPING = 7500


def write_orders(path: Path, orders: Iterable[Order]) -> None:
    """Write an orders document."""
    ordered = sorted(orders, key=lambda order: order.number)
    write_gzip(path, _document(ordered))


def _document(orders: list[Order]) -> Iterator[str]:
    yield '{"orders":['
    for position, order in enumerate(orders):
        yield (",\n" if position else "\n") + order_text(order)
    yield "\n]}\n"


def order_text(order: Order) -> str:
    """Return one order as JSON text."""
    clock = zone(ZONE)
    captured = clock.text(order.captured_at)
    subtotal = sum(line.price * line.ordered - line.discount for line in order.lines)
    title, code, freight = _shipping(order, subtotal)
    discounts = sum(line.discount for line in order.lines)
    cancelled = f'"{clock.text(order.cancelled_at)}"' if order.cancelled_at else "null"
    reason = f'"{order.cancel_reason}"' if order.cancel_reason else "null"
    state = STATE_BY_CODE[order.state]
    sent = [shipment for shipment in order.shipments if shipment.shipped_at]
    return (
        f'{{"id":{_order_key(order)},"name":"#{order.number}","order_number":{order.number},'
        f'"created_at":"{clock.text(order.captured_at - 7)}","processed_at":"{captured}",'
        f'"updated_at":"{clock.text(order.updated_at)}","cancelled_at":{cancelled},"cancel_reason":{reason},'
        f'"test":{_bool(order.is_test)},"source_name":"{SOURCE_NAMES[order.channel]}",'
        f'"financial_status":"{_financial_status(order)}","fulfillment_status":{_fulfillment_status(order)},'
        f'"currency":"{CURRENCY}","subtotal_price":"{_money(subtotal)}","total_discounts":"{_money(discounts)}",'
        f'"total_price":"{_money(subtotal + freight)}","customer":{{"id":{7_000_000_000_000 + order.customer}}},'
        f'"shipping_address":{{"city":"{state.city}","zip":"{order.postal}","province_code":"{order.state}",'
        f'"country_code":"US"}},"shipping_lines":[{{"title":"{title}","code":"{code}","price":"{_money(freight)}"}}],'
        f'"note_attributes":[{{"name":"promised_delivery_date","value":"{day_text(order.promised_day)}"}}],'
        f'"line_items":[{",".join(_line_text(line) for line in order.lines)}],'
        f'"fulfillments":[{",".join(_fulfillment(shipment) for shipment in sent)}],'
        f'"refunds":[{",".join(_refund(refund, order) for refund in order.refunds)}]}}'
    )


def _order_key(order: Order) -> int:
    return 5_500_000_000_000 + order.number * 211


def _line_text(line: Line) -> str:
    gift = line.sku < 0
    sku = "null" if gift else f'"{SKUS[line.sku].code}"'
    title = "Gift Card" if gift else SKUS[line.sku].name
    return (
        f'{{"id":{line.line_id},"sku":{sku},"title":"{title}","quantity":{line.ordered},'
        f'"current_quantity":{line.revised - line.cancelled - line.returned},"price":"{_money(line.price)}",'
        f'"requires_shipping":{_bool(not gift)},"gift_card":{_bool(gift)},"total_discount":"{_money(line.discount)}"}}'
    )


def _fulfillment(shipment: Shipment) -> str:
    created = zone(ZONE).text(shipment.label_at)
    carrier = CARRIERS[shipment.carrier].name
    lines = ",".join(
        f'{{"id":{line.line_id},"sku":"{SKUS[line.sku].code}","quantity":{units}}}' for line, units in shipment.lines
    )
    key = 4_400_000_000_000 + shipment.tracker * 13
    return (
        f'{{"id":{key},"order_id":{_order_key(shipment.order)},"status":"success","created_at":"{created}",'
        f'"tracking_number":"{shipment.tracking}","tracking_company":"{carrier}","line_items":[{lines}]}}'
    )


def _refund(refund: Refund, order: Order) -> str:
    created = zone(ZONE).text(refund.created_at)
    kind = refund.restock_type
    key = 8_800_000_000_000 + refund.number * 17
    note = "return" if kind == "return" else "customer" if refund.line.cancel_actor == "customer" else "inventory"
    return (
        f'{{"id":{key},"order_id":{_order_key(order)},"created_at":"{created}","note":"{note}",'
        f'"refund_line_items":[{{"id":{key + 1},"line_item_id":{refund.line.line_id},"quantity":{refund.quantity},'
        f'"restock_type":"{kind}","subtotal":"{_money(refund.amount)}"}}]}}'
    )


def _shipping(order: Order, subtotal: int) -> tuple[str, str, int]:
    if order.express:
        return "Express", "EXPRESS", 1495
    if order.channel == 0:
        return "Standard", "STANDARD", 0 if subtotal >= FREE_SHIPPING else 595
    return "Standard", "STD-MARKETPLACE", 0


def _financial_status(order: Order) -> str:
    if order.cancelled_at:
        return "voided" if order.cancel_reason == "declined" else "refunded"
    return "partially_refunded" if order.refunds else "paid"


def _fulfillment_status(order: Order) -> str:
    if any(line.shipped for line in order.lines):
        return '"fulfilled"' if order.is_shipped else '"partial"'
    return "null"


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _bool(value: bool) -> str:  # noqa: FBT001 - one value in, its JSON text out
    return "true" if value else "false"
