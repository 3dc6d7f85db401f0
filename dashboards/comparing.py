"""What the ledger keeps of a compared plan, made fit to show: service by lens, money, moves, orders, reasons.

Read here: the parts `comparison`, `explained`, `marginals`, `conflicts` and `broken` of a plan's `kpis` and its lines,
as `otif allocate` writes them. A plan of an older version has none of them; then everything here is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import polars as pl

from dashboards.formats import MISSING, counted, day_text, money_text, value_text, words
from storage.ledger import Plan

LENSES: Final = {"fill": "shipped in full", "need": "by the customer's date", "ship_by": "by the ship-by date"}
LEVELS: Final = ("unit", "line", "order")
MONEY: Final = {"objective": "worth", "bound": "at best"}
KINDS: Final = ("short", "late", "split", "displaced")
ALL: Final = "(all)"


def names(plan: Plan) -> list[str]:
    """Return the scenarios that were compared, the reference first; empty where nothing was."""
    return list(_part(plan).get("names") or [])


def service(plan: Plan, *, level: str) -> pl.DataFrame:
    """Return one row per lens and channel and one column per scenario, with `n` where all count the same.

    Columns are numbered (`s0`, `s1`, …) because people choose the names.
    """
    rows = [row for row in _part(plan).get("measures") or [] if row["level"] == level]
    found = {(row["lens"], row["channel"], row["scenario"]): row for row in rows}
    channels = [ALL, *sorted({row["channel"] for row in rows} - {ALL})]
    shown = names(plan)
    table = []
    for lens in LENSES:
        for channel in channels:
            cells = [found.get((lens, channel, name)) for name in shown]
            counts = {cell["denominator"] for cell in cells if cell}
            if not counts - {0}:
                continue
            same = counts.pop() if len(counts) == 1 else None
            shares = {f"s{place}": _share(cell, told=same is not None) for place, cell in enumerate(cells)}
            who = "All" if channel == ALL else channel
            table.append({"lens": words(LENSES[lens]), "channel": who, "n": same, **shares})
    return pl.DataFrame(table)


def _share(row: Mapping[str, Any] | None, *, told: bool) -> str:
    if row is None or not row["denominator"]:
        return MISSING
    share = value_text(row["numerator"] / row["denominator"], "ratio")
    return share if told else f"{share} of {row['denominator']:,}"


def money(plan: Plan) -> pl.DataFrame:
    """Return one row per term of the objective and one column per scenario, in whole money; zero terms are left out."""
    rows = _part(plan).get("money") or []
    shown = names(plan)
    found = {(row["term"], row["scenario"]): round(row["cents"] / 100) for row in rows}
    terms = [term for term in dict.fromkeys(row["term"] for row in rows) if any(found.get((term, n)) for n in shown)]
    return pl.DataFrame(
        [
            {
                "term": words(MONEY.get(term, term)),
                **{f"s{place}": found.get((term, name)) for place, name in enumerate(shown)},
            }
            for term in terms
        ]
    )


def moves(plan: Plan) -> pl.DataFrame:
    """Return what each scenario moves against the reference, one row per scenario."""
    return pl.DataFrame(_part(plan).get("moves") or [])


def orders(plan: Plan, scenario: str) -> pl.DataFrame:
    """Return the orders that a scenario treats otherwise than the reference: what changed and why it is short."""
    rows = [row for row in _part(plan).get("orders") or [] if row["scenario"] == scenario]
    columns = ["order_id", "channel", "units_open", "units_before", "units_after", "arrives_before", "arrives_after"]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    if not rows:
        return frame
    reasons = pl.Series("reason", [words(code.lower()) if code else "" for code in frame["reason"]], dtype=pl.String)
    days = pl.col("arrives_before", "arrives_after").cast(pl.String).str.to_date()
    return frame.with_columns(reasons, days).select(*columns, "what", "reason")


def orders_in_all(plan: Plan, scenario: str) -> int:
    """Return how many orders a scenario treats otherwise than the reference; the ledger keeps the most changed."""
    return int((_part(plan).get("orders_in_all") or {}).get(scenario, orders(plan, scenario).height))


def clashes(plan: Plan, *, currency: str) -> str:
    """Return what promises clash as Markdown: each clash with its ways out, cheapest first, then what is broken."""
    told = []
    for found in plan.kpis.get("conflicts") or []:
        told.append(f"**{found['words']}.**\n")
        told += [
            f"- Way out at {money_text(way['cost_cents'] / 100, currency=currency)}: give up {way['words']}."
            for way in found["ways_out"]
        ]
        told.append("")
    broken = [
        f"This plan breaks {item['name']} by {counted(item['units'], 'unit')}, priced at "
        f"{money_text(item['cents'] / 100, currency=currency)}."
        for item in plan.kpis.get("broken") or []
    ]
    return "\n".join([*told, " ".join(broken)]).strip()


def explained(plan: Plan) -> list[dict[str, Any]]:
    """Return the lines that were solved again, the dearest first."""
    return list(plan.kpis.get("explained") or [])


def headline(line: Mapping[str, Any]) -> str:
    """Return a line that was solved again with its reason, and who took the stock."""
    taken = f"; its units went to {', '.join(line['competing_lines'])}" if line["competing_lines"] else ""
    return f"**{line['order_id']}**, {line['sku']}: {line['why']}{taken}"


def remedies(line: Mapping[str, Any], *, currency: str) -> list[tuple[str, str, str]]:
    """Return what would have to change for a line: what the plan is worth more with it, words, arrival and who pays."""
    return [
        (
            _gain(-item["cost_cents"] / 100, currency),
            item["words"][:1].upper() + item["words"][1:],
            f"arrives {day_text(date.fromisoformat(item['arrives']))}{_payers(item['displaced'])}",
        )
        for item in line["remedies"]
    ]


def _gain(amount: float, currency: str) -> str:
    return ("+" if amount > 0 else "") + money_text(amount, currency=currency)


def _payers(displaced: list[Mapping[str, Any]]) -> str:
    named = [
        f"{item['order_id']} ({item['units_lost'] + item['units_later']} {'less' if item['units_lost'] else 'later'})"
        for item in displaced[:3]
    ]
    more = len(displaced) - len(named)
    return f" · paid by {', '.join([*named, *([f'{more} more'] if more > 0 else [])])}" if named else ""


def marginals(plan: Plan) -> pl.DataFrame:
    """Return what one more is worth: words, value of the next, units that are worth the same."""
    rows = plan.kpis.get("marginals") or []
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.select("words", value=pl.col("next_cents") / 100, valid="valid_units") if rows else frame


def kinds(frame: pl.DataFrame) -> dict[str, int]:
    """Return how many of a plan's lines are short, late, split and displaced; kinds without any are left out."""
    counts = {kind: int((frame[f"{kind}_units"] > 0).sum()) for kind in KINDS if f"{kind}_units" in frame.columns}
    return {kind: count for kind, count in counts.items() if count}


def lines(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Return a plan's lines of one kind, most units first: units, reason and `why` in words, `taken`, `text`."""
    column = {"short": "reason", "late": "late_reason", "split": "split_reason"}
    code = pl.col(column[kind]) if kind in column else pl.coalesce(pl.col("reason").replace("", None), "late_reason")
    chosen = frame.filter(pl.col(f"{kind}_units") > 0).with_columns(code.alias("code"))
    return chosen.with_columns(
        pl.Series("reason", [words(code.lower()) if code else MISSING for code in chosen["code"]], dtype=pl.String),
        pl.col("competing_lines").cast(pl.List(pl.String)).list.join(", ").alias("taken"),
        pl.col(f"{kind}_units").alias("units"),
    ).sort("units", "order_id", "line_id", descending=[True, False, False])


def _part(plan: Plan) -> Mapping[str, Any]:
    return plan.kpis.get("comparison") or {}
