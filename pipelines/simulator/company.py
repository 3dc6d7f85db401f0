"""The frozen description of Larkfield Goods: its nodes, carriers, lanes, channels and retailers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.simulator.clock import HOUR

NAME: Final = "Larkfield Goods"
ZONE: Final = "America/New_York"
CURRENCY: Final = "USD"
AS_OF: Final = "2026-11-16"
OWN_EDI_ID: Final = "LARKFIELD"

CHANNELS: Final = ("dtc", "amazon", "ebay", "wholesale")
SOURCE_NAMES: Final = ("web", "amazon", "ebay")
CHANNEL_SHARES: Final = (0.62, 0.225, 0.095, 0.06)
WHOLESALE: Final = 3


@dataclass(frozen=True, slots=True)
class Node:
    """A fulfilment node.

    Attributes:
        index: Position in `NODES`.
        node_id: Id in all systems.
        name: Display name.
        type: own_dc or tpl.
        zone: IANA zone of its clock.
        cut_off: Local seconds of the day at which releases roll to the next operating day.
        operating_days: ISO weekdays.
        state: State it stands in.
        region: Lane zone it stands in.
        pick_up: Local seconds of the day at which carriers collect.
    """

    index: int
    node_id: str
    name: str
    type: str
    zone: str
    cut_off: int
    operating_days: tuple[int, ...]
    state: str
    region: str
    pick_up: int


NODES: Final = (
    Node(
        0, "dc_columbus", "Columbus DC", "own_dc", ZONE, 15 * HOUR, (1, 2, 3, 4, 5), "OH", "midwest", 17 * HOUR + 1800
    ),
    Node(1, "tpl_east", "Allentown 3PL", "tpl", ZONE, 14 * HOUR, (1, 2, 3, 4, 5, 6), "PA", "northeast", 17 * HOUR),
    Node(2, "tpl_west", "Reno 3PL", "tpl", "America/Los_Angeles", 14 * HOUR, (1, 2, 3, 4, 5), "NV", "west", 17 * HOUR),
)
NODE_INDEX: Final = {node.node_id: node.index for node in NODES}

PREFERENCE: Final = {
    "northeast": (1, 0, 2),
    "midwest": (0, 1, 2),
    "south": (0, 1, 2),
    "west": (2, 0, 1),
}
"""Nodes that serve a lane zone, nearest first."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """A carrier.

    Attributes:
        carrier: Id.
        name: Name as it stands in tracking events.
        mode: parcel or ltl.
        scac: Standard carrier alpha code, for the ASN.
        prefix: Leading text of its tracking numbers.
        delivers_saturday: It delivers on Saturdays.
    """

    carrier: str
    name: str
    mode: str
    scac: str
    prefix: str
    delivers_saturday: bool


CARRIERS: Final = (
    Carrier("swiftparcel", "SwiftParcel", "parcel", "SWFP", "SP", delivers_saturday=True),
    Carrier("bluelane", "BlueLane", "parcel", "BLNE", "BL", delivers_saturday=False),
    Carrier("ironroad", "IronRoad", "ltl", "IRRD", "IR", delivers_saturday=False),
)
SWIFT, BLUE, IRON = 0, 1, 2

GROUND, EXPRESS, FREIGHT = "ground", "express", "freight"


@dataclass(frozen=True, slots=True)
class Lane:
    """A node → zone lane of a carrier's service. Cost in cents a unit."""

    node: int
    lane_zone: str
    carrier: int
    service: str
    transit_days: int
    cost: int


_GROUND_DAYS: Final = {
    0: {"northeast": 2, "midwest": 2, "south": 3, "west": 4},
    1: {"northeast": 2, "midwest": 2, "south": 3, "west": 5},
    2: {"northeast": 5, "midwest": 4, "south": 4, "west": 2},
}


def _lanes() -> dict[tuple[int, str, int, str], Lane]:
    lanes = {}
    for node, days in _GROUND_DAYS.items():
        for lane_zone, transit in days.items():
            for carrier, service, extra, cost in (
                (SWIFT, GROUND, 0, 520 + 70 * transit),
                (BLUE, GROUND, 0, 480 + 65 * transit),
                (SWIFT, EXPRESS, min(0, 2 - transit), 1350 + 90 * transit),
                (IRON, FREIGHT, 0, 60 + 22 * transit),
            ):
                lanes[node, lane_zone, carrier, service] = Lane(
                    node, lane_zone, carrier, service, transit + extra, cost
                )
    return lanes


LANES: Final = _lanes()

BLUE_SHARE: Final = {"northeast": 0.6, "midwest": 0.4, "south": 0.35, "west": 0.3}
"""Share of ground parcels that BlueLane carries into a zone."""


@dataclass(frozen=True, slots=True)
class Retailer:
    """A wholesale customer.

    Attributes:
        retailer: Customer id.
        edi_id: ISA and GS id.
        share: Share of purchase orders.
        first_number: Purchase order numbers count up from here.
        window_days: Length of the delivery window in days.
        uom: Unit of measure in its purchase orders.
        line_format: How it writes PO101.
        price_share: Its price as a share of the wholesale list price.
        grace_days: Days before and after the window that still count as on time (its service profile).
        dispute_days: Days to dispute a deduction.
        centres: Receiving centres: (id, state, node that serves it).
    """

    retailer: str
    edi_id: str
    share: float
    first_number: int
    window_days: int
    uom: str
    line_format: str
    price_share: float
    grace_days: tuple[int, int]
    dispute_days: int
    centres: tuple[tuple[str, str, int], ...]


RETAILERS: Final = (
    Retailer("walmart", "WMTEDI01", 0.36, 4500012345, 2, "CA", "{}", 0.97, (0, 0), 30,
             (("6094", "AR", 0), ("7026", "UT", 2), ("6080", "PA", 0))),
    Retailer("target", "TGTEDI01", 0.28, 8801200, 3, "EA", "{:03d}", 1.0, (1, 1), 90,
             (("3801", "MN", 0), ("3806", "CA", 2), ("0559", "TX", 0))),
    Retailer("kohls", "KOHLSEDI", 0.20, 30415500, 4, "EA", "{}", 1.02, (0, 0), 60,
             (("00855", "OH", 0), ("00890", "CA", 2))),
    Retailer("kroger", "KRGREDI1", 0.16, 71200450, 2, "CA", "{:02d}", 0.98, (0, 1), 30,
             (("014", "OH", 0), ("022", "GA", 0), ("035", "OR", 2))),
)  # fmt: skip
RETAILER_INDEX: Final = {retailer.retailer: index for index, retailer in enumerate(RETAILERS)}
