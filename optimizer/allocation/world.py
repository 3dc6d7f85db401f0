"""The frames of a problem by name, so that a what-if can change them before they are cleaned.

Belongs here: keeping frames and options together, and small typed edits of columns. Not here: which edits make sense
(optimizer/scenarios, relax.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import polars as pl

from optimizer.allocation.data import AllocationData
from optimizer.allocation.frames import (
    INSTANT,
    INVENTORY,
    LANE_CAPACITY,
    LANES,
    NODES,
    OPEN_LINES,
    RECEIPTS,
    RESERVATIONS,
    FrameSpec,
)
from optimizer.allocation.options import AllocationOptions

BASE_SPECS: Mapping[str, FrameSpec] = {
    "open_lines": OPEN_LINES,
    "inventory": INVENTORY,
    "inbound_receipts": RECEIPTS,
    "channel_reservations": RESERVATIONS,
    "nodes": NODES,
    "lanes": LANES,
}
"""The frames that every problem has, by the argument names of `AllocationData.from_frames`."""

_EMPTY = {"text": pl.String(), "flag": pl.Boolean(), "instant": INSTANT, "date": pl.Date(), "whole": pl.Int64()}


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A problem before cleaning.

    Attributes:
        frames: Frames by argument name of `AllocationData.from_frames`, its extras by their own names.
        options: What the caller chose.
    """

    frames: Mapping[str, pl.DataFrame]
    options: AllocationOptions

    @classmethod
    def of(cls, frames: Mapping[str, pl.DataFrame], options: AllocationOptions) -> World:
        """Return a world whose base frames have every column of their spec (null where a feed gives none)."""
        made = {
            name: _filled(BASE_SPECS[name], frame) if name in BASE_SPECS else frame for name, frame in frames.items()
        }
        return cls(made, options)

    def data(self) -> AllocationData:
        """Clean the frames into a problem.

        Raises:
            InvalidDataError: Required columns are missing or an extra frame is unknown.
        """
        base = {name: self.frames[name] for name in BASE_SPECS}
        extras = {name: frame for name, frame in self.frames.items() if name not in BASE_SPECS}
        more: dict[str, Any] = {"extras": extras} if extras else {}
        return AllocationData.from_frames(
            base["open_lines"],
            base["inventory"],
            inbound_receipts=base["inbound_receipts"],
            channel_reservations=base["channel_reservations"],
            nodes=base["nodes"],
            lanes=base["lanes"],
            options=self.options,
            **more,
        )

    def frame(self, name: str) -> pl.DataFrame:
        """Return one frame."""
        return self.frames[name]

    def with_frame(self, name: str, frame: pl.DataFrame) -> World:
        """Return the world with one frame replaced."""
        return replace(self, frames={**self.frames, name: frame})

    def with_options(self, options: AllocationOptions) -> World:
        """Return the world under other options."""
        return replace(self, options=options)

    def put(self, name: str, mask: pl.Expr, **values: pl.Expr | object) -> World:
        """Return the world with columns of some rows replaced; every column keeps its type.

        Args:
            name: The frame.
            mask: Which rows.
            values: New values by column, as expressions or literals.
        """
        frame = self.frames[name]
        columns = [
            pl.when(mask.fill_null(value=False))
            .then((value if isinstance(value, pl.Expr) else pl.lit(value)).cast(frame.schema[column]))
            .otherwise(pl.col(column))
            .alias(column)
            for column, value in values.items()
        ]
        return self.with_frame(name, frame.with_columns(columns))

    def with_all_caps(self) -> World:
        """Return the same problem with every pick-up limit in its options, where each can be changed by itself."""
        frames = {name: frame for name, frame in self.frames.items() if name != LANE_CAPACITY.name}
        world = replace(self, frames=frames).put("lanes", pl.lit(value=True), daily_capacity_units=None)
        return world.with_options(replace(self.options, carrier_caps=self.data().carrier_caps))

    def add_rows(self, name: str, rows: pl.DataFrame) -> World:
        """Return the world with rows appended; columns they do not have are null."""
        frame = self.frames[name]
        cast = rows.select(
            pl.col(column).cast(frame.schema[column]) for column in rows.columns if column in frame.columns
        )
        return self.with_frame(name, pl.concat([frame, cast], how="diagonal"))


def _filled(spec: FrameSpec, frame: pl.DataFrame) -> pl.DataFrame:
    """Add the spec's missing optional columns as nulls and bring instants to UTC without a zone."""
    instants = [
        (pl.col(name).dt.convert_time_zone("UTC").dt.replace_time_zone(None) if _zone(frame, name) else pl.col(name))
        .cast(INSTANT)
        .alias(name)
        for name, kind in spec.columns.items()
        if kind == "instant" and name in frame.columns and frame.schema[name].is_temporal()
    ]
    absent = [
        pl.lit(None, dtype=_EMPTY.get(kind, pl.Float64())).alias(name)
        for name, kind in spec.columns.items()
        if name not in frame.columns and name not in spec.required
    ]
    unknown = [
        pl.col(name).cast(_EMPTY.get(kind, pl.Float64()))
        for name, kind in spec.columns.items()
        if name in frame.columns and frame.schema[name] == pl.Null
    ]
    return frame.with_columns(*instants, *absent, *unknown)


def _zone(frame: pl.DataFrame, name: str) -> bool:
    kind = frame.schema[name]
    return isinstance(kind, pl.Datetime) and kind.time_zone is not None


def naive_utc(moment: datetime) -> datetime:
    """Return an instant as the frames hold it: UTC without a zone; an instant without a zone is taken as UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
