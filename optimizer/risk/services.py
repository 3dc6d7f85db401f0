"""Another carrier, service or node for lines that are still here: what it makes of the chance, costs and is worth.

Its chance comes from the same curves with another way from the hand-over: that of lines which carrier and service did
carry to the zone, from the other node where that is asked. Nothing is said of a way that few lines went, and no freight
is made up.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from optimizer.risk.history import STAGES
from optimizer.risk.model import Learner, RiskModel, flags

FEWEST_CARRIED: Final = 30
"""Lines that must have gone a way to a zone before anything is said of it there."""

LEAST_WORTH_CENTS: Final = 50.0
"""Worth below which nothing is advised: in whole units of money it is nothing."""

NOTHING_PAYS: Final = "Nothing pays: let it run"

RATES: Final = pl.Schema(
    {
        "node_id": pl.String(), "lane_zone": pl.String(), "carrier": pl.String(), "service": pl.String(),
        "rate_cents": pl.Float64(), "rate_currency": pl.String(),
    }
)  # fmt: skip
"""Freight per unit of a node, zone, carrier and service."""

ATP: Final = pl.Schema({"sku": pl.String(), "node_id": pl.String(), "promise": pl.Float64()})
"""Units of a SKU that a node can still promise this week."""

OTHERS: Final = pl.Schema(
    {
        "unit": pl.Int64(), "lane_zone": pl.String(), "node": pl.String(), "carrier": pl.String(),
        "service": pl.String(), "carried": pl.Int64(), "probability": pl.Float64(), "extra_cents": pl.Float64(),
        "rate_currency": pl.String(),
    }
)  # fmt: skip

_ACCEPTED: Final = STAGES.index("accepted")
_SAID: Final = (
    "age_hours", "still_there", "chance", "early", "typical_hours", "slow_hours", "lines_behind", "probability",
)  # fmt: skip


def other_services(
    learner: Learner, model: RiskModel, lines: pl.DataFrame, rates: pl.DataFrame, atp: pl.DataFrame
) -> pl.DataFrame:
    """Ask what each other service, and each other node with stock, would make of lines that are not handed over.

    A service is asked where it carried lines for the same channel (wholesale: the same retailer, whose routing guide
    binds) from the same node. A line without a node, carrier or service yet is taken to get the usual one. Another
    node is asked for lines that are not released, where it can promise all of the line; it ships as it usually does.

    Args:
        learner: The history.
        model: The model that predicted the lines.
        lines: From `RiskModel.predict`.
        rates: See RATES.
        atp: See ATP.

    Returns:
        One row per line and way: unit, lane_zone, `node` (null: its own), carrier, service; `carried` (lines that went
        it to the zone); `probability` of a miss by it (null: fewer than `FEWEST_CARRIED`); `extra_cents` (freight per
        unit above the line's own service; null where a rate is not known) in `rate_currency`.
    """
    seen = _seen(learner, model)
    held, short = flags(lines)
    waits = _with_own(
        lines.with_columns(_whom(), pl.Series("_short", short)).filter(
            (pl.col("stage") < _ACCEPTED)
            & (pl.col("measured_event") != "accepted")
            & pl.col("probability").is_not_null()
            & ~pl.Series(held)
        ),
        seen,
    )
    asked = pl.concat([_by_service(waits.filter(~pl.col("_short")), seen), _by_node(waits, seen, atp)])
    if asked.is_empty():
        return pl.DataFrame(schema=OTHERS)
    key = ("node_id", "lane_zone", "carrier", "service")
    own = rates.select(*key, pl.col("rate_cents").alias("_own_cents"))
    return (
        asked.drop(_SAID)
        .with_columns(model.predict(asked.drop(_SAID), by_service=True)["probability"])
        .with_columns(pl.when(pl.col("carried") >= FEWEST_CARRIED).then("probability").alias("probability"))
        .join(rates, left_on=["_from", *key[1:]], right_on=key, how="left")
        .join(own, left_on=["_node", "lane_zone", "_carrier", "_service"], right_on=key, how="left")
        .with_columns((pl.col("rate_cents") - pl.col("_own_cents")).alias("extra_cents"))
        .select(pl.col(name).cast(kind) for name, kind in OTHERS.items())
        .sort("unit", "node", "carrier", "service")
    )


def _by_service(waits: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """Return lines as each other service from their node would take them, with the lines it `carried`."""
    offers = seen.group_by("whom", "node_id", "carrier", "service").len().drop("len")
    of_zones = ("measured_event", "lane_zone", "carrier", "service")
    carried = seen.filter("is_there").group_by(of_zones).agg(pl.len().cast(pl.Int64).alias("carried"))
    return (
        waits.join(offers, left_on=["whom", "_node"], right_on=["whom", "node_id"], suffix="_other")
        .filter((pl.col("carrier_other") != pl.col("_carrier")) | (pl.col("service_other") != pl.col("_service")))
        .select(
            *(pl.col(name) for name in waits.columns if name not in ("carrier", "service")),
            pl.col("carrier_other").alias("carrier"), pl.col("service_other").alias("service"),
            pl.lit(None, pl.String).alias("node"), pl.col("_node").alias("_from"),
        )
        .join(carried, on=of_zones, how="left")
        .with_columns(pl.col("carried").fill_null(0))
    )  # fmt: skip


def _by_node(waits: pl.DataFrame, seen: pl.DataFrame, atp: pl.DataFrame) -> pl.DataFrame:
    """Return lines as each other node that can promise them would ship them, with the lines that it `carried` so."""
    of_ways = ("measured_event", "lane_zone", "node_id", "carrier", "service")
    carried = (
        seen.filter("is_there").group_by(of_ways).agg(pl.len().cast(pl.Int64).alias("carried"))
        .rename({"node_id": "node"})
    )  # fmt: skip
    ways = _usual(seen, ["whom", "lane_zone", "node_id"], ["carrier", "service"]).rename({"node_id": "node"})
    stocked = atp.rename({"node_id": "node"})
    return (
        waits.filter((pl.col("stage") < STAGES.index("released")) & pl.col("_node").is_not_null())
        .join(stocked, on="sku")
        .filter((pl.col("node") != pl.col("_node")) & (pl.col("promise") >= pl.col("base_quantity")))
        .drop("carrier", "service")
        .join(ways, on=["whom", "lane_zone", "node"], how="left")
        .join(carried, on=["measured_event", "lane_zone", "node", "carrier", "service"], how="left")
        .with_columns(
            pl.col("carried").fill_null(0), pl.col("node").alias("node_id"), pl.col("node").alias("_from"),
            # What it can promise is there: the line no longer waits for stock.
            pl.lit(None, pl.Float64).alias("level"),
        )
        .select(*(name for name in waits.columns if name not in ("carrier", "service")),
                "carrier", "service", "node", "_from", "carried")
    )  # fmt: skip


_OTHER: Final = ("node", "carrier", "service", "probability", "cost_cents", "value_cents")


def choose(lines: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Set the best other service beside each line's step, and make it the next step where it is worth more.

    It is worth the loss it saves less the freight it costs more; that a service is cheaper is no reason to take it.

    Args:
        lines: From `act`, with `loss_cents` (what a miss costs; null = not known) and `currency`; one row per line and
            lens.
        others: From `other_services`.

    Returns:
        The lines with `action`, `probability_after` as they are with the better of both, `action_cost_cents` (freight
        that it costs more; null for a step here), `action_value_cents`; where neither is worth `LEAST_WORTH_CENTS`,
        `NOTHING_PAYS` and what the step here would have saved in `action_note` (else null); and `other_node` (null: its
        own), `other_carrier`, `other_service`, `other_probability`, `other_cost_cents`, `other_value_cents` of the best
        other way, `other_note` why it is not the next step (null: it is).
    """
    told = lines.with_columns(
        ((pl.col("probability") - pl.col("probability_after")) * pl.col("loss_cents")).alias("action_value_cents")
    ).with_row_index("_row")
    judged = told.filter(pl.col("probability").is_not_null()).select(
        "_row", "unit", "loss_cents", "currency", pl.col("base_quantity").alias("_units"),
        pl.col("probability").alias("_now"),
    ).join(others, on="unit").with_columns(
        # Freight is told in the company's currency; a line in another one cannot be set against it.
        pl.when(pl.col("currency") == pl.col("rate_currency"))
        .then(pl.col("extra_cents").clip(lower_bound=0.0) * pl.col("_units"))
        .alias("other_cost_cents"),
        pl.col("node").alias("other_node"),
        pl.col("carrier").alias("other_carrier"),
        pl.col("service").alias("other_service"),
        pl.col("probability").alias("other_probability"),
    ).with_columns(
        ((pl.col("_now") - pl.col("probability")) * pl.col("loss_cents") - pl.col("other_cost_cents")).alias(
            "other_value_cents"
        )
    )  # fmt: skip
    best = (
        judged.filter(pl.col("other_probability") < pl.col("_now"))
        .sort("other_value_cents", "other_probability", pl.col("node").fill_null(""), "carrier", "service",
              descending=[True, *[False] * 4], nulls_last=True)
        .unique("_row", keep="first", maintain_order=True)
        .select("_row", *(f"other_{name}" for name in _OTHER))
    )  # fmt: skip
    thin = (
        judged.filter(pl.col("other_probability").is_null())
        .group_by("_row", maintain_order=True)
        .agg(
            pl.format(
                "{} carried {} lines to {}, {} are needed",
                _name("node", "carrier", "service"), "carried", pl.col("lane_zone").fill_null("(no zone)"),
                pl.lit(FEWEST_CARRIED),
            ).str.join("; ").alias("_thin")
        )
    )  # fmt: skip
    slower = judged.filter(pl.col("other_probability").is_not_null()).select(pl.col("_row").unique(), _slower=True)
    found = (
        told.join(best, on="_row", how="left", maintain_order="left")
        .join(thin, on="_row", how="left", maintain_order="left")
        .join(slower, on="_row", how="left", maintain_order="left")
    )
    held, short = flags(found)
    takes = (pl.col("other_value_cents") >= LEAST_WORTH_CENTS) & (
        pl.col("other_value_cents") > pl.col("action_value_cents").fill_null(0.0)
    )
    return (
        found.with_columns(
            pl.Series("_held", held), pl.Series("_short", short), takes.fill_null(value=False).alias("_takes")
        )
        .with_columns(_note().alias("other_note"))
        .with_columns(
            pl.when("_takes")
            .then(pl.format("Ship it {}", _way()))
            .otherwise("action")
            .alias("action"),
            *(
                pl.when("_takes").then(theirs).otherwise(ours).alias(ours)
                for ours, theirs in (
                    ("probability_after", "other_probability"), ("action_value_cents", "other_value_cents"),
                )
            ),
            pl.when("_takes").then("other_cost_cents").alias("action_cost_cents"),
        )
        .with_columns(_too_little().alias("_idle"))
        .with_columns(
            pl.when("_idle").then(_weighed()).alias("action_note"),
            pl.when("_idle").then(pl.lit(NOTHING_PAYS)).otherwise("action").alias("action"),
            *(
                pl.when(~pl.col("_idle")).then(name).alias(name)
                for name in ("probability_after", "action_value_cents")
            ),
        )
        .drop("_idle", "_row", "_thin", "_slower", "_held", "_short", "_takes")
    )  # fmt: skip


def _seen(learner: Learner, model: RiskModel) -> pl.DataFrame:
    """Return the lines that were handed over to a told carrier, as known to the model."""
    known = pl.lit(model.until, pl.Datetime("us"))
    return (
        learner.history.units.join(learner.passed, on="unit")
        .filter((pl.col("accepted_known") <= known) & pl.col("carrier").is_not_null())
        .select(
            "measured_event", "lane_zone", "node_id", "carrier", pl.col("service").fill_null(""), _whom(),
            (pl.col("measured_known") <= known).fill_null(value=False).alias("is_there"),
        )
    )  # fmt: skip


def _whom() -> pl.Expr:
    return (
        pl.when(pl.col("channel_type") == "wholesale").then(pl.col("customer_id")).otherwise(pl.col("channel"))
    ).alias("whom")  # fmt: skip


def _usual(seen: pl.DataFrame, by: list[str], what: list[str]) -> pl.DataFrame:
    """Return what lines have had most often."""
    return (
        seen.drop_nulls("node_id")
        .group_by(*by, *what)
        .len()
        .sort("len", *what, descending=[True, *[False] * len(what)])
        .unique(by, keep="first", maintain_order=True)
        .drop("len")
    )


def _with_own(lines: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """Add `_node`, `_carrier` and `_service`: what the line has, else what lines for the same have had most often."""
    nodes = _usual(seen, ["whom", "lane_zone"], ["node_id"]).rename({"node_id": "_usual_node"})
    services = _usual(seen, ["whom", "lane_zone", "node_id"], ["carrier", "service"]).rename(
        {"node_id": "_node", "carrier": "_usual_carrier", "service": "_usual_service"}
    )
    is_told = pl.col("carrier").is_not_null()
    return (
        lines.join(nodes, on=["whom", "lane_zone"], how="left")
        .with_columns(pl.coalesce("node_id", "_usual_node").alias("_node"))
        .join(services, on=["whom", "lane_zone", "_node"], how="left")
        .with_columns(
            pl.coalesce("carrier", "_usual_carrier", pl.lit("")).alias("_carrier"),
            pl.when(is_told)
            .then(pl.col("service").fill_null(""))
            .otherwise(pl.col("_usual_service").fill_null(""))
            .alias("_service"),
        )
    )


def _name(*parts: str) -> pl.Expr:
    return pl.concat_str(*parts, separator=" ", ignore_nulls=True).str.strip_chars()


def _way() -> pl.Expr:
    by = pl.format("by {}", _name("other_carrier", "other_service"))
    return pl.coalesce(pl.format("from {} {}", "other_node", by), by)


def _too_little() -> pl.Expr:
    """Return whether the step that lies ahead of a line would save too little to be told; unknown is not too little."""
    is_known = pl.col("probability").is_not_null() & pl.col("loss_cents").is_not_null()
    return is_known & (pl.col("stage") < _ACCEPTED) & (pl.col("action_value_cents").fill_null(0.0) < LEAST_WORTH_CENTS)


def _weighed() -> pl.Expr:
    percent = [(pl.col(name) * 100).round(1) for name in ("probability", "probability_after")]
    saved, loss = (_money(pl.col(name)) for name in ("action_value_cents", "loss_cents"))
    known = pl.format(
        "\"{}\" would save {} of the {} {} that a miss costs: {} % would become {} %",
        "action", saved, loss, pl.col("currency").fill_null(""), *percent,
    )  # fmt: skip
    return pl.coalesce(known, pl.format('"{}" would not lower the chance of a miss', "action"))


def _money(cents: pl.Expr) -> pl.Expr:
    whole = cents.round(0).cast(pl.Int64)
    return pl.format("{}.{}", whole // 100, (whole % 100).cast(pl.String).str.zfill(2))


def _note() -> pl.Expr:
    has = pl.col("other_carrier").is_not_null()
    why = (
        pl.when("_takes")
        .then(pl.lit(None, pl.String))
        .when(has & pl.col("loss_cents").is_null())
        .then(pl.lit("what a miss costs is not known"))
        .when(has & pl.col("other_cost_cents").is_null())
        .then(pl.lit("its freight is not known"))
        .when(has & (pl.col("other_value_cents") <= 0))
        .then(pl.lit("its freight costs more than it saves"))
        .when(has & (pl.col("other_value_cents") < LEAST_WORTH_CENTS))
        .then(pl.lit("it saves next to nothing"))
        .when(has)
        .then(pl.lit("it is worth less than the next step"))
        .when(pl.col("probability").is_null())
        .then(pl.lit(None, pl.String))
        .when(pl.col("stage") >= _ACCEPTED)
        .then(pl.lit("it is under way"))
        .when("_held")
        .then(pl.lit("its hold must be decided first"))
        .when("_short")
        .then(pl.lit("it needs stock first, and no other node that can promise it is known to be sooner"))
        .when(pl.col("measured_event") == "accepted")
        .then(pl.lit("its window asks for the hand-over only"))
        .when("_slower")
        .then(pl.lit("no other service that is known here would be sooner"))
        .when(pl.col("_thin").is_null())
        .then(pl.lit("no other service has carried such lines from its node"))
    )
    return pl.concat_str(why, "_thin", separator="; ", ignore_nulls=True).replace("", None)
