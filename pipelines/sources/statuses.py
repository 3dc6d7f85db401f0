"""What carriers' status codes mean: the seed `carrier_statuses`, shared by all tracking sources.

A status is told by a system (easypost, aftership, shipengine, or `*` for codes that carriers themselves use), of a
carrier, as a code and sometimes a finer detail. Rows are effective-dated; a workspace's own
`seeds/carrier_statuses.csv` replaces the product's, as with every seed. A code that no row knows never becomes a
milestone: the adapters reject the scan, so that it can be read again once the code has its row.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Final

from pipelines.errors import SourceError
from storage.settings import PROJECT_ROOT

SEED: Final = "carrier_statuses.csv"
ANY: Final = "*"
NOTHING: Final = "none"
"""Event type of codes that say nothing about the parcel's way (label made, waiting for data)."""

EVENT_TYPES: Final = frozenset({
    "carrier.accepted",
    "in_transit",
    "exception",
    "arrived",
    "delivered",
    NOTHING,
})  # fmt: skip
_FIELDS: Final = (
    "system", "carrier", "code", "detail", "event_type", "is_physical", "is_return_leg", "effective_from",
    "effective_to", "meaning",
)  # fmt: skip
_PLAIN: Final = re.compile(r"[^a-z0-9*]+")
_TRUTHS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Status:
    """What a code means.

    Attributes:
        event_type: Canonical shipment event type, or None when the code is no event.
        is_physical: The carrier has the parcel, or had it: such a scan proves the acceptance.
        is_return_leg: The parcel is on its way back; a delivery after it is the sender's.
        meaning: In words.
    """

    event_type: str | None
    is_physical: bool
    is_return_leg: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class _Row:
    status: Status
    effective_from: date
    effective_to: date


@dataclass(frozen=True, slots=True, eq=False)
class StatusBook:
    """Statuses by system, carrier, code and detail.

    Attributes:
        rows: (system, carrier, code, detail) → rows with their period.
    """

    rows: Mapping[tuple[str, str, str, str], tuple[_Row, ...]] = field(default_factory=dict)

    @classmethod
    def of_product(cls) -> StatusBook:
        """Return the statuses that come with the product."""
        return _of_product()

    @classmethod
    def of_workspace(cls, home: Path) -> StatusBook:
        """Return the workspace's statuses, or the product's where it has none of its own.

        Raises:
            SourceError: The workspace's file is malformed.
        """
        own = home / "seeds" / SEED
        return _read(own) if own.exists() else cls.of_product()

    def find(
        self, system: str, code: str | None, *, detail: str | None = None, carrier: str | None = None, at: datetime
    ) -> Status | None:
        """Return what a code meant at an instant, or None if no row knows it.

        The detail decides before the code and the named system or carrier before `*`. A delivery stays a delivery
        whatever a detail says that is not listed for it.
        """
        if code is None:
            return None
        names = plain(code), plain(detail or ANY)
        if names[1] != ANY:
            exact = self._look_up(system, carrier, *names, at)
            if exact is not None:
                return exact
        by_code = self._look_up(system, carrier, names[0], ANY, at)
        if names[1] == ANY or by_code is None or by_code.event_type == "delivered":
            return by_code
        by_detail = self._look_up(system, carrier, ANY, names[1], at)
        if by_detail is None:
            return by_code
        return Status(by_detail.event_type, by_code.is_physical, by_detail.is_return_leg, by_detail.meaning)

    def _look_up(self, system: str, carrier: str | None, code: str, detail: str, at: datetime) -> Status | None:
        day = at.date()
        carriers = (plain(carrier), ANY) if carrier else (ANY,)
        for owner in (plain(system), ANY):
            for name in carriers:
                for row in self.rows.get((owner, name, code, detail), ()):
                    if row.effective_from <= day < row.effective_to:
                        return row.status
        return None


def plain(text: str) -> str:
    """Return a code as it is compared: lower case, one underscore for whatever is neither letter nor digit.

    >>> plain("Out-for delivery")
    'out_for_delivery'
    """
    return _PLAIN.sub("_", text.strip().lower()).strip("_")


@cache
def _of_product() -> StatusBook:
    return _read(PROJECT_ROOT / "data" / "seeds" / SEED)


def _read(path: Path) -> StatusBook:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            return StatusBook(_by_key(csv.DictReader(handle), path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"{path}: cannot be read: {error}"
        raise SourceError(message) from error


def _by_key(
    records: Iterable[Mapping[str, str | None]], path: Path
) -> dict[tuple[str, str, str, str], tuple[_Row, ...]]:
    rows: dict[tuple[str, str, str, str], tuple[_Row, ...]] = {}
    for number, record in enumerate(records, start=2):
        try:
            missing = [name for name in _FIELDS if record.get(name) is None]
            if missing:
                message = f"column {', '.join(missing)} is missing"
                raise ValueError(message)  # noqa: TRY301 - one place adds file and row
            values = {name: (record[name] or "").strip() for name in _FIELDS}
            key, row = _row(values)
        except ValueError as error:
            message = f"{path}: row {number}: {error}. The columns are {', '.join(_FIELDS)}."
            raise SourceError(message) from error
        rows[key] = (*rows.get(key, ()), row)
    return rows


def _row(values: Mapping[str, str]) -> tuple[tuple[str, str, str, str], _Row]:
    event_type = values["event_type"]
    if event_type not in EVENT_TYPES:
        message = f"event_type {event_type!r} is not one of {', '.join(sorted(EVENT_TYPES))}"
        raise ValueError(message)
    flags = {name: _TRUTHS.get(values[name].lower()) for name in ("is_physical", "is_return_leg")}
    if None in flags.values():
        message = "is_physical and is_return_leg are true or false"
        raise ValueError(message)
    status = Status(
        event_type=None if event_type == NOTHING else event_type,
        is_physical=bool(flags["is_physical"]),
        is_return_leg=bool(flags["is_return_leg"]),
        meaning=values["meaning"],
    )
    row = _Row(
        status,
        date.fromisoformat(values["effective_from"]) if values["effective_from"] else date.min,
        date.fromisoformat(values["effective_to"]) if values["effective_to"] else date.max,
    )
    system, carrier, code, detail = (plain(values[name]) for name in ("system", "carrier", "code", "detail"))
    return (system, carrier, code, detail), row
