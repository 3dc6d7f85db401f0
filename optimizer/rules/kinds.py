"""The kinds of rules as frozen dataclasses: what each is about (its scope), what it sets, how it reads in words.

Field names are those of the write-back contract, except where Python keeps a word for itself (`from`). A field that a
document leaves out is None here and is left out again, so that reading and writing keep a document's digest.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import ClassVar, Final

MAX_WHOLE: Final = 2**53 - 1
"""Largest whole number that RFC 8785 can write."""

RuleKey = tuple[str, str]
"""Kind, and scope as JSON: at most one rule of a set has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(ABC):
    """What every rule has.

    Attributes:
        rule_id: Stable name of the rule.
        reason: Why it is there, for people.
        expires_at: ISO timestamp with offset at which it ends by itself.
    """

    kind: ClassVar[str] = ""
    scope_fields: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[tuple[str, ...]] = ()
    wire_names: ClassVar[dict[str, str]] = {}

    rule_id: str
    reason: str | None = None
    expires_at: str | None = None

    @property
    def scope(self) -> dict[str, str]:
        """What the rule is about, by field name, sorted; absent fields mean everything."""
        found = {name: getattr(self, name) for name in sorted(self.scope_fields)}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def key(self) -> RuleKey:
        """The unique key inside a set: kind and scope."""
        return self.kind, json.dumps(self.scope, ensure_ascii=False, separators=(",", ":"))

    @property
    def values(self) -> dict[str, object]:
        """What the rule sets, by the contract's names; absent fields are left out."""
        found = {self.wire_names.get(name, name): getattr(self, name) for name in self.value_fields()}
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def value_fields(cls) -> tuple[str, ...]:
        """Return the names of the fields that say what the rule sets."""
        other = {*cls.scope_fields, "rule_id", "reason", "expires_at"}
        return tuple(item.name for item in fields(cls) if item.name not in other)

    def subject_words(self) -> str:
        """Return what the rule is about, for people."""
        place = ", ".join(f"{name} {value}" for name, value in self.scope.items()) or "everything"
        return f"{self.kind.replace('_', ' ')} for {place}"

    @abstractmethod
    def value_words(self) -> str:
        """Return what the rule sets, for people."""

    def setting_words(self) -> str:
        """Return what the rule sets and until when, for people."""
        return self.value_words() + (f" until {self.expires_at}" if self.expires_at else "")

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with the rule by itself."""
        if not is_text(self.rule_id):
            yield f"rule_id: {self.rule_id!r}, expected a name"
        for name in self.scope_fields:
            value = getattr(self, name)
            if value is None and name in self.required:
                yield f"scope: {name} is missing"
            elif value is not None and not is_text(value):
                yield f"scope: {name} is {value!r}, expected a name"
        if self.reason not in (None, "") and not is_text(self.reason):
            yield f"reason: {self.reason!r}, expected text"
        if self.expires_at is not None and not is_instant(self.expires_at):
            yield f"expires_at: {self.expires_at!r}, expected an ISO timestamp with offset"
        yield from self.value_faults()

    @abstractmethod
    def value_faults(self) -> Iterator[str]:
        """Yield what is wrong with what the rule sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReservation(Rule):
    """Units of a SKU at a location that only one channel may take.

    Attributes:
        mode: hard (all or nothing) or soft (clamped to what is free); None means soft.
    """

    kind: ClassVar[str] = "channel_reservation"
    scope_fields: ClassVar[tuple[str, ...]] = ("channel", "sku", "location")
    required: ClassVar[tuple[str, ...]] = scope_fields

    channel: str
    sku: str
    location: str
    qty: int
    mode: str | None = None

    def subject_words(self) -> str:
        """Return what the rule is about, for people."""
        return f"reservation of {self.qty} units of {self.sku} at {self.location} for {self.channel}"

    def value_words(self) -> str:
        """Return what the rule sets, for people."""
        return f"{self.qty} (hard)" if self.mode == "hard" else str(self.qty)

    def value_faults(self) -> Iterator[str]:
        """Yield what is wrong with what the rule sets."""
        yield from whole_faults("qty", self.qty)
        if self.mode not in (None, "hard", "soft"):
            yield f"mode: {self.mode!r}, expected hard or soft"


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyStock(Rule):
    """Units of a SKU at a location that no channel (or not the named one) may take."""

    kind: ClassVar[str] = "safety_stock"
    scope_fields: ClassVar[tuple[str, ...]] = ("sku", "location", "channel")
    required: ClassVar[tuple[str, ...]] = ("sku", "location")

    sku: str
    location: str
    qty: int
    channel: str | None = None

    def subject_words(self) -> str:
        """Return what the rule is about, for people."""
        against = f" against {self.channel}" if self.channel else ""
        return f"safety stock of {self.qty} units of {self.sku} at {self.location}{against}"

    def value_words(self) -> str:
        """Return what the rule sets, for people."""
        return str(self.qty)

    def value_faults(self) -> Iterator[str]:
        """Yield what is wrong with what the rule sets."""
        yield from whole_faults("qty", self.qty)


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority(Rule):
    """Who is served first: the lower rank. The rule with the narrowest scope counts."""

    kind: ClassVar[str] = "priority"
    scope_fields: ClassVar[tuple[str, ...]] = ("channel", "customer", "sku", "region")

    rank: int
    tie_break: str | None = None
    channel: str | None = None
    customer: str | None = None
    sku: str | None = None
    region: str | None = None

    def value_words(self) -> str:
        """Return what the rule sets, for people."""
        return f"rank {self.rank}" + (f", then {self.tie_break}" if self.tie_break else "")

    def value_faults(self) -> Iterator[str]:
        """Yield what is wrong with what the rule sets."""
        yield from whole_faults("rank", self.rank)
        if self.tie_break not in (None, "") and not is_text(self.tie_break):
            yield f"tie_break: {self.tie_break!r}, expected text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing(Rule):
    """Which locations may serve, best first.

    Attributes:
        split_allowed: Whether a line may ship from several locations; None means yes.
    """

    kind: ClassVar[str] = "routing"
    scope_fields: ClassVar[tuple[str, ...]] = ("channel", "region", "sku_class")

    locations: tuple[str, ...]
    split_allowed: bool | None = None
    channel: str | None = None
    region: str | None = None
    sku_class: str | None = None

    def value_words(self) -> str:
        """Return what the rule sets, for people."""
        return (" then ".join(self.locations) or "nowhere") + (", unsplit" if self.split_allowed is False else "")

    def value_faults(self) -> Iterator[str]:
        """Yield what is wrong with what the rule sets."""
        if not isinstance(self.locations, tuple) or not all(is_text(item) for item in self.locations):
            yield f"locations: {self.locations!r}, expected an ordered list of location ids"
        elif len(set(self.locations)) < len(self.locations):
            yield "locations: the same location is named twice"
        if self.split_allowed is not None and not isinstance(self.split_allowed, bool):
            yield f"split_allowed: {self.split_allowed!r}, expected true or false"


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierCap(Rule):
    """Units per day that a carrier takes at a location, between two dates when they are given."""

    kind: ClassVar[str] = "carrier_cap"
    scope_fields: ClassVar[tuple[str, ...]] = ("carrier", "location")
    required: ClassVar[tuple[str, ...]] = scope_fields
    wire_names: ClassVar[dict[str, str]] = {"first_date": "from", "last_date": "to"}

    carrier: str
    location: str
    units: int
    per: str | None = None
    first_date: str | None = None
    last_date: str | None = None

    def subject_words(self) -> str:
        """Return what the rule is about, for people."""
        return f"pick-up limit of {self.carrier} at {self.location}"

    def value_words(self) -> str:
        """Return what the rule sets, for people."""
        since = f" from {self.first_date}" if self.first_date else ""
        return f"{self.units} units a day{since}" + (f" to {self.last_date}" if self.last_date else "")

    def value_faults(self) -> Iterator[str]:
        """Yield what is wrong with what the rule sets."""
        yield from whole_faults("units", self.units)
        if self.per not in (None, "day"):
            yield f"per: {self.per!r}, expected day"
        for name, value in (("from", self.first_date), ("to", self.last_date)):
            if value is not None and not _is_date(value):
                yield f"{name}: {value!r}, expected an ISO date"


KINDS: Final[dict[str, type[Rule]]] = {
    kind.kind: kind for kind in (ChannelReservation, SafetyStock, Priority, Routing, CarrierCap)
}
"""Every kind of rule by its name in documents."""


def whole_faults(name: str, value: object) -> Iterator[str]:
    """Yield a fault unless the value is a whole number that a document can hold."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_WHOLE:
        yield f"{name}: {value!r}, expected a whole number not below 0"


def is_text(value: object) -> bool:
    """Tell whether a value is text that can be written to a document."""
    if not isinstance(value, str) or not value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_instant(value: object) -> bool:
    """Tell whether a value is an ISO timestamp with offset."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value) is not None
    except ValueError:
        return False
