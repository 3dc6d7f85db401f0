"""What a terminal shows of a plan: its worth, service, reasons in words, what would have to change, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final, Literal

from rich.console import RenderableType

from otif.render import cents, exact_cents, table

if TYPE_CHECKING:
    import polars as pl

    from optimizer.allocation import AllocationResult
    from optimizer.allocation.relax import Remedy
    from optimizer.scenarios import Scenario
    from otif.decisions import SolvedScenario

Columns = list[tuple[str, Literal["left", "right"]]]

_LENSES: Final = {
    "fill": "{level}s shipped in full",
    "need": "{level}s by the customer's date",
    "ship_by": "{level}s by the ship-by date",
}
_SUMMARY: Final = ["channel", "lines", "lines_full_on_time", "units_open", "units_allocated", "units_short"]
_SHOWN_REMEDIES: Final = 3
_SHOWN_RELEASES: Final = 8
_SHOWN_NAMES: Final = 3
_HEAD_WIDTH: Final = 14
_MISSING: Final = "–"


def scenario_list_table(scenarios: Mapping[str, Scenario]) -> RenderableType:
    """The scenarios that can be named."""
    rows = [(name, item.description or item.name) for name, item in scenarios.items()]
    return table("Scenarios: otif allocate NAME", [("name", "left"), ("what if", "left")], rows)


def allocation_tables(solved: SolvedScenario) -> list[RenderableType]:
    """The plan beside today's rules and other scenarios: figures, money, reasons, what would have to change."""
    plan = solved.plan
    parts = [*_headline(solved), "", _service_table(solved), "", _money_table(solved), "", _moves_table(solved), ""]
    parts += _conflict_lines(solved)
    parts += _reason_tables(plan)
    parts += _release_table(plan)
    parts += _remedy_table(solved)
    if solved.marginals is not None:
        parts += [_marginal_table(solved.marginals), ""]
    parts += [f"note: {note}" for note in (*solved.run.notes, *plan.notes)]
    return [*parts, "", *_next_steps(solved)]


def result_tables(plan: AllocationResult, *, title: str = "") -> list[RenderableType]:
    """A plan by itself: its worth by term, channels and reasons."""
    terms = [(name.replace("_", " "), exact_cents(value)) for name, value in plan.terms.items() if value]
    rows = [
        *terms,
        ("worth", exact_cents(plan.objective_cents)),
        ("no plan is worth more than", exact_cents(plan.bound_cents)),
    ]
    columns: Columns = [(name.replace("_", " "), "left" if name == "channel" else "right") for name in _SUMMARY]
    parts: list[RenderableType] = [
        f"{title}{quality(plan)}; {plan.seconds:.1f} s, path {plan.path}",
        "",
        table("Money by term", [("", "left"), ("plan", "right")], rows),
        "",
        table("By channel", columns, [tuple(row) for row in plan.summary.select(_SUMMARY).iter_rows()]),
        "",
        *_reason_tables(plan),
    ]
    return [*parts, *(f"note: {note}" for note in plan.notes)]


def quality(plan: AllocationResult) -> str:
    """Say how good a plan is, in words."""
    if plan.gap <= 0:
        return "no better plan exists (proven)"
    return f"at most {plan.gap:.2%} below the best possible (proven)"


def _headline(solved: SolvedScenario) -> Iterator[RenderableType]:
    than = "more" if solved.gain_cents >= 0 else "less"
    yield f"Plan {solved.record.plan_id}, {solved.run.name}: {quality(solved.plan)}; {solved.plan.seconds:.1f} s"
    yield (
        f"Worth {cents(solved.worth_cents)}, {cents(abs(solved.gain_cents))} {than} than today's rules would make of "
        f"the same orders ({cents(solved.same_rules.objective_cents)})."
    )


def _service_table(solved: SolvedScenario) -> RenderableType:
    measures, names = solved.comparison.measures, solved.comparison.names
    figures = {(r["scenario"], r["channel"], r["lens"], r["level"]): r for r in measures.iter_rows(named=True)}
    channels = ["(all)", *sorted(set(measures["channel"].to_list()) - {"(all)"})]
    kinds = [("(all)", lens, level) for lens in _LENSES for level in ("unit", "line", "order")]
    kinds += [(channel, lens, "unit") for channel in channels[1:] for lens in ("fill", "need")]
    rows = []
    for channel, lens, level in kinds:
        cells = [figures.get((name, channel, lens, level)) for name in names]
        counts = {cell["denominator"] for cell in cells if cell}
        if counts - {0}:
            same = counts.pop() if len(counts) == 1 else None
            shares = (_share(cell, told=same is not None) for cell in cells)
            rows.append((_lens_words(lens, level, channel), _MISSING if same is None else f"{same:,}", *shares))
    return table("Service on the same orders", [("", "left"), ("n", "right"), *_heads(names)], rows)


def _heads(names: Sequence[str]) -> Columns:
    """Return scenarios as heads of columns, long names in several lines."""
    return [("\n".join(wrap(name, _HEAD_WIDTH)), "right") for name in names]


def _lens_words(lens: str, level: str, channel: str) -> str:
    return _LENSES[lens].format(level=level) + ("" if channel == "(all)" else f", {channel}")


def _share(row: dict[str, Any] | None, *, told: bool) -> str:
    if row is None or not row["denominator"]:
        return _MISSING
    share = f"{row['numerator'] / row['denominator']:.1%}"
    return share if told else f"{share} of {row['denominator']:,}"


def _money_table(solved: SolvedScenario) -> RenderableType:
    names, money = solved.comparison.names, solved.comparison.money
    found = {(row["scenario"], row["term"]): row["cents"] for row in money.iter_rows(named=True)}
    words = {"objective": "worth", "bound": "no plan is worth more than"}
    rows = [
        (
            words.get(term, term.replace("_", " ")),
            *(cents(found[name, term]) if (name, term) in found else _MISSING for name in names),
        )
        for term in dict.fromkeys(money["term"].to_list())
        if any(found.get((name, term)) for name in names)
    ]
    return table("Money by term", [("", "left"), *_heads(names)], rows)


def _moves_table(solved: SolvedScenario) -> RenderableType:
    rows = [
        (
            row["scenario"],
            f"{row['units_moved']:,} of {row['units_planned']:,}",
            row["lines_moved"],
            row["promises_earlier"],
            row["promises_later"],
        )
        for row in solved.comparison.moves.iter_rows(named=True)
    ]
    columns = ("units moved", "lines moved", "arrive earlier", "arrive later")
    return table(
        f"Moved against {solved.comparison.names[0]}", [("", "left"), *((name, "right") for name in columns)], rows
    )


def _conflict_lines(solved: SolvedScenario) -> list[RenderableType]:
    run = solved.run
    lines: list[RenderableType] = [
        f"broken promise: {item.name}, by {item.units:,} units at {cents(item.cents)}" for item in run.broken
    ]
    for conflict in run.conflicts:
        lines.append(conflict.words())
        lines += [f"  way out at {cents(way.cost_cents)}: give up {way.words()}" for way in conflict.ways_out]
    return [*lines, ""] if lines else []


def _reason_tables(plan: AllocationResult) -> list[RenderableType]:
    frames = (
        ("Units that stay short", plan.shorts, "short_quantity"),
        ("Units that come late", plan.lates, "late_quantity"),
        ("Units that ship from another node than their order", plan.splits, "split_quantity"),
    )
    return [part for title, frame, units in frames if frame.height for part in (_reason_table(title, frame, units), "")]


def _reason_table(title: str, frame: pl.DataFrame, quantity: str) -> RenderableType:
    import polars as pl

    from optimizer.allocation.explain import meaning

    units = pl.col(quantity).sum().alias("units")
    reasons = frame.group_by("reason").agg(pl.len().alias("lines"), units).sort("units", "reason", descending=True)
    rows = [
        (f"{row['lines']:,}", f"{row['units']:,}", row["reason"], meaning(row["reason"]))
        for row in reasons.iter_rows(named=True)
    ]
    columns: Columns = [("lines", "right"), ("units", "right"), ("reason", "left"), ("", "left")]
    return table(title, columns, rows)


def _release_table(plan: AllocationResult) -> list[RenderableType]:
    freed = plan.releases.sort("gain_cents", "sku", "node_id", "holder", descending=[True, False, False, False])
    if freed.is_empty():
        return []
    rows = [
        (
            row["sku"],
            row["node_id"],
            row["holder"],
            f"{row['released']:,} of {row['quantity']:,}",
            f"{row['lines_served']:,}",
            cents(row["gain_cents"]),
        )
        for row in freed.head(_SHOWN_RELEASES).iter_rows(named=True)
    ]
    more = freed.height - len(rows)
    title = f"Reserves to release{f', {more} more with --out' if more else ''}"
    columns: Columns = [("sku", "left"), ("node", "left"), ("kept for", "left"), ("units", "right")]
    return [table(title, [*columns, ("lines served", "right"), ("gain", "right")], rows), ""]


def _remedy_table(solved: SolvedScenario) -> list[RenderableType]:
    if not solved.explained:
        return []
    from optimizer.allocation.explain import meaning

    rows: list[tuple[str, str, str]] = []
    for line in solved.explained:
        taken = f"; its units went to {', '.join(line.competing_lines)}" if line.competing_lines else ""
        rows.append((f"{line.order_id} {line.sku}: {meaning(line.reason)}{taken}", "", ""))
        rows += [
            (
                f"  {item.words}{_payers(item)}",
                f"{cents(abs(item.cost_cents))} {'more' if item.cost_cents <= 0 else 'less'}",
                f"arrives {item.arrives:%d %b}",
            )
            for item in line.remedies[:_SHOWN_REMEDIES]
        ]
        if not line.remedies:
            rows.append(("  no single change serves it", "", ""))
    columns: Columns = [("", "left"), ("plan's worth", "right"), ("", "left")]
    return [table("What would have to change, each solved again", columns, rows), ""]


def _payers(item: Remedy) -> str:
    if not item.displaced:
        return ""
    named = [f"{other.order_id}/{other.line_id}" for other in item.displaced[:_SHOWN_NAMES]]
    more = len(item.displaced) - len(named)
    return f" (at the cost of {', '.join(named)}{f' and {more} more' if more else ''})"


def _marginal_table(marginals: pl.DataFrame) -> RenderableType:
    rows = [
        (
            row["words"],
            exact_cents(row["next_cents"]),
            f"for {row['valid_units']:,} unit{'' if row['valid_units'] == 1 else 's'}"
            if row["valid_units"]
            else _MISSING,
        )
        for row in marginals.iter_rows(named=True)
    ]
    return table(
        "What one more is worth, each solved again",
        [("", "left"), ("the next one", "right"), ("worth that much", "right")],
        rows,
    )


def _next_steps(solved: SolvedScenario) -> Iterator[RenderableType]:
    yield f"kept in the ledger as plan {solved.record.plan_id}; the page Scenarios shows every line"
    if solved.plan.releases.height:
        yield (
            f"otif rules propose --plan {solved.record.plan_id} turns its releases into a rule-set version that waits "
            "for approval"
        )
