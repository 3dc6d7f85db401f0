"""The problem instance: sets and parameters of FORMULATION.md, cleaned from the marts' frames.

Belongs here: what is known. Not here: what is decided (model.py) or how (solve.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from optimizer.allocation.frames import (
    INVENTORY,
    LANES,
    NODES,
    OPEN_LINES,
    RECEIPTS,
    RESERVATIONS,
    SPECS,
    clean,
    frame_faults,
    line_faults,
    missing_columns,
    node_faults,
)
from optimizer.allocation.money import with_money
from optimizer.allocation.options import AllocationOptions
from optimizer.errors import InvalidDataError


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AllocationData:
    """One allocation problem.

    Attributes:
        options: What the caller chose.
        lines: One row per open order line, sorted by order and line; `quantity` units, money in cents per unit.
        inventory: One row per SKU and node: units on hand, in quarantine, safety stock.
        receipts: One row per inbound receipt.
        reservations: One row per SKU, node and channel: units held for the channel.
        nodes: One row per node.
        lanes: One row per node, lane zone, carrier and service; zone '' serves lines of unknown zone.
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
    notes: tuple[str, ...]
    faults: tuple[str, ...]
    sources: tuple[pl.DataFrame, ...] = field(repr=False)

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

        Raises:
            InvalidDataError: Required columns are missing. Other faults wait for `validate`.
        """
        raw = (open_lines, inventory, inbound_receipts, channel_reservations, nodes, lanes)
        missing = [fault for spec, frame in zip(SPECS, raw, strict=True) for fault in missing_columns(spec, frame)]
        if missing:
            raise InvalidDataError(missing)
        frames = {spec.name: clean(spec, frame) for spec, frame in zip(SPECS, raw, strict=True)}
        faults = [
            fault
            for spec, frame in zip(SPECS, raw, strict=True)
            for fault in frame_faults(spec, frame, frames[spec.name])
        ]
        faults += [*line_faults(frames[OPEN_LINES.name]), *node_faults(frames[NODES.name])]
        known = frames[NODES.name].select("node_id")
        return cls(
            options=options,
            lines=_lines(frames[OPEN_LINES.name], options, has_lanes=not lanes.is_empty()),
            inventory=_at_nodes(frames[INVENTORY.name], known).sort("sku", "node_id"),
            receipts=_at_nodes(frames[RECEIPTS.name], known).sort(
                "sku", "node_id", "receipt_id", "expected_at", "quantity"
            ),
            reservations=_at_nodes(frames[RESERVATIONS.name], known)
            .filter(pl.col("quantity") > 0)
            .sort("sku", "node_id", "channel"),
            nodes=frames[NODES.name].sort("node_id"),
            lanes=_lanes(frames[LANES.name], known),
            notes=tuple(_notes(frames, options)),
            faults=tuple(faults),
            sources=raw,
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
        )

    def fingerprint(self) -> str:
        """Return a hash of everything that can change the plan."""
        digest = hashlib.sha256(repr(self.options).encode())
        for frame in (self.lines, self.inventory, self.receipts, self.reservations, self.nodes, self.lanes):
            digest.update(frame.write_csv().encode())
        return digest.hexdigest()


def _at_nodes(frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    return frame.join(known, on="node_id", how="semi")


def _lines(frame: pl.DataFrame, options: AllocationOptions, *, has_lanes: bool) -> pl.DataFrame:
    complete = pl.col("is_ship_complete").fill_null(value=False).any().over("order_id")
    held = pl.col("is_on_hold").fill_null(value=False)
    zone = pl.col("lane_zone").fill_null("") if has_lanes else pl.lit("")
    cleaned = frame.rename({"open_quantity": "quantity", "ship_not_before_at": "not_before_at"}).with_columns(
        pl.col("unit_price").fill_null(0).alias("price_cents"),
        pl.col("unit_cost").alias("cost_cents"),
        pl.col("fine_rate").fill_null(0).alias("fine_bp"),
        pl.col("priority_rank").fill_null(pl.lit(999)),
        (pl.col("channel_type").fill_null("dtc") != "wholesale").alias("is_consumer"),
        held.alias("is_on_hold"),
        complete.alias("is_complete"),
        zone.alias("lane_zone"),
    )
    kept = cleaned.drop("unit_price", "unit_cost", "fine_rate", "is_ship_complete").sort("order_id", "line_id")
    return with_money(kept, options.weights).with_row_index("line").with_columns(pl.col("line").cast(pl.Int64))


def _lanes(frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    if frame.is_empty():
        return known.select(
            "node_id",
            pl.lit("").alias("lane_zone"),
            pl.lit("").alias("carrier"),
            pl.lit("").alias("service"),
            pl.lit(0, pl.Int64).alias("transit_days"),
            pl.lit(0, pl.Int64).alias("cost_cents"),
        ).sort("node_id")
    filled = _at_nodes(frame, known).select(
        "node_id",
        pl.col("lane_zone"),
        pl.col("carrier").fill_null(""),
        pl.col("service").fill_null(""),
        pl.col("transit_days").fill_null(0),
        pl.col("cost_per_unit").fill_null(0).alias("cost_cents"),
    )
    # A line of unknown zone is planned on the slowest and dearest figures of each service.
    unknown = filled.group_by("node_id", "carrier", "service").agg(pl.col("transit_days", "cost_cents").max())
    both = pl.concat([filled, unknown.with_columns(pl.lit("").alias("lane_zone")).select(filled.columns)])
    return both.sort("node_id", "lane_zone", "carrier", "service")


def _notes(frames: dict[str, pl.DataFrame], options: AllocationOptions) -> Iterator[str]:
    yield from _line_notes(frames[OPEN_LINES.name], options, has_lanes=not frames[LANES.name].is_empty())
    yield from _stock_notes(frames, options)
    nodes = frames[NODES.name]
    without = nodes.filter(pl.col("daily_capacity_units").is_null())["node_id"].sort().to_list()
    if without:
        yield f"node capacity is switched off for {', '.join(without)}: the feed gives none"
    if frames[LANES.name].is_empty():
        yield "lanes are switched off: the feed gives none, so transit takes 0 days and freight costs nothing"
    if not options.carrier_caps:
        yield "carrier pick-up limits are switched off: none were given"
    yield "holidays, lots with expiry, pack multiples and dock appointments are switched off: the feeds give none"


def _line_notes(lines: pl.DataFrame, options: AllocationOptions, *, has_lanes: bool) -> Iterator[str]:
    counted = {
        "unit_price": "count as 0 revenue: they have no unit price",
        "unit_cost": f"use an assumed margin of {options.weights.assumed_margin_bp / 100:g} %: they have no unit cost",
    }
    if has_lanes:
        counted["lane_zone"] = "use each node's slowest and dearest lane: their region is unknown"
    for name, meaning in counted.items():
        count = lines[name].null_count()
        if count:
            yield f"{count} lines {meaning}"
    undated = lines.filter(pl.col("need_at").is_null() & pl.col("ship_by_at").is_null()).height
    if undated:
        yield f"{undated} lines are never late: they have neither a needed date nor a ship-by date"


def _stock_notes(frames: dict[str, pl.DataFrame], options: AllocationOptions) -> Iterator[str]:
    known = frames[NODES.name].select("node_id")
    for spec in (INVENTORY, RECEIPTS, RESERVATIONS, LANES):
        count = frames[spec.name].join(known, on="node_id", how="anti").height
        if count:
            yield f"{count} rows of {spec.name} are ignored: their node is not in dim_nodes"
    negative = frames[INVENTORY.name].filter(pl.col("on_hand") < 0).height
    if negative:
        yield f"{negative} negative stock levels count as 0"
    receipts = frames[RECEIPTS.name]
    confirmed = pl.col("is_confirmed").fill_null(value=False) & pl.col("expected_at").is_not_null()
    unconfirmed = receipts.filter(~confirmed).height
    if unconfirmed:
        yield f"{unconfirmed} receipts are not counted on: they have no confirmed date"
    overdue = receipts.filter(confirmed & (pl.col("expected_at") < options.moment.replace(tzinfo=None))).height
    if overdue:
        yield f"{overdue} receipts are not counted on: their confirmed date has passed"
