"""Allocation jobs: read the open problem from the publication, solve scenarios, compare them, explain, record."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from storage.errors import ConfigError
from storage.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    import polars as pl

    from optimizer.allocation import AllocationData, AllocationResult
    from optimizer.allocation.relax import Remedy
    from optimizer.allocation.world import World
    from optimizer.scenarios import Comparison, Scenario, ScenarioRun
    from storage.ledger import Plan

ALLOCATION_FRAMES: Final = {
    "open_lines": "fct_open_lines",
    "inventory": "fct_inventory",
    "inbound_receipts": "fct_inbound_receipts",
    "channel_reservations": "fct_channel_reservations",
    "nodes": "dim_nodes",
    "lanes": "dim_lanes",
}

LIBRARY: Final = PROJECT_ROOT / "data" / "scenarios"
"""Scenarios that come with the product; `otif init` copies them into a workspace."""

BASELINE: Final = "baseline"
"""Name of what today's rules would do, in comparisons."""

STANDARD: Final = "scarce stock"
"""Name of the scenario that is solved when none is named: reservations may be released at a price."""

_KEPT_ORDERS: Final = 200


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """A line that the plan leaves short or late, and the single changes that would serve it, cheapest first."""

    order_id: str
    line_id: str
    sku: str
    reason: str
    competing_lines: tuple[str, ...]
    remedies: tuple[Remedy, ...]


@dataclass(frozen=True, slots=True)
class SolvedScenario:
    """A solved scenario, beside what today's rules would do and other scenarios, and its record in the ledger.

    Attributes:
        record: Its record in the ledger.
        run: The scenario's run.
        rules: What today's rules make of today's orders.
        same_rules: What today's rules make of the scenario's orders, before a second stage.
        comparison: Today's rules, the scenario and the others side by side.
        explained: The dearest short and late lines with what would have to change.
        marginals: What one more is worth.
    """

    record: Plan
    run: ScenarioRun
    rules: AllocationResult
    same_rules: AllocationResult
    comparison: Comparison
    explained: tuple[ExplainedLine, ...] = ()
    marginals: pl.DataFrame | None = None

    @property
    def plan(self) -> AllocationResult:
        """The plan."""
        return self.run.result

    @property
    def gain_cents(self) -> int:
        """What the plan is worth more than priority, first come first served and nearest node on the same orders."""
        return self.worth_cents - self.same_rules.objective_cents

    @property
    def worth_cents(self) -> int:
        """What the plan is worth, both stages together where there are two."""
        return sum(self.run.money_terms().values())


def list_scenarios(settings: Settings) -> dict[str, Path]:
    """Return the scenario files that can be named: those of the workspace before those of the product."""
    found = {path.stem: path for path in sorted(LIBRARY.glob("*.yml"))}
    return found | {path.stem: path for path in sorted((settings.home / "scenarios").glob("*.yml"))}


def read_scenario(given: str | Path | None, settings: Settings | None = None) -> Scenario:
    """Read a scenario file.

    Args:
        given: A file, or the name of a file in the workspace's `scenarios/` or of the product; None for the standard.
        settings: Workspace, to look names up.

    Raises:
        ConfigError: There is no such file.
        InvalidScenarioError: The file is no scenario; every fault is listed with its line.
    """
    from optimizer.scenarios import Scenario, parse_scenario

    if given is None:
        return Scenario(name=STANDARD, options={"reservations": "decide"})
    path = _scenario_path(Path(given), settings)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read: {error}"
        raise ConfigError(message) from error
    return parse_scenario(text, where=path.name)


def _scenario_path(given: Path, settings: Settings | None) -> Path:
    if given.is_file():
        return given
    known = list_scenarios(settings) if settings is not None else {}
    if given.name in known or given.stem in known:
        return known.get(given.name) or known[given.stem]
    close = difflib.get_close_matches(given.stem, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    message = f"{given}: no such scenario file.{hint} `otif allocate --list` names those that are there."
    raise ConfigError(message)


def solve_scenario(
    settings: Settings, scenario: Scenario, *, by: str, compare: Sequence[str] = (), why: int = 0, values: int = 0
) -> SolvedScenario:
    """Solve the open orders of the current publication under a scenario, compare, explain and record.

    Args:
        settings: Workspace.
        scenario: What changes on today's problem.
        by: Person or job.
        compare: Further scenarios to lay beside it, by file or name; today's rules are always there.
        why: How many short or late lines to solve again for what would have to change, the dearest first.
        values: How many marginal values to solve, the dearest shortages first.

    Raises:
        InvalidScenarioError: A scenario names what the data does not have; all faults are listed.
        InvalidDataError: The data has faults; all are listed.
        ConfigError: There is no such scenario file.
        NotPublishedError: Nothing is published.
    """
    from optimizer.allocation import baseline
    from optimizer.scenarios import compare_runs, rules_run, run_scenario
    from storage.ledger import open_ledger
    from storage.publish import current_publication

    others = [read_scenario(name, settings) for name in compare if name != BASELINE]
    world = todays_world(settings)
    rules = rules_run(world, name=BASELINE)
    run = run_scenario(world, scenario)
    comparison = compare_runs([rules, run, *(run_scenario(world, other, start=run.result) for other in others)])
    explained = explain_worst(run, limit=why)
    marginals = _marginals(run, limit=values)
    worth = sum(run.money_terms().values())
    same_rules = baseline(run.first_data or run.data)
    with open_ledger(settings) as ledger:
        record = ledger.record_plan(
            scenario=scenario.name,
            as_of=run.data.options.moment,
            publication=current_publication(settings).stem,
            fingerprint=run.result.fingerprint,
            status=run.result.status.value,
            objective=_money(worth),
            baseline_objective=_money(same_rules.objective_cents),
            kpis={
                "baseline": _figures(rules),
                "plan": _figures(run),
                "bound": None if run.first is not None else str(_money(run.result.bound_cents)),
                "gap": run.result.gap,
                "notes": [*run.notes, *run.result.notes],
                "releases": run.result.releases.to_dicts(),
                "lines_gained": _lines_gained(rules.result, run.result).to_dicts(),
                **_why_document(run, comparison, explained, marginals),
            },
            lines=_plan_lines(run, rules),
            created_by=by,
            now=datetime.now(tz=UTC),
        )
    return SolvedScenario(record, run, rules.result, same_rules, comparison, explained, marginals)


def explain_worst(run: ScenarioRun, *, limit: int) -> tuple[ExplainedLine, ...]:
    """Return the dearest short and late lines of a run with the single changes that would serve them."""
    from optimizer.allocation.relax import remedies, worst_lines

    if limit <= 0:
        return ()
    found = []
    for order_id, line_id in worst_lines(run.result, run.data.lines, limit=limit):
        row = _reason_row(run.result, order_id, line_id)
        found.append(
            ExplainedLine(
                order_id,
                line_id,
                row["sku"],
                row["reason"],
                tuple(row["competing_lines"]),
                remedies(run.world, run.result, order_id=order_id, line_id=line_id),
            )
        )
    return tuple(found)


def _reason_row(plan: AllocationResult, order_id: str, line_id: str) -> dict[str, Any]:
    import polars as pl

    here = (pl.col("order_id") == order_id) & (pl.col("line_id") == line_id)
    shorts = plan.shorts.filter(here)
    return (shorts if shorts.height else plan.lates.filter(here)).row(0, named=True)


def _marginals(run: ScenarioRun, *, limit: int) -> pl.DataFrame | None:
    if limit <= 0:
        return None
    from optimizer.allocation.values import marginal_values

    return marginal_values(run.world, run.result, limit=limit)


def todays_world(settings: Settings) -> World:
    """Return the open orders of the current publication, before any scenario.

    Raises:
        NotPublishedError: Nothing is published.
    """
    from optimizer.allocation import AllocationOptions
    from optimizer.allocation.world import World

    options = AllocationOptions(as_of=published_as_of(settings))
    return World.of(published_frames(settings, ALLOCATION_FRAMES), options)


def allocation_problem(settings: Settings, options: Mapping[str, Any]) -> AllocationData:
    """Return the open orders of the current publication as a problem.

    Raises:
        InvalidDataError: An option is unknown or out of range, or a mart lacks a column.
        NotPublishedError: Nothing is published.
    """
    from optimizer.allocation import AllocationOptions

    world = todays_world(settings)
    return world.with_options(AllocationOptions.from_document(options, as_of=world.options.as_of)).data()


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


def _figures(run: ScenarioRun) -> dict[str, Any]:
    summary = run.result.summary
    totals = summary.drop("channel", "objective_cents").sum().row(0, named=True) if summary.height else {}
    if run.first is not None:  # the summary of a second stage does not know what the first has shipped
        totals = {}
    return {**totals, "money": {term: float(_money(cents)) for term, cents in run.money_terms().items()}}


def _money(cents: int) -> Decimal:
    return Decimal(cents) / 100


def _plan_lines(run: ScenarioRun, rules: ScenarioRun) -> list[dict[str, Any]]:
    """One object per open line: units under the rules and under the plan, why it is not served well, what to tell.

    `displaced_units` are those that the rules would serve, or serve on time, and the plan does not.
    """
    import polars as pl

    from optimizer.allocation.confirm import confirmations

    key = ["order_id", "line_id"]
    data = run.first_data or run.data
    sides = [
        allocations.group_by(key).agg(
            pl.col("quantity").sum().alias(f"units_{side}"),
            pl.col("quantity").filter(pl.col("days_late") == 0).sum().alias(f"on_time_units_{side}"),
        )
        for side, allocations in (("rules", rules.allocations), ("plan", run.allocations))
    ]
    lines = data.lines.select(*key, "sku", "channel", pl.col("quantity").alias("open_units"))
    told = confirmations(data, run.result, allocations=run.allocations).select(*key, "code", "text")
    for part in (*sides, *_reasoned(run.result), told):
        lines = lines.join(part, on=key, how="left")
    taken = pl.concat_list(pl.col("^.*competing_lines$").fill_null([])).list.unique(maintain_order=True)
    counted = lines.with_columns(pl.col("^.*units.*$").fill_null(0), taken.alias("competing_lines"))
    lost = [pl.col(f"{name}_rules") - pl.col(f"{name}_plan") for name in ("units", "on_time_units")]
    rows = counted.with_columns(pl.max_horizontal(*lost).clip(lower_bound=0).alias("displaced_units"))
    return [_explained_line(row) for row in rows.select(pl.exclude("^.+_competing_lines$")).sort(key).to_dicts()]


def _reasoned(plan: AllocationResult) -> Iterator[pl.DataFrame]:
    """Yield the lines that are short, late and split, with units, reason and who took the stock."""
    import polars as pl

    for kind, frame in (("short", plan.shorts), ("late", plan.lates), ("split", plan.splits)):
        reason = "reason" if kind == "short" else f"{kind}_reason"
        yield frame.select(
            "order_id",
            "line_id",
            pl.col(f"{kind}_quantity").alias(f"{kind}_units"),
            pl.col("reason").alias(reason),
            pl.col("competing_lines").alias(f"{kind}_competing_lines"),
        )


def _explained_line(row: dict[str, Any]) -> dict[str, Any]:
    """Add `why`: each reason of the line in words, with its units."""
    from optimizer.allocation.explain import meaning

    kinds = (("short", row["reason"]), ("late", row["late_reason"]), ("split", row["split_reason"]))
    words = [f"{row[f'{kind}_units']:,} {kind}: {meaning(reason)}" for kind, reason in kinds if reason]
    return {**row, "why": "; ".join(words)}


def _lines_gained(rules: AllocationResult, plan: AllocationResult) -> pl.DataFrame:
    """Lines per SKU that stay short under the rules and not under the plan."""
    import polars as pl

    key = ["order_id", "line_id"]
    return rules.shorts.join(plan.shorts, on=key, how="anti").group_by("sku").agg(pl.len().alias("lines")).sort("sku")


def _why_document(
    run: ScenarioRun, comparison: Comparison, explained: Sequence[ExplainedLine], marginals: pl.DataFrame | None
) -> dict[str, Any]:
    """Return the comparison and the reasons as JSON for the ledger; of changed orders those that change most."""
    import polars as pl

    kept = comparison.orders.group_by("scenario", maintain_order=True).head(_KEPT_ORDERS)
    return {
        "comparison": {
            "names": list(comparison.names),
            "measures": comparison.measures.to_dicts(),
            "money": comparison.money.to_dicts(),
            "moves": comparison.moves.to_dicts(),
            "orders": [_dated(row) for row in kept.to_dicts()],
            "orders_in_all": dict(comparison.orders.group_by("scenario").agg(pl.len()).sort("scenario").iter_rows()),
        },
        "explained": [explained_document(line) for line in explained],
        "marginals": [] if marginals is None else [_dated(row) for row in marginals.to_dicts()],
        "broken": [asdict(item) for item in run.broken],
        "conflicts": [
            {
                "words": conflict.words(),
                "ways_out": [{**asdict(way), "words": way.words()} for way in conflict.ways_out],
            }
            for conflict in run.conflicts
        ],
    }


def _dated(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}


def explained_document(line: ExplainedLine) -> dict[str, Any]:
    """Return an explained line as JSON: reason, who took the stock, what would have to change."""
    from optimizer.allocation.explain import meaning

    return {
        "order_id": line.order_id,
        "line_id": line.line_id,
        "sku": line.sku,
        "reason": line.reason,
        "why": meaning(line.reason),
        "competing_lines": list(line.competing_lines),
        "remedies": [
            {
                "kind": item.kind,
                "words": item.words,
                "cost_cents": item.cost_cents,
                "ships": item.ships.isoformat(),
                "arrives": item.arrives.isoformat(),
                "nodes": list(item.nodes),
                "displaced": [asdict(other) for other in item.displaced],
            }
            for item in line.remedies
        ],
    }


def write_plan(solved: SolvedScenario, folder: Path) -> None:
    """Write the tables of a plan and of its comparison as CSV files, and what to tell customers."""
    from optimizer.allocation.confirm import confirmations

    plan, compared = solved.plan, solved.comparison
    tables = {name: getattr(plan, name) for name in ("shorts", "lates", "splits", "summary", "releases")}
    tables |= {name: getattr(compared, name) for name in ("measures", "money", "moves", "orders")}
    tables["allocations"] = solved.run.allocations
    run = solved.run
    tables["confirmations"] = confirmations(run.first_data or run.data, plan, allocations=run.allocations)
    if solved.marginals is not None:
        tables["marginals"] = solved.marginals
    write_tables(tables, folder)


def write_tables(tables: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Write frames as CSV files; lists become words with spaces between."""
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        lists = [column for column, kind in frame.schema.items() if isinstance(kind, pl.List)]
        frame.with_columns(pl.col(lists).list.join(" ")).write_csv(folder / f"{name}.csv")
