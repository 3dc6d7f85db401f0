"""Terminal tables of KPIs and exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import RenderableType

from otif.render import cents, figure, money, table

if TYPE_CHECKING:
    import polars as pl

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


def allocation_tables(solved: SolvedScenario) -> list[RenderableType]:
    """The plan beside today's rules: figures, channels, reasons of what stays short, remarks."""
    import polars as pl

    from optimizer.allocation import compare

    plan, rules = solved.plan, solved.rules
    frame = compare(rules, plan)
    totals = frame.filter(frame["channel"] == "(all)").iter_rows(named=True)
    shown = table(
        f"Plan {solved.record.plan_id}: {plan.status.value}, at most {plan.gap:.2%} from the best possible, "
        f"{plan.seconds:.1f} s",
        [("", "left"), ("rules today", "right"), ("plan", "right"), ("change", "right")],
        [_measure(row) for row in totals],
    )
    units = pl.col("short_quantity").sum().alias("units")
    reasons = plan.shorts.group_by("reason").agg(pl.len().alias("lines"), units).sort("units", "reason")
    short = table(
        "Units that stay short",
        [("reason", "left"), ("lines", "right"), ("units", "right")],
        [(row["reason"], row["lines"], row["units"]) for row in reasons.reverse().iter_rows(named=True)],
    )
    return [shown, "", short, *(f"note: {note}" for note in plan.notes)]


def _measure(row: dict[str, Any]) -> tuple[str, str, str, str]:
    name = str(row["measure"])
    if name.endswith("_cents"):
        words = name.removesuffix("_cents").replace("_", " ")
        return words, cents(row["baseline"]), cents(row["plan"]), cents(row["change"])
    return name.replace("_", " "), f"{row['baseline']:,}", f"{row['plan']:,}", f"{row['change']:+,}"


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
    columns = [("after", "left"), ("OTIF", "right"), ("change", "right"), ("counted", "right")]
    return table(f"OTIF: {frame['bridge_id'][0]}", columns, rows)
