"""Milestones and deadlines as columns, and the state of every open line as it could be known at an instant.

Everything here respects one rule: at an instant only what has `known_at` up to it exists. So a prediction for a day of
last spring sees what a planner could have seen then, and news that comes later changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

STAGES: Final = ("captured", "approved", "released", "packed", "accepted")
"""Milestones whose passing begins a stage, in order. The last that all units of a line have passed is its stage."""

EXCUSED: Final = ("customer", "fraud", "payment", "unknown")
"""Whose cancellation is no miss; such units have left the base."""

_ALL: Final = 1e18

MILESTONES: Final = pl.Schema(
    {
        "order_id": pl.String(), "line_id": pl.String(), "piece_id": pl.String(), "milestone": pl.String(),
        "node_id": pl.String(), "carrier": pl.String(), "service": pl.String(), "detail": pl.String(),
        "quantity": pl.Float64(), "reached_at": pl.Datetime("us"), "known_at": pl.Datetime("us"),
    }
)  # fmt: skip
"""Columns of marts.fct_line_milestones; instants in UTC."""

DEADLINES: Final = pl.Schema(
    {
        "order_id": pl.String(), "line_id": pl.String(), "profile_id": pl.String(), "measured_event": pl.String(),
        "sku": pl.String(), "channel": pl.String(), "channel_type": pl.String(), "customer_id": pl.String(),
        "lane_zone": pl.String(), "seller_id": pl.String(), "base_quantity": pl.Float64(), "is_missed": pl.Boolean(),
        "captured_at": pl.Datetime("us"), "said_at": pl.Datetime("us"), "ship_window_start_at": pl.Datetime("us"),
        "window_start_at": pl.Datetime("us"), "window_end_at": pl.Datetime("us"), "is_headline": pl.Boolean(),
    }
)  # fmt: skip
"""Columns of marts.fct_line_deadlines that predictions need; instants in UTC."""

_SAME_UNIT: Final = (
    "order_id",
    "line_id",
    "measured_event",
    "base_quantity",
    "window_start_at",
    "window_end_at",
    "said_at",
)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What happened to lines, and the deadlines they stood under.

    Attributes:
        units: One row per line and distinct deadline; `unit` numbers them. Lenses with the same event, base and window
            share a unit.
        lenses: unit, profile_id, is_headline: the lenses of each unit.
        milestones: See MILESTONES.
        stock: sku, known_at, level: usable units of a SKU over all nodes from that instant on; may be empty.
        zone: Zone in which weekdays are meant.
    """

    units: pl.DataFrame
    lenses: pl.DataFrame
    milestones: pl.DataFrame
    stock: pl.DataFrame
    zone: str

    @classmethod
    def from_frames(
        cls, milestones: pl.DataFrame, deadlines: pl.DataFrame, stock: pl.DataFrame | None = None, *, zone: str = "UTC"
    ) -> History:
        """Lay out the frames of the publication.

        Args:
            milestones: See MILESTONES.
            deadlines: See DEADLINES; further columns are left out.
            stock: sku, known_at, level; None where stock is not told.
            zone: Zone in which weekdays are meant.
        """
        given = deadlines.select([pl.col(name).cast(kind) for name, kind in DEADLINES.items()])
        keyed = given.sort("order_id", "line_id", "profile_id").with_columns(
            pl.struct(_SAME_UNIT).rank("dense").cast(pl.Int64).alias("unit")
        )
        units = keyed.unique("unit", keep="first", maintain_order=True).drop("profile_id", "is_headline").sort("unit")
        empty = pl.DataFrame(schema={"sku": pl.String, "known_at": pl.Datetime("us"), "level": pl.Float64})
        return cls(
            units,
            keyed.select("unit", "profile_id", "is_headline"),
            milestones.select([pl.col(name).cast(kind) for name, kind in MILESTONES.items()]),
            (empty if stock is None else stock.select(empty.columns).cast(empty.schema)).sort("known_at"),
            zone,
        )

    def known(self, until: datetime) -> History:
        """Return what could be known at an instant: later news is gone, and so are outcomes of open windows."""
        units = self.units.filter(pl.col("said_at") <= until).with_columns(
            pl.when(pl.col("window_end_at") <= until).then("is_missed").alias("is_missed")
        )
        return History(
            units,
            self.lenses.join(units.select("unit"), on="unit", how="semi"),
            self.milestones.filter(pl.col("known_at") <= until),
            self.stock.filter(pl.col("known_at") <= until),
            self.zone,
        )


def passings(history: History) -> pl.DataFrame:
    """Return when all units of each deadline had passed each milestone.

    A milestone is passed when the units that reached it add up to the base; one that tells no units is passed at once.
    An arrival also counts by the delivery where no arrival is told, as in the service models.

    Returns:
        One row per unit. For each stage's milestone and for `measured` (the event that the window asks for)
        `<m>_at` (business instant of the last piece needed) and `<m>_known`; `first_measured_at/_known` (first piece);
        `lost_known` (a cancellation that makes the line a miss); `node_id`, `carrier`, `service` and `<>_known`.
        Null where it never happened.
    """
    units = history.units.select("unit", "order_id", "line_id", "base_quantity", "measured_event")
    happened = _happened(units, history.milestones)
    measured = _measured(happened)
    passed = (
        pl.concat([happened.filter(pl.col("milestone").is_in(STAGES)), measured])
        .sort("unit", "milestone", "known_at", "reached_at")
        .with_columns(
            pl.col("quantity").fill_null(_ALL).cum_sum().over("unit", "milestone").alias("_so_far"),
            pl.col("reached_at").cum_max().over("unit", "milestone").alias("_last_at"),
        )
        .filter(pl.col("_so_far") >= pl.col("base_quantity").fill_null(0.0))
        .group_by("unit", "milestone", maintain_order=True)
        .agg(pl.col("_last_at").first(), pl.col("known_at").first())
    )
    first = measured.group_by("unit").agg(
        pl.col("reached_at").min().alias("first_measured_at"), pl.col("known_at").min().alias("first_measured_known")
    )
    lost = (
        happened.filter((pl.col("milestone") == "cancelled") & ~pl.col("detail").is_in(EXCUSED))
        .group_by("unit")
        .agg(pl.col("known_at").min().alias("lost_known"))
    )
    wide = units.select("unit")
    for milestone in (*STAGES, "measured"):
        of = passed.filter(pl.col("milestone") == milestone).select(
            "unit", pl.col("_last_at").alias(f"{milestone}_at"), pl.col("known_at").alias(f"{milestone}_known")
        )
        wide = wide.join(of, on="unit", how="left")
    for part in (first, lost, *(_first_told(happened, name) for name in ("node_id", "carrier", "service"))):
        wide = wide.join(part, on="unit", how="left")
    return wide.sort("unit")


def _happened(units: pl.DataFrame, milestones: pl.DataFrame) -> pl.DataFrame:
    """Return milestones per unit; one of a whole order is one of each of its lines."""
    of_lines = units.join(milestones, on=["order_id", "line_id"])
    of_orders = units.filter(pl.col("line_id") != "").join(
        milestones.filter(pl.col("line_id") == "").drop("line_id"), on="order_id"
    )
    return pl.concat([of_lines, of_orders.select(of_lines.columns)])


def _measured(happened: pl.DataFrame) -> pl.DataFrame:
    counts = (pl.col("milestone") == pl.col("measured_event")) | (
        (pl.col("measured_event") == "arrived") & (pl.col("milestone") == "delivered")
    )
    return (
        happened.filter(counts)
        .sort("unit", "piece_id", "known_at", "reached_at")
        .unique(["unit", "piece_id"], keep="first", maintain_order=True)
        .with_columns(pl.lit("measured").alias("milestone"))
    )


def _first_told(happened: pl.DataFrame, name: str) -> pl.DataFrame:
    return (
        happened.filter(pl.col(name).is_not_null())
        .sort("unit", "known_at", name)
        .group_by("unit", maintain_order=True)
        .agg(pl.col(name).first(), pl.col("known_at").first().alias(f"{name}_known"))
    )
