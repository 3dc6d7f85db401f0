"""Repeated pieces of the pages: headers, tiles, lists, empty and failing states."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final
from urllib.parse import urlencode

import polars as pl
import streamlit as st

from dashboards.formats import change_text, instant_text, value_text, without_text, words
from dashboards.queries import BuildInfo, Why, drivers_table
from dashboards.reports.facts import Tile

# Greys are transparent ink, so that one stylesheet serves light and dark.
_STYLE: Final = """
<style>
.stMainBlockContainer { padding-top:3rem; padding-bottom:3rem; }
.stMainBlockContainer h1 { font-size:30px; padding:0 0 2px; }
.stMainBlockContainer h3 { font-size:20px; padding-top:14px; }
.ot-grid { display:grid; gap:12px; grid-template-columns:repeat(auto-fill,minmax(215px,1fr)); }
.ot-tile { border:1px solid rgba(128,138,150,.28); border-radius:10px; padding:12px 14px; min-width:0;
  line-height:1.45; }
.ot-tile.signal { border-left:4px solid #d9571e; padding-left:11px; }
.ot-name, .ot-small { font-size:13px; opacity:.72; }
.ot-value { font-size:28px; font-weight:650; line-height:1.2; letter-spacing:-.02em;
  font-variant-numeric:tabular-nums; }
a.ot-value { display:block; color:inherit !important; text-decoration:none !important; }
a.ot-value:hover, a.ot-value:focus-visible { text-decoration:underline dotted !important; }
.ot-off .ot-value { font-weight:400; opacity:.6; }
.ot-row { font-size:13px; font-variant-numeric:tabular-nums; }
.ot-bad { color:#d9571e; font-weight:600; opacity:1; }
.ot-good { color:#2f7fc1; }
.ot-chip { display:inline-block; border:1px solid rgba(128,138,150,.4); border-radius:999px; padding:1px 10px;
  font-size:12.5px; margin:0 6px 6px 0; }
.ot-chip.bad { border-color:#d9571e; }
.ot-facts { display:grid; gap:8px 24px; grid-template-columns:repeat(auto-fill,minmax(128px,1fr)); }
.ot-facts b { display:block; font-size:12.5px; font-weight:400; opacity:.72; }
.ot-facts span { font-variant-numeric:tabular-nums; overflow-wrap:anywhere; }
.ot-chain { display:grid; gap:8px; grid-template-columns:repeat(auto-fit,minmax(118px,1fr)); }
.ot-link { border:1px solid rgba(128,138,150,.28); border-radius:8px; padding:8px 10px; min-width:0; font-size:13px;
  line-height:1.35; overflow-wrap:anywhere; }
.ot-link.first { border:2px solid #d9571e; padding:7px 9px; }
.ot-line { display:grid; grid-template-columns:128px 1fr; gap:4px 14px; font-size:14px; line-height:1.4; }
.ot-line > div { padding:6px 0; overflow-wrap:anywhere; }
.ot-line time { font-variant-numeric:tabular-nums; opacity:.8; }
@media (max-width:480px) {
  .stMainBlockContainer { padding-top:4.2rem; }
  .ot-grid { grid-template-columns:1fr 1fr; gap:8px; } .ot-tile { padding:10px 11px; } .ot-value { font-size:23px; }
  .ot-line { grid-template-columns:96px 1fr; }
}
</style>
"""


def style() -> None:
    """Lay the stylesheet under every page; called once by the router."""
    st.html(_STYLE)


def page_header(title: str, info: BuildInfo, *, remarks: Sequence[str] = ()) -> None:
    """Show a title with the as-of instant and warnings about the data."""
    st.title(title, anchor=False)
    chips = f'<span class="ot-chip">as of {info.local_as_of:%a %d %b %Y %H:%M} {escape(info.zone)}</span>'
    chips += "".join(f'<span class="ot-chip bad">{escape(remark)}</span>' for remark in remarks)
    st.html(chips)


def tiles(items: Sequence[Tile], *, week: str) -> None:
    """Show KPI tiles, as the weekly snapshot does; a click on a value opens its passport."""
    st.html(f'<div class="ot-grid">{"".join(_tile(item, week) for item in items)}</div>')


def _tile(tile: Tile, week: str) -> str:
    state = " signal" if tile.state == "signal" else " ot-off" if tile.state == "unavailable" else ""
    value = f'<div class="ot-value">{escape(tile.value)}</div>'
    if tile.state != "unavailable":
        address = f"passport?kpi={escape(tile.kpi_id)}&week={escape(week)}"
        title = "the rows behind this number"
        value = f'<a class="ot-value" href="{address}" target="_self" title="{title}">{escape(tile.value)}</a>'
    rows = [f'<div class="ot-name">{escape(tile.name)}</div>{value}']
    if tile.state == "unavailable":
        rows.append(f'<div class="ot-small">not measured: {escape(tile.comment)}</div>')
    else:
        if tile.change:
            rows.append(
                f'<div class="ot-row">{escape(tile.change)} <span class="ot-small">{escape(tile.against)}</span></div>'
            )
        if tile.target:
            words = {"bad": "misses ", "good": "meets "}.get(tile.verdict, "")
            rows.append(f'<div class="ot-row ot-{tile.verdict}">{words}{escape(tile.target)}</div>')
        notes = " · ".join(part for part in (tile.count, tile.note) if part)
        rows.append(f'<div class="ot-small">{escape(notes)}</div>')
        if tile.comment:
            tone = "ot-small ot-bad" if tile.state == "signal" else "ot-small"
            rows.append(f'<div class="{tone}">{escape(tile.comment)}</div>')
    return f'<div class="ot-tile{state}" data-kpi="{escape(tile.kpi_id)}">{"".join(rows)}</div>'


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Show labelled facts in as many columns as fit."""
    body = "".join(f"<div><b>{escape(label)}</b><span>{escape(value)}</span></div>" for label, value in pairs)
    st.html(f'<div class="ot-facts">{body}</div>')


def timeline(rows: Sequence[tuple[str, str, str]]) -> None:
    """Show what happened when: (time, what, where from)."""
    body = "".join(
        f'<div><time>{escape(when)}</time></div><div>{escape(what)}<div class="ot-small">{escape(origin)}</div></div>'
        for when, what, origin in rows
    )
    st.html(f'<div class="ot-line">{body}</div>')


def chain_strip(chain: pl.DataFrame, *, zone: str) -> None:
    """Show the links of a document chain side by side, the first broken one in a frame; nothing when there is none."""
    cells = []
    for link in chain.iter_rows(named=True):
        tone = " ot-bad" if link["is_broken"] else ""
        parts = [
            f"<b>{escape(link['link'])}</b> {escape(link['link_name'])}",
            f'<span class="ot-verdict{tone}">{escape(words(link["verdict"]))}</span>',
            f'<span class="ot-small">{escape(instant_text(link["happened_at"], zone))}</span>',
            f'<span class="ot-small">{escape(link["note"])}</span>' if link["note"] else "",
        ]
        frame = " first" if link["is_first_broken"] else ""
        cells.append(f'<div class="ot-link{frame}">{"<br>".join(part for part in parts if part)}</div>')
    if cells:
        st.html(f'<div class="ot-chain">{"".join(cells)}</div>')


def table(frame: pl.DataFrame, columns: dict[str, Any], **options: Any) -> Any:  # noqa: ANN401 - Streamlit's own
    """Show a frame with named columns only, in the order given."""
    return st.dataframe(
        frame.select(list(columns)),
        column_config=columns,
        column_order=list(columns),
        hide_index=True,
        width="stretch",
        placeholder="",
        **options,
    )


def order_link(picked: Any, orders: pl.Series) -> None:  # noqa: ANN401 - Streamlit's own
    """Link to the order of the row picked in a table, of the first row without one."""
    rows = picked.selection.rows if picked else []
    order = orders[rows[0] if rows and rows[0] < orders.len() else 0]
    st.page_link(
        "app_pages/order.py",
        label=f"Open order {order}",
        icon=":material/arrow_forward:",
        query_params={"order_id": order},
    )


def channel_table(frame: pl.DataFrame, *, unit: str, currency: str) -> None:
    """Show one KPI per channel, written in its unit."""
    shown = frame.filter(pl.col("value").is_not_null() & pl.col("channel").is_not_null())
    if shown.is_empty():
        return
    written = shown.with_columns(
        pl.Series(name, [value_text(value, unit, currency=currency) for value in shown[name]], dtype=pl.String)
        for name in ("value", "target")
    )
    columns = {"channel": "Channel", "value": "Value", "target": "Target", "observations": "n"}
    cases = [
        ", ".join([
            *([f"{value_text(row['worst'], unit)} to {value_text(row['best'], unit)}"] if row["doubtful"] else []),
            *([without_text(row["unpriced"])] if row["unpriced"] else []),
        ])
        for row in shown.iter_rows(named=True)
    ]  # fmt: skip
    if any(cases):
        written = written.with_columns(cases=pl.Series(cases, dtype=pl.String))
        columns["cases"] = "As doubts turn out"
    table(written, columns)


def stage_table(frame: pl.DataFrame) -> None:
    """Show the percentiles of each stage that anything has passed."""
    shown = frame.filter(pl.col("value").is_not_null())
    stages = shown.with_columns(stage=pl.Series([words(stage) for stage in shown["stage_id"]], dtype=pl.String))
    hours = st.column_config.NumberColumn
    columns = {"stage": "Stage", "value": hours("Median h", format="%.1f"), "p90": hours("p90 h", format="%.1f")}
    table(stages, columns | {"p95": hours("p95 h", format="%.1f"), "observations": "n", "excluded": "Left out"})


def moved(why: Why, *, kpi: str) -> None:
    """Say what moved a KPI: the change, the places that stand out and the rows behind each, the parts that add up."""
    change, verdict, parts = why.sentences()
    st.markdown(f"**{change}** {verdict}")
    drivers = drivers_table(why)
    if not drivers.is_empty():
        rate = st.column_config.NumberColumn
        table(
            drivers.with_columns(
                pl.col("share", "expected", "now") * 100,
                effect=pl.Series([change_text(effect, "ratio") for effect in drivers["effect"]]),
                rows=pl.Series(
                    [
                        "passport?" + urlencode({"kpi": kpi, "week": why.week.name, **dict(driver.place)})
                        for driver in why.explanation.drivers
                    ]
                ),
            ),
            {
                "driver": "Place",
                "share": rate("Share", format="%.0f%%"),
                "expected": rate("Expected", format="%.1f%%"),
                "now": rate("Now", format="%.1f%%"),
                "effect": st.column_config.TextColumn("Effect", alignment="right"),
                "rows": st.column_config.LinkColumn("Rows", display_text="show"),
            },
        )
    st.caption(parts)


def plain(text: str) -> str:
    """Keep a dollar sign what it is: two of them would set what is between as a formula."""
    return text.replace("$", "\\$")


def steps(items: Sequence[tuple[str, str]]) -> None:
    """Show a numbered list of things to do: what, and by whom and until when."""
    if not items:
        nothing("None.")
    for number, (what, who) in enumerate(items, start=1):
        st.markdown(f"{number}. {plain(what)}  \n   **{plain(who)}**" if who else f"{number}. {plain(what)}")


def nothing(text: str) -> None:
    """Say that a list is empty, calmly."""
    st.caption(text)


def empty_state(title: str, message: str, commands: str) -> None:
    """Say what is missing and which commands bring it."""
    st.title(title, anchor=False)
    st.write(message[:1].upper() + message[1:])
    st.code(commands, language="bash")


def failure_state(message: str) -> None:
    """Say why a page cannot be shown and what to do, without a traceback."""
    st.title("This page cannot be shown", anchor=False)
    st.error(message[:1].upper() + message[1:])
    st.write("The data is unharmed: pages only read. These commands find and mend the cause.")
    st.code("otif doctor\notif build", language="bash")
