"""Great Expectations suites judge each batch before it lands; their Data Docs are the report.

The library cannot run on DuckDB through SQLAlchemy (ADR 0004), so it sees the batch as pandas frames. Of a large
batch it sees each different value once and the counts are put back afterwards (`_judge_values`): the verdict is
that over all rows, never over a sample. Importing the library takes seconds: only landing imports this module, and
only when there is a batch.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import yaml

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read at import: nothing leaves the machine

with warnings.catch_warnings():  # the library's own deprecations are no news to our users
    warnings.simplefilter("ignore")
    import great_expectations as gx
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.data_context.data_context.file_data_context import FileDataContext
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )
    from great_expectations.expectations.expectation import ColumnMapExpectation
    from great_expectations.expectations.row_conditions import Column
    from great_expectations.validator.v1_validator import Validator

from pipelines.checks.history import earlier_deliveries, judge_freshness, judge_volume
from pipelines.checks.verdict import Failure, Verdict
from pipelines.errors import PipelineError
from storage.contracts import EVENT_TABLES
from storage.duck import Connection, open_writer
from storage.settings import Settings

if TYPE_CHECKING:
    from pipelines.landing.staging import Staging

DEFAULT_SUITES: Final = Path(__file__).with_name("suites.yml")
_SITE: Final = "otif"
_SAMPLES: Final = 5
_WHOLE: Final = "batch"
_BETWEEN: Final = "expect_column_values_to_be_between"

WHOLE_ROWS: Final = 50_000
"""Up to this many rows the library sees all of them; beyond, each different value once."""

_NOT_BY_VALUE: Final = ("Unique", "Increasing", "Decreasing")
"""Expectations about a column's values that look at more than one row."""

Suites = dict[str, list[dict[str, Any]]]


def judge_batch(settings: Settings, batch_id: str, source: str, staging: Staging) -> Verdict:
    """Run the suites of every family in the batch and of the batch as a whole.

    Args:
        settings: Workspace; suites come from the product and the workspace's `checks.yml`.
        batch_id: Batch, named in Data Docs.
        source: Source system.
        staging: Batch after the row contracts.

    Returns:
        The failed expectations in words, with sample values.
    """
    context = _context(settings)
    suites = load_suites(settings)
    failures: list[Failure] = []
    for family in staging.families:
        if family in suites:
            failures += _run_suite(context, f"{source}.{family}", batch_id, suites[family], _Rows(staging, family))
    if "batch" in suites:
        whole = _describe(settings, staging)
        failures += _run_suite(context, f"{source}.batch", batch_id, suites["batch"], whole)
    return Verdict(tuple(failures))


def load_suites(settings: Settings) -> Suites:
    """Read the product's suites, overlaid family by family with the workspace's `checks.yml`.

    Raises:
        PipelineError: A suite file is malformed.
    """
    suites: Suites = {}
    for path in (DEFAULT_SUITES, settings.home / "checks.yml"):
        if not path.exists():
            continue
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except yaml.YAMLError as error:
            message = f"{path}: not valid YAML: {error}"
            raise PipelineError(message) from error
        for family, entries in content.items():
            if not isinstance(entries, list) or not all(isinstance(e, dict) and "expectation" in e for e in entries):
                message = f"{path}: {family}: expected a list of entries with an `expectation` key"
                raise PipelineError(message)
            suites[family] = entries
    return suites


def build_data_docs(settings: Settings) -> Path:
    """Write the Data Docs of all judged batches and return their index page."""
    _context(settings).build_data_docs(site_names=[_SITE])
    return data_docs_index(settings)


def data_docs_index(settings: Settings) -> Path:
    """Where the Data Docs start."""
    return settings.var / "data_docs" / "index.html"


def _context(settings: Settings) -> FileDataContext:
    root = settings.var / "gx"
    root.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="file", project_root_dir=root)
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    site: Any = {
        "class_name": "SiteBuilder",
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(settings.var / "data_docs"),
        },
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    if _SITE not in context.get_site_names():
        context.add_data_docs_site(site_name=_SITE, site_config=site)
    return context


def _describe(settings: Settings, staging: Staging) -> pl.DataFrame:
    """Describe a batch in one row: volume, rejects, freshness, referential share, and its place in the history."""
    now = datetime.now(tz=UTC).replace(tzinfo=None)
    limit = now + timedelta(days=1)
    families = staging.families
    figures = [
        staging.connection.execute(
            f"select count(*), count(*) filter (where event_at > ?), max(event_at) filter (where event_at <= ?) "
            f"from {family}_rows",
            [limit, limit],
        ).fetchall()[0]
        for family in families
    ]
    events = sum(figure[0] for figure in figures)
    newest = max((figure[2] for figure in figures if figure[2]), default=None)
    rows_in = sum(staging.rows_in.values())
    rejected = staging.rejected
    with open_writer(settings, purpose="checking a batch") as connection:
        referred, known = _referential_share(connection, staging)
        earlier = earlier_deliveries(connection, staging.source) if newest else []
    row: dict[str, Any] = {
        "events": events,
        "rows_in": rows_in,
        "rejected": rejected,
        "rejected_share": rejected / max(rows_in, 1),
        "future_share": sum(figure[1] for figure in figures) / max(events, 1),
        "order_references": referred,
        "known_order_share": known / referred if referred else 1.0,
    }
    if newest:
        standings = {
            "volume": judge_volume(earlier, events, newest, settings.zone),
            "age_hours": judge_freshness(earlier, newest, now),
        }
        for name, standing in standings.items():
            row |= {
                name: standing.value,
                f"{name}_usual": standing.usual,
                f"{name}_deviation": standing.deviation,
                f"{name}_history": standing.history,
                f"{name}_scope": standing.scope,
            }
    floats = {name: pl.Float64() for name in row if name.endswith(("_usual", "_deviation"))}
    return pl.DataFrame([row], schema_overrides=floats)


def _referential_share(connection: Connection, staging: Staging) -> tuple[int, int]:
    """Count the orders that other families refer to, and how many of them are known."""
    families = [family for family in staging.families if family != "order" and "order_id" in EVENT_TABLES[family].names]
    if not families:
        return 0, 0
    referred = " union ".join(f"select order_id from {family}_rows where order_id is not null" for family in families)
    own = "select order_id from order_rows where event_type = 'order.captured'"
    count = int(staging.value(f"select count(*) from ({referred})"))
    anti = f"where order_id not in ({own})" if "order" in staging.families else ""
    elsewhere = staging.frame(f"select order_id from ({referred}) {anti}")
    connection.register("elsewhere", elsewhere.to_arrow())
    [(known,)] = connection.execute(
        "select count(*) from elsewhere where order_id in "
        "(select order_id from landing.order_events where event_type = 'order.captured')"
    ).fetchall()
    connection.unregister("elsewhere")
    return count, count - elsewhere.height + int(known)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The staged rows of one family."""

    staging: Staging
    family: str

    @property
    def columns(self) -> tuple[str, ...]:
        names = EVENT_TABLES[self.family].names
        return tuple(name for name in names if name != "batch_id")

    def whole(self, columns: Sequence[str]) -> pl.DataFrame:
        return self.staging.frame(f"select {', '.join(columns)} from {self.family}_rows")

    def values(self, entry: Mapping[str, Any]) -> pl.DataFrame:
        """Return each value of the entry's column once, with its count.

        Values between the limits of a plain between-expectation are all alike to it: they count as the limit itself.
        """
        name = str(entry["column"])
        value = name
        limits = [limit for limit in (entry.get("min_value"), entry.get("max_value")) if limit is not None]
        if entry["expectation"] == _BETWEEN and limits and not any(key.startswith("strict") for key in entry):
            kind = "timestamp" if EVENT_TABLES[self.family].column(name).type == "TIMESTAMP" else "double"
            typed = [f"cast('{limit}' as {kind})" for limit in limits]
            column = f"cast({name} as {kind})"
            tests = [f"{column} >= {typed[0]}"] if entry.get("min_value") is not None else []
            tests += [f"{column} <= {typed[-1]}"] if entry.get("max_value") is not None else []
            value = f"case when {' and '.join(tests)} then {typed[0]} else {column} end"
        return self.staging.frame(
            f"select {value} as {name}, count(*) as weight from {self.family}_rows group by 1 order by all"
        )


def _run_suite(
    context: FileDataContext, name: str, batch_id: str, entries: list[dict[str, Any]], rows: _Rows | pl.DataFrame
) -> list[Failure]:
    columns = set(rows.columns)
    wanted = [entry for entry in entries if entry.get("column", next(iter(columns))) in columns]
    suite = gx.ExpectationSuite(name=name)
    for entry in wanted:
        suite.add_expectation(_expectation(entry, rows if isinstance(rows, pl.DataFrame) else None))
    suite = context.suites.add_or_update(suite)
    source = context.data_sources.add_or_update_pandas(name=name)
    definition = source.add_dataframe_asset(name=f"{name}.asset").add_batch_definition_whole_dataframe(_WHOLE)
    validation = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=name, data=definition, suite=suite)
    )
    run_id = gx.RunIdentifier(run_name=batch_id)
    if isinstance(rows, pl.DataFrame) or rows.staging.count(rows.family) <= WHOLE_ROWS:
        frame = rows if isinstance(rows, pl.DataFrame) else rows.whole(rows.columns)
        outcome = validation.run(
            batch_parameters={"dataframe": _to_pandas(frame)},
            result_format={"result_format": "BASIC", "partial_unexpected_count": _SAMPLES},
            run_id=run_id,
        )
    else:
        outcome = _judge_values(context, definition, suite, wanted, rows, run_id)
    return [_failure(name, result) for result in outcome.results if not result.success]


def _judge_values(
    context: FileDataContext,
    definition: BatchDefinition[Any],
    suite: gx.ExpectationSuite,
    entries: Sequence[Mapping[str, Any]],
    rows: _Rows,
    run_id: gx.RunIdentifier,
) -> ExpectationSuiteValidationResult:
    """Judge many rows: each value of a column once, the counts put back; what looks across rows sees all of them."""
    results: list[ExpectationValidationResult] = []
    parts: list[ExpectationSuiteValidationResult] = []
    validator: Validator | None = None
    for entry, expectation in zip(entries, suite.expectations, strict=True):
        by_value = (
            isinstance(expectation, ColumnMapExpectation)
            and not any(word in type(expectation).__name__ for word in _NOT_BY_VALUE)
            and "when" not in entry
        )
        columns = [column for column in rows.columns if column in _texts(entry)] or list(rows.columns)
        frame = rows.values(entry) if by_value else rows.whole(columns)
        validator = Validator(
            batch_definition=definition,
            batch_parameters={"dataframe": _to_pandas(frame.select(pl.exclude("weight")))},
            result_format={
                "result_format": "COMPLETE" if by_value else "BASIC",
                "partial_unexpected_count": _SAMPLES,
            },
        )
        part = validator.validate_expectation_suite(
            gx.ExpectationSuite(name=suite.name, expectations=[_expectation(dict(entry))])
        )
        parts.append(part)
        [result] = part.results
        results.append(_with_counts(result, frame["weight"]) if by_value else result)
    passed = sum(bool(result.success) for result in results)
    outcome = ExpectationSuiteValidationResult(
        success=passed == len(results),
        results=results,
        suite_name=suite.name,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(results) - passed,
            "success_percent": 100.0 * passed / max(len(results), 1),
        },
        meta={**dict(parts[0].meta), "run_id": run_id, "validation_time": run_id.run_time} if parts else {},
        batch_id=parts[0].batch_id if parts else None,
    )
    suite_id = ExpectationSuiteIdentifier(name=suite.name)
    context.validation_results_store.store_validation_results(
        suite_validation_result=outcome,
        suite_validation_result_identifier=ValidationResultIdentifier(
            expectation_suite_identifier=suite_id, run_id=run_id, batch_identifier=outcome.batch_id
        ),
        expectation_suite_identifier=suite_id,
    )
    return outcome


def _texts(entry: Mapping[str, Any]) -> set[str]:
    """Return every text in an entry: the columns it names are among them."""
    found: set[str] = set()
    for value in entry.values():
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, list):
            found |= {item for item in value if isinstance(item, str)}
        elif isinstance(value, dict):
            found |= _texts(value)
    return found


def _with_counts(result: ExpectationValidationResult, weights: pl.Series) -> ExpectationValidationResult:
    """Turn a result over different values into the result over all rows."""
    found = dict(result.result)
    if not found or (result.exception_info and result.exception_info.get("exception_message")):
        return result
    total = int(weights.sum())
    unexpected = int(weights.gather(found.get("unexpected_index_list") or []).sum())
    missing = total
    if "missing_count" in found:  # at most one value is null
        missing = int(weights.gather([0]).sum()) if found["missing_count"] else 0
    judged = total - missing if "missing_count" in found else total
    mostly = float((result.expectation_config.kwargs if result.expectation_config else {}).get("mostly") or 1.0)
    found |= {
        "element_count": total,
        "unexpected_count": unexpected,
        "unexpected_percent": 100.0 * unexpected / judged if judged else None,
        "unexpected_percent_total": 100.0 * unexpected / total if total else None,
        "unexpected_percent_nonmissing": 100.0 * unexpected / judged if judged else None,
    }
    if "missing_count" in found:
        found |= {"missing_count": missing, "missing_percent": 100.0 * missing / total if total else None}
    for name in ("unexpected_list", "unexpected_index_list", "unexpected_index_query", "partial_unexpected_index_list"):
        found.pop(name, None)
    result.result = found
    result.success = judged == 0 or (judged - unexpected) / judged >= mostly
    return result


def _expectation(entry: dict[str, Any], row: pl.DataFrame | None = None) -> Any:  # noqa: ANN401 - the library's classes share no public base with arguments
    arguments = {key: value for key, value in entry.items() if key not in ("expectation", "meaning")}
    if "when" in arguments:
        when = arguments.pop("when")
        arguments["row_condition"] = Column(when["column"]) >= when["at_least"]
    if "event_at" in str(arguments.get("column")):
        arguments |= {k: datetime.fromisoformat(v) for k, v in arguments.items() if k in ("min_value", "max_value")}
    camel = "".join(part.title() for part in str(entry["expectation"]).split("_"))
    meaning = str(entry.get("meaning", ""))
    try:
        kind = getattr(gx.expectations, camel)
        if row is not None and "{" in meaning:
            meaning = meaning.format(
                **{name: "–" if value is None else value for name, value in row.row(0, named=True).items()}
            )
        return kind(**arguments, meta={"meaning": meaning})
    except (AttributeError, ValueError, TypeError, KeyError) as error:
        message = f"suite entry {entry}: {error}"
        raise PipelineError(message) from error


def _to_pandas(frame: pl.DataFrame) -> Any:  # noqa: ANN401 - pandas stays inside this module
    decimals = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Decimal)]
    return frame.with_columns(pl.col(decimals).cast(pl.Float64)).to_pandas()


def _failure(suite: str, result: ExpectationValidationResult) -> Failure:
    config = result.expectation_config
    if config is None:  # pragma: no cover - the library always fills it in
        return Failure("unknown", suite, f"{suite}: an expectation failed")
    arguments = {k: v for k, v in config.kwargs.items() if k in ("min_value", "max_value", "mostly", "regex")}
    column = config.kwargs.get("column", "table")
    meaning = (config.meta or {}).get("meaning") or config.type
    found = result.result.get("partial_unexpected_list") or [result.result.get("observed_value")]
    if result.exception_info and result.exception_info.get("exception_message"):
        found = [result.exception_info["exception_message"]]
    values = ", ".join(str(value) for value in found[:_SAMPLES])
    percent = result.result.get("unexpected_percent")
    share = f" ({percent:.1f} % of the rows)" if percent else ""
    sentence = f"{suite}: expected that {meaning}: {column} {arguments}; found {values}{share}"
    return Failure(config.type, f"{suite}.{column}", sentence, is_grave="warning" not in str(config.severity).lower())
