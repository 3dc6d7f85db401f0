"""The mixed-integer program of FORMULATION.md as arrays: variables in blocks, constraints as sparse rows.

Every constraint of the document is one function `add_<id>_constraints`. No solver is named here; solve.py hands the
arrays over in bulk, which is two orders of magnitude faster than a modelling language at this size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse  # type: ignore[import-untyped]

from optimizer.allocation.arcs import Arcs
from optimizer.allocation.candidates import lane_days
from optimizer.allocation.data import AllocationData
from optimizer.allocation.plan import Problem
from optimizer.allocation.stock import Ints, Stock

Floats = npt.NDArray[np.float64]
_INFINITY = float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A family of variables: where it starts among all, its frame of indices, bounds, objective and integrality.

    Blocks that are whole by themselves once the others are (e, w, o, f, m, v) are left continuous.
    """

    start: int
    index: pl.DataFrame
    upper: Ints
    gain: Ints
    is_integer: bool

    @property
    def columns(self) -> Ints:
        """The variables' positions among all variables."""
        return np.arange(self.start, self.start + self.index.height, dtype=np.int64)


@dataclass(slots=True, eq=False)
class Rows:
    """Constraint rows being collected: `lower <= A x <= upper`, one entry per coefficient."""

    count: int = 0
    row: list[Ints] = field(default_factory=list)
    column: list[Ints] = field(default_factory=list)
    value: list[Floats] = field(default_factory=list)
    lower: list[Floats] = field(default_factory=list)
    upper: list[Floats] = field(default_factory=list)
    families: list[tuple[str, int]] = field(default_factory=list)

    def add(self, name: str, entries: list[tuple[Ints, Ints, Ints | int]], *, upper: Ints, equal: bool = False) -> None:
        """Add a family of rows; entries are (row within the family, column, coefficient)."""
        for row, column, value in entries:
            self.row.append(row + self.count)
            self.column.append(column)
            self.value.append(np.broadcast_to(np.asarray(value, dtype=np.float64), row.shape))
        self.upper.append(upper.astype(np.float64))
        self.lower.append(upper.astype(np.float64) if equal else np.full(upper.shape, -_INFINITY))
        self.families.append((name, int(upper.size)))
        self.count += int(upper.size)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Variables:
    """The blocks of FORMULATION.md.

    ship (x), pack (p), use (y), extra (e), whole (z), start (s), source (t), shipment (j), dock (d), draw (w),
    over (o), free (f), release (r), missed (m), met (b), fined (v).
    """

    ship: Block
    pack: Block
    use: Block
    extra: Block
    whole: Block
    start: Block
    source: Block
    shipment: Block
    dock: Block
    draw: Block
    over: Block
    free: Block
    release: Block
    missed: Block
    met: Block
    fined: Block

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in the order of their columns."""
        yield from (getattr(self, item.name) for item in fields(self))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Model:
    """Maximise `offset + gain x`, `lower <= matrix x <= upper`, `0 <= x <= bound`, x whole where `is_integer`."""

    variables: Variables
    matrix: sparse.csr_matrix
    lower: Floats
    upper: Floats
    bound: Floats
    gain: Floats
    is_integer: npt.NDArray[np.bool_]
    offset: int
    families: tuple[tuple[str, int], ...]

    @property
    def size(self) -> dict[str, int]:
        """Counts of variables, rows and coefficients."""
        rows, columns = self.matrix.shape
        return {"variables": int(columns), "rows": int(rows), "coefficients": int(self.matrix.nnz)}


def build_model(data: AllocationData, stock: Stock, arcs: Arcs) -> Model:
    """Build the program of data, stock and arcs; nothing is solved."""
    return model_of(Problem(data, stock, arcs))


def model_of(problem: Problem) -> Model:
    """Build the program of a problem; nothing is solved."""
    data, stock, arcs = problem.data, problem.stock, problem.arcs
    variables = _variables(problem)
    rows = Rows()
    add_line_constraints(rows, arcs, variables)
    add_complete_constraints(rows, arcs, variables)
    add_min_fill_constraints(rows, problem, variables)
    add_start_constraints(rows, arcs, variables)
    add_pack_constraints(rows, variables)
    add_source_use_constraints(rows, arcs, variables)
    add_source_count_constraints(rows, variables)
    add_shipment_use_constraints(rows, arcs, variables)
    add_shipment_count_constraints(rows, variables)
    add_stock_constraints(rows, stock, arcs, variables)
    add_reservation_constraints(rows, stock, arcs, variables)
    add_release_constraints(rows, variables)
    add_channel_limit_constraints(rows, stock, arcs, variables)
    add_lot_draw_constraints(rows, stock, arcs, variables)
    add_lot_stock_constraints(rows, stock, variables)
    add_node_capacity_constraints(rows, problem, variables)
    add_carrier_capacity_constraints(rows, problem, variables)
    add_credit_constraints(rows, problem, variables)
    add_dock_use_constraints(rows, arcs, variables)
    add_dock_capacity_constraints(rows, data, variables)
    add_split_use_constraints(rows, arcs, variables)
    add_split_count_constraints(rows, variables)
    add_lock_constraints(rows, problem, variables)
    add_win_constraints(rows, problem, variables)
    add_keep_constraints(rows, problem, variables)
    add_plan_change_constraints(rows, problem, variables)
    add_floor_constraints(rows, problem, variables)
    add_score_constraints(rows, problem, variables)
    add_fine_constraints(rows, problem, variables)
    total = variables.fined.start + variables.fined.index.height
    matrix = sparse.coo_matrix(
        (np.concatenate(rows.value), (np.concatenate(rows.row), np.concatenate(rows.column))),
        shape=(rows.count, total),
    ).tocsr()
    short = int((data.lines["short_cents"] * data.lines["quantity"]).sum())
    return Model(
        variables=variables,
        matrix=matrix,
        lower=np.concatenate(rows.lower),
        upper=np.concatenate(rows.upper),
        bound=np.concatenate([block.upper for block in variables.blocks()]).astype(np.float64),
        gain=np.concatenate([block.gain for block in variables.blocks()]).astype(np.float64),
        is_integer=np.concatenate([np.full(block.index.height, block.is_integer) for block in variables.blocks()]),
        offset=-short - int(problem.cliffs.frame["fixed_cents"].sum()),
        families=tuple(rows.families),
    )


def _ints(frame: pl.DataFrame, name: str) -> Ints:
    return frame[name].to_numpy().astype(np.int64)


def _variables(problem: Problem) -> Variables:
    data, stock, arcs = problem.data, problem.stock, problem.arcs
    weights = data.options.weights
    blocks: list[Block] = []

    def block(index: pl.DataFrame, upper: Ints | int, gain: Ints | int, *, integer: bool) -> Block:
        start = blocks[-1].start + blocks[-1].index.height if blocks else 0
        shape = (index.height,)
        made = Block(
            start,
            index,
            np.broadcast_to(np.asarray(upper, dtype=np.int64), shape),
            np.broadcast_to(np.asarray(gain, dtype=np.int64), shape),
            integer,
        )
        blocks.append(made)
        return made

    frame = arcs.frame.with_row_index("arc").join(
        data.lines.select("line", "is_single_source", "is_single_shipment", "pack_multiple", "min_units", "max_nodes"),
        on="line",
        how="left",
        maintain_order="left",
    )
    packed = frame.filter(pl.col("pack_multiple") > 1).select("arc", "pack_multiple", "limit")
    use, extra = _split_index(frame)
    start = frame.filter((pl.col("min_units") > 0) & ~pl.col("is_complete")).select("order", "min_units").unique()
    sourced = frame.filter(pl.col("is_single_source") & (pl.col("limit") > 1)).select("line", "node_id").unique()
    sourced = sourced.filter(pl.len().over("line") > 1).sort("line", "node_id")
    shipped = frame.filter("is_single_shipment").select("order", *_LOAD).unique().sort("order", *_LOAD)
    shipped = shipped.filter(pl.len().over("order") > 1)
    over = _claim_index(stock, arcs)
    free = _holder_steps(stock, stock.holders.filter(pl.col("is_decided")))
    release = stock.holders.filter(pl.col("is_decided")).select("holder_id", "quantity")
    cliffs = problem.cliffs
    fined = cliffs.lines.with_row_index("member").filter(pl.col("fine_cents") > 0)
    missed = problem.commitments.frame
    return Variables(
        ship=block(arcs.frame, arcs.column("limit"), arcs.column("gain_cents"), integer=True),
        pack=block(packed, _ints(packed, "limit") // _ints(packed, "pack_multiple"), 0, integer=True),
        use=block(use, 1, 0, integer=True),
        extra=block(extra, _ints(extra, "most") - 1, -weights.split_cents, integer=False),
        whole=block(_group_index(frame), 1, 0, integer=True),
        start=block(start.sort("order"), 1, 0, integer=True),
        source=block(sourced, 1, 0, integer=True),
        shipment=block(shipped, 1, 0, integer=True),
        dock=block(_dock_index(problem), 1, -weights.appointment_cents, integer=True),
        draw=block(*_draw_index(stock, arcs), 0, integer=False),
        over=block(over, stock.supply[_ints(over, "step_row")], 0, integer=False),
        free=block(free, _ints(free, "reserved"), 0, integer=False),
        release=block(release, _ints(release, "quantity"), -weights.release_cents, integer=True),
        missed=block(missed, _ints(missed, "target"), -_ints(missed, "price_cents"), integer=False),
        met=block(cliffs.frame, _can_meet(problem), _ints(cliffs.frame, "fixed_cents"), integer=True),
        fined=block(fined, _ints(fined, "quantity"), -_ints(fined, "fine_cents"), integer=False),
    )


_LOAD: Final = ("node_id", "day", "carrier", "service")


def _group_index(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.drop_nulls("group").select("order", "group").unique().sort("order", "group")


def _can_meet(problem: Problem) -> Ints:
    """Return 1 for each threshold that the lines' best scoring arcs could reach together."""
    cliffs, limit = problem.cliffs, problem.arcs.column("limit")
    most = np.zeros(cliffs.lines.height, dtype=np.int64)
    np.maximum.at(most, cliffs.member, limit[cliffs.arc] * cliffs.score)
    reach = np.zeros(cliffs.frame.height, dtype=np.int64)
    np.add.at(reach, _ints(cliffs.lines, "cliff"), most)
    return (reach >= _ints(cliffs.frame, "need")).astype(np.int64)


def _split_index(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the (order, node) pairs and the orders that could be split: two nodes or more and two units or more."""
    pairs = frame.select("order", "node_id").unique().sort("order", "node_id")
    units = (
        frame.select("order", "line", "limit", "max_nodes")
        .unique()
        .group_by("order")
        .agg(pl.col("limit").sum().alias("units"), pl.col("max_nodes").min())
    )
    orders = pairs.group_by("order").agg(pl.len().alias("nodes")).join(units, on="order", how="inner").sort("order")
    orders = orders.filter((pl.col("nodes") > 1) & (pl.col("units") > 1)).select(
        "order", pl.min_horizontal("nodes", "max_nodes").alias("most")
    )
    return pairs.join(orders, on="order", how="semi", maintain_order="left"), orders


def _dock_index(problem: Problem) -> pl.DataFrame:
    """Return the loads (order, node, day) that would need a dock appointment which is limited or costs money."""
    loads = problem.arcs.frame.filter("needs_appointment").select("order", "node_id", "day", "ship_date").unique()
    limits = dock_limits(problem.data)
    if not problem.data.options.weights.appointment_cents:
        loads = loads.join(limits, on=["node_id", "ship_date"], how="semi")
    return loads.sort("order", "node_id", "day")


def dock_limits(data: AllocationData) -> pl.DataFrame:
    """Return how many loads may leave a node on a date by appointment, where that is known."""
    usual = data.nodes.select("node_id", "daily_dock_appointments")
    own = data.extras["node_days"].select("node_id", "ship_date", "dock_appointments")
    return (
        lane_days(data)
        .select("node_id", "ship_date")
        .unique()
        .join(usual, on="node_id", how="left")
        .join(own, on=["node_id", "ship_date"], how="left")
        .select("node_id", "ship_date", pl.coalesce("dock_appointments", "daily_dock_appointments").alias("doors"))
        .drop_nulls("doors")
    )


def _draw_index(stock: Stock, arcs: Arcs) -> tuple[pl.DataFrame, Ints]:
    """Return which classes of arcs (same step and freshness) may draw on which lots, and the lots' units."""
    lots = stock.lots.with_row_index("lot").with_columns(pl.col("lot").cast(pl.Int64))
    steps = stock.steps.select(pl.int_range(pl.len()).alias("row"), pl.col("day").alias("step_day"))
    classes = arcs.frame.select("cell", "row", "fresh_until").unique().join(lots, on="cell", how="semi")
    met = (
        classes.join(steps, on="row", how="inner")
        .join(lots, on="cell", how="inner")
        .filter(pl.col("day") <= pl.col("step_day"), pl.col("expires_on") >= pl.col("fresh_until"))
        .sort("row", "fresh_until", "lot")
        .select("cell", "row", "fresh_until", "lot", "quantity")
    )
    return met, _ints(met, "quantity")


def _holder_steps(stock: Stock, holders: pl.DataFrame) -> pl.DataFrame:
    """Return one row per given holder and step of its cell: holder_id, cell, step_row, reserved."""
    if holders.is_empty():
        return pl.DataFrame(
            schema={"holder_id": pl.Int64, "cell": pl.Int64, "step_row": pl.Int64, "reserved": pl.Int64}
        )
    steps = (
        stock.steps.select("cell", "step").with_row_index("step_row").with_columns(pl.col("step_row").cast(pl.Int64))
    )
    grid = holders.select("holder_id", "cell").join(steps, on="cell", how="inner").sort("holder_id", "step_row")
    kept = np.concatenate([stock.reserved[holder_id] for holder_id in holders["holder_id"].sort().to_list()])
    return grid.with_columns(pl.Series("reserved", kept, dtype=pl.Int64)).drop("step")


def _claim_index(stock: Stock, arcs: Arcs) -> pl.DataFrame:
    claimed = arcs.frame.filter((pl.col("holder_id") >= 0) & ~pl.col("is_abundant")).select("holder_id").unique()
    return _holder_steps(stock, stock.holders.join(claimed, on="holder_id", how="semi"))


def add_line_constraints(rows: Rows, arcs: Arcs, variables: Variables) -> None:
    """Ship at most what is open and allowed: sum_a x_a <= q_l for lines of no group."""
    mask = arcs.frame["group"].is_null()
    part, lines = _within(arcs, mask, "line")
    rows.add("line", [(part, variables.ship.columns[mask.to_numpy()], 1)], upper=lines)


def _within(arcs: Arcs, mask: pl.Series, key: str) -> tuple[Ints, Ints]:
    """Return each masked arc's row number by `key` and each row's line limit."""
    kept = arcs.frame.filter(mask)
    unique, first, inverse = np.unique(kept[key].to_numpy(), return_index=True, return_inverse=True)
    most = _ints(kept, "limit")[first] if unique.size else np.empty(0, dtype=np.int64)
    return inverse.astype(np.int64), most


def add_complete_constraints(rows: Rows, arcs: Arcs, variables: Variables) -> None:
    """Ship the lines of a group (order, kit or line) whole or not at all: sum_a x_a - q_l z_g = 0."""
    mask = arcs.frame["group"].is_not_null()
    part, quantity = _within(arcs, mask, "line")
    index = variables.whole.index.with_row_index("whole")
    owners = arcs.frame.filter(mask).select("line", "order", "group").unique("line").sort("line")
    whole = _ints(owners.join(index, on=["order", "group"], how="left", maintain_order="left"), "whole")
    rows.add(
        "complete",
        [
            (part, variables.ship.columns[mask.to_numpy()], 1),
            (np.arange(quantity.size), whole + variables.whole.start, -quantity),
        ],
        upper=np.zeros(quantity.size, dtype=np.int64),
        equal=True,
    )


def _keyed(arcs: Arcs, index: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Return the arcs that meet an index by its key, with `place` in the index and `column` among the arcs."""
    placed = index.select(*by).with_row_index("place").with_columns(pl.col("place").cast(pl.Int64))
    numbered = arcs.frame.with_row_index("column").with_columns(pl.col("column").cast(pl.Int64))
    return numbered.join(placed, on=by, how="inner", maintain_order="left")


def add_min_fill_constraints(rows: Rows, problem: Problem, variables: Variables) -> None:
    """Ship an order's minimum if it ships at all: least_o s_o - sum_a x_a <= 0."""
    index = variables.start.index
    met = _keyed(problem.arcs, index, ["order"])
    rows.add(
        "min_fill",
        [
            (_ints(met, "place"), variables.ship.columns[_ints(met, "column")], -1),
            (np.arange(index.height), variables.start.columns, _ints(index, "min_units")),
        ],
        upper=np.zeros(index.height, dtype=np.int64),
    )


def add_start_constraints(rows: Rows, arcs: Arcs, variables: Variables) -> None:
    """Ship nothing of an order with a minimum unless it starts: sum_{a of l} x_a - q_l s_o <= 0."""
    _add_use(rows, "start", arcs, variables.ship.columns, variables.start, ["order"], ["line"])


def add_pack_constraints(rows: Rows, variables: Variables) -> None:
    """Ship whole packs: x_a - multiple p_a = 0."""
    index = variables.pack.index
    number = np.arange(index.height)
    rows.add(
        "pack",
        [
            (number, variables.ship.columns[_ints(index, "arc")], 1),
            (number, variables.pack.columns, -_ints(index, "pack_multiple")),
        ],
        upper=np.zeros(index.height, dtype=np.int64),
        equal=True,
    )


def add_source_use_constraints(rows: Rows, arcs: Arcs, variables: Variables) -> None:
    """Ship a single-source line from a node only if that is its source: sum_{a of l, n} x_a - q_l t_ln <= 0."""
    _add_use(rows, "source_use", arcs, variables.ship.columns, variables.source, ["line", "node_id"], [])


def add_source_count_constraints(rows: Rows, variables: Variables) -> None:
    """Choose one source: sum_n t_ln <= 1."""
    _add_count(rows, "source_count", variables.source, "line")


def add_shipment_use_constraints(rows: Rows, arcs: Arcs, variables: Variables) -> None:
    """Ship a single-shipment order only by the chosen load: sum_{a of l, load} x_a - q_l j_o,load <= 0."""
    _add_use(rows, "shipment_use", arcs, variables.ship.columns, variables.shipment, ["order", *_LOAD], ["line"])


def add_shipment_count_constraints(rows: Rows, variables: Variables) -> None:
    """Choose one load: sum_load j_o,load <= 1."""
    _add_count(rows, "shipment_count", variables.shipment, "order")


def _add_use(rows: Rows, name: str, arcs: Arcs, ship: Ints, switch: Block, by: list[str], beside: list[str]) -> None:
    """Add `sum of a line's units under a switch <= its limit · switch`, one row per switch and `beside`."""
    met = _keyed(arcs, switch.index, by)
    key = ["place", *beside]
    pairs = met.select(*key, "limit").unique(key).sort(key).with_row_index("number")
    joined = met.join(pairs.select(*key, "number"), on=key, how="inner", maintain_order="left")
    rows.add(
        name,
        [
            (_ints(joined, "number"), ship[_ints(joined, "column")], 1),
            (np.arange(pairs.height), switch.columns[_ints(pairs, "place")], -_ints(pairs, "limit")),
        ],
        upper=np.zeros(pairs.height, dtype=np.int64),
    )


def _add_count(rows: Rows, name: str, switch: Block, key: str) -> None:
    """Add `sum of the switches of one key <= 1`."""
    owners, number = np.unique(_ints(switch.index, key), return_inverse=True)
    rows.add(name, [(number.astype(np.int64), switch.columns, 1)], upper=np.ones(owners.size, dtype=np.int64))


def _from_step_on(stock: Stock, cell: Ints, row: Ints) -> tuple[Ints, Ints]:
    """Repeat each arc for its own step and every later one of its cell: (arc number, row of `stock.steps`)."""
    counts = stock.starts[cell + 1] - row
    repeated = np.repeat(np.arange(row.size, dtype=np.int64), counts)
    offsets = np.arange(repeated.size, dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    return repeated, row[repeated] + offsets


def add_stock_constraints(rows: Rows, stock: Stock, arcs: Arcs, variables: Variables) -> None:
    """Draw on the pool of each cell and step at most what is in it.

    sum_{a without holder, step(a) <= k} x_a + sum_h o_hk - sum_h f_hk <= S_k - sum_h R_hk
    """
    scarce = ~arcs.frame["is_abundant"].to_numpy()
    unheld = scarce & (arcs.column("holder_id") < 0)
    arc, step = _from_step_on(stock, arcs.column("cell")[unheld], arcs.column("row")[unheld])
    over = variables.over.index["step_row"].to_numpy().astype(np.int64)
    free = variables.free.index["step_row"].to_numpy().astype(np.int64)
    used = np.unique(np.concatenate([step, over]))
    freed = np.isin(free, used)
    rows.add(
        "stock",
        [
            (np.searchsorted(used, step), variables.ship.columns[unheld][arc], 1),
            (np.searchsorted(used, over), variables.over.columns, 1),
            (np.searchsorted(used, free[freed]), variables.free.columns[freed], -1),
        ],
        upper=stock.pool[used],
    )


def add_reservation_constraints(rows: Rows, stock: Stock, arcs: Arcs, variables: Variables) -> None:
    """Let a holder's lines use what is kept for them first; the rest comes from the pool.

    sum_{a of h, step(a) <= k} x_a - o_hk + f_hk <= R_hk
    """
    index = variables.over.index
    holder = arcs.column("holder_id")
    held = ~arcs.frame["is_abundant"].to_numpy() & (holder >= 0)
    arc, step = _from_step_on(stock, arcs.column("cell")[held], arcs.column("row")[held])
    width = stock.steps.height + 1
    keys = index["holder_id"].to_numpy() * width + index["step_row"].to_numpy()
    entries: list[tuple[Ints, Ints, Ints | int]] = [
        (np.searchsorted(keys, holder[held][arc] * width + step), variables.ship.columns[held][arc], 1),
        (np.arange(index.height), variables.over.columns, -1),
    ]
    free = variables.free.index
    free_keys = free["holder_id"].to_numpy() * width + free["step_row"].to_numpy()
    claimed = np.isin(free_keys, keys)
    entries.append((np.searchsorted(keys, free_keys[claimed]), variables.free.columns[claimed], 1))
    rows.add("reservation", entries, upper=index["reserved"].to_numpy().astype(np.int64))


def add_release_constraints(rows: Rows, variables: Variables) -> None:
    """Free at any step at most what is released: f_hk - r_h <= 0."""
    free, release = variables.free.index, variables.release.index
    owner = np.searchsorted(release["holder_id"].to_numpy(), free["holder_id"].to_numpy()).astype(np.int64)
    number = np.arange(free.height)
    rows.add(
        "release",
        [(number, variables.free.columns, 1), (number, owner + variables.release.start, -1)],
        upper=np.zeros(free.height, dtype=np.int64),
    )


def add_channel_limit_constraints(rows: Rows, stock: Stock, arcs: Arcs, variables: Variables) -> None:
    """Let a channel draw at most its cap and leave its buffer: sum_{a of c, step(a) <= k} x_a <= B_ck."""
    frame = arcs.frame.with_row_index("column").select("column", "cell", "channel", "customer_id", "row")
    limits = stock.limits.rename({"customer_id": "only"})
    met = frame.join(limits, on=["cell", "channel"], how="inner").filter(
        (pl.col("customer_id") == pl.col("only")).fill_null(value=False) | pl.col("only").is_null()
    )
    arc, step = _from_step_on(stock, _ints(met, "cell"), _ints(met, "row"))
    width = stock.steps.height + 1
    keys = _ints(met, "limit_id")[arc] * width + step
    unique, number = np.unique(keys, return_inverse=True)
    cells = _ints(stock.limits, "cell")
    most = [stock.limit_units[key // width][key % width - stock.starts[cells[key // width]]] for key in unique.tolist()]
    rows.add(
        "channel_limit",
        [(number.astype(np.int64), variables.ship.columns[_ints(met, "column")[arc]], 1)],
        upper=np.asarray(most, dtype=np.int64),
    )


def add_lot_draw_constraints(rows: Rows, stock: Stock, arcs: Arcs, variables: Variables) -> None:
    """Ship units that keep long enough: sum_{a of one step and freshness} x_a - sum_lot w <= 0."""
    key = ["cell", "row", "fresh_until"]
    dated = arcs.frame.with_row_index("column").join(stock.lots, on="cell", how="semi", maintain_order="left")
    classes = dated.select(key).unique().sort(key).with_row_index("number")
    met = dated.join(classes, on=key, how="inner", maintain_order="left")
    draws = variables.draw.index.join(classes, on=key, how="inner", maintain_order="left")
    rows.add(
        "lot_draw",
        [
            (_ints(met, "number"), variables.ship.columns[_ints(met, "column")], 1),
            (_ints(draws, "number"), variables.draw.columns, -1),
        ],
        upper=np.zeros(classes.height, dtype=np.int64),
    )


def add_lot_stock_constraints(rows: Rows, stock: Stock, variables: Variables) -> None:
    """Draw on a lot at most what is in it: sum w <= Q_lot."""
    lots, number = np.unique(_ints(variables.draw.index, "lot"), return_inverse=True)
    rows.add(
        "lot_stock",
        [(number.astype(np.int64), variables.draw.columns, 1)],
        upper=_ints(stock.lots, "quantity")[lots],
    )


def _add_resources(rows: Rows, family: str, problem: Problem, variables: Variables) -> None:
    resources = problem.resources
    kept = resources.frame.filter(pl.col("family") == family)
    numbers = _ints(kept, "resource")
    mask = np.isin(resources.resource, numbers)
    rows.add(
        family,
        [
            (
                np.searchsorted(numbers, resources.resource[mask]).astype(np.int64),
                variables.ship.columns[resources.arc[mask]],
                resources.use[mask],
            )
        ],
        upper=_ints(kept, "limit"),
    )


def add_node_capacity_constraints(rows: Rows, problem: Problem, variables: Variables) -> None:
    """Ship from a node on a day at most what it can pick: sum_a use_a x_a <= C_nt."""
    _add_resources(rows, "node_capacity", problem, variables)


def add_carrier_capacity_constraints(rows: Rows, problem: Problem, variables: Variables) -> None:
    """Hand a carrier on a day at most what it picks up: sum_a x_a <= K_g."""
    _add_resources(rows, "carrier_capacity", problem, variables)


def add_credit_constraints(rows: Rows, problem: Problem, variables: Variables) -> None:
    """Ship a customer goods for at most its free credit: sum_a price_l x_a <= L_u."""
    _add_resources(rows, "credit", problem, variables)


def add_dock_use_constraints(rows: Rows, arcs: Arcs, variables: Variables) -> None:
    """Ship by appointment only with one: sum_{a of l, n, t by appointment} x_a - q_l d_ont <= 0."""
    docked = Arcs(arcs.frame.with_row_index("own").filter("needs_appointment"))
    ship = variables.ship.columns[_ints(docked.frame, "own")]
    _add_use(rows, "dock_use", docked, ship, variables.dock, ["order", "node_id", "day"], ["line"])


def add_dock_capacity_constraints(rows: Rows, data: AllocationData, variables: Variables) -> None:
    """Load at a node on a day at most its appointments: sum_o d_ont <= A_nt."""
    limits = dock_limits(data).sort("node_id", "ship_date").with_row_index("number")
    met = variables.dock.index.with_row_index("column").join(limits, on=["node_id", "ship_date"], how="inner")
    numbers, number = np.unique(_ints(met, "number"), return_inverse=True)
    rows.add(
        "dock_capacity",
        [(number.astype(np.int64), variables.dock.columns[_ints(met, "column")], 1)],
        upper=_ints(limits, "doors")[numbers],
    )


def add_split_use_constraints(rows: Rows, arcs: Arcs, variables: Variables) -> None:
    """Ship from a node only what its use is paid for: sum_{a of l, n} x_a - q_l y_on <= 0."""
    _add_use(rows, "split_use", arcs, variables.ship.columns, variables.use, ["order", "node_id"], ["line"])


def add_split_count_constraints(rows: Rows, variables: Variables) -> None:
    """Pay for every node of an order after the first: sum_n y_on - e_o <= 1."""
    orders = _ints(variables.extra.index, "order")
    owner = np.searchsorted(orders, _ints(variables.use.index, "order")).astype(np.int64)
    rows.add(
        "split_count",
        [(owner, variables.use.columns, 1), (np.arange(orders.size), variables.extra.columns, -1)],
        upper=np.ones(orders.size, dtype=np.int64),
    )


def _add_commitments(rows: Rows, kind: str, problem: Problem, variables: Variables) -> None:
    """Add `sum of members + missed >= target` for each commitment of a kind."""
    commitments = problem.commitments
    kept = commitments.frame.filter(pl.col("kind") == kind)
    numbers = _ints(kept, "commitment")
    mask = np.isin(commitments.commitment, numbers)
    place = np.searchsorted(numbers, commitments.commitment[mask]).astype(np.int64)
    rows.add(
        kind,
        [
            (place, variables.ship.columns[commitments.arc[mask]], -1),
            (np.arange(numbers.size), variables.missed.columns[numbers], -1),
        ],
        upper=-_ints(kept, "target"),
    )


def add_lock_constraints(rows: Rows, problem: Problem, variables: Variables) -> None:
    """Ship what a planner locked, or pay: sum_a x_a + m_i >= target."""
    _add_commitments(rows, "lock", problem, variables)


def add_win_constraints(rows: Rows, problem: Problem, variables: Variables) -> None:
    """Ship class win in full and on time, or pay: sum_{a on time} x_a + m_i >= q_l."""
    _add_commitments(rows, "win", problem, variables)


def add_keep_constraints(rows: Rows, problem: Problem, variables: Variables) -> None:
    """Keep what was confirmed, or pay: sum_{a by then} x_a + m_i >= confirmed."""
    _add_commitments(rows, "keep", problem, variables)


def add_plan_change_constraints(rows: Rows, problem: Problem, variables: Variables) -> None:
    """Keep the last plan's units at their node and day, or pay: sum_a x_a + m_i >= planned."""
    _add_commitments(rows, "plan_change", problem, variables)


def add_floor_constraints(rows: Rows, problem: Problem, variables: Variables) -> None:
    """Serve a channel's protected minimum and fair share, or pay: sum_a x_a + m_i >= floor."""
    _add_commitments(rows, "floor", problem, variables)


def add_score_constraints(rows: Rows, problem: Problem, variables: Variables) -> None:
    """Meet a threshold only with the score it needs: reach_c b_c - sum_a score_a x_a <= reach_c - need_c."""
    cliffs = problem.cliffs
    reach = _ints(cliffs.frame, "reach")
    rows.add(
        "score",
        [
            (cliffs.cliff, variables.ship.columns[cliffs.arc], -cliffs.score),
            (np.arange(cliffs.frame.height), variables.met.columns, reach),
        ],
        upper=reach - _ints(cliffs.frame, "need"),
    )


def add_fine_constraints(rows: Rows, problem: Problem, variables: Variables) -> None:
    """Fine what does not comply unless the threshold is met: base_cl + sum_a fined_a x_a - v_cl - q_l b_c <= 0."""
    cliffs, index = problem.cliffs, variables.fined.index
    members = _ints(index, "member")
    counts = np.isin(cliffs.member, members) & (cliffs.fined != 0)
    number = np.arange(index.height)
    rows.add(
        "fine",
        [
            (
                np.searchsorted(members, cliffs.member[counts]),
                variables.ship.columns[cliffs.arc[counts]],
                cliffs.fined[counts],
            ),
            (number, variables.fined.columns, -1),
            (number, variables.met.columns[_ints(index, "cliff")], -_ints(index, "quantity")),
        ],
        upper=-_ints(index, "base"),
    )
