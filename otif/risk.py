"""The at-risk step of a build: read what dbt made, predict the open lines, write the tables that are published.

Three tables in schema `marts`: `fct_line_risks` (one row per open line and lens), `risk_scores` and `risk_reliability`
(how the predictions did on held-out weeks, as sums). Where the history is too thin the rows say so instead of a number.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from optimizer.risk import History, Learner
    from storage.duck import Connection

FEWEST_OUTCOMES: Final = 30
"""Decided lines of a lens below which its lines get no probability."""

_TABLES: Final = {
    "fct_line_risks": """
        order_id varchar, line_id varchar, profile_id varchar, sku varchar, channel varchar, channel_type varchar,
        customer_id varchar, node_id varchar, carrier varchar, lane_zone varchar, stage varchar, currency varchar,
        unavailable_reason varchar, reason varchar, action varchar, action_note varchar, loss_basis varchar,
        lines_behind bigint, quantity decimal(18, 3), age_hours double, typical_hours double, slow_hours double,
        probability double, probability_after double, loss_amount decimal(18, 2), expected_loss_amount decimal(18, 2),
        action_cost_amount decimal(18, 2), action_value_amount decimal(18, 2), other_node varchar,
        other_carrier varchar, other_service varchar, other_note varchar, other_probability double,
        other_cost_amount decimal(18, 2), other_value_amount decimal(18, 2), is_headline boolean,
        entered_at timestamp, window_start_at timestamp, window_end_at timestamp
    """,
    "risk_scores": """
        profile_id varchar, horizon varchar, unavailable_reason varchar, weeks bigint, rows bigint, misses bigint,
        squared_error double, squared_error_base double, squared_error_channel double, calibration_gap double
    """,
    "risk_reliability": "profile_id varchar, bin bigint, rows bigint, said double, misses bigint",
}
"""Columns of the tables: the contract of this step."""

_MILESTONES: Final = """
    select
        order_id, line_id, piece_id, milestone, node_id, carrier, service, detail,
        cast(quantity as double) as quantity, reached_at, known_at
    from marts.fct_line_milestones order by all
"""

_DEADLINES: Final = """
    select * replace (cast(base_quantity as double) as base_quantity) from marts.fct_line_deadlines
    order by order_id, line_id, profile_id
"""

# Usable stock of a SKU: what was last counted at each node, and what has come and gone since.
_STOCK: Final = """
    with moves as (
        select lines.sku, stones.node_id, stones.known_at as moved_at, -stones.quantity as change
        from marts.fct_line_milestones as stones
        inner join marts.fct_order_lines as lines
            on stones.order_id = lines.order_id and stones.line_id = lines.line_id
        where stones.milestone = 'accepted' and stones.quantity is not null and lines.sku is not null
        union all
        select sku, node_id, received_at as moved_at, quantity as change from marts.fct_goods_received
    ),
    told as (
        select sku, node_id, snapshot_at as moved_at, on_hand - quarantine as counted, null as change
        from marts.fct_inventory_snapshots
        union all
        select sku, node_id, moved_at, null as counted, change from moves
    ),
    since as (
        select
            *,
            count(counted) over (
                partition by sku, node_id order by moved_at, counted nulls last rows unbounded preceding
            ) as counting
        from told
    ),
    levels as (
        select
            sku, node_id, moved_at, counted,
            coalesce(max(counted) over (partition by sku, node_id, counting), 0) + coalesce(sum(change) over (
                partition by sku, node_id, counting order by moved_at rows unbounded preceding
            ), 0) as level
        from since
        where counting > 0
    ),
    changes as (
        select
            sku, moved_at,
            level - coalesce(lag(level) over (partition by sku, node_id order by moved_at, counted nulls last), 0)
                as change
        from levels
    )
    select
        sku, moved_at as known_at, cast(sum(sum(change)) over (partition by sku order by moved_at) as double) as level
    from changes
    group by sku, moved_at
    order by sku, moved_at
"""


def write_risks(connection: Connection, as_of: datetime) -> None:
    """Predict the open lines of a build and write the tables.

    Args:
        connection: The workspace's database, after dbt.
        as_of: Instant the build looks from (aware or UTC).
    """
    history = read_history(connection)
    moment = as_of.replace(tzinfo=None)
    frames = predict(history, moment, read_worth(connection), read_rates(connection), read_atp(connection))
    for name, frame in frames.items():
        _write(connection, name, frame)


def read_history(connection: Connection) -> History:
    """Read milestones, deadlines and stock of a build or a publication."""
    from optimizer.risk import History

    zone = connection.execute("select company_zone from marts.build_info").fetchall()[0][0]
    return History.from_frames(
        _read(connection, _MILESTONES), _read(connection, _DEADLINES), _read(connection, _STOCK), zone=zone
    )


def read_worth(connection: Connection) -> pl.DataFrame:
    """Return what a miss costs per line and lens: `loss_cents` (null = not known) and `loss_basis` in words.

    Consumer lines cost what the allocation's weights say of a unit that is late by a day; retailers fine by the rule
    book. A retailer whose rate is not public costs an unknown amount, not nothing.
    """
    import polars as pl

    from optimizer.allocation.money import late_cents, with_money
    from optimizer.allocation.options import BASIS, Weights

    weights = Weights()
    lines = _read(
        connection,
        """
        select order_id, line_id, profile_id, channel_type, currency, coalesce(base_quantity, 1) as units,
            unit_price, unit_cost, fine_rate, is_headline
        from marts.fct_line_deadlines
        """,
    )
    priced = lines.with_columns(
        (pl.col("unit_price").cast(pl.Float64) * 100).round(0).cast(pl.Int64).alias("price_cents"),
        (pl.col("unit_cost").cast(pl.Float64) * 100).round(0).cast(pl.Int64).alias("cost_cents"),
        (pl.col("fine_rate") * BASIS).round(0).cast(pl.Int64).alias("fine_bp"),
        (pl.col("channel_type") != "wholesale").alias("is_consumer"),
        pl.lit(value=False).alias("is_on_hold"),
        pl.lit(1, pl.Int64).alias("days_late"),
    )
    each = with_money(priced, weights).with_columns(late_cents(weights).alias("_late"))
    known = pl.col("is_consumer") | (pl.col("fine_bp") > 0)
    return each.select(
        "order_id",
        "line_id",
        "profile_id",
        "currency",
        "is_headline",
        pl.when(known)
        .then((pl.col("_late") * pl.col("units").cast(pl.Float64)).round(0).cast(pl.Int64))
        .alias("loss_cents"),
        pl.when("is_consumer")
        .then(pl.lit("a day late: chance of a cancellation, and contact (weights of the allocation)"))
        .when(known)
        .then(pl.format("the retailer's fine, {} % of the price", (pl.col("fine_rate") * 100).round(1)))
        .otherwise(pl.lit("the retailer's rate is not public: not counted"))
        .alias("loss_basis"),
    )


def read_rates(connection: Connection) -> pl.DataFrame:
    """Return the company's freight per unit by node, zone, carrier and service (`optimizer.risk.services.RATES`)."""
    return _read(
        connection,
        """
        select node_id, lane_zone, carrier, service, cast(cost_per_unit as double) * 100 as rate_cents,
            currency as rate_currency
        from marts.dim_lanes cross join marts.build_info
        """,
    )


def read_atp(connection: Connection) -> pl.DataFrame:
    """Return what each node can still promise this week to any channel (`optimizer.risk.services.ATP`)."""
    return _read(
        connection,
        """
        select sku, node_id, cast(unreserved_quantity as double) as promise
        from marts.fct_atp where week_number = 0 and node_id <> '(none)' and unreserved_quantity > 0
        """,
    )


def predict(
    history: History, as_of: datetime, worth: pl.DataFrame, rates: pl.DataFrame, atp: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Return the tables of the step: name → frame with the columns of its contract.

    Args:
        history: What happened.
        as_of: Instant of the build (UTC, naive).
        worth: From `read_worth`.
        rates: From `read_rates`; empty where the company tells no freight.
        atp: From `read_atp`; empty where the company tells no stock.
    """
    from optimizer.risk import Learner

    learner = Learner(history)
    thin = learner.too_thin(as_of)
    lines, others = _unpredicted(learner, as_of, thin) if thin else _predicted(learner, as_of, rates, atp)
    return {"fct_line_risks": _risks(learner, lines, others, as_of, worth), **_judged(learner, as_of, thin)}


def _unpredicted(learner: Learner, as_of: datetime, thin: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    from optimizer.risk.services import OTHERS

    empty = {
        "age_hours": pl.Float64, "typical_hours": pl.Float64, "slow_hours": pl.Float64, "lines_behind": pl.Float64,
        "probability": pl.Float64, "probability_after": pl.Float64, "reason": pl.String, "action": pl.String,
    }  # fmt: skip
    lines = learner.open_lines(as_of).with_columns(
        *(pl.lit(None, kind).alias(name) for name, kind in empty.items()),
        pl.lit(f"too little history: {thin}").alias("unavailable_reason"),
    )
    return lines, pl.DataFrame(schema=OTHERS)


def _predicted(
    learner: Learner, as_of: datetime, rates: pl.DataFrame, atp: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    from optimizer.risk import act, other_services

    model = learner.model(as_of)
    lines = act(model, model.predict(learner.open_lines(as_of))).with_columns(
        pl.when(pl.col("probability").is_null())
        .then(pl.lit("no line has gone through this stage yet"))
        .alias("unavailable_reason")
    )
    return lines, other_services(learner, model, lines, rates, atp)


def _risks(
    learner: Learner, lines: pl.DataFrame, others: pl.DataFrame, as_of: datetime, worth: pl.DataFrame
) -> pl.DataFrame:
    import polars as pl

    from optimizer.risk import choose
    from optimizer.risk.history import STAGES

    outcomes = (
        learner.history.units.filter((pl.col("window_end_at") <= as_of) & pl.col("is_missed").is_not_null())
        .join(learner.history.lenses, on="unit")
        .group_by("profile_id")
        .agg(pl.len().alias("_outcomes"))
    )
    told = (
        lines.join(learner.history.lenses, on="unit")
        .join(outcomes, on="profile_id", how="left")
        .join(worth, on=["order_id", "line_id", "profile_id"], how="left")
        .with_columns(
            pl.coalesce(
                "unavailable_reason",
                pl.when(pl.col("_outcomes").fill_null(0) < FEWEST_OUTCOMES).then(
                    pl.format(
                        "{} lines of this lens have been decided; a probability needs {}",
                        pl.col("_outcomes").fill_null(0),
                        pl.lit(FEWEST_OUTCOMES),
                    )
                ),
            ).alias("unavailable_reason")
        )
    )
    said = ("probability", "probability_after", "reason", "action")
    known = told.with_columns(pl.when(pl.col("unavailable_reason").is_null()).then(name).alias(name) for name in said)
    amounts = ("loss", "action_cost", "action_value", "other_cost", "other_value")
    return (
        choose(known, others)
        .with_columns(
            pl.col("stage").replace_strict(dict(enumerate(STAGES)), return_dtype=pl.String),
            pl.col("base_quantity").alias("quantity"),
            *((pl.col(f"{name}_cents") / 100).round(2).alias(f"{name}_amount") for name in amounts),
            *(
                pl.when(pl.col(name).is_finite()).then(name).alias(name)
                for name in ("age_hours", "typical_hours", "slow_hours")
            ),
        )
        .with_columns((pl.col("probability") * pl.col("loss_amount")).round(2).alias("expected_loss_amount"))
        .sort("order_id", "line_id", "profile_id")
    )


def _judged(learner: Learner, as_of: datetime, thin: str) -> dict[str, pl.DataFrame]:
    import polars as pl

    from optimizer.risk import judge, reliability, scores
    from optimizer.risk.judge import SCORES

    judged = None if thin else judge(learner, as_of)
    if judged is None or judged.is_empty():
        why = thin or "the history before the held-out weeks is too thin to predict them"
        nothing = pl.DataFrame(
            {"profile_id": [""], "horizon": [""], "unavailable_reason": [f"too little history: {why}"], "weeks": [0]}
        )
        empty = nothing.with_columns(pl.lit(None, kind).alias(name) for name, kind in SCORES.items())
        return {
            "risk_scores": empty,
            "risk_reliability": pl.DataFrame(schema=["profile_id", "bin", "rows", "said", "misses"]),
        }
    weeks = judged.select(((pl.lit(as_of) - pl.col("at")).dt.total_days().cast(pl.Int64) - 1) // 7).n_unique()
    # A line counts once where lenses are put together: under its own.
    own = judged.filter("is_headline")
    cuts = [
        scores(judged if "profile_id" in by else own, by).with_columns(
            *(pl.lit("").alias(name) for name in ("profile_id", "horizon") if name not in by),
            pl.lit(None, pl.String).alias("unavailable_reason"),
            pl.lit(weeks, pl.Int64).alias("weeks"),
        )
        for by in ((), ("profile_id",), ("horizon",), ("profile_id", "horizon"))
    ]
    bins = [
        reliability(own).with_columns(pl.lit("").alias("profile_id")),
        reliability(judged, ["profile_id"]),
    ]
    return {
        "risk_scores": pl.concat(cuts, how="diagonal").sort("profile_id", "horizon"),
        "risk_reliability": pl.concat(bins, how="diagonal").sort("profile_id", "bin"),
    }


def _read(connection: Connection, sql: str) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(connection.sql(sql).to_arrow_table())


def _write(connection: Connection, name: str, frame: pl.DataFrame) -> None:
    columns = [part.split()[0] for part in _TABLES[name].replace("(18, 3)", "").replace("(18, 2)", "").split(",")]
    connection.execute(f"create or replace table marts.{name} ({_TABLES[name]})")
    if frame.is_empty():
        return
    connection.register("risk_frame", frame.select(columns).to_arrow())
    try:
        connection.execute(f"insert into marts.{name} select {', '.join(columns)} from risk_frame")
    finally:
        connection.unregister("risk_frame")
