"""What every source adapter shares: its input, its context and its result.

An adapter is a module in this package with two functions (see `registry`):

    recognises(file: SourceFile) -> bool
        Cheap look at the name and the first bytes. Never raises on foreign content.
    parse(files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch
        Pure: same files and context → same frames. A bad record becomes a reject with its reason
        and raw text; everything else is returned. Never reads a clock, network or database.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from pipelines.sources.statuses import StatusBook
from storage.contracts import EVENT_TABLES, conform, empty_frame
from storage.settings import EdiSettings, Settings

REJECT_SCHEMA: Final[dict[str, pl.DataType]] = {
    "source_ref": pl.String(),
    "reason": pl.String(),
    "raw": pl.String(),
}


_HEAD_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class SourceFile:
    """A file to read.

    Attributes:
        path: Where it is.
        name: Its stable name in manifests and `source_ref` (relative to the folder given to ingest).
    """

    path: Path
    name: str

    def read_bytes(self) -> bytes:
        """Return the content, gunzipped where the name ends in `.gz`."""
        data = self.path.read_bytes()
        return gzip.decompress(data) if self._is_packed else data

    @cached_property
    def head(self) -> bytes:
        """The first 64 KiB of the (gunzipped) content, for recognition; as much as a damaged file still gives."""
        try:
            with self.path.open("rb") as handle:
                start = handle.read(_HEAD_BYTES)
            return zlib.decompressobj(wbits=31).decompress(start, _HEAD_BYTES) if self._is_packed else start
        except (OSError, zlib.error):
            return b""

    @cached_property
    def damage(self) -> str | None:
        """Why the file cannot be unpacked to its end, or None when it can (or is not packed)."""
        if not self._is_packed:
            return None
        try:
            with gzip.open(self.path, "rb") as handle:
                while handle.read(1 << 20):
                    pass
        except (OSError, EOFError, zlib.error) as error:
            return str(error)
        return None

    @property
    def _is_packed(self) -> bool:
        return self.path.suffix == ".gz"

    @cached_property
    def sha256(self) -> str:
        """Digest of the stored bytes."""
        digest = hashlib.sha256()
        with self.path.open("rb") as handle:
            while chunk := handle.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()

    @property
    def kind(self) -> str:
        """File extension without `.gz`, lower case, with the dot: `.json`, `.csv`, `.edi`."""
        suffixes = [suffix.lower() for suffix in self.path.suffixes if suffix.lower() != ".gz"]
        return suffixes[-1] if suffixes else ""

    def ref(self, position: object) -> str:
        """Return the `source_ref` of a record: `<file name>#<position>`."""
        return f"{self.name}#{position}"


@dataclass(frozen=True, slots=True)
class AdapterContext:
    """The few settings an adapter may depend on.

    Attributes:
        zone: Zone of stamps without offset, where the source has no zone of its own.
        currency: Currency of money without one.
        edi: EDI identities.
        statuses: What the carriers' status codes mean.
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    currency: str = "USD"
    edi: EdiSettings = field(default_factory=EdiSettings)
    statuses: StatusBook = field(default_factory=StatusBook.of_product)

    @classmethod
    def from_settings(cls, settings: Settings) -> AdapterContext:
        """Take what adapters need from the workspace."""
        return cls(
            zone=settings.zone,
            currency=settings.company.currency,
            edi=settings.edi,
            statuses=StatusBook.of_workspace(settings.home),
        )


@dataclass(frozen=True, slots=True)
class ParsedBatch:
    """What an adapter made of its files.

    Attributes:
        events: Family → frame in the family's contract (without event_id and batch_id).
        rejects: Records that could not be read (`REJECT_SCHEMA`).
        rows_in: File name → source records seen (rows, JSON objects, transaction sets).
    """

    events: Mapping[str, pl.DataFrame]
    rejects: pl.DataFrame
    rows_in: Mapping[str, int]


@dataclass(slots=True)
class BatchBuilder:
    """Collects rows while an adapter walks record-shaped input (JSON, EDI); columnar adapters use frames directly."""

    rows: dict[str, list[dict[str, object]]] = field(default_factory=lambda: {family: [] for family in EVENT_TABLES})
    rejected: list[dict[str, str]] = field(default_factory=list)
    rows_in: dict[str, int] = field(default_factory=dict)

    def add(self, family: str, **columns: object) -> None:
        """Add one event. Money and quantities as Decimal, int or str; instants as naive UTC datetimes."""
        self.rows[family].append(columns)

    def reject(self, source_ref: str, reason: str, raw: str) -> None:
        """Record a rejected source record."""
        self.rejected.append({"source_ref": source_ref, "reason": reason, "raw": raw})

    def build(self) -> ParsedBatch:
        """Return the frames."""
        events = {}
        for family, rows in self.rows.items():
            if rows:
                schema = EVENT_TABLES[family].polars_schema()
                unknown = sorted(set().union(*rows) - set(schema))
                if unknown:
                    message = f"columns {unknown} are not in the {family} event contract"
                    raise ValueError(message)
                events[family] = pl.DataFrame(rows, schema=schema)
        return ParsedBatch(events=events, rejects=reject_frame(self.rejected), rows_in=self.rows_in)


def reject_frame(rows: Iterable[Mapping[str, str]] = ()) -> pl.DataFrame:
    """Return rejects as a frame of `REJECT_SCHEMA`."""
    return pl.DataFrame(list(rows), schema=REJECT_SCHEMA)


def merge_batches(batches: Sequence[ParsedBatch]) -> ParsedBatch:
    """Join several parsed batches into one."""
    families = [family for family in EVENT_TABLES if any(family in batch.events for batch in batches)]
    return ParsedBatch(
        events={
            family: pl.concat(
                [empty_frame(family), *(conform(b.events[family], family) for b in batches if family in b.events)]
            )
            for family in families
        },
        rejects=pl.concat([reject_frame(), *(batch.rejects for batch in batches)]),
        rows_in=_sum_rows(batches),
    )


def _sum_rows(batches: Sequence[ParsedBatch]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for batch in batches:
        for name, count in batch.rows_in.items():
            rows[name] = rows.get(name, 0) + count
    return rows
