"""What goes wrong on purpose, and when. The truth file repeats this list; only tests and benchmarks read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.simulator.catalogue import WHOLESALE_ASSORTMENT
from pipelines.simulator.clock import monday_of

END: Final = "2026-W46"


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted fault.

    Attributes:
        fault: Id.
        from_week: First ISO week.
        to_week: Last ISO week.
        cause: `miss_cause` it leads to; empty where it misses no delivery.
        scope: What it hits, dimension → value.
        detail: What happens.
    """

    fault: str
    from_week: str
    to_week: str
    cause: str
    scope: dict[str, str]
    detail: str

    def covers(self, day: int) -> bool:
        """Say whether the fault works on a day."""
        return monday_of(self.from_week) <= day < monday_of(self.to_week) + 7


STARVED_SKUS: Final = tuple(WHOLESALE_ASSORTMENT[rank] for rank in (3, 8, 13, 19, 27))
"""Popular in the shop and at the retailers: the mis-set reservation hits these."""
OUT_OF_STOCK_SKU: Final = WHOLESALE_ASSORTMENT[10]
DELAYED_SKUS: Final = tuple(WHOLESALE_ASSORTMENT[rank] for rank in (5, 12, 18, 24, 31, 37))
"""Their inbound containers slip past the end: contested between channels at the end."""

TPL_SLIP: Final = Fault(
    "tpl_west_slip", "2026-W39", END, "pick_pack_delay", {"node_id": "tpl_west"},
    "pick and pack takes 1.5 operating days longer",
)  # fmt: skip
LANE_DELAY: Final = Fault(
    "bluelane_northeast", "2026-W33", "2026-W36", "carrier_transit", {"carrier": "bluelane", "lane_zone": "northeast"},
    "transit takes two days longer",
)  # fmt: skip
ASN_LATE: Final = Fault(
    "kohls_asn_late", "2026-W38", END, "", {"customer_id": "kohls"},
    "the ASN is sent 26 to 50 hours after the shipment left",
)  # fmt: skip
MIS_SET_RESERVATION: Final = Fault(
    "wholesale_reservation", "2026-W42", END, "channel_reserved", {"channel": "wholesale"},
    "the wholesale reservation was typed in cases as if they were units and locks the stock of popular SKUs",
)  # fmt: skip
OUT_OF_STOCK: Final = Fault(
    "sku_out_of_stock", "2026-W43", END, "no_stock", {},
    "demand doubles from W40 while receipts slip; the rest goes on quality hold, the next receipt comes after the end",
)  # fmt: skip
INBOUND_DELAY: Final = Fault(
    "inbound_delay", "2026-W41", END, "no_stock", {},
    "containers of six SKUs are held at the port and slip past the end",
)  # fmt: skip
RELEASE_OUTAGE: Final = Fault(
    "release_outage", "2026-W30", "2026-W30", "late_release", {},
    "the release job is down from Wednesday 09:00 to Thursday 18:00",
)  # fmt: skip

FAULTS: Final = (
    TPL_SLIP, LANE_DELAY, ASN_LATE, MIS_SET_RESERVATION, OUT_OF_STOCK, INBOUND_DELAY, RELEASE_OUTAGE,
)  # fmt: skip
