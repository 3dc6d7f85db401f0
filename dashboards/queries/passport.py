"""The passport of a number: the rows behind one cell of one KPI, the rows left out and why, and where all came from.

The rows are those of `metrics.kpi_facts`, from which `metrics.kpi_values` is summed. Recounting them must give the
number that `kpi_table` shows; the passport says whether it does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import polars as pl

from dashboards.errors import QuestionError
from dashboards.queries.dimensions import ALIASES, STORED, check_dimensions, needs_rows, relation
from dashboards.queries.frames import has_table, read
from dashboards.queries.kpis import HEADLINE, INDEX, INDEX_PARTS, kpi_table
from storage.duck import Connection

STAGE: Final = "stage_id"
_WORDS: Final = {**ALIASES, "stage": STAGE}
_WHOLE_ORDER: Final = "capture_to_deliver"
_TOLERANCE: Final = 1e-9
_ROW_COLUMNS: Final = (
    "kpi_id", "part", "row_kind", "row_key", "order_id", "line_id", "sku", "service", "exclusion_reason", "numerator",
    "denominator", "period_date", "profile_id", "channel", "channel_type", "customer_id", "node_id", "carrier",
    "region", "category", "seller_id", "currency", "is_provisional",
)  # fmt: skip
"""Columns of a passport's rows; `part` is numerator, denominator or excluded."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: published, or counted again from its rows.

    Attributes:
        value: Numerator over denominator, the amount, or the median of hours; null where there is nothing to divide.
        numerator: Sum; null for hours.
        denominator: Sum; null for hours.
        observations: n.
        p90: 90th percentile of hours; null elsewhere.
    """

    value: float | None
    numerator: float | None
    denominator: float | None
    observations: int
    p90: float | None = None

    def agrees_with(self, other: Figure) -> bool:
        """Return whether both figures are the same but for the order of adding up."""
        pairs = (
            (self.value, other.value), (self.numerator, other.numerator), (self.denominator, other.denominator),
            (self.p90, other.p90),
        )  # fmt: skip
        return self.observations == other.observations and all(_same(one, two) for one, two in pairs)


@dataclass(frozen=True, slots=True)
class Passport:
    """Everything about one number.

    Attributes:
        kpi: Row of the catalogue (kpi_id, kpi_name, definition, spec_id, unit, numerator, denominator …).
        row_model: View that holds the rows.
        definition_version: Fingerprint of all models and macros behind the KPI.
        rules_version: Fingerprint of all seeds and settings behind it.
        sql: Query of the view.
        where: Dimension values of the cell.
        lens: Lens of the cell.
        days: First and last cohort day; null = open.
        published: The figure as pages and commands show it.
        recount: The figure counted from the rows.
        parts: Rows by part: numerator, denominator (counted, but not in the numerator), excluded.
        exclusions: exclusion_reason, rows; the most frequent first.
        sources: batch_id, source, file_name, landed_at, rows (KPI rows it speaks of), events.
        rows: `_ROW_COLUMNS`, as many as asked for.
    """

    kpi: Mapping[str, Any]
    row_model: str
    definition_version: str
    rules_version: str
    sql: str
    where: Mapping[str, str]
    lens: str
    days: tuple[date | None, date | None]
    published: Figure
    recount: Figure
    parts: Mapping[str, int]
    exclusions: pl.DataFrame
    sources: pl.DataFrame
    rows: pl.DataFrame

    @property
    def agrees(self) -> bool:
        """Whether the rows give the published number."""
        return self.recount.agrees_with(self.published)


def number_passport(
    connection: Connection,
    kpi_id: str,
    *,
    where: Mapping[str, str] | None = None,
    date_from: date | None = None,
    date_to: date | None = None,
    lens: str = HEADLINE,
    part: str | None = None,
    limit: int | None = None,
) -> Passport:
    """Return the passport of one cell.

    Args:
        connection: Open publication.
        kpi_id: KPI.
        where: Dimension values of the cell, e.g. `{"channel": "dtc"}`; for KPIs of hours also `stage_id` (without it
            the stage that spans the whole order, or the first).
        date_from: First cohort day (inclusive).
        date_to: Last cohort day (inclusive).
        lens: `headline`, or a service profile id.
        part: Return only rows of this part (numerator, denominator, excluded); counts and sums are over all of them.
        limit: Most rows to return; null = all.

    Raises:
        QuestionError: Unknown KPI, dimension, stage or lens; the KPI is unavailable; the publication is older than
            passports.
        PublicationError: The publication cannot answer.
    """
    days = (date_from, date_to)
    published, kpi, place = _cell(connection, kpi_id, where or {}, days=days, lens=lens)
    model = _model(connection, kpi_id)
    return Passport(
        kpi=kpi,
        row_model=model["row_model"],
        definition_version=model["definition_version"],
        rules_version=model["rules_version"],
        sql=model["sql"],
        where=place,
        lens=lens,
        days=days,
        published=published,
        recount=_recount(connection, kpi),
        parts=_parts(connection),
        exclusions=read(
            connection,
            "select exclusion_reason, count(*) as rows from passport_rows where part = 'excluded' "
            "group by exclusion_reason order by rows desc, exclusion_reason",
        ),
        sources=_sources(connection),
        rows=read(
            connection,
            f"""
            select {", ".join(_ROW_COLUMNS)} from passport_rows
            where $part is null or part = $part
            order by list_position(['numerator', 'denominator', 'excluded'], part), period_date, row_key, kpi_id
            {"" if limit is None else f"limit {int(limit)}"}
            """,
            {"part": part},
        ),
    )


def recounted(
    connection: Connection,
    kpi_id: str,
    *,
    where: Mapping[str, str] | None = None,
    date_from: date | None = None,
    date_to: date | None = None,
    lens: str = HEADLINE,
) -> tuple[Figure, Figure]:
    """Return a cell's published figure and the figure its rows give; arguments and errors as for `number_passport`."""
    published, kpi, _ = _cell(connection, kpi_id, where or {}, days=(date_from, date_to), lens=lens)
    return published, _recount(connection, kpi)


def members(connection: Connection, dimension: str) -> list[str]:
    """Return the values of a dimension that any KPI knows, in order.

    Raises:
        QuestionError: Unknown dimension.
    """
    name = ALIASES.get(dimension, dimension)
    check_dimensions(connection, [name])
    base = relation("metrics.kpi_facts" if needs_rows([name]) else "metrics.kpi_values", [name])
    column = name if name in STORED else f"dim_{name}"
    found = read(connection, f"select distinct {column} as member from {base} order by member")
    return [str(member) for member in found["member"]]


def _cell(
    connection: Connection,
    kpi_id: str,
    where: Mapping[str, str],
    *,
    days: tuple[date | None, date | None],
    lens: str,
) -> tuple[Figure, dict[str, Any], dict[str, str]]:
    """Collect the rows of a cell; return its published figure, the catalogue's row and the place with its stage."""
    if not has_table(connection, "metrics", "kpi_facts"):
        message = "this publication was made before numbers had passports; run `otif build` once"
        raise QuestionError(message)
    named = {_WORDS.get(name, name): value for name, value in where.items()}
    published, kpi, place = _published(connection, kpi_id, named, days=days, lens=lens)
    _collect(connection, kpi_id, place, days=days, lens=lens)
    return published, kpi, place


def _published(
    connection: Connection,
    kpi_id: str,
    place: dict[str, str],
    *,
    days: tuple[date | None, date | None],
    lens: str,
) -> tuple[Figure, dict[str, Any], dict[str, str]]:
    """Return the cell as `kpi_table` shows it, the catalogue's row and the place with its stage."""
    dimensions = [name for name in place if name != STAGE]
    check_dimensions(connection, dimensions, further=["stage"])
    table = kpi_table(connection, kpis=[kpi_id], by=dimensions, date_from=days[0], date_to=days[1], lens=lens)
    for name in dimensions:
        table = table.filter(pl.col(name) == place[name])
    catalogue = read(
        connection,
        "select kpi_id, kpi_name, definition, spec_id, unit, numerator, denominator, grain, cohort_date "
        "from metrics.kpi_catalogue where kpi_id = $kpi",
        {"kpi": kpi_id},
    ).row(0, named=True)
    if catalogue["unit"] == "hours":
        chosen = place.get(STAGE) or _usual_stage(table)
        stages = table["stage_id"].drop_nulls().to_list()
        if place.get(STAGE) and chosen not in stages:
            message = f"{kpi_id}: unknown stage {chosen!r}; known here: {', '.join(stages) or 'none'}"
            raise QuestionError(message)
        table = table.filter(pl.col("stage_id") == chosen)
        place = place | ({STAGE: chosen} if chosen else {})
    elif STAGE in place:
        message = f"{kpi_id} has no stages; leave stage out"
        raise QuestionError(message)
    if table.is_empty():
        return Figure(None, None, None, 0), catalogue, place
    row = table.row(0, named=True)
    if not row["is_available"]:
        message = f"{kpi_id} is unavailable: {row['reason']}"
        raise QuestionError(message)
    if row["reason"] and row["observations"]:
        message = f"{kpi_id}: {row['reason']}"
        raise QuestionError(message)
    is_summed = catalogue["unit"] not in ("hours", "index")
    return (
        Figure(
            value=row["value"],
            numerator=row["numerator"] if is_summed else None,
            denominator=row["denominator"] if is_summed else None,
            observations=row["observations"],
            p90=row["p90"],
        ),
        catalogue,
        place,
    )


def _usual_stage(table: pl.DataFrame) -> str | None:
    stages = table["stage_id"].drop_nulls().to_list()
    return _WHOLE_ORDER if _WHOLE_ORDER in stages else next(iter(stages), None)


def _collect(
    connection: Connection,
    kpi_id: str,
    place: Mapping[str, str],
    *,
    days: tuple[date | None, date | None],
    lens: str,
) -> None:
    """Put the rows of the cell into a temporary table, so that the view is read once."""
    parameters: dict[str, Any] = {
        "kpis": list(INDEX_PARTS) if kpi_id == INDEX else [kpi_id], "date_from": days[0], "date_to": days[1],
    }  # fmt: skip
    conditions = []
    for number, (name, value) in enumerate(place.items()):
        parameters[f"value_{number}"] = value
        column = name if name in STORED else f"dim_{name}"
        condition = f"starts_with(row_key, $value_{number} || ' ')" if name == STAGE else f"{column} = $value_{number}"
        conditions.append(f"and {condition}")
    if lens != HEADLINE:
        parameters["lens"] = lens
    chosen = "(profile_id = '' or is_headline)" if lens == HEADLINE else "profile_id in ('', $lens)"
    connection.execute(
        f"""
        create or replace temporary table passport_rows as
        select *,
            case
                when exclusion_reason is not null then 'excluded'
                when numerator <> 0 then 'numerator'
                else 'denominator'
            end as part
        from {relation("metrics.kpi_facts", place)}
        where list_contains($kpis, kpi_id) and {chosen}
            and ($date_from is null or period_date >= $date_from)
            and ($date_to is null or period_date <= $date_to)
            {" ".join(conditions)}
        """,
        parameters,
    )


def _recount(connection: Connection, kpi: Mapping[str, Any]) -> Figure:
    sums = read(
        connection,
        """
        select kpi_id, sum(numerator) as numerator, sum(denominator) as denominator,
            cast(coalesce(sum(observations), 0) as bigint) as observations,
            quantile_cont(numerator, 0.5) as median, quantile_cont(numerator, 0.9) as p90
        from passport_rows where exclusion_reason is null group by kpi_id order by kpi_id
        """,
    )
    if sums.is_empty():
        return Figure(None, None, None, 0)
    row = sums.row(0, named=True)
    if kpi["unit"] == "hours":
        return Figure(row["median"], None, None, row["observations"], row["p90"])
    if kpi["unit"] == "index":
        rates = [one["numerator"] / one["denominator"] for one in sums.iter_rows(named=True) if one["denominator"]]
        whole = math.prod(rates) if len(rates) == len(INDEX_PARTS) else None
        return Figure(whole, None, None, int(sums["observations"].max() or 0))  # type: ignore[arg-type]
    divided = row["numerator"] / row["denominator"] if row["denominator"] else None
    value = divided if kpi["unit"] == "ratio" else row["numerator"]
    return Figure(value, row["numerator"], row["denominator"], row["observations"])


def _parts(connection: Connection) -> dict[str, int]:
    found = read(connection, "select part, count(*) as rows from passport_rows group by part")
    counts = dict(zip(found["part"], found["rows"], strict=True))
    return {part: counts.get(part, 0) for part in ("numerator", "denominator", "excluded")}


def _model(connection: Connection, kpi_id: str) -> dict[str, Any]:
    found = read(
        connection,
        "select row_model, definition_version, rules_version, sql from metrics.kpi_models where kpi_id = $kpi",
        {"kpi": INDEX_PARTS[0] if kpi_id == INDEX else kpi_id},
    )
    if found.is_empty():
        message = f"this publication has no rows of {kpi_id}"
        raise QuestionError(message)
    return found.row(0, named=True)


def _sources(connection: Connection) -> pl.DataFrame:
    """Return the files whose events speak of the rows: those of their orders (and lines), and those of their keys."""
    return read(
        connection,
        """
        -- A document is its own witness; what else happened to its order says nothing of it.
        with keyed as (
            select distinct row_key, case when row_kind <> 'document' then order_id end as order_id, line_id
            from passport_rows
        ),
        spoken as (
            select keyed.row_key, events.event_id, events.source, events.source_ref, events.batch_id
            from keyed
            inner join marts.fct_events as events
                on keyed.order_id = events.order_id
                and (keyed.line_id is null or events.line_id is null or keyed.line_id = events.line_id)
            union
            select keyed.row_key, events.event_id, events.source, events.source_ref, events.batch_id
            from keyed
            inner join marts.fct_orderless_events as events on keyed.row_key = events.row_key
        ),
        filed as (
            select batch_id, source, split_part(source_ref, '#', 1) as file_name,
                count(distinct row_key) as rows, count(distinct event_id) as events
            from spoken
            group by all
        )
        select filed.batch_id, filed.source, filed.file_name, batches.landed_at, filed.rows, filed.events
        from filed
        left join marts.fct_batches as batches on filed.batch_id = batches.batch_id
        order by filed.rows desc, filed.source, filed.file_name, filed.batch_id
        """,
    )


def _same(one: float | None, two: float | None) -> bool:
    if one is None or two is None:
        # Nothing counted is published as no row, and adds up to nothing.
        return (one or 0) == 0 and (two or 0) == 0
    return math.isclose(one, two, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
