"""Terminal tables of KPIs and exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from rich.console import RenderableType

from otif.render import cents, exact_money, figure, money, table

if TYPE_CHECKING:
    import polars as pl

    from otif.buffers import BufferAdvice

_KNOWN: Final = frozenset(
    [
        "kpi_id",
        "kpi_name",
        "unit",
        "lens",
        "period",
        "stage_id",
        "value",
        "worst",
        "best",
        "p90",
        "p95",
        "km_median",
        "prior_value",
        "prior_numerator",
        "prior_denominator",
        "prior_observations",
        "change",
        "numerator",
        "denominator",
        "observations",
        "doubtful",
        "unpriced",
        "amounts_in",
        "excluded",
        "still_open",
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
    """One row per KPI and group: value, interval, n, target, and what to know: its worst and best case, say."""
    dimensions = [name for name in frame.columns if name not in _KNOWN]
    has_period = "period" in frame.columns and frame["period"].drop_nulls().len() > 0
    groups = [*(["period"] if has_period else []), *dimensions]
    rows = [
        [
            _name(row),
            *(row[name] for name in groups),
            _value(row),
            *_prior(row),
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
            *((("a year before", "right"), ("change", "right")) if "prior_value" in frame.columns else ()),
            ("95 % interval", "right"),
            ("n", "right"),
            ("target", "right"),
            ("", "left"),
        ],
        rows,
    )


def exception_table(frame: pl.DataFrame) -> RenderableType:
    """One row per exception, in the order of the frame; the id is shortened to what a command takes."""
    return table(
        "",
        [
            ("id", "left"),
            ("severity", "left"),
            ("what", "left"),
            ("at risk", "right"),
            ("due", "left"),
            ("whose", "left"),
        ],
        [
            [
                row["exception_id"][:8],
                row["severity"],
                row["title"],
                money(row["money_at_risk"], row["currency"]),
                row["due_at"].strftime("%m-%d %H:%M") if row["due_at"] else "",
                row.get("in_hands_of") or row["owner_role"],
            ]
            for row in frame.iter_rows(named=True)
        ],
    )


def atp_table(frame: pl.DataFrame) -> RenderableType:
    """One row per SKU, node and week in which anything moves, in the order of the frame."""
    columns: list[tuple[str, Literal["left", "right"]]] = [
        ("sku", "left"),
        ("node", "left"),
        ("week of", "left"),
        ("opening", "right"),
        ("in", "right"),
        ("out", "right"),
        ("discrete", "right"),
        ("promise", "right"),
        ("oversold", "right"),
    ]
    figures = ("opening", "receipt", "committed", "discrete", "cumulative", "oversold")
    rows = [
        [
            row["sku"],
            row["node_id"],
            f"{row['week_start']:%d %b}",
            *(f"{row[f'{name}_quantity']:,.0f}" if row[f"{name}_quantity"] else "" for name in figures),
        ]
        for row in frame.iter_rows(named=True)
    ]
    return table("", columns, rows)


def recovery_table(frame: pl.DataFrame) -> RenderableType:
    """One row per short line, in the order of the frame."""
    columns: list[tuple[str, Literal["left", "right"]]] = [
        ("order", "left"),
        ("sku", "left"),
        ("short", "right"),
        ("worth", "right"),
        ("days late", "right"),
        ("comes", "left"),
        ("", "left"),
    ]
    rows = [
        [
            f"{row['order_id']} {row['line_id']}",
            row["sku"],
            f"{row['short_quantity']:,.0f}",
            money(row["short_amount"]),
            row["late_days"],
            f"{row['covered_at']:%d %b}" if row["covered_at"] else "no date",
            row["recovery_status"].replace("_", " "),
        ]
        for row in frame.iter_rows(named=True)
    ]
    return table("", columns, rows)


def dispute_table(frame: pl.DataFrame) -> RenderableType:
    """One row per deduction of the dispute queue, in the order of the frame."""
    columns: list[tuple[str, Literal["left", "right"]]] = [
        ("deduction", "left"),
        ("for", "left"),
        ("verdict", "left"),
        ("to ask", "right"),
        ("chance", "right"),
        ("per hour", "right"),
        ("days", "right"),
        ("tries", "right"),
    ]
    rows = [
        [
            row["deduction_id"],
            f"{row['customer_id']} {row['violation'].replace('_', ' ')}",
            row["verdict"] if row["queue_state"] == "to_file" else row["queue_state"].replace("_", " "),
            exact_money(row["disputable_amount"]),
            "unrated" if row["win_probability"] is None else f"{row['win_probability']:.0%}",
            exact_money(row["expected_value_per_hour"]),
            "–" if row["days_to_deadline"] is None else row["days_to_deadline"],
            f"{row['attempts_used']}/{'?' if row['attempts_allowed'] is None else row['attempts_allowed']}",
        ]
        for row in frame.iter_rows(named=True)
    ]
    return table("", columns, rows)


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


def _name(row: dict[str, Any]) -> str:
    stage = row.get("stage_id")
    return f"{row['kpi_name']}: {str(stage).replace('_', ' ')}" if stage else str(row["kpi_name"])


def _figure(row: dict[str, Any], name: str) -> str:
    return figure(row[name], row["unit"], row.get("amounts_in"))


def _value(row: dict[str, Any]) -> str:
    if row["is_available"] is False:
        return "unavailable"
    shown = _figure(row, "value")
    return f"{shown}  p90 {_figure(row, 'p90')}" if row.get("p90") is not None else shown


def _prior(row: dict[str, Any]) -> list[str]:
    if "prior_value" not in row:
        return []
    if row["change"] is None:
        return [_figure(row, "prior_value"), ""]
    is_rate = row["unit"] in ("ratio", "index")
    change = f"{row['change'] * 100:+.1f} pp" if is_rate else f"{row['change']:+,.1f}"
    return [_figure(row, "prior_value"), change]


def _interval(row: dict[str, Any]) -> str:
    if row.get("low") is None:
        return ""
    return f"{row['low'] * 100:.1f}–{row['high'] * 100:.1f}"


def _count(row: dict[str, Any]) -> str:
    return "" if row["observations"] is None else f"{row['observations']:,}"


def _target(row: dict[str, Any]) -> str:
    return "" if row["target"] is None else _figure(row, "target")


def _remark(row: dict[str, Any]) -> str:
    from dashboards.formats import without_text

    if row["value"] is None:
        return row["reason"] or ""
    words = []
    if row["meets_target"] is not None:
        words.append("on target" if row["meets_target"] else "misses target")
    if row["is_provisional"]:
        words.append("provisional")
    if row.get("worst") is not None and row["worst"] != row["best"]:
        cases = f"{_figure(row, 'worst')} to {_figure(row, 'best')}"
        words.append(f"{cases}: {row['doubtful']:,} in doubt")
    if row.get("unpriced"):
        words.append(without_text(row["unpriced"]))
    if row.get("still_open"):
        median = (
            "" if row["km_median"] is None else f", with them the median is {figure(row['km_median'], row['unit'])}"
        )
        words.append(f"{row['still_open']:,} still open{median}")
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


def restatement_table(frame: pl.DataFrame) -> RenderableType:
    """One row per KPI, week and cause of a change."""
    if frame.is_empty():
        return "No published figure of a past week has changed."
    rows = [
        [
            row["kpi_name"],
            row["period"],
            figure(row["old_value"], row["unit"]),
            figure(row["new_value"], row["unit"]),
            row["cause"].replace("_", " "),
            f"{row['numerator_change']:+,.6g} / {row['denominator_change']:+,.6g}",
            f"{row['rows_changed']:,}",
            row["detail"] or "",
        ]
        for row in frame.iter_rows(named=True)
    ]
    columns: list[tuple[str, Literal["left", "right"]]] = [
        ("KPI", "left"), ("week of", "left"), ("before", "right"), ("now", "right"), ("cause", "left"),
        ("numerator / denominator", "right"), ("rows", "right"), ("what", "left"),
    ]  # fmt: skip
    return table("", columns, rows)
