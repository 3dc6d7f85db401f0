"""Returns as a returns portal exports them: the state at the end of the week of each return that changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.simulator.catalogue import SKUS
from pipelines.simulator.clock import zone
from pipelines.simulator.company import CURRENCY, NODES, ZONE
from pipelines.simulator.journal import ReturnCase
from pipelines.simulator.writers.files import write_gzip


def write_returns(path: Path, cases: Iterable[ReturnCase], until: int) -> None:
    """Write a returns document as known just before an instant."""
    ordered = sorted(cases, key=lambda case: case.number)
    write_gzip(path, _document(ordered, until))


def _document(cases: list[ReturnCase], until: int) -> Iterator[str]:
    yield '{"returns":['
    for position, case in enumerate(cases):
        yield (",\n" if position else "\n") + return_text(case, until)
    yield "\n]}\n"


def return_text(case: ReturnCase, until: int) -> str:
    """Return one return as JSON text, with what was known before an instant."""
    clock = zone(ZONE)

    def stamp(at: int) -> str:
        return f'"{clock.text(at)}"' if 0 < at < until else "null"

    state = case.end_state if 0 < case.ended_at < until else "open"
    updated = max(at for at in case.stamps() if at < until)
    graded = 0 < case.graded_at < until
    disposition = f'"{case.disposition}"' if graded else "null"
    label = f"RL{610000000000 + case.number * 11}"
    key = 5_500_000_000_000 + case.order.number * 211
    refund = f"{case.refund // 100}.{case.refund % 100:02d}"
    return (
        f'{{"id":"{3_000_000 + case.number}","state":"{state}","created_at":{stamp(case.created_at)},'
        f'"updated_at":"{clock.text(updated)}","order_name":"#{case.order.order_id}","provider_order_id":"{key}",'
        f'"currency":"{CURRENCY}","warehouse":"{NODES[case.node].node_id}",'
        f'"line_items":[{{"line_item_id":"{4_000_000 + case.number}",'
        f'"provider_line_item_id":"{case.line_id}","sku":"{SKUS[case.sku].code}","quantity":{case.quantity},'
        f'"reason":"{case.reason}","disposition":{disposition},"refund":"{refund}"}}],'
        f'"label":{{"tracking_number":"{label}","in_transit_at":{stamp(case.in_transit_at)}}},'
        f'"received_at":{stamp(case.received_at)},"graded_at":{stamp(case.graded_at)},'
        f'"restocked_at":{stamp(case.restocked_at)},"refunded_at":{stamp(case.refunded_at)}}}'
    )
