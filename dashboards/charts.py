"""Figures: a frame in, an Altair chart out. No data is fetched and nothing is rendered here.

Colours come from one palette that stays apart for colour-blind readers (blue against vermilion, never red against
green) and reads on light and dark ground. Provisional points are hollow, targets are dashed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

import altair as alt
import polars as pl
from altair.typing import ChartType

from dashboards.formats import value_text, words
from dashboards.signals import Limits

ACCENT: Final = "#2f7fc1"
WARNING: Final = "#d9571e"
QUIET: Final = "#8a919c"

_LABEL: Final = 11


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours of a still picture.

    Attributes:
        text: Axis labels and values.
        muted: Targets and minor text.
        grid: Grid lines.
        ground: Background and the fill of hollow points.
    """

    text: str = "#20262e"
    muted: str = "#6b7380"
    grid: str = "#e3e6ea"
    ground: str = "#ffffff"


def trend(
    weeks: pl.DataFrame, months: pl.DataFrame, *, unit: str, target: float | None, ink: Ink | None = None
) -> ChartType:
    """Draw trailing weeks beside trailing months on a broken axis.

    Args:
        weeks: label, value, is_hollow in time order.
        months: The same per month; fewer than three draw the weeks alone.
        unit: KPI unit.
        target: Dashed line, where there is one.
        ink: Colours; the default suits white paper.
    """
    colours = ink or Ink()
    both = pl.concat([weeks, months]) if months.height >= 3 else weeks
    domain = _domain(both["value"].drop_nulls().to_list(), target, unit)
    if months.height < 3:
        return _styled(_panel(weeks, unit, target, domain, colours, width=340, has_axis=True), colours)
    left = _panel(weeks, unit, target, domain, colours, width=150, has_axis=True)
    right = _panel(months, unit, target, domain, colours, width=190, has_axis=False)
    return _styled(alt.hconcat(left, right, spacing=14), colours)


def _domain(values: list[float], target: float | None, unit: str) -> tuple[float, float]:
    points = [*values, *([target] if target is not None else [])]
    low, high = (min(points), max(points)) if points else (0.0, 1.0)
    room = max((high - low) * 0.18, abs(high) * 0.01, 1e-9)
    # The room below may reach under zero: the last figure is written there when the line falls.
    return (low - room, min(high + room, 1.02) if unit == "ratio" else high + room)


def _panel(
    frame: pl.DataFrame,
    unit: str,
    target: float | None,
    domain: tuple[float, float],
    ink: Ink,
    *,
    width: int,
    has_axis: bool,
) -> alt.LayerChart:
    shown = frame.with_row_index("order").with_columns(
        text=pl.Series([value_text(value, unit) for value in frame["value"].to_list()], dtype=pl.String)
    )
    order = shown["label"].to_list()
    axis = alt.Axis(
        format=_axis_format(unit, domain), labels=has_axis, tickCount=4, title=None, domain=False, ticks=False
    )
    x = alt.X(
        "label:N",
        sort=order,
        axis=alt.Axis(title=None, labelAngle=0, labelOverlap="greedy", ticks=False, labelFontSize=9.5),
    )
    y = alt.Y("value:Q", scale=alt.Scale(domain=list(domain), nice=False), axis=axis)
    base = alt.Chart(shown).encode(x=x, y=y)
    solid = base.transform_filter("!datum.is_hollow").mark_circle(size=36, color=ACCENT, opacity=1)
    hollow = base.transform_filter("datum.is_hollow").mark_point(
        size=36, color=ACCENT, fill=ink.ground, opacity=1, strokeWidth=1.6
    )
    known = [value for value in frame["value"].to_list() if value is not None]
    # The figure stands where the line does not come from.
    offset = 13 if len(known) > 1 and known[-1] < known[-2] else -11
    last = (
        base.transform_filter(f"datum.order == {shown.height - 1}")
        .mark_text(dy=offset, fontSize=_LABEL, fontWeight="bold", color=ink.text)
        .encode(text="text:N")
    )
    line = base.mark_line(color=ACCENT, strokeWidth=2)
    layers: list[alt.Chart] = [line, solid, hollow, last]
    if target is not None:
        layers.insert(0, _rule(target, ink.muted, y))
    return cast("alt.LayerChart", alt.layer(*layers).properties(width=width, height=118))


def _rule(value: float, colour: str, y: alt.Y) -> alt.Chart:
    line: alt.Chart = (
        alt.Chart(pl.DataFrame({"value": [value]}))
        .mark_rule(strokeDash=[5, 4], color=colour, strokeWidth=1.4)
        .encode(y=y)
    )
    return line


def causes(frame: pl.DataFrame, *, ink: Ink | None = None) -> ChartType:
    """Draw missed orders per cause this week against the usual week.

    Args:
        frame: cause, orders (this week), usual (mean of the weeks before).
        ink: Colours; the default suits white paper.
    """
    colours = ink or Ink()
    shown = frame.with_columns(
        name=pl.Series([words(cause) for cause in frame["cause"].to_list()], dtype=pl.String),
        text=pl.Series(
            [f"{n:,} (usually {u:.1f})" for n, u in frame.select("orders", "usual").rows()], dtype=pl.String
        ),
    )
    y = alt.Y(
        "name:N", sort=shown["name"].to_list(), axis=alt.Axis(title=None, ticks=False, domain=False, labelLimit=130)
    )
    reach = max([*shown["orders"].to_list(), *shown["usual"].to_list(), 1]) * 1.55
    x_scale = alt.Scale(domain=[0, reach], nice=False)
    base = alt.Chart(shown).encode(y=y)
    bars = base.mark_bar(color=ACCENT, height={"band": 0.62}).encode(
        x=alt.X("orders:Q", scale=x_scale, axis=None),
    )
    usual = base.mark_tick(color=colours.text, thickness=2, height={"band": 0.85}).encode(
        x=alt.X("usual:Q", scale=x_scale)
    )
    label = (
        base.transform_calculate(end="max(datum.orders, datum.usual)")
        .mark_text(align="left", dx=6, fontSize=_LABEL, color=colours.text)
        .encode(x=alt.X("end:Q", scale=x_scale), text="text:N")
    )
    return _styled(alt.layer(bars, usual, label).properties(width=215, height=alt.Step(24)), colours)


def control_chart(
    series: pl.DataFrame, *, unit: str, title: str, target: float | None, limits: Limits | None
) -> ChartType:
    """Draw a KPI per week with its natural limits and target, for the pages (the page's theme gives the text colours).

    Args:
        series: period, value, low, high, observations, is_provisional in time order.
        unit: KPI unit.
        title: Axis title.
        target: Dashed line, where there is one.
        limits: Natural limits drawn as a band.
    """
    values = series["value"].drop_nulls().to_list()
    edges = [limits.lower, limits.upper] if limits else []
    domain = _domain([*values, *(max(edge, 0.0) for edge in edges)], target, unit)
    shape = _axis_format(unit, domain)
    y = alt.Y("value:Q", scale=alt.Scale(domain=list(domain), nice=False), axis=alt.Axis(format=shape, title=title))
    # A time without zone is the reader's own midnight; a date would be UTC's, the day before to readers in the west.
    weeks = series.with_columns(week=pl.col("period").dt.strftime("%Y-%m-%dT00:00:00"))
    starts = [alt.DateTime(year=day.year, month=day.month, date=day.day) for day in series["period"]]
    x = alt.X("week:T", axis=alt.Axis(format="%-d %b", title=None, values=starts, labelOverlap="greedy"))
    tooltip: list[Any] = [
        alt.Tooltip("week:T", title="Week of", format="%-d %b %Y"),
        alt.Tooltip("value:Q", title=title, format=".1%" if unit == "ratio" else ",.1f"),
        alt.Tooltip("observations:Q", title="n", format=","),
        alt.Tooltip("is_provisional:N", title="provisional"),
    ]
    base = alt.Chart(weeks).encode(x=x, y=y)
    layers: list[alt.Chart] = []
    if limits:
        band = pl.DataFrame({"value": [max(limits.lower, domain[0])], "upper": [min(limits.upper, domain[1])]})
        layers.append(alt.Chart(band).mark_rect(color=QUIET, opacity=0.14).encode(y=y, y2="upper:Q"))
    if target is not None:
        layers.append(_rule(target, QUIET, y))
    layers += [
        base.mark_line(color=ACCENT, strokeWidth=2),
        base.mark_point(color=ACCENT, filled=True, size=45, opacity=1).encode(
            tooltip=tooltip,
            color=alt.condition("datum.is_provisional", alt.value(WARNING), alt.value(ACCENT)),
        ),
    ]
    return cast("ChartType", alt.layer(*layers).properties(height=260))


def share_bars(frame: pl.DataFrame, *, category: str, value: str, title: str) -> ChartType:
    """Draw horizontal bars, longest first, for the pages."""
    bars: alt.Chart = (
        alt.Chart(frame)
        .mark_bar(color=ACCENT)
        .encode(
            x=alt.X(f"{value}:Q", axis=alt.Axis(title=title, tickCount=5, tickMinStep=1, format=",d")),
            y=alt.Y(f"{category}:N", sort="-x", axis=alt.Axis(title=None, labelLimit=220)),
            tooltip=[alt.Tooltip(f"{category}:N", title=" "), alt.Tooltip(f"{value}:Q", title=title, format=",.0f")],
        )
        .properties(height=alt.Step(26))
    )
    return bars


def reliability(frame: pl.DataFrame) -> ChartType:
    """Draw what was said against what happened, for the pages: on the dashed line both agree.

    Args:
        frame: bin, rows, said (mean chance), happened (share missed).
    """
    scale = alt.Scale(domain=[0.0, 1.0], nice=False)
    ends = pl.DataFrame({"said": [0.0, 1.0], "happened": [0.0, 1.0]})
    x = alt.X("said:Q", scale=scale, axis=alt.Axis(format=".0%", title="chance that was said", tickCount=6))
    y = alt.Y("happened:Q", scale=scale, axis=alt.Axis(format=".0%", title="share that missed", tickCount=6))
    agree = alt.Chart(ends).mark_line(strokeDash=[5, 4], color=QUIET, strokeWidth=1.4).encode(x=x, y=y)
    dots = (
        alt.Chart(frame)
        .mark_line(color=ACCENT, strokeWidth=2, point=alt.OverlayMarkDef(size=60, filled=True, opacity=1))
        .encode(
            x=x,
            y=y,
            tooltip=[
                alt.Tooltip("said:Q", title="said", format=".1%"),
                alt.Tooltip("happened:Q", title="missed", format=".1%"),
                alt.Tooltip("rows:Q", title="line-days", format=","),
            ],
        )
    )
    return cast("ChartType", alt.layer(agree, dots).properties(height=300))


def _axis_format(unit: str, domain: tuple[float, float]) -> str:
    if unit == "ratio" and domain[1] - domain[0] < 0.04:
        return ".1%"
    return {"ratio": ".0%", "money": "$~s", "hours": "~s"}.get(unit, "~s")


def _styled(chart: ChartType, ink: Ink) -> ChartType:
    styled = (
        chart.configure(background=ink.ground, font="Liberation Sans, Arial, Helvetica, sans-serif", padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=ink.text, labelFontSize=_LABEL, gridColor=ink.grid, domainColor=ink.grid, tickColor=ink.grid
        )
    )
    return cast("ChartType", styled)
