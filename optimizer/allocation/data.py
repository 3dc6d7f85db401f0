"""The problem instance: sets and parameters of FORMULATION.md, cleaned from the marts' frames.

Belongs here: what is known. Not here: what is decided (model.py) or how (solve.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from optimizer.allocation.frames import (
    EXTRA_SPECS,
    INVENTORY,
    LANE_CAPACITY,
    LANES,
    NODES,
    OPEN_LINES,
    RECEIPTS,
    RESERVATIONS,
    SCORECARDS,
    SPECS,
    clean,
    empty,
    extra_faults,
    frame_faults,
    lane_faults,
    line_faults,
    missing_columns,
    node_faults,
)
from optimizer.allocation.money import rounded, with_money
from optimizer.allocation.notes import notes_of
from optimizer.allocation.options import BASIS, AllocationOptions, CarrierCap
from optimizer.errors import InvalidDataError

EXPORT_HOLD: Final = "export_data"
"""Hold type of export lines that lack what customs asks for."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AllocationData:
    """One allocation problem.

    Attributes:
        options: What the caller chose.
        lines: One row per open order line, sorted by order and line; `quantity` units, `limit` the most that its class
            and pack multiple let ship, `group` the set of lines that ships whole or not at all (null: none),
            `min_units` the least an order ships if it ships at all; money in cents per unit.
        inventory: One row per SKU and node: units on hand, in quarantine, safety stock.
        receipts: One row per inbound receipt.
        reservations: One row per SKU, node and channel: units held for the channel.
        nodes: One row per node.
        lanes: One row per node, lane zone, carrier and service; zone '' serves lines of unknown zone.
        carrier_caps: Pick-up limits of the options, of `lane_capacity` and of `lanes` together.
        scored: One row per scorecard (row of `extras["scorecards"]`) and line that counts in it: scorecard, line,
            fine_cents per unit.
        extras: The optional frames, cleaned, each there even if empty: see `frames.EXTRA_SPECS`.
        notes: What the feeds do not give and is therefore switched off or assumed.
        faults: Everything that makes the frames no problem (see `validate`).
        sources: The frames as they came, to clean them again under other options.
    """

    options: AllocationOptions
    lines: pl.DataFrame
    inventory: pl.DataFrame
    receipts: pl.DataFrame
    reservations: pl.DataFrame
    nodes: pl.DataFrame
    lanes: pl.DataFrame
    carrier_caps: tuple[CarrierCap, ...]
    scored: pl.DataFrame
    extras: Mapping[str, pl.DataFrame]
    notes: tuple[str, ...]
    faults: tuple[str, ...]
    sources: tuple[pl.DataFrame, ...] = field(repr=False)
    extra_sources: Mapping[str, pl.DataFrame] = field(repr=False)

    @classmethod
    def from_frames(
        cls,
        open_lines: pl.DataFrame,
        inventory: pl.DataFrame,
        *,
        inbound_receipts: pl.DataFrame,
        channel_reservations: pl.DataFrame,
        nodes: pl.DataFrame,
        lanes: pl.DataFrame,
        options: AllocationOptions,
        extras: Mapping[str, pl.DataFrame] | None = None,
    ) -> AllocationData:
        """Clean the marts of the same names into a problem.

        Args:
            open_lines: `fct_open_lines`, one row per order line with open units.
            inventory: `fct_inventory`, one row per SKU and node.
            inbound_receipts: `fct_inbound_receipts`, one row per open receipt.
            channel_reservations: `fct_channel_reservations`, one row per SKU, node and channel.
            nodes: `dim_nodes`.
            lanes: `dim_lanes`.
            options: What the caller chose, among it the instant of the decision.
            extras: Optional frames by name, see `frames.EXTRA_SPECS`.

        Raises:
            InvalidDataError: Required columns are missing or an extra frame is unknown. Other faults wait for
                `validate`.
        """
        given = dict(extras or {})
        raw = (open_lines, inventory, inbound_receipts, channel_reservations, nodes, lanes)
        pairs = [
            *zip(SPECS, raw, strict=True),
            *((spec, given[spec.name]) for spec in EXTRA_SPECS if spec.name in given),
        ]
        unknown = sorted(set(given) - {spec.name for spec in EXTRA_SPECS})
        missing = [f"extra frame {name} is unknown" for name in unknown]
        missing += [fault for spec, frame in pairs for fault in missing_columns(spec, frame)]
        if missing:
            raise InvalidDataError(missing)
        frames = {spec.name: empty(spec) for spec in EXTRA_SPECS}
        frames |= {spec.name: clean(spec, frame) for spec, frame in pairs}
        faults = [fault for spec, frame in pairs for fault in frame_faults(spec, frame, frames[spec.name])]
        faults += [*line_faults(frames[OPEN_LINES.name]), *node_faults(frames[NODES.name])]
        faults += [*lane_faults(frames[LANES.name]), *extra_faults(frames)]
        known = frames[NODES.name].select("node_id")
        lines = _lines(frames, options, has_lanes=not lanes.is_empty())
        reservations = _at_nodes(frames[RESERVATIONS.name], known)
        return cls(
            options=options,
            lines=lines,
            inventory=_at_nodes(frames[INVENTORY.name], known).sort("sku", "node_id"),
            receipts=_at_nodes(frames[RECEIPTS.name], known).sort(
                "sku", "node_id", "receipt_id", "expected_at", "quantity"
            ),
            reservations=reservations.filter(
                (pl.col("quantity") > 0) | pl.col("cap_quantity").is_not_null() | (pl.col("buffer_quantity") > 0)
            ).sort("sku", "node_id", "channel", "customer_id"),
            nodes=frames[NODES.name].sort("node_id"),
            lanes=_lanes(frames[LANES.name], known),
            carrier_caps=(*options.carrier_caps, *_carrier_caps(frames)),
            scored=_scored(lines, frames[SCORECARDS.name]),
            extras={spec.name: _extra(frames[spec.name], known) for spec in EXTRA_SPECS},
            notes=tuple(notes_of(frames, options)),
            faults=tuple(faults),
            sources=raw,
            extra_sources=given,
        )

    def validate(self) -> tuple[str, ...]:
        """Return every fault found, in the order of the frames; empty when the problem can be solved."""
        return self.faults

    def require_valid(self) -> None:
        """Refuse a problem with faults.

        Raises:
            InvalidDataError: There are faults; all are listed.
        """
        if self.faults:
            raise InvalidDataError(self.faults)

    def with_options(self, options: AllocationOptions) -> AllocationData:
        """Return the same frames under other options."""
        return AllocationData.from_frames(
            self.sources[0],
            self.sources[1],
            inbound_receipts=self.sources[2],
            channel_reservations=self.sources[3],
            nodes=self.sources[4],
            lanes=self.sources[5],
            options=options,
            extras=self.extra_sources,
        )

    def fingerprint(self) -> str:
        """Return a hash of everything that can change the plan."""
        digest = hashlib.sha256(repr(replace(self.options, as_of=self.options.moment)).encode())
        frames = (self.lines, self.inventory, self.receipts, self.reservations, self.nodes, self.lanes)
        for frame in (*frames, *self.extras.values()):
            digest.update(frame.write_csv().encode())
        return digest.hexdigest()


def _at_nodes(frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    return frame.join(known, on="node_id", how="semi")


def _extra(frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the frame in a fixed order, without rows of unknown nodes."""
    if "node_id" in frame.columns:
        frame = frame.filter(pl.col("node_id").is_null() | pl.col("node_id").is_in(known["node_id"].implode()))
    return frame.sort(frame.columns) if frame.height else frame


def _lines(frames: Mapping[str, pl.DataFrame], options: AllocationOptions, *, has_lanes: bool) -> pl.DataFrame:
    zone = pl.col("lane_zone").fill_null("") if has_lanes else pl.lit("")
    cleaned = frames[OPEN_LINES.name].rename(
        {
            "open_quantity": "quantity",
            "ship_not_before_at": "not_before_at",
            "min_fill_rate": "min_fill_bp",
            "order_fine": "order_fine_cents",
        }
    )
    kept = _with_rules(_with_holds(cleaned), options).with_columns(
        pl.col("unit_price").fill_null(0).alias("price_cents"),
        pl.col("unit_cost").alias("cost_cents"),
        pl.col("fine_rate").fill_null(0).alias("fine_bp"),
        pl.col("priority_rank").fill_null(pl.lit(999)),
        (pl.col("channel_type").fill_null("dtc") != "wholesale").alias("is_consumer"),
        zone.alias("lane_zone"),
    )
    kept = kept.drop("unit_price", "unit_cost", "fine_rate", "is_ship_complete").sort("order_id", "line_id")
    numbered = kept.with_row_index("line").with_columns(pl.col("line").cast(pl.Int64))
    # A fine with a threshold is reckoned on the scorecard, not line by line.
    scored = _scored(numbered, frames[SCORECARDS.name]).select("line").unique()
    gated = numbered.with_columns(
        pl.when(pl.col("line").is_in(scored["line"].implode())).then(0).otherwise(pl.col("fine_bp")).alias("fine_bp")
    )
    return with_money(gated, options.weights)


def _with_holds(lines: pl.DataFrame) -> pl.DataFrame:
    """Hold export lines that lack HS code, origin, declared value or the importer's or broker's reference."""
    lacks = pl.any_horizontal(
        pl.col("hs_code").str.replace_all(r"\D", "").str.len_chars().fill_null(0) < 6,
        pl.col("origin_country", "importer_reference").fill_null("").str.strip_chars() == "",
        pl.col("declared_value").fill_null(0) <= 0,
    )
    held = pl.col("is_on_hold").fill_null(value=False)
    lacking = pl.col("is_export").fill_null(value=False) & lacks
    return lines.with_columns(
        (held | lacking).alias("is_on_hold"),
        pl.when(lacking & ~held).then(pl.lit(EXPORT_HOLD)).otherwise(pl.col("hold_type")).alias("hold_type"),
    )


def _with_rules(lines: pl.DataFrame, options: AllocationOptions) -> pl.DataFrame:
    """Spread what holds for an order over its lines and work out how much of each line may ship."""
    order = "order_id"
    kind = pl.col("allocation_class").fill_null("redistribute").str.to_lowercase()
    confirmed = pl.col("confirmed_quantity").fill_null(0)
    pack = pl.col("pack_multiple").fill_null(1).clip(lower_bound=1)
    flags = {
        "is_complete": pl.col("is_ship_complete").fill_null(value=False).any().over(order),
        "is_single_shipment": pl.col("is_single_shipment").fill_null(value=False).any().over(order),
        "is_single_source": pl.col("is_single_source").fill_null(value=False),
        "is_line_complete": pl.col("is_line_complete").fill_null(value=False),
    }
    ruled = lines.with_columns(
        kind.alias("allocation_class"),
        pack.alias("pack_multiple"),
        pl.col("work_units").fill_null(1),
        pl.col("max_nodes").min().over(order).fill_null(pl.lit(options.max_nodes, dtype=pl.Int64)),
        pl.col("min_fill_bp").max().over(order).fill_null(0),
        pl.col("order_fine_cents").max().over(order).fill_null(0),
        **flags,
    )
    allowed = (
        pl.when(pl.col("is_on_hold") | (kind == "lose"))
        .then(0)
        .when(kind.is_in(["fill", "skip"]))
        .then(pl.min_horizontal(confirmed, "quantity"))
        .otherwise(pl.col("quantity"))
    )
    least = (pl.col("quantity").sum().over(order) * pl.col("min_fill_bp") + BASIS - 1) // BASIS
    whole = (
        pl.when(pl.col("is_complete"))
        .then(pl.lit("order"))
        .when(pl.col("kit_id").is_not_null())
        .then(pl.concat_str(pl.lit("kit "), "kit_id"))
        .when(pl.col("is_line_complete"))
        .then(pl.concat_str(pl.lit("line "), "line_id"))
    )
    return ruled.with_columns(
        (allowed // pl.col("pack_multiple") * pl.col("pack_multiple")).alias("limit"),
        pl.when(pl.col("min_fill_bp") > 0).then(least).otherwise(0).alias("min_units"),
        whole.alias("group"),
    )


def _scored(lines: pl.DataFrame, scorecards: pl.DataFrame) -> pl.DataFrame:
    """Return which lines count in which scorecard, by customer and the date (UTC) they are due."""
    due = lines.select(
        "line", "customer_id", "price_cents", pl.coalesce("need_at", "ship_by_at").dt.date().alias("due")
    ).drop_nulls(["customer_id", "due"])
    cards = scorecards.sort(scorecards.columns).with_row_index("scorecard")
    met = cards.join(due, on="customer_id", how="inner").filter(
        pl.col("due").is_between(pl.col("period_start"), pl.col("period_end"))
    )
    return met.select(
        pl.col("scorecard").cast(pl.Int64),
        "line",
        rounded(pl.col("price_cents") * pl.col("fine_rate").fill_null(0), BASIS).alias("fine_cents"),
    ).sort("scorecard", "line")


def _lanes(frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    if frame.is_empty():
        free = {"carrier": "", "service": "", "lane_zone": "", "transit_days": 0, "cost_per_unit": 0}
        frame = known.with_columns(**{name: pl.lit(value) for name, value in free.items()})
        frame = clean(LANES, frame)
    filled = _at_nodes(frame, known).select(
        "node_id",
        "lane_zone",
        pl.col("carrier").fill_null(""),
        pl.col("service").fill_null(""),
        pl.col("transit_days").fill_null(0),
        pl.col("cost_per_unit").fill_null(0).alias("cost_cents"),
        "cut_off_time",
        "pickup_days",
        "transit_weekdays",
        pl.col("needs_appointment").fill_null(value=False),
        "handling",
    )
    # A line of unknown zone is planned on the slowest and dearest figures of each service.
    unknown = filled.filter(pl.col("lane_zone") != "").group_by("node_id", "carrier", "service")
    worst = unknown.agg(
        pl.col("transit_days", "cost_cents", "needs_appointment").max(),
        pl.col("cut_off_time", "pickup_days", "transit_weekdays", "handling").min(),
    )
    both = pl.concat([filled, worst.with_columns(pl.lit("").alias("lane_zone")).select(filled.columns)])
    return both.sort("node_id", "lane_zone", "carrier", "service")


def _carrier_caps(frames: Mapping[str, pl.DataFrame]) -> list[CarrierCap]:
    lanes = frames[LANES.name].filter(pl.col("daily_capacity_units").is_not_null())
    own = lanes.select(
        pl.col("carrier", "service").fill_null(""),
        "node_id",
        "lane_zone",
        pl.col("daily_capacity_units").alias("units"),
    )
    given = frames[LANE_CAPACITY.name].rename({"capacity_units": "units"})
    both = pl.concat([own, given], how="diagonal").sort(given.columns).drop_nulls(["carrier", "units"])
    return [CarrierCap(**row) for row in both.iter_rows(named=True)]
