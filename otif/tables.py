"""Terminal tables of KPIs and exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from rich.console import RenderableType

from otif.render import cents, figure, money, table

if TYPE_CHECKING:
    import polars as pl

    from optimizer.allocation import AllocationResult
    from optimizer.scenarios import Scenario
    from otif.buffers import BufferAdvice
    from otif.decisions import SolvedScenario

_KNOWN: Final = frozenset(
    [
        "kpi_id",
        "kpi_name",
        "unit",
        "lens",
        "period",
        "stage_id",
        "value",
        "p90",
        "p95",
        "numerator",
        "denominator",
        "observations",
        "excluded",
        "low",
        "high",
        "target",
        "meets_target",
        "is_provisional",
        "is_available",
        "reason",
    ]
)


def kpi_terminal_table(frame: pl.DataFrame) -> RenderableType:
    """One row per KPI and group: value, interval, n, target and what to know about it."""
    dimensions = [name for name in frame.columns if name not in _KNOWN]
    has_period = "period" in frame.columns and frame["period"].drop_nulls().len() > 0
    groups = [*(["period"] if has_period else []), *dimensions]
    rows = [
        [
            _name(row),
            *(row[name] for name in groups),
            _value(row),
            _interval(row),
            _count(row),
            _target(row),
            _remark(row),
        ]
        for row in frame.iter_rows(named=True)
    ]
    return table(
        "",
        [
            ("KPI", "left"),
            *((name, "left") for name in groups),
            ("value", "right"),
            ("95 % interval", "right"),
            ("n", "right"),
            ("target", "right"),
            ("", "left"),
        ],
        rows,
    )


def exception_table(frame: pl.DataFrame) -> RenderableType:
    """One row per exception, in the order of the frame."""
    return table(
        "",
        [("severity", "left"), ("what", "left"), ("at risk", "right"), ("due", "left"), ("owner", "left")],
        [
            [
                row["severity"],
                row["title"],
                money(row["money_at_risk"]),
                row["due_at"].strftime("%Y-%m-%d %H:%M") if row["due_at"] else "",
                row["owner_role"],
            ]
            for row in frame.iter_rows(named=True)
        ],
    )


def buffer_tables(advice: BufferAdvice) -> list[RenderableType]:
    """Regret of the policies, the curve of service against stranded stock, the reserves, and today's that are idle."""
    regret = [
        (
            row["policy"],
            cents(row["regret_cents"]),
            cents(row["lost_cents"]),
            row["unserved_units"],
            row["stranded_units"],
        )
        for row in advice.regret().iter_rows(named=True)
    ]
    curve = [
        (
            f"{row['factor']:g} ×",
            row["units"],
            f"{row['protected_fill']:.1%}",
            f"{row['other_fill']:.1%}",
            f"{row['stranded_units']:.1f}",
            cents(row["lost_cents"]),
        )
        for row in advice.curve.iter_rows(named=True)
    ]
    top = advice.chosen.reserves.sort("saved_cents", "sku", "channel", descending=[True, False, False]).head(
        _SHOWN_BUFFERS
    )
    chosen = [
        (row["sku"], row["channel"], row["units"], row["stock"], cents(row["saved_cents"]))
        for row in top.iter_rows(named=True)
    ]
    idle = advice.worthless.filter(advice.worthless["protected_nothing"])
    idle_rows = [
        (row["sku"], row["channel"], row["units"], row["cost_units"])
        for row in idle.head(_SHOWN_BUFFERS).iter_rows(named=True)
    ]
    weeks = advice.judged["week"].n_unique()
    return [
        table(
            f"Regret on {weeks} held-out weeks",
            _columns("", "regret", "lost", "unserved units", "stranded units"),
            regret,
        ),
        "",
        table(
            "All chosen reserves scaled together, expected for the coming week",
            _columns("", "units kept", "protected fill", "other fill", "stranded units", "lost"),
            curve,
        ),
        "",
        table(
            f"{advice.chosen.reserves.height} reserves to keep, most valuable first",
            _columns("sku", "channel", "units", "stock of the week", "saves a week", texts=2),
            chosen,
        ),
        "",
        table(
            f"{idle.height} of {advice.worthless.height} reserves of today protected nothing in {weeks} weeks",
            _columns("sku", "channel", "units", "units it cost others", texts=2),
            idle_rows,
        ),
        "",
        f"safety stock against overselling: {int(advice.chosen.safety['units'].sum()):,} units of "
        f"{advice.chosen.safety.height} SKUs",
        *(f"note: {note}" for note in advice.notes),
    ]


_SHOWN_BUFFERS: Final = 10


def _columns(*names: str, texts: int = 1) -> list[tuple[str, Literal["left", "right"]]]:
    return [(name, "left" if place < texts else "right") for place, name in enumerate(names)]


def scenario_list_table(scenarios: Mapping[str, Scenario]) -> RenderableType:
    """The scenarios that can be named."""
    rows = [(name, item.description or item.name) for name, item in scenarios.items()]
    return table("Scenarios: otif allocate NAME", [("name", "left"), ("what if", "left")], rows)


def allocation_tables(solved: SolvedScenario) -> list[RenderableType]:
    """The plan beside today's rules and other scenarios: figures, money, reasons, what would have to change."""
    parts = [_service_table(solved), "", _money_table(solved), "", _moves_table(solved), ""]
    parts += _conflict_lines(solved)
    parts += [_reason_table("Units that stay short", solved.plan.shorts, "short_quantity"), ""]
    if solved.plan.lates.height:
        parts += [_reason_table("Units that come late", solved.plan.lates, "late_quantity"), ""]
    parts += _remedy_lines(solved)
    if solved.marginals is not None:
        parts += [_marginal_table(solved.marginals), ""]
    return [*parts, *(f"note: {note}" for note in (*solved.run.notes, *solved.plan.notes))]


def result_tables(plan: AllocationResult, *, title: str = "") -> list[RenderableType]:
    """A plan by itself: its worth by term, channels and reasons."""
    head = (
        f"{title}{plan.status.value}, at most {plan.gap:.2%} from the best possible, {plan.seconds:.1f} s, {plan.path}"
    )
    terms = [(name.replace("_", " "), cents(value)) for name, value in plan.terms.items() if value]
    rows = [*terms, ("objective", cents(plan.objective_cents)), ("bound", cents(plan.bound_cents))]
    channels = [tuple(row) for row in plan.summary.select(_SUMMARY).iter_rows()]
    names: list[tuple[str, Literal["left", "right"]]] = [
        (name.replace("_", " "), "left" if name == "channel" else "right") for name in _SUMMARY
    ]
    parts: list[RenderableType] = [
        table(head, [("", "left"), ("plan", "right")], rows),
        "",
        table("", names, channels),
        "",
    ]
    parts += [_reason_table("Units that stay short", plan.shorts, "short_quantity"), ""] if plan.shorts.height else []
    return [*parts, *(f"note: {note}" for note in plan.notes)]


_SUMMARY: Final = ["channel", "lines", "lines_full_on_time", "units_open", "units_allocated", "units_short"]


def _service_table(solved: SolvedScenario) -> RenderableType:
    plan, measures = solved.plan, solved.comparison.measures
    names = solved.comparison.names
    figures = {(r["scenario"], r["channel"], r["lens"], r["level"]): r for r in measures.iter_rows(named=True)}
    channels = ["(all)", *sorted(set(measures["channel"].to_list()) - {"(all)"})]
    kinds = [("(all)", lens, level) for lens in ("fill", "need", "ship_by") for level in ("unit", "line", "order")]
    kinds += [(channel, lens, "unit") for channel in channels[1:] for lens in ("fill", "need")]
    rows = [
        (_lens_words(lens, level, channel), *(_share(figures.get((name, channel, lens, level))) for name in names))
        for channel, lens, level in kinds
        if figures.get((names[0], channel, lens, level), {}).get("denominator")
    ]
    title = (
        f"Plan {solved.record.plan_id}, {solved.run.name}: {plan.status.value}, at most {plan.gap:.2%} from the best "
        f"possible, {plan.seconds:.1f} s"
    )
    return table(title, [("", "left"), *((name, "right") for name in names)], rows)


_LENSES: Final = {
    "fill": "{level}s shipped in full",
    "need": "{level}s by the customer's date",
    "ship_by": "{level}s by the ship-by date",
}


def _lens_words(lens: str, level: str, channel: str) -> str:
    return _LENSES[lens].format(level=level) + ("" if channel == "(all)" else f", {channel}")


def _share(row: dict[str, Any] | None) -> str:
    if row is None or not row["denominator"]:
        return "–"
    return f"{row['numerator'] / row['denominator']:.1%} of {row['denominator']:,}"


def _money_table(solved: SolvedScenario) -> RenderableType:
    names, money = solved.comparison.names, solved.comparison.money
    found = {(row["scenario"], row["term"]): row["cents"] for row in money.iter_rows(named=True)}
    terms = dict.fromkeys(money["term"].to_list())
    rows = [
        (term.replace("_", " "), *(cents(found[name, term]) if (name, term) in found else "–" for name in names))
        for term in terms
        if any(found.get((name, term)) for name in names)
    ]
    return table("Money by term", [("", "left"), *((name, "right") for name in names)], rows)


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
    if run.conflict is not None:
        lines.append(run.conflict.words())
        lines += [f"  way out at {cents(way.cost_cents)}: give up {way.gives_up}" for way in run.conflict.ways_out]
    return [*lines, ""] if lines else []


def _reason_table(title: str, frame: pl.DataFrame, quantity: str) -> RenderableType:
    import polars as pl

    units = pl.col(quantity).sum().alias("units")
    reasons = frame.group_by("reason").agg(pl.len().alias("lines"), units).sort("units", "reason", descending=True)
    rows = [(row["reason"], row["lines"], row["units"]) for row in reasons.iter_rows(named=True)]
    return table(title, [("reason", "left"), ("lines", "right"), ("units", "right")], rows)


def _remedy_lines(solved: SolvedScenario) -> list[RenderableType]:
    if not solved.explained:
        return []
    rows: list[tuple[str, str, str]] = []
    for line in solved.explained:
        taken = f" (its units went to {', '.join(line.competing_lines)})" if line.competing_lines else ""
        rows.append((f"{line.order_id} {line.sku}: {line.reason}{taken}", "", ""))
        for item in line.remedies[:_SHOWN_REMEDIES]:
            paid = f"{cents(-item.cost_cents)} gained" if item.cost_cents <= 0 else f"{cents(item.cost_cents)} lost"
            rows.append((f"  {item.words}", paid, f"arrives {item.arrives:%d %b}"))
        if not line.remedies:
            rows.append(("  no single change serves it", "", ""))
    columns: list[tuple[str, Literal["left", "right"]]] = [("", "left"), ("plan's worth", "right"), ("", "left")]
    return [table("What would have to change", columns, rows), ""]


_SHOWN_REMEDIES: Final = 3


def _marginal_table(marginals: pl.DataFrame) -> RenderableType:
    rows = [
        (row["words"], cents(row["next_cents"]), f"{row['valid_units']:,}") for row in marginals.iter_rows(named=True)
    ]
    return table(
        "What one more is worth", [("", "left"), ("the next one", "right"), ("each of the first", "right")], rows
    )


def _name(row: dict[str, Any]) -> str:
    stage = row.get("stage_id")
    return f"{row['kpi_name']}: {str(stage).replace('_', ' ')}" if stage else str(row["kpi_name"])


def _value(row: dict[str, Any]) -> str:
    if row["is_available"] is False:
        return "unavailable"
    shown = figure(row["value"], row["unit"])
    return f"{shown}  p90 {figure(row['p90'], row['unit'])}" if row.get("p90") is not None else shown


def _interval(row: dict[str, Any]) -> str:
    if row.get("low") is None:
        return ""
    return f"{row['low'] * 100:.1f}–{row['high'] * 100:.1f}"


def _count(row: dict[str, Any]) -> str:
    return "" if row["observations"] is None else f"{row['observations']:,}"


def _target(row: dict[str, Any]) -> str:
    return "" if row["target"] is None else figure(row["target"], row["unit"])


def _remark(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return row["reason"] or ""
    words = []
    if row["meets_target"] is not None:
        words.append("on target" if row["meets_target"] else "below target" if row["unit"] == "ratio" else "off target")
    if row["is_provisional"]:
        words.append("provisional")
    return ", ".join(words)


def bridge_table(frame: pl.DataFrame) -> RenderableType:
    """One row per step from one lens's figure to the other's."""
    rows = [
        [
            row["step"],
            "–" if row["value"] is None else f"{row['value']:.2%}",
            "" if row["change"] is None else f"{100 * row['change']:+.2f} pp",
            f"{row['numerator']:,.0f} / {row['denominator']:,.0f}",
        ]
        for row in frame.iter_rows(named=True)
    ]
    columns: list[tuple[str, Literal["left", "right"]]] = [
        ("after", "left"),
        ("OTIF", "right"),
        ("change", "right"),
        ("counted", "right"),
    ]
    return table(f"OTIF: {frame['bridge_id'][0]}", columns, rows)
