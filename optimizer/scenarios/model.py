"""What a scenario file may say: a name, options of the allocation, and typed changes on today's problem.

Every change is one class; its `change` word is the key of the file. Percentages are whole percent, money is in the
company's currency per unit, days are calendar days, instants without a zone are UTC.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Percent = Annotated[int, Field(ge=0, le=1000)]
Days = Annotated[int, Field(ge=-366, le=366)]
Name = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


_Given = TypeVar("_Given", bound=_Part)


def _one_of(part: _Given, first: str, second: str) -> _Given:
    if (getattr(part, first) is None) == (getattr(part, second) is None):
        message = f"expected either {first} or {second}"
        raise ValueError(message)
    return part


class Lines(_Part):
    """Which open lines: all that match every list given; nothing given means all."""

    orders: tuple[Name, ...] = ()
    channels: tuple[Name, ...] = ()
    customers: tuple[Name, ...] = ()
    skus: tuple[Name, ...] = ()
    zones: tuple[Name, ...] = ()
    hold_types: tuple[Name, ...] = ()
    max_rank: int | None = Field(default=None, ge=0)


class Supply(_Part):
    """Units on hand appear or vanish (a count, a damage, a find)."""

    change: Literal["supply"] = "supply"
    sku: Name
    node: Name
    add: int


class Receipts(_Part):
    """Dated receipts come late, short, or become certain."""

    change: Literal["receipts"] = "receipts"
    skus: tuple[Name, ...] = ()
    nodes: tuple[Name, ...] = ()
    receipts: tuple[Name, ...] = ()
    late_days: Days = 0
    lost_percent: Annotated[int, Field(ge=0, le=100)] = 0
    confirm: bool | None = None


class NewReceipt(_Part):
    """A receipt that is not in the books yet, taken as confirmed; expected on a date or so many days from now."""

    change: Literal["new_receipt"] = "new_receipt"
    sku: Name
    node: Name
    quantity: Annotated[int, Field(gt=0)]
    expected: datetime | date | None = None
    in_days: Annotated[int, Field(ge=0, le=366)] | None = None

    @model_validator(mode="after")
    def _has_one_date(self) -> NewReceipt:
        return _one_of(self, "expected", "in_days")


class Transfer(_Part):
    """Free units travel from one node to another and arrive as a receipt."""

    change: Literal["transfer"] = "transfer"
    from_node: Name
    to_node: Name
    skus: tuple[Name, ...] = ()
    percent: Annotated[int, Field(gt=0, le=100)] = 100
    days: Annotated[int, Field(ge=0, le=366)]


class Demand(_Part):
    """More orders like the chosen ones arrive, as copies named `surge…`."""

    change: Literal["demand"] = "demand"
    lines: Lines = Lines()
    percent: Annotated[int, Field(gt=0, le=1000)]


class Node(_Part):
    """A node or 3PL picks less, closes for some days, ships later than it says, or moves its cut-off."""

    change: Literal["node"] = "node"
    node: Name
    capacity_percent: Percent | None = None
    capacity_units: Annotated[int, Field(ge=0)] | None = None
    closed_from: date | None = None
    closed_to: date | None = None
    slip_days: Annotated[int, Field(ge=0, le=60)] = 0
    cut_off: Annotated[str, Field(pattern=r"^\d{1,2}:\d{2}$")] | None = None

    @model_validator(mode="after")
    def _has_one_meaning(self) -> Node:
        if self.capacity_percent is not None and self.capacity_units is not None:
            message = "capacity_percent and capacity_units are both given; expected one of them"
            raise ValueError(message)
        if (self.closed_from is None) != (self.closed_to is None):
            message = "closed_from and closed_to belong together; expected both or neither"
            raise ValueError(message)
        if self.closed_from and self.closed_to and self.closed_from > self.closed_to:
            message = f"closed_from {self.closed_from} is after closed_to {self.closed_to}"
            raise ValueError(message)
        return self


class Service(_Part):
    """A carrier's service that can be bought: transit days and price per unit."""

    carrier: Name
    service: Name
    transit_days: Annotated[int, Field(ge=0, le=60)]
    cost_per_unit: Annotated[float, Field(ge=0)]
    nodes: tuple[Name, ...] = ()
    zones: tuple[Name, ...] = ()
    units_per_day: Annotated[int, Field(ge=0)] | None = None


class CarrierDelay(_Part):
    """A carrier's network runs late; critical lines leave it for other carriers."""

    change: Literal["carrier_delay"] = "carrier_delay"
    carrier: Name
    late_days: Annotated[int, Field(ge=0, le=60)]
    services: tuple[Name, ...] = ()
    nodes: tuple[Name, ...] = ()
    zones: tuple[Name, ...] = ()
    critical: Lines | None = None
    secondary: tuple[Service, ...] = ()


class Expedite(Service):
    """A service offered beside today's lanes, for all lines or the chosen ones (air, courier, second carrier)."""

    change: Literal["expedite"] = "expedite"
    lines: Lines | None = None


class CarrierLimit(_Part):
    """A carrier picks up at most so many units a day at a node."""

    change: Literal["carrier_limit"] = "carrier_limit"
    carrier: Name
    node: Name
    units_per_day: Annotated[int, Field(ge=0)]
    first: date | None = None
    last: date | None = None


class Window(_Part):
    """A customer moves its window; `cancel_days` moves the cancel date on its own."""

    change: Literal["window"] = "window"
    lines: Lines
    start_days: Days = 0
    end_days: Days = 0
    cancel_days: Days = 0


class PromiseThrottle(_Part):
    """New promises of the chosen lines are made later; some of the customers do not order then."""

    change: Literal["promise_throttle"] = "promise_throttle"
    lines: Lines
    days: Annotated[int, Field(gt=0, le=60)]
    lost_percent: Annotated[int, Field(ge=0, le=100)] = 0
    captured_after: datetime | None = None


class ReleaseHolds(_Part):
    """Holds are lifted (credit released, fraud cleared)."""

    change: Literal["release_holds"] = "release_holds"
    lines: Lines = Lines()


class Substitute(_Part):
    """Customers who agreed take another SKU for what stays short or late of one, while it is free; the price stays."""

    change: Literal["substitute"] = "substitute"
    sku: Name
    by: Name
    lines: Lines = Lines()

    @model_validator(mode="after")
    def _is_another(self) -> Substitute:
        if self.sku == self.by:
            message = f"{self.sku} cannot stand in for itself"
            raise ValueError(message)
        return self


class Reserve(_Part):
    """Channel reservations are scaled, or moved to another channel."""

    change: Literal["reserve"] = "reserve"
    channel: Name
    skus: tuple[Name, ...] = ()
    nodes: tuple[Name, ...] = ()
    percent: Percent = 100
    move_to: Name | None = None


class SafetyStock(_Part):
    """Safety stock is scaled."""

    change: Literal["safety_stock"] = "safety_stock"
    skus: tuple[Name, ...] = ()
    nodes: tuple[Name, ...] = ()
    percent: Percent


class Policy(_Part):
    """How the chosen lines are treated: rank of the rules, ship-complete, fine as a share of price."""

    change: Literal["policy"] = "policy"
    lines: Lines
    rank: int | None = Field(default=None, ge=0, le=999)
    ship_complete: bool | None = None
    fine_percent: float | None = Field(default=None, ge=0, le=100)


Change = Annotated[
    Supply
    | Receipts
    | NewReceipt
    | Transfer
    | Demand
    | Node
    | CarrierDelay
    | Expedite
    | CarrierLimit
    | Window
    | PromiseThrottle
    | ReleaseHolds
    | Substitute
    | Reserve
    | SafetyStock
    | Policy,
    Field(discriminator="change"),
]


class Promise(_Part):
    """A commitment that the plan should keep, or say what it clashes with (see allocation/infeasible.py).

    Attributes:
        name: What people call it.
        order: Only this order; `channel`, `customer`, `sku`, `node` likewise.
        fill_percent: Share of their open units that has to ship.
        on_time: Whether only units that arrive on time count.
        price: What a missing unit costs.
    """

    name: Name
    order: Name | None = None
    channel: Name | None = None
    customer: Name | None = None
    sku: Name | None = None
    node: Name | None = None
    fill_percent: Annotated[float, Field(gt=0, le=100)] = 100.0
    on_time: bool = False
    price: Annotated[float, Field(ge=0)] = 20.0


class Later(_Part):
    """What changes in the middle of the plan: what has shipped by then stays, the rest is planned again."""

    at: datetime | None = None
    after_hours: Annotated[int, Field(gt=0, le=24 * 366)] | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    @model_validator(mode="after")
    def _has_one_instant(self) -> Later:
        return _one_of(self, "at", "after_hours")


class Scenario(_Part):
    """A named what-if.

    Attributes:
        name: What people call it.
        description: Why one would ask.
        options: Fields of `AllocationOptions`, reserves as words.
        changes: Applied in order, before the plan is made.
        promises: Commitments; those that cannot be kept are broken at their price and the clash is named.
        later: A second stage, e.g. a policy that changes at midday.
    """

    name: Name
    description: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    promises: tuple[Promise, ...] = ()
    later: Later | None = None
