"""What a caller may choose about an allocation, and every weight of its objective with its provenance.

Belongs here: numbers and switches. Not here: what they mean in the model (see FORMULATION.md).
Rates are integer basis points (1 bp = 0.01 %) and money is integer cents, so that the objective is exact.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final

from optimizer.errors import InvalidDataError

BASIS = 10_000
"""Basis points in one."""


class Reserve(StrEnum):
    """What the plan may do with units that a rule keeps back."""

    RESPECT = "respect"
    DECIDE = "decide"


def _weight(default: int, *, unit: str, provenance: str) -> int:
    made: int = field(default=default, metadata={"unit": unit, "provenance": provenance})
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights of the objective. Each field's metadata names its unit and where the number comes from."""

    pick_pack_cents: int = _weight(120, unit="cents/unit", provenance="assumption: pick and pack fee of a small 3PL")
    payment_fee_bp: int = _weight(290, unit="bp of price", provenance="assumption: card fee on the own shop, 2.9 %")
    marketplace_fee_bp: int = _weight(1500, unit="bp of price", provenance="assumption: referral fee, 15 %")
    assumed_margin_bp: int = _weight(4000, unit="bp of price", provenance="assumption: used where unit cost is missing")
    cancel_bp_per_day: int = _weight(
        300, unit="bp/day late", provenance="assumption: 3 % of late consumer orders cancel per day"
    )
    cancel_cap_bp: int = _weight(6000, unit="bp", provenance="assumption: 40 % of consumers wait however long it takes")
    contact_cents: int = _weight(
        300, unit="cents/unit late or short", provenance="assumption: one service contact at $6 on every second unit"
    )
    churn_cents: int = _weight(
        1500, unit="cents/unit short, consumer", provenance="assumption: 5 % churn of $300 lifetime margin"
    )
    account_bp: int = _weight(
        1000, unit="bp of price/unit short, wholesale", provenance="assumption: goodwill of the account, 10 %"
    )
    gate_bp: int = _weight(
        10_000, unit="bp", provenance="cautious: the period's fine threshold is taken as breached (γ = 1)"
    )
    split_cents: int = _weight(
        800, unit="cents/extra node of an order", provenance="assumption: second parcel, handling and packing"
    )
    waiting_cents: int = _weight(
        1, unit="cents/unit and day", provenance="tie-break: sooner is better where nothing else differs"
    )
    release_cents: int = _weight(
        50, unit="cents/unit released", provenance="assumption: worth of one reserved unit to its holder's next days"
    )
    appointment_cents: int = _weight(
        0, unit="cents/dock appointment", provenance="assumption: the carrier books it for nothing"
    )
    lock_cents: int = _weight(
        100_000, unit="cents/unit of a planner's lock not kept", provenance="assumption: above any margin, $1,000"
    )
    win_cents: int = _weight(
        20_000, unit="cents/unit of class win not on time", provenance="assumption: an exception for a manager, $200"
    )
    keep_cents: int = _weight(
        10_000, unit="cents/confirmed unit taken back", provenance="assumption: a broken confirmation, $100"
    )
    floor_cents: int = _weight(
        2_000, unit="cents/unit below a service floor or fair share", provenance="assumption: fairness, $20 as measured"
    )
    change_cents: int = _weight(
        25, unit="cents/unit moved against the last plan", provenance="assumption: rework of a released pick, $0.25"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierCap:
    """Units per day that a carrier picks up: at a node or at all of them, of a service or zone or of all."""

    carrier: str
    node_id: str | None = None
    units: int
    first_date: date | None = None
    last_date: date | None = None
    service: str | None = None
    lane_zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationOptions:
    """Everything a caller may choose.

    Attributes:
        as_of: The instant of the decision (UTC when it has no zone).
        horizon_days: Calendar days, starting with the local date of `as_of`, on which units may ship.
        reservations: Whether channel reservations are kept or may be released at a price.
        safety_stock: The same for safety stock.
        receipt_haircut_bp: Part of each confirmed receipt that is not counted on.
        dock_days: Days between a receipt's expected date and its first ship day.
        arrival_hour: Local hour of the origin node's zone by which a delivery day's parcels have arrived.
        carrier_caps: Pick-up limits; those of the frames `lane_capacity` and `lanes` come on top.
        max_nodes: Most nodes that may ship one order, where its lines do not say; without it there is no limit.
        weights: Weights of the objective.
        seed: Solver seed.
        node_limit: Deterministic effort of the solver, in branch-and-bound nodes.
        kill_seconds: Wall clock kill switch; a plan that met it is marked as not reproducible.
        exact_line_limit: Above this many open lines the greedy plan is returned with a bound.
    """

    as_of: datetime
    horizon_days: int = 14
    reservations: Reserve = Reserve.RESPECT
    safety_stock: Reserve = Reserve.RESPECT
    receipt_haircut_bp: int = 0
    dock_days: int = 1
    arrival_hour: int = 20
    carrier_caps: tuple[CarrierCap, ...] = ()
    max_nodes: int | None = None
    weights: Weights = field(default_factory=Weights)
    seed: int = 1
    node_limit: int = 500
    kill_seconds: float = 60.0
    exact_line_limit: int = 6_000

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            InvalidDataError: One or more values are out of range.
        """
        faults = [*self._range_faults(), *_weight_faults(self.weights)]
        faults += [
            f"carrier cap of {cap.carrier} at {cap.node_id} is negative" for cap in self.carrier_caps if cap.units < 0
        ]
        if faults:
            raise InvalidDataError(faults)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, as_of: datetime) -> AllocationOptions:
        """Read options as a scenario file writes them: reserves as words, weights and carrier caps as mappings.

        Raises:
            InvalidDataError: A name is unknown or a value means nothing.
        """
        faults = list(_unknown_names(cls, document, "option", besides={"as_of"}))
        weights = document.get("weights")
        faults += _unknown_names(Weights, weights, "weight") if isinstance(weights, Mapping) else []
        if faults:
            raise InvalidDataError(faults)
        try:
            chosen: dict[str, Any] = {name: _READERS.get(name, _as_given)(value) for name, value in document.items()}
            return cls(as_of=as_of, **chosen)
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidDataError([f"allocation options: {error}"]) from error

    @property
    def moment(self) -> datetime:
        """The instant of the decision, in UTC."""
        return self.as_of.astimezone(UTC) if self.as_of.tzinfo else self.as_of.replace(tzinfo=UTC)

    def _range_faults(self) -> list[str]:
        ranges = {
            "horizon_days": (1, 366),
            "receipt_haircut_bp": (0, BASIS),
            "dock_days": (0, 60),
            "arrival_hour": (0, 23),
            "node_limit": (0, float("inf")),
            "kill_seconds": (0, float("inf")),
            "exact_line_limit": (0, float("inf")),
        }
        if self.max_nodes is not None:
            ranges["max_nodes"] = (1, float("inf"))
        return [
            f"option {name} is {getattr(self, name)}; expected {low} to {high}"
            for name, (low, high) in ranges.items()
            if not low <= getattr(self, name) <= high
        ]


def _unknown_names(
    kind: type[AllocationOptions | Weights], given: Mapping[str, Any], what: str, *, besides: Set[str] = frozenset()
) -> Iterator[str]:
    known = sorted({item.name for item in fields(kind)} - besides)
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            yield f"allocation options: unknown {what} {name!r}{hint}; expected one of {', '.join(known)}"


def _weight_faults(weights: Weights) -> list[str]:
    given = ((item.name, getattr(weights, item.name), item.metadata["unit"]) for item in fields(weights))
    return [
        f"weight {name} is {value}; expected a whole number of {unit}, 0 or more"
        for name, value, unit in given
        if not isinstance(value, int) or value < 0
    ]


def _as_given(value: object) -> object:
    return value


_READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "reservations": Reserve,
    "safety_stock": Reserve,
    "weights": lambda given: Weights(**given),
    "carrier_caps": lambda given: tuple(CarrierCap(**cap) for cap in given),
}
