"""A transaction set with everything around it that a document reader needs: partner, direction, clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pipelines.sources.edi.clock import Clock
from pipelines.sources.edi.envelope import TransactionSet
from pipelines.sources.edi.rows import EventRows
from storage.settings import PartnerProfile

Direction = Literal["in", "out"]

CHANNEL: Final = "wholesale"
"""EDI orders come from retailers."""

_NO_PROFILE: Final = PartnerProfile()


def at(segment: list[str], index: int) -> str:
    """Return element `index` of a split segment, empty where the segment is shorter."""
    return segment[index] if index < len(segment) else ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the envelopes of a document say about it, with the names and clocks of this company.

    Attributes:
        partner: Trading partner (retailer id).
        direction: in = partner to us, out = us to partner; None where only the kind of document tells.
        clock: Clock of the partner's zone.
        sent_at: Interchange stamp, UTC: when the document was transmitted.
        currency: Currency where a document names none.
        origin: Leading part of every `source_ref`: file and interchange.
        profile: How the partner fills what the standard leaves open.
    """

    partner: str
    direction: Direction | None
    clock: Clock
    sent_at: datetime
    currency: str
    origin: str
    profile: PartnerProfile = _NO_PROFILE


@dataclass(frozen=True, slots=True)
class Document:
    """One sound business document.

    Attributes:
        set: The transaction set.
        segments: Its segments, split, codes in capitals.
        partner: Trading partner (retailer id).
        direction: in = partner to us, out = us to partner.
        clock: Clock of the partner's zone.
        sent_at: Interchange stamp, UTC: when the document was transmitted.
        currency: Currency where the document names none.
        origin: Leading part of every `source_ref`: file and interchange.
        profile: How the partner fills what the standard leaves open.
    """

    set: TransactionSet
    segments: list[list[str]]
    partner: str
    direction: Direction
    clock: Clock
    sent_at: datetime
    currency: str
    origin: str
    profile: PartnerProfile = _NO_PROFILE

    def ref(self, offset: int) -> str:
        """Return the `source_ref` of the segment at an offset from the ST."""
        return f"{self.origin}{self.set.number + offset}"

    def order_id(self, purchase_order: str) -> str:
        """Return our order id of a partner's purchase order number."""
        return f"{self.partner}-{purchase_order.strip()}"

    def raw(self, offset: int) -> str:
        """Return one segment as it was sent."""
        return self.set.text.split(self.set.interchange.separators.segment)[offset]


@dataclass(frozen=True, slots=True)
class Business:
    """What a document is, for its document event.

    Attributes:
        document_id: Its business number: PO number, BSN02, invoice number …
        order_id: The one order it is about; None where there are none or several.
        attributes: Further facts, as JSON.
    """

    document_id: str = ""
    order_id: str | None = None
    attributes: str | None = None


Reader = Callable[[Document, EventRows], Business]
