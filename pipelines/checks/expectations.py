"""Great Expectations suites judge each batch before it lands; their Data Docs are the report.

The library cannot run on DuckDB through SQLAlchemy (ADR 0004), so it sees each parsed batch as a pandas
frame. Importing it takes seconds: only landing imports this module, and only when there is a batch.
"""

from __future__ import annotations

import os
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import yaml

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read at import: nothing leaves the machine

with warnings.catch_warnings():  # the library's own deprecations are no news to our users
    warnings.simplefilter("ignore")
    import great_expectations as gx
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.data_context.data_context.file_data_context import FileDataContext
    from great_expectations.expectations.row_conditions import Column

from pipelines.checks.verdict import Failure, Verdict
from pipelines.errors import PipelineError
from pipelines.sources.base import ParsedBatch
from storage.duck import connect, writer_lock
from storage.settings import Settings

DEFAULT_SUITES: Final = Path(__file__).with_name("suites.yml")
_SITE: Final = "otif"
_SAMPLES: Final = 5
_WHOLE: Final = "batch"

Suites = dict[str, list[dict[str, Any]]]


def judge_batch(settings: Settings, batch_id: str, source: str, parsed: ParsedBatch) -> Verdict:
    """Run the suites of every family in the batch and of the batch as a whole.

    Args:
        settings: Workspace; suites come from the product and the workspace's `checks.yml`.
        batch_id: Batch, named in Data Docs.
        source: Source system.
        parsed: Batch after the row contracts.

    Returns:
        The failed expectations in words, with sample values.
    """
    context = _context(settings)
    suites = load_suites(settings)
    frames = {family: frame for family, frame in parsed.events.items() if family in suites and frame.height}
    if "batch" in suites:
        frames["batch"] = _describe(settings, parsed)
    failures: list[Failure] = []
    for family, frame in frames.items():
        failures += _run_suite(context, f"{source}.{family}", batch_id, suites[family], frame)
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


def _describe(settings: Settings, parsed: ParsedBatch) -> pl.DataFrame:
    """Describe a batch in one row: volume, rejects, freshness and referential share."""
    events = sum(frame.height for frame in parsed.events.values())
    rows_in = sum(parsed.rows_in.values())
    limit = datetime.now(tz=UTC).replace(tzinfo=None) + timedelta(days=1)
    future = sum(frame.filter(pl.col("event_at") > limit).height for frame in parsed.events.values())
    referred, known = _referential_share(settings, parsed)
    return pl.DataFrame(
        {
            "events": [events],
            "rows_in": [rows_in],
            "rejected": [parsed.rejects.height],
            "rejected_share": [parsed.rejects.height / max(rows_in, 1)],
            "future_share": [future / max(events, 1)],
            "order_references": [referred],
            "known_order_share": [known / referred if referred else 1.0],
        }
    )


def _referential_share(settings: Settings, parsed: ParsedBatch) -> tuple[int, int]:
    """Count the orders that other families refer to, and how many of them are known."""
    families = [
        frame.select("order_id")
        for family, frame in parsed.events.items()
        if family != "order" and "order_id" in frame.columns
    ]
    if not families:
        return 0, 0
    referred = pl.concat(families).drop_nulls().unique()
    if "order" in parsed.events:
        own = parsed.events["order"].filter(pl.col("event_type") == "order.captured").select("order_id").unique()
        elsewhere = referred.join(own, on="order_id", how="anti")
    else:
        elsewhere = referred
    with writer_lock(settings, purpose="checking a batch"):
        connection = connect(settings.database)
        try:
            connection.register("elsewhere", elsewhere.to_arrow())
            row = connection.execute(
                "select count(*) from elsewhere where order_id in "
                "(select order_id from landing.order_events where event_type = 'order.captured')"
            ).fetchone()
        finally:
            connection.close()
    return referred.height, referred.height - elsewhere.height + (row[0] if row else 0)


def _run_suite(
    context: FileDataContext, name: str, batch_id: str, entries: list[dict[str, Any]], frame: pl.DataFrame
) -> list[Failure]:
    suite = gx.ExpectationSuite(name=name)
    columns = set(frame.columns)
    for entry in entries:
        if entry.get("column", next(iter(columns))) in columns:
            suite.add_expectation(_expectation(entry))
    suite = context.suites.add_or_update(suite)
    asset_name = f"{name}.asset"
    source = context.data_sources.add_or_update_pandas(name=name)
    definition = source.add_dataframe_asset(name=asset_name).add_batch_definition_whole_dataframe(_WHOLE)
    validation = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=name, data=definition, suite=suite)
    )
    outcome = validation.run(
        batch_parameters={"dataframe": _to_pandas(frame)},
        result_format={"result_format": "BASIC", "partial_unexpected_count": _SAMPLES},
        run_id=gx.RunIdentifier(run_name=batch_id),
    )
    return [_failure(name, result) for result in outcome.results if not result.success]


def _expectation(entry: dict[str, Any]) -> Any:  # noqa: ANN401 - the library's classes share no public base with arguments
    arguments = {key: value for key, value in entry.items() if key not in ("expectation", "meaning")}
    if "when" in arguments:
        when = arguments.pop("when")
        arguments["row_condition"] = Column(when["column"]) >= when["at_least"]
    if "event_at" in str(arguments.get("column")):
        arguments |= {k: datetime.fromisoformat(v) for k, v in arguments.items() if k in ("min_value", "max_value")}
    camel = "".join(part.title() for part in str(entry["expectation"]).split("_"))
    try:
        kind = getattr(gx.expectations, camel)
        return kind(**arguments, meta={"meaning": entry.get("meaning", "")})
    except (AttributeError, ValueError, TypeError) as error:
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
    return Failure(config.type, f"{suite}.{column}", sentence)
