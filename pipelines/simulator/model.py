"""Orders, lines and shipments while they live in the process. Money in cents, instants in epoch seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ShortReason = Literal["", "no_stock", "channel_reserved"]


@dataclass(slots=True, eq=False)
class Line:
    """An order line.

    Attributes:
        line_id: Number of the line in its source system.
        sku: Index in the catalogue; -1 = gift card.
        ordered: Units first ordered.
        revised: Units after the buyer's own changes.
        price: Unit price.
        discount: Discount on the whole line.
        cancelled: Units cancelled after that, by anyone.
        cancel_actor: Who cancelled them: customer, seller_oos, fraud, payment or retailer_expiry.
        cancelled_at: When.
        confirmed: Units we confirmed (wholesale).
        allocated: Units given to shipments.
        shipped: Units that left.
        returned: Units refunded after a return.
        waits_since: When allocation first came up short, 0 = never.
        short_reason: Why it did.
        detour_reason: Why the node that the promise counted on did not serve it.
        pieces: Shipments that carry the line: (shipment, units).
    """

    line_id: str
    sku: int
    ordered: int
    revised: int
    price: int
    discount: int = 0
    cancelled: int = 0
    cancel_actor: str = ""
    cancelled_at: int = 0
    confirmed: int = 0
    allocated: int = 0
    shipped: int = 0
    returned: int = 0
    waits_since: int = 0
    short_reason: ShortReason = ""
    detour_reason: ShortReason = ""
    pieces: list[tuple[Shipment, int]] = field(default_factory=list)

    @property
    def wanted(self) -> int:
        """Units still to be given to a shipment."""
        return self.revised - self.cancelled - self.allocated


@dataclass(slots=True, eq=False)
class Terms:
    """Dates of a purchase order, as local day numbers (inclusive), and where it goes."""

    retailer: int
    centre: str
    node: int
    ship_from: int
    ship_to: int
    window_start: int
    window_end: int
    cancel_after: int


@dataclass(slots=True, eq=False)
class Hold:
    """A hold on an order; `released_at` 0 = still on."""

    hold_type: str
    placed_at: int
    released_at: int
    placed_by: str


@dataclass(slots=True, eq=False)
class Order:
    """An order of any channel.

    Attributes:
        number: Sequence in its source system.
        order_id: Key between systems.
        channel: Index in `company.CHANNELS`.
        customer: Customer number (consumer orders).
        captured_at: Payment completed, or purchase order received.
        updated_at: Last change.
        state: Ship-to state.
        lane_zone: Lane zone of the state.
        zone: IANA zone of the customer's clock.
        postal: Postal code.
        express: Paid for express.
        promised_day: Promised delivery day in the customer's zone.
        ready_at: When it is released.
        due_release_at: When it would have been released without holds and outages.
        node: Node that the promise counts on.
        is_test: A test order.
        carrier: Index of the carrier planned at checkout.
    """

    number: int
    order_id: str
    channel: int
    customer: int
    captured_at: int
    updated_at: int
    state: str
    lane_zone: str
    zone: str
    postal: str
    express: bool
    carrier: int
    promised_day: int = 0
    ready_at: int = 0
    due_release_at: int = 0
    node: int = 0
    is_test: bool = False
    lines: list[Line] = field(default_factory=list)
    shipments: list[Shipment] = field(default_factory=list)
    hold: Hold | None = None
    terms: Terms | None = None
    cancelled_at: int = 0
    cancel_reason: str = ""
    refunds: list[Refund] = field(default_factory=list)
    invoice: str = ""

    @property
    def purchase(self) -> Terms:
        """Dates and places of a purchase order.

        Raises:
            ValueError: The order is a consumer's.
        """
        if self.terms is None:
            message = f"order {self.order_id} is not a purchase order"
            raise ValueError(message)
        return self.terms

    @property
    def is_shipped(self) -> bool:
        """Nothing is left to ship."""
        return all(line.shipped >= line.revised - line.cancelled for line in self.lines if line.sku >= 0)


@dataclass(slots=True, eq=False)
class Refund:
    """A refund; restock_type as Shopify names it: cancel or return."""

    number: int
    created_at: int
    restock_type: str
    line: Line
    quantity: int
    amount: int


@dataclass(slots=True, eq=False)
class Shipment:
    """One shipment of an order from one node, from release to delivery.

    Attributes:
        eligible_day: First node day on which it should be picked.
        slip_days: Operating days that a node fault adds.
        pick_day: Day on which it was picked.
        extra_days: Working days that the carrier took beyond its lane.
        missed_pickup: A carrier did not come.
    """

    shipment_id: str
    order: Order
    node: int
    lines: list[tuple[Line, int]]
    units: int
    released_at: int
    carrier: int
    service: str
    eligible_day: int = 0
    slip_days: int = 0
    pick_day: int = 0
    missed_pickup: bool = False
    extra_days: int = 0
    tracking: str = ""
    pick_started_at: int = 0
    pick_completed_at: int = 0
    packed_at: int = 0
    label_at: int = 0
    shipped_at: int = 0
    accepted_at: int = 0
    delivered_at: int = 0
    expected_day: int = 0
    exception_at: int = 0
    sscc: int = 0
    tracker: int = 0
