"""Allocation jobs: read the open problem from the publication, solve it, compare it with the rules, record it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from storage.errors import ConfigError
from storage.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from optimizer.allocation import AllocationData, AllocationResult
    from storage.ledger import Plan

ALLOCATION_FRAMES: Final = {
    "open_lines": "fct_open_lines",
    "inventory": "fct_inventory",
    "inbound_receipts": "fct_inbound_receipts",
    "channel_reservations": "fct_channel_reservations",
    "nodes": "dim_nodes",
    "lanes": "dim_lanes",
}


@dataclass(frozen=True, slots=True)
class SolvedScenario:
    """A solved scenario, beside what today's rules would do, and its record in the ledger."""

    record: Plan
    plan: AllocationResult
    rules: AllocationResult

    @property
    def gain_cents(self) -> int:
        """What the plan is worth more than priority, first come first served and nearest node."""
        return self.plan.objective_cents - self.rules.objective_cents


def read_scenario(path: Path | None) -> tuple[str, dict[str, Any]]:
    """Read a scenario file: a name and options of the allocation.

    Returns:
        Name and options; without a file the standard scenario, in which reservations may be released at a price.

    Raises:
        ConfigError: The file is no scenario.
    """
    import yaml

    if path is None:
        return "scarce stock", {"reservations": "decide"}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        message = f"{path}: cannot be read as YAML: {error}"
        raise ConfigError(message) from error
    if not isinstance(content, Mapping) or set(content) - {"name", "options"} or "name" not in content:
        message = f"{path}: expected the keys `name` and `options`, see docs/optimizer.md"
        raise ConfigError(message)
    return str(content["name"]), dict(content.get("options") or {})


def solve_scenario(settings: Settings, *, name: str, options: Mapping[str, Any], by: str) -> SolvedScenario:
    """Solve the open orders of the current publication, compare with today's rules and record both.

    Args:
        settings: Workspace.
        name: Name of the scenario.
        options: Fields of `AllocationOptions`, reserves as words.
        by: Person or job.

    Raises:
        InvalidDataError: An option is unknown or out of range, or the data has faults; all are listed.
        NotPublishedError: Nothing is published.
    """
    from optimizer.allocation import allocate, baseline
    from storage.ledger import open_ledger
    from storage.publish import current_publication

    data = allocation_problem(settings, options)
    plan, rules = allocate(data), baseline(data)
    with open_ledger(settings) as ledger:
        record = ledger.record_plan(
            scenario=name,
            as_of=data.options.as_of,
            publication=current_publication(settings).stem,
            fingerprint=plan.fingerprint,
            status=plan.status.value,
            objective=_money(plan.objective_cents),
            baseline_objective=_money(rules.objective_cents),
            kpis={
                "baseline": _figures(rules),
                "plan": _figures(plan),
                "bound": str(_money(plan.bound_cents)),
                "gap": plan.gap,
                "notes": list(plan.notes),
                "releases": plan.releases.to_dicts(),
                "lines_gained": _lines_gained(rules, plan).to_dicts(),
            },
            lines=_plan_lines(data, rules, plan),
            created_by=by,
            now=datetime.now(tz=UTC),
        )
    return SolvedScenario(record, plan, rules)


def allocation_problem(settings: Settings, options: Mapping[str, Any]) -> AllocationData:
    """Return the open orders of the current publication as a problem.

    Raises:
        InvalidDataError: An option is unknown or out of range, or a mart lacks a column.
        NotPublishedError: Nothing is published.
    """
    from optimizer.allocation import AllocationData, AllocationOptions

    chosen = AllocationOptions.from_document(options, as_of=published_as_of(settings))
    return AllocationData.from_frames(**published_frames(settings, ALLOCATION_FRAMES), options=chosen)


def published_frames(settings: Settings, tables: Mapping[str, str]) -> dict[str, pl.DataFrame]:
    """Read whole marts of the current publication, decimals kept: name → frame."""
    return published_queries(settings, {name: f"from marts.{table}" for name, table in tables.items()})


def published_queries(settings: Settings, queries: Mapping[str, str]) -> dict[str, pl.DataFrame]:
    """Ask the current publication, all questions of the same one: name → frame."""
    import polars as pl

    from storage.publish import open_published

    with open_published(settings) as connection:
        tables = {name: connection.sql(query).to_arrow_table() for name, query in queries.items()}
    return {name: pl.DataFrame(table) for name, table in tables.items()}


def published_as_of(settings: Settings) -> datetime:
    """Return the instant that the current publication looks from."""
    from storage.publish import open_published

    with open_published(settings) as connection:
        row = connection.execute("select as_of from marts.build_info").fetchone()
    if row is None:
        message = "the publication does not say its as-of; run `otif build`"
        raise ConfigError(message)
    moment: datetime = row[0]
    return moment.replace(tzinfo=UTC)


def _figures(result: AllocationResult) -> dict[str, Any]:
    totals = result.summary.drop("channel", "objective_cents").sum().row(0, named=True) if result.summary.height else {}
    return {**totals, "money": {term: float(_money(cents)) for term, cents in result.terms.items()}}


def _money(cents: int) -> Decimal:
    return Decimal(cents) / 100


def _plan_lines(data: AllocationData, rules: AllocationResult, plan: AllocationResult) -> list[dict[str, Any]]:
    """One object per open line: units under the rules and under the plan, and why units stay short."""
    import polars as pl

    key = ["order_id", "line_id"]
    sides = [
        result.allocations.group_by(key).agg(
            pl.col("quantity").sum().alias(f"units_{side}"),
            pl.col("quantity").filter(pl.col("days_late") == 0).sum().alias(f"on_time_units_{side}"),
        )
        for side, result in (("rules", rules), ("plan", plan))
    ]
    lines = data.lines.select(*key, "sku", "channel", pl.col("quantity").alias("open_units"))
    for side in sides:
        lines = lines.join(side, on=key, how="left")
    shorts = plan.shorts.select(*key, pl.col("short_quantity").alias("short_units"), "reason", "competing_lines")
    joined = lines.join(shorts, on=key, how="left").with_columns(pl.col("^.*units.*$").fill_null(0)).sort(key)
    return joined.to_dicts()


def _lines_gained(rules: AllocationResult, plan: AllocationResult) -> pl.DataFrame:
    """Lines per SKU that stay short under the rules and not under the plan."""
    import polars as pl

    key = ["order_id", "line_id"]
    return rules.shorts.join(plan.shorts, on=key, how="anti").group_by("sku").agg(pl.len().alias("lines")).sort("sku")


def write_plan(plan: AllocationResult, folder: Path) -> None:
    """Write the plan's tables as CSV files."""
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("allocations", "shorts", "lates", "summary", "releases"):
        frame: pl.DataFrame = getattr(plan, name)
        lists = [column for column, kind in frame.schema.items() if isinstance(kind, pl.List)]
        frame.with_columns(pl.col(lists).list.join(" ")).write_csv(folder / f"{name}.csv")
