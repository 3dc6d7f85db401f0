"""The mixed-integer program of FORMULATION.md as arrays: variables in blocks, constraints as sparse rows.

Every constraint of the document is one function `add_<id>_constraints`. No solver is named here; solve.py hands the
arrays over in bulk, which is two orders of magnitude faster than a modelling language at this size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse  # type: ignore[import-untyped]

from optimizer.allocation.arcs import Arcs
from optimizer.allocation.data import AllocationData
from optimizer.allocation.stock import Ints, Stock

Floats = npt.NDArray[np.float64]
_INFINITY = float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A family of variables: where it starts among all, its frame of indices, bounds, objective and integrality.

    Blocks that are whole by themselves once the others are (e, o, f) are left continuous.
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
    """The blocks of FORMULATION.md: ship (x), use (y), extra (e), whole (z), over (o), free (f), release (r)."""

    ship: Block
    use: Block
    extra: Block
    whole: Block
    over: Block
    free: Block
    release: Block

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in the order of their columns."""
        yield from (self.ship, self.use, self.extra, self.whole, self.over, self.free, self.release)


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
    """Build the program; nothing is solved."""
    variables = _variables(data, stock, arcs)
    rows = Rows()
    add_line_constraints(rows, arcs, variables)
    add_complete_constraints(rows, arcs, variables)
    add_stock_constraints(rows, stock, arcs, variables)
    add_reservation_constraints(rows, stock, arcs, variables)
    add_release_constraints(rows, variables)
    add_node_capacity_constraints(rows, data, arcs, variables)
    add_carrier_capacity_constraints(rows, arcs, variables)
    add_split_use_constraints(rows, arcs, variables)
    add_split_count_constraints(rows, variables)
    total = variables.release.start + variables.release.index.height
    matrix = sparse.coo_matrix(
        (np.concatenate(rows.value), (np.concatenate(rows.row), np.concatenate(rows.column))),
        shape=(rows.count, total),
    ).tocsr()
    return Model(
        variables=variables,
        matrix=matrix,
        lower=np.concatenate(rows.lower),
        upper=np.concatenate(rows.upper),
        bound=np.concatenate([block.upper for block in variables.blocks()]).astype(np.float64),
        gain=np.concatenate([block.gain for block in variables.blocks()]).astype(np.float64),
        is_integer=np.concatenate([np.full(block.index.height, block.is_integer) for block in variables.blocks()]),
        offset=-int((data.lines["short_cents"] * data.lines["quantity"]).sum()),
        families=tuple(rows.families),
    )


def _variables(data: AllocationData, stock: Stock, arcs: Arcs) -> Variables:
    weights = data.options.weights
    blocks: list[Block] = []

    def block(index: pl.DataFrame, upper: Ints, gain: Ints | int, *, integer: bool) -> Block:
        start = blocks[-1].start + blocks[-1].index.height if blocks else 0
        made = Block(start, index, upper, np.broadcast_to(np.asarray(gain, dtype=np.int64), upper.shape), integer)
        blocks.append(made)
        return made

    use, extra = _split_index(arcs)
    whole = arcs.frame.filter(pl.col("is_complete")).select("order").unique(maintain_order=True)
    over = _claim_index(stock, arcs)
    free = _holder_steps(stock, stock.holders.filter(pl.col("is_decided")))
    release = stock.holders.filter(pl.col("is_decided")).select("holder_id", "quantity")
    claimed = over["step_row"].to_numpy().astype(np.int64)
    return Variables(
        ship=block(arcs.frame, arcs.column("quantity"), arcs.column("gain_cents"), integer=True),
        use=block(use, np.ones(use.height, dtype=np.int64), 0, integer=True),
        extra=block(extra, extra["nodes"].to_numpy().astype(np.int64) - 1, -weights.split_cents, integer=False),
        whole=block(whole, np.ones(whole.height, dtype=np.int64), 0, integer=True),
        over=block(over, stock.supply[claimed], 0, integer=False),
        free=block(free, free["reserved"].to_numpy().astype(np.int64), 0, integer=False),
        release=block(release, release["quantity"].to_numpy().astype(np.int64), -weights.release_cents, integer=True),
    )


def _split_index(arcs: Arcs) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the (order, node) pairs and the orders that could be split: two nodes or more and two units or more."""
    pairs = arcs.frame.select("order", "node_id").unique().sort("order", "node_id")
    units = (
        arcs.frame.select("order", "line", "quantity")
        .unique()
        .group_by("order")
        .agg(pl.col("quantity").sum().alias("units"))
    )
    orders = pairs.group_by("order").agg(pl.len().alias("nodes")).join(units, on="order", how="inner").sort("order")
    orders = orders.filter((pl.col("nodes") > 1) & (pl.col("units") > 1)).select("order", "nodes")
    return pairs.join(orders, on="order", how="semi", maintain_order="left"), orders


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
    """Ship at most what is open: sum_a x_a <= q_l for lines of orders that may ship in part."""
    part, lines = _within(arcs, ~arcs.frame["is_complete"], "line")
    rows.add("line", [(part, variables.ship.columns[~arcs.frame["is_complete"].to_numpy()], 1)], upper=lines)


def _within(arcs: Arcs, mask: pl.Series, key: str) -> tuple[Ints, Ints]:
    """Return each masked arc's row number by `key` and each row's line quantity."""
    keys = arcs.frame.filter(mask)[key].to_numpy()
    unique, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    quantity = (
        arcs.frame.filter(mask)["quantity"].to_numpy().astype(np.int64)[first]
        if unique.size
        else np.empty(0, dtype=np.int64)
    )
    return inverse.astype(np.int64), quantity


def add_complete_constraints(rows: Rows, arcs: Arcs, variables: Variables) -> None:
    """Ship a ship-complete order whole or not at all: sum_a x_a - q_l z_o = 0 for each of its lines."""
    mask = arcs.frame["is_complete"]
    part, quantity = _within(arcs, mask, "line")
    owners = arcs.frame.filter(mask).select("line", "order").unique("line").sort("line")["order"].to_numpy()
    whole = np.searchsorted(variables.whole.index["order"].to_numpy(), owners).astype(np.int64) + variables.whole.start
    rows.add(
        "complete",
        [(part, variables.ship.columns[mask.to_numpy()], 1), (np.arange(quantity.size), whole, -quantity)],
        upper=np.zeros(quantity.size, dtype=np.int64),
        equal=True,
    )


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


def add_node_capacity_constraints(rows: Rows, data: AllocationData, arcs: Arcs, variables: Variables) -> None:
    """Ship from a node on a day at most what it can pick: sum_a x_a <= C_n."""
    capacity = data.nodes.select("node_id", pl.col("daily_capacity_units").alias("limit")).drop_nulls()
    keyed = arcs.frame.with_row_index("column").join(capacity, on="node_id", how="inner", maintain_order="left")
    _add_limit(rows, "node_capacity", keyed, ["node_id", "day"], variables)


def add_carrier_capacity_constraints(rows: Rows, arcs: Arcs, variables: Variables) -> None:
    """Hand a carrier on a day at most what it picks up: sum_a x_a <= K_g."""
    keyed = (
        arcs.frame.with_row_index("column").filter(pl.col("cap") >= 0).with_columns(pl.col("cap_units").alias("limit"))
    )
    _add_limit(rows, "carrier_capacity", keyed, ["cap", "ship_date"], variables)


def _add_limit(rows: Rows, name: str, keyed: pl.DataFrame, by: list[str], variables: Variables) -> None:
    # Rows that cannot bind are left out: all lines that could ship there on that day fit.
    load = keyed.unique(["line", *by]).group_by(by).agg(pl.col("quantity").sum().alias("load"), pl.col("limit").first())
    binding = load.filter(pl.col("load") > pl.col("limit")).sort(by).with_row_index("number")
    met = keyed.join(binding.select(*by, "number"), on=by, how="inner", maintain_order="left")
    columns = variables.ship.columns[met["column"].to_numpy()]
    rows.add(
        name,
        [(met["number"].to_numpy().astype(np.int64), columns, 1)],
        upper=binding["limit"].to_numpy().astype(np.int64),
    )


def add_split_use_constraints(rows: Rows, arcs: Arcs, variables: Variables) -> None:
    """Ship from a node only what its use is paid for: sum_{a of l, n} x_a - q_l y_on <= 0."""
    use = variables.use.index.with_row_index("use")
    keyed = arcs.frame.with_row_index("column").join(use, on=["order", "node_id"], how="inner", maintain_order="left")
    pairs = (
        keyed.select("line", "node_id", "use", "quantity")
        .unique(["line", "node_id"])
        .sort("line", "node_id")
        .with_row_index("number")
    )
    met = keyed.join(
        pairs.select("line", "node_id", "number"), on=["line", "node_id"], how="inner", maintain_order="left"
    )
    quantity = pairs["quantity"].to_numpy().astype(np.int64)
    rows.add(
        "split_use",
        [
            (met["number"].to_numpy().astype(np.int64), variables.ship.columns[met["column"].to_numpy()], 1),
            (np.arange(pairs.height), variables.use.columns[pairs["use"].to_numpy()], -quantity),
        ],
        upper=np.zeros(pairs.height, dtype=np.int64),
    )


def add_split_count_constraints(rows: Rows, variables: Variables) -> None:
    """Pay for every node of an order after the first: sum_n y_on - e_o <= 1."""
    orders = variables.extra.index["order"].to_numpy()
    owner = np.searchsorted(orders, variables.use.index["order"].to_numpy()).astype(np.int64)
    rows.add(
        "split_count",
        [(owner, variables.use.columns, 1), (np.arange(orders.size), variables.extra.columns, -1)],
        upper=np.ones(orders.size, dtype=np.int64),
    )
