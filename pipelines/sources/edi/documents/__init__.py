"""One module per transaction set. Each has `read(document, rows) -> Business`: the set's events go into rows."""

from __future__ import annotations

from typing import Final

from pipelines.sources.edi.document import Reader
from pipelines.sources.edi.documents import (
    acknowledgement,
    adjustment,
    functional_ack,
    invoice,
    purchase_order,
    ship_notice,
)

READERS: Final[dict[str, Reader]] = {
    "850": purchase_order.read,
    "855": acknowledgement.read,
    "856": ship_notice.read,
    "810": invoice.read,
    "812": adjustment.read,
    "997": functional_ack.read,
}

NUMBER_ELEMENTS: Final[dict[str, tuple[str, int]]] = {
    "180": ("BGN", 2),
    "214": ("B10", 2),
    "753": ("BGN", 2),
    "754": ("BGN", 2),
    "820": ("TRN", 2),
    "824": ("BGN", 2),
    "846": ("BIA", 3),
    "860": ("BCH", 3),
    "861": ("BRA", 1),
    "865": ("BCA", 3),
    "940": ("W05", 2),
    "945": ("W06", 2),
}
"""Where sets that are only filed carry their business number: segment and element."""
