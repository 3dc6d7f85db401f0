"""One module per transaction set. Each has `read(document, rows) -> Business`: the set's events go into rows."""

from __future__ import annotations

from typing import Final

from pipelines.sources.edi.document import Reader
from pipelines.sources.edi.documents import (
    acknowledgement,
    adjustment,
    application_advice,
    carrier_status,
    change_acknowledgement,
    functional_ack,
    inventory_advice,
    invoice,
    order_change,
    purchase_order,
    receiving_advice,
    remittance,
    return_authorization,
    routing,
    ship_notice,
    warehouse_order,
    warehouse_shipment,
)

READERS: Final[dict[str, Reader]] = {
    "850": purchase_order.read,
    "855": acknowledgement.read,
    "856": ship_notice.read,
    "810": invoice.read,
    "812": adjustment.read,
    "820": remittance.read,
    "824": application_advice.read,
    "846": inventory_advice.read,
    "860": order_change.read,
    "865": change_acknowledgement.read,
    "861": receiving_advice.read,
    "940": warehouse_order.read,
    "945": warehouse_shipment.read,
    "180": return_authorization.read,
    "214": carrier_status.read,
    "753": routing.read,
    "754": routing.read,
    "997": functional_ack.read,
    "999": functional_ack.read,
}

NUMBER_ELEMENTS: Final[dict[str, tuple[str, int]]] = {
    "180": ("BGN", 2),
    "210": ("B3", 2),
    "214": ("B10", 1),
    "753": ("BGN", 2),
    "754": ("BGN", 2),
    "810": ("BIG", 2),
    "812": ("BCD", 2),
    "820": ("TRN", 2),
    "824": ("BGN", 2),
    "830": ("BFR", 2),
    "832": ("BCT", 2),
    "840": ("BQT", 2),
    "846": ("BIA", 3),
    "850": ("BEG", 3),
    "852": ("XPO", 1),
    "855": ("BAK", 3),
    "856": ("BSN", 2),
    "860": ("BCH", 3),
    "861": ("BRA", 1),
    "865": ("BCA", 3),
    "867": ("BPT", 2),
    "870": ("BSR", 3),
    "875": ("G50", 3),
    "880": ("G01", 2),
    "940": ("W05", 2),
    "943": ("W06", 2),
    "944": ("W17", 3),
    "945": ("W06", 4),
}
"""Where a set that is only filed carries its business number: segment and element."""
