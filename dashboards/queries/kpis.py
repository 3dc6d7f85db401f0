"""The KPI table: sums of numerators and denominators over any days and dimensions, and what is needed to judge them.

Rates are never averaged: a value is Σnumerator / Σdenominator of `metrics.kpi_values`, null when the denominator is 0.
Cycle times are percentiles over orders and come from `dashboards.queries.stages`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import polars as pl

from dashboards.errors import QuestionError
from dashboards.formats import words
from dashboards.queries.dimensions import ALIASES, check_dimensions, needs_rows, relation, selected
from dashboards.queries.frames import has_table, read
from dashboards.queries.health import build_info
from dashboards.queries.periods import FISCAL_GRAINS, day_a_year_before, period_sql
from dashboards.queries.stages import stage_rows
from storage.duck import Connection

GRAINS: Final = ("day", "week", "month", *FISCAL_GRAINS)
"""Period lengths."""

HEADLINE: Final = "headline"
"""The lens that judges each order by the one profile its channel or retailer is steered by."""

_EXCLUSION_DIMENSIONS: Final = frozenset({"channel", "customer_id"})
# A share of money or units is not a share of independent trials: no Wilson interval from its own sums.
NO_INTERVAL: Final = frozenset({
    "chargeback_rate", "freight_share", "otif_value", "otif_case", "unit_fill_revised", "unit_fill_original",
    "unit_fill_first_pass", "return_rate", "value_fill", "return_rate_choice", "return_rate_fulfilment",
    "return_rate_product", "return_rate_refused", "return_rate_unclassified", "restock_rate", "resale_rate",
    "write_off_rate", "backorder_recovery", "oversell_rate", "dispute_recovery", "over_shipped_rate", "damage_rate",
})  # fmt: skip
_DOUBTED: Final = (
    "on_time", "in_full", "otif", "otif_line", "otif_case", "otif_value", "unit_fill_revised", "unit_fill_original",
    "value_fill", "line_fill", "on_time_ship", "ship_by_adherence", "carrier_on_time", "perfect_order",
    "perfect_on_time", "perfect_in_full", "cancellation_rate_customer", "cancellation_rate_seller",
    "cancellation_rate_fraud", "cancellation_rate_retailer", "asn_timeliness", "asn_accuracy", "ack_timeliness",
    "chargeback_rate", "chargeback_amount", "return_rate", "return_rate_choice", "return_rate_fulfilment",
    "return_rate_product", "return_rate_refused", "damage_rate",
)  # fmt: skip
"""KPIs whose doubt `metrics.kpi_doubts` weighs; of the others nothing is said about their worst and best case."""

OF_MONEY: Final = (
    "otif_value", "value_fill", "backorder_value", "backorder_value_over_7d", "chargeback_rate", "chargeback_amount",
    "dispute_recovery", "freight_share", "dso_count_back", "dso_simple",
)  # fmt: skip
"""KPIs whose sums are amounts, or days of them: those of two currencies are no sum."""

INDEX: Final = "perfect_order_index"
INDEX_PARTS: Final = ("perfect_in_full", "perfect_on_time", "perfect_documents", "perfect_condition")
_Z: Final = 1.959963984540054
_NOTHING_DUE: Final = "no observations in this period"


@dataclass(frozen=True, slots=True)
class _Question:
    kpis: tuple[str, ...]
    by: tuple[str, ...]
    grain: str | None
    date_from: date | None
    date_to: date | None
    lens: str
    week_start: str
    is_prior: bool

    @property
    def keys(self) -> list[str]:
        return ["kpi_id", "period", *self.by]

    @property
    def parameters(self) -> dict[str, Any]:
        return {"date_from": self.date_from, "date_to": self.date_to}

    @property
    def is_of_rows(self) -> bool:
        """Whether only rows can answer it."""
        return needs_rows(self.by)

    @property
    def relation(self) -> str:
        """The table that answers it: sums, or rows for dimensions that only rows have."""
        return relation("metrics.kpi_facts" if self.is_of_rows else "metrics.kpi_values", self.by)

    def period_sql(self, column: str) -> str:
        """Return the SQL of the period that a date column falls into."""
        return period_sql(column, grain=self.grain, week_start=self.week_start, is_prior=self.is_prior)


def kpi_table(
    connection: Connection,
    *,
    kpis: Sequence[str] = (),
    by: Sequence[str] = (),
    grain: str | None = None,
    date_from: date | None = None,
    date_to: date | None = None,
    lens: str = HEADLINE,
    is_prior: bool = False,
) -> pl.DataFrame:
    """Return KPIs with target, interval and availability.

    One row per KPI, period, dimension values (and stage, for cycle time). An unavailable KPI is one row with a null
    value and the reason; an available KPI without rows likewise says that nothing was observed, and a row that would
    add up amounts of several currencies that they are no sum.

    Args:
        connection: Open publication.
        kpis: KPI ids; empty = all of the catalogue, in its order.
        by: Dimensions; `state` is accepted for region, and a grain may stand here too (`by=["week"]`).
        grain: day, week, month, fiscal_month, fiscal_quarter or fiscal_year; null = one figure for the whole range.
        date_from: First cohort day (inclusive).
        date_to: Last cohort day (inclusive).
        lens: `headline`, or a service profile id; weeks are those of the profile where it has its own.
        is_prior: Count the days a year before instead, under the periods they are compared with (see `period_sql`).

    Returns:
        kpi_id, kpi_name, unit, lens, period (first day), the dimensions, stage_id, value, worst, best, p90, p95,
        km_median (see `stage_rows`), numerator, denominator, observations, doubtful, unpriced, amounts_in, excluded,
        still_open, low and high (Wilson 95 % on observations), target, meets_target, is_provisional, is_available,
        reason. For KPIs of hours the value is the median of finished stages, `excluded` counts stages still open
        (`still_open` of them), with impossible times, or of what ended otherwise (cancelled). `excluded` is null where
        the publication does not know it by the asked dimensions.
        `worst` and `best` are the value if every row in doubt (`doubtful`, see `metrics.kpi_doubts`) had gone badly or
        well; where lower is better, worst is the higher one. Null where amounts in doubt are in another currency.
        `unpriced` fines, of which nobody knows the amount, are in neither. `amounts_in` is the currency of KPIs of
        money; null where nothing was added up.

    Raises:
        QuestionError: Unknown KPI, dimension, grain or lens.
        PublicationError: The publication cannot answer.
    """
    info = build_info(connection)
    catalogue = _catalogue(connection)
    question = _question(
        connection,
        catalogue,
        kpis=kpis,
        by=by,
        grain=grain,
        lens=lens,
        dates=(date_from, date_to),
        week_start=weeks_of_lens(connection, lens),
    )
    if is_prior:
        question = replace(
            question,
            is_prior=True,
            date_from=day_a_year_before(date_from, question.grain),
            date_to=day_a_year_before(date_to, question.grain),
        )
    if lens != HEADLINE:
        _check_lens(connection, lens)
    sums = _sums(connection, question)
    timed = catalogue.filter((pl.col("unit") == "hours") & pl.col("kpi_id").is_in(question.kpis))["kpi_id"].to_list()
    if timed:
        stages = stage_rows(
            connection,
            kpis=timed,
            by=question.by,
            period=question.period_sql("cohort_date"),
            date_from=question.date_from,
            date_to=question.date_to,
        )
        sums = pl.concat([sums, stages], how="diagonal")
    if INDEX in question.kpis:
        sums = pl.concat([sums, _index(connection, question)], how="diagonal")
    rows = _with_catalogue(sums, catalogue, question)
    rows = _with_targets(connection, rows, by_channel="channel" in question.by, fallback=date_to or info.as_of_date)
    rows = _with_verdict(rows)
    return _arrange(rows, question)


def weeks_of_lens(connection: Connection, lens: str) -> str:
    """Return the weekday on which the weeks of a lens begin: the partner's, else the company's."""
    if lens != HEADLINE and has_table(connection, "marts", "dim_service_profiles"):
        told = read(
            connection,
            "select max(week_start) as week_start from marts.dim_service_profiles where profile_id = $lens",
            {"lens": lens},
        ).item()
        if told is not None:
            return str(told)
    return build_info(connection).week_start


def _question(
    connection: Connection,
    catalogue: pl.DataFrame,
    *,
    kpis: Sequence[str],
    by: Sequence[str],
    grain: str | None,
    lens: str,
    dates: tuple[date | None, date | None],
    week_start: str,
) -> _Question:
    known = catalogue["kpi_id"].to_list()
    unknown = [kpi for kpi in kpis if kpi not in known]
    if unknown:
        message = f"unknown KPI {', '.join(unknown)}; known: {', '.join(known)}"
        raise QuestionError(message)
    named = [ALIASES.get(word, word) for word in by]
    grains = [word for word in named if word in GRAINS]
    if len(set(grains)) > 1 or (grain and grains and grains[0] != grain):
        message = f"asked for several grains ({', '.join([*grains, grain or ''])}); give one of {', '.join(GRAINS)}"
        raise QuestionError(message)
    chosen = grain or (grains[0] if grains else None)
    if chosen is not None and chosen not in GRAINS:
        message = f"unknown grain {chosen!r}; known: {', '.join(GRAINS)}"
        raise QuestionError(message)
    dimensions = tuple(dict.fromkeys(word for word in named if word not in GRAINS))
    check_dimensions(connection, dimensions, further=GRAINS)
    return _Question(
        kpis=tuple(dict.fromkeys(kpis)) or tuple(known),
        by=dimensions,
        grain=chosen,
        date_from=dates[0],
        date_to=dates[1],
        lens=lens,
        week_start=week_start,
        is_prior=False,
    )


def _check_lens(connection: Connection, lens: str) -> None:
    known = read(connection, "select distinct profile_id from metrics.kpi_values where profile_id <> '' order by 1")
    if lens not in known["profile_id"].to_list():
        left_out = read(
            connection,
            "select exclusion_reason as reason, cast(sum(observations) as bigint) as orders "
            "from metrics.kpi_exclusions where profile_id = $lens and kpi_id = 'otif' group by 1 order by 2 desc, 1",
            {"lens": lens},
        )
        if not left_out.is_empty():
            reasons = ", ".join(f"{row['orders']:,} {words(row['reason']).lower()}" for row in left_out.to_dicts())
            message = f"lens {lens!r} has judged no order: {reasons}"
            raise QuestionError(message)
        message = f"unknown lens {lens!r}; known: {', '.join([HEADLINE, *known['profile_id'].to_list()])}"
        raise QuestionError(message)


def _catalogue(connection: Connection) -> pl.DataFrame:
    return read(
        connection,
        """
        select
            catalogue.kpi_id, catalogue.kpi_name, catalogue.unit, catalogue.higher_is_better, catalogue.display_order,
            coalesce(availability.is_available, true) as is_available, availability.reason
        from metrics.kpi_catalogue as catalogue
        left join metrics.kpi_availability as availability on catalogue.kpi_id = availability.kpi_id
        order by catalogue.display_order, catalogue.kpi_id
        """,
    )


def _where(column: str) -> str:
    return f"($date_from is null or {column} >= $date_from) and ($date_to is null or {column} <= $date_to)"


def _lens_sql(question: _Question) -> str:
    if question.lens == HEADLINE:
        return "(profile_id = '' or is_headline)"
    return "profile_id in ('', $lens)"


def _sums(connection: Connection, question: _Question) -> pl.DataFrame:
    period = question.period_sql("period_date")
    dimensions = selected(question.by)
    parameters = question.parameters | {"kpis": list(question.kpis)}
    if question.lens != HEADLINE:
        parameters["lens"] = question.lens
    values = read(
        connection,
        f"""
        select
            kpi_id, {period} as period{dimensions}, max(profile_id) <> '' as has_lens,
            sum(numerator) as numerator, sum(denominator) as denominator,
            cast(sum(observations) as bigint) as observations, bool_or(is_provisional) as is_provisional,
            string_agg(distinct currency, ' and ' order by currency) filter (
                list_contains($money, kpi_id) and (numerator <> 0 or denominator <> 0)
            ) as currencies
        from {question.relation}
        where list_contains($kpis, kpi_id) and {_lens_sql(question)} and {_where("period_date")}
            {"and exclusion_reason is null and row_kind <> 'stage'" if question.is_of_rows else ""}
        group by all
        order by all
        """,
        parameters | {"money": list(OF_MONEY)},
    )
    values = _with_doubts(connection, values, question, period=period, dimensions=dimensions, parameters=parameters)
    excluded = _excluded(connection, question, period=period, dimensions=dimensions, parameters=parameters)
    values = _without_mixed_money(values)
    if excluded is None:
        return values.with_columns(excluded=pl.lit(None, dtype=pl.Int64))
    joined = values.join(excluded, on=question.keys, how="left", nulls_equal=True, validate="1:1")
    return joined.with_columns(pl.col("excluded").fill_null(0))


def _without_mixed_money(values: pl.DataFrame) -> pl.DataFrame:
    """Take the sums from rows that add up amounts of several currencies, and say so."""
    is_mixed = pl.col("currencies").str.contains(" and ", literal=True).fill_null(value=False)
    kept = [
        pl.when(~is_mixed).then(pl.col(name)).alias(name)
        for name in ("numerator", "denominator", "lowest", "highest", "doubtful", "unpriced")
    ]
    words = pl.format("amounts in {} do not add up: ask for one currency, or by currency", "currencies")
    return values.with_columns(
        *kept, mixed=pl.when(is_mixed).then(words), amounts_in=pl.when(~is_mixed).then(pl.col("currencies"))
    ).drop("currencies")


def _with_doubts(
    connection: Connection,
    values: pl.DataFrame,
    question: _Question,
    *,
    period: str,
    dimensions: str,
    parameters: dict[str, Any],
) -> pl.DataFrame:
    """Add the lowest and highest value that the rows in doubt allow; null where doubt is not weighed."""
    told = read(
        connection,
        "select 1 from duckdb_tables() where schema_name = 'metrics' and table_name = 'kpi_doubts'",
    )
    if told.is_empty() or question.is_of_rows:  # a publication of before, or dimensions that doubt is not kept by
        return values.with_columns(
            lowest=pl.lit(None, pl.Float64), highest=pl.lit(None, pl.Float64), doubtful=pl.lit(None, pl.Int64),
            unpriced=pl.lit(None, pl.Int64),
        )  # fmt: skip
    doubts = read(
        connection,
        f"""
        select
            kpi_id, {period} as period{dimensions}, sum(met_unproven) as met_unproven,
            sum(missed_unproven) as missed_unproven, sum(left_out) as left_out,
            cast(sum(observations) as bigint) as doubtful, cast(sum(unpriced) as bigint) as unpriced,
            string_agg(distinct currency, ' and ' order by currency) filter (
                list_contains($money, kpi_id) and (met_unproven > 0 or missed_unproven > 0 or left_out > 0)
            ) as doubted
        from {relation("metrics.kpi_doubts", question.by)}
        where list_contains($kpis, kpi_id) and {_lens_sql(question)} and {_where("period_date")}
        group by all
        """,
        parameters | {"money": list(OF_MONEY)},
    )
    amounts = ("met_unproven", "missed_unproven", "left_out", "doubtful", "unpriced")
    joined = values.join(doubts, on=question.keys, how="left", nulls_equal=True, validate="1:1").with_columns(
        pl.col(amounts).fill_null(0)
    )
    is_amount = pl.col("kpi_id") == "chargeback_amount"
    # Doubts in another currency than the figure's cannot be added to it.
    is_added = (pl.col("doubted") == pl.col("currencies")).fill_null(value=True)
    is_weighed = pl.col("kpi_id").is_in(_DOUBTED) & ((pl.col("denominator") != 0) | is_amount) & is_added
    base = pl.when(is_amount).then(1.0).otherwise(pl.col("denominator"))
    low = (pl.col("numerator") - pl.col("met_unproven")) / (base + pl.col("left_out"))
    high = (pl.col("numerator") + pl.col("missed_unproven")) / base
    return joined.with_columns(
        lowest=pl.when(is_weighed).then(low),
        highest=pl.when(is_weighed).then(high),
        doubtful=pl.when(is_weighed).then(pl.col("doubtful")),
        unpriced=pl.when(is_weighed).then(pl.col("unpriced")),
    ).drop("met_unproven", "missed_unproven", "left_out", "doubted")


def _index(connection: Connection, question: _Question) -> pl.DataFrame:
    """Return the product of the component rates (APQC, WERC), per period and dimensions."""
    parts = _sums(connection, replace(question, kpis=INDEX_PARTS))
    keys = question.keys[1:]
    rate = pl.col("numerator") / pl.col("denominator")
    is_whole = pl.len() == len(INDEX_PARTS)
    return (
        parts.group_by(keys, maintain_order=True)
        .agg(
            value=pl.when(is_whole).then(rate.product()),
            lowest=pl.when(is_whole).then(pl.coalesce("lowest", rate).product()),
            highest=pl.when(is_whole).then(pl.coalesce("highest", rate).product()),
            doubtful=pl.col("doubtful").max(),
            observations=pl.col("observations").max(),
            is_provisional=pl.col("is_provisional").any(),
        )
        .with_columns(kpi_id=pl.lit(INDEX), has_lens=pl.lit(value=False))
    )


def _excluded(
    connection: Connection, question: _Question, *, period: str, dimensions: str, parameters: dict[str, Any]
) -> pl.DataFrame | None:
    if question.is_of_rows:
        return _excluded_rows(connection, question, period=period, dimensions=dimensions, parameters=parameters)
    if not set(question.by) <= _EXCLUSION_DIMENSIONS:
        return None
    if question.lens == HEADLINE:
        lens = (
            "(profile_id = '' or (profile_id, channel, customer_id) in "
            "(select distinct (profile_id, channel, customer_id) from metrics.kpi_values where is_headline))"
        )
    else:
        lens = "profile_id in ('', $lens)"
    return read(
        connection,
        f"""
        select kpi_id, {period} as period{dimensions}, cast(sum(observations) as bigint) as excluded
        from metrics.kpi_exclusions
        where list_contains($kpis, kpi_id) and {lens} and {_where("period_date")}
        group by all
        """,
        parameters,
    )


def _excluded_rows(
    connection: Connection, question: _Question, *, period: str, dimensions: str, parameters: dict[str, Any]
) -> pl.DataFrame:
    return read(
        connection,
        f"""
        select kpi_id, {period} as period{dimensions}, count(*) as excluded
        from {question.relation}
        where list_contains($kpis, kpi_id) and {_lens_sql(question)} and {_where("period_date")}
            and exclusion_reason is not null and row_kind <> 'stage'
        group by all
        """,
        parameters,
    )


def _with_catalogue(sums: pl.DataFrame, catalogue: pl.DataFrame, question: _Question) -> pl.DataFrame:
    asked = catalogue.filter(pl.col("kpi_id").is_in(question.kpis))
    silent = pl.col("is_available") & pl.col("numerator").is_null() & pl.col("value").is_null()
    # An unavailable KPI keeps no sums: whatever rows exist are not to be trusted.
    usable = sums.join(asked.filter("is_available").select("kpi_id"), on="kpi_id", how="semi")
    if "value" not in usable.columns:
        usable = usable.with_columns(value=pl.lit(None, dtype=pl.Float64))
    rows = asked.join(usable, on="kpi_id", how="left")
    ratio = pl.when(pl.col("denominator") != 0).then(pl.col("numerator") / pl.col("denominator"))
    amount = pl.col("numerator")
    return rows.with_columns(
        value=pl.coalesce("value", pl.when(pl.col("unit") == "ratio").then(ratio).otherwise(amount)),
        reason=pl.when(silent)
        .then(pl.coalesce("reason", "mixed", pl.lit(_NOTHING_DUE)))
        .otherwise(pl.when(pl.col("is_available")).then(None).otherwise(pl.col("reason"))),
        observations=pl.col("observations").fill_null(0),
        is_provisional=pl.col("is_provisional").fill_null(value=False),
        lens=pl.when(pl.col("has_lens")).then(pl.lit(question.lens)).otherwise(pl.lit("")),
    )


def _with_targets(connection: Connection, rows: pl.DataFrame, *, by_channel: bool, fallback: date) -> pl.DataFrame:
    targets = read(
        connection,
        """
        select kpi_id as target_kpi, coalesce(channel, '') as target_channel, cast(target as double) as target,
            effective_from, coalesce(effective_to, date '9999-12-31') as effective_to
        from metrics.kpi_targets
        """,
    )
    numbered = rows.with_row_index("row").with_columns(
        judged_on=pl.coalesce("period", pl.lit(fallback)),
        target_channel=pl.col("channel") if by_channel else pl.lit(""),
    )
    matches = numbered.select("row", "kpi_id", "judged_on", "target_channel").join(
        targets, left_on="kpi_id", right_on="target_kpi", how="inner", suffix="_rule"
    )
    in_force = matches.filter(
        (pl.col("judged_on") >= pl.col("effective_from").fill_null(date(1, 1, 1)))
        & (pl.col("judged_on") <= pl.col("effective_to"))
        & ((pl.col("target_channel_rule") == pl.col("target_channel")) | (pl.col("target_channel_rule") == ""))
    )
    # The channel's own target beats the general one; the youngest rule in force beats an older one.
    best = in_force.sort("row", "target_channel_rule", "effective_from", descending=[False, True, True]).unique(
        subset="row", keep="first", maintain_order=True
    )
    joined = numbered.join(best.select("row", "target"), on="row", how="left")
    return joined.drop("row", "judged_on", "target_channel")


def _with_verdict(rows: pl.DataFrame) -> pl.DataFrame:
    share = pl.col("value")
    count = pl.when(pl.col("observations") > 0).then(pl.col("observations").cast(pl.Float64))
    base = 1 + _Z**2 / count
    centre = (share + _Z**2 / (2 * count)) / base
    spread = _Z * (share * (1 - share) / count + _Z**2 / (4 * count**2)).sqrt() / base
    is_share = (pl.col("unit") == "ratio") & ~pl.col("kpi_id").is_in(NO_INTERVAL) & share.is_between(0, 1)
    better = pl.when(pl.col("higher_is_better")).then(share >= pl.col("target")).otherwise(share <= pl.col("target"))
    rises = pl.col("higher_is_better")
    return rows.with_columns(
        worst=pl.when(rises).then(pl.col("lowest")).otherwise(pl.col("highest")),
        best=pl.when(rises).then(pl.col("highest")).otherwise(pl.col("lowest")),
        low=pl.when(is_share).then(pl.max_horizontal(centre - spread, pl.lit(0.0))),
        high=pl.when(is_share).then(pl.min_horizontal(centre + spread, pl.lit(1.0))),
        meets_target=better,
    )


def _arrange(rows: pl.DataFrame, question: _Question) -> pl.DataFrame:
    optional = {
        "stage_id": pl.String, "p90": pl.Float64, "p95": pl.Float64, "km_median": pl.Float64, "stage_order": pl.Int64,
        "still_open": pl.Int64,
    }  # fmt: skip
    missing = {name: pl.lit(None, dtype=kind) for name, kind in optional.items() if name not in rows.columns}
    ordered = rows.with_columns(**missing).sort(
        "display_order", "kpi_id", "period", *question.by, "stage_order", "stage_id", nulls_last=True
    )
    return ordered.select(
        "kpi_id", "kpi_name", "unit", "lens", "period", *question.by, "stage_id", "value", "worst", "best", "p90",
        "p95", "km_median", "numerator", "denominator", "observations", "doubtful", "unpriced", "amounts_in",
        "excluded", "still_open", "low", "high", "target", "meets_target", "is_provisional", "is_available", "reason",
    )  # fmt: skip
