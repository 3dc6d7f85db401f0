"""What the ledger keeps of a compared plan, made fit to show: service by lens, money, moves, orders, reasons.

Read here: the parts `comparison`, `explained`, `marginals`, `conflict`, `broken` and `lates` of a plan's `kpis` as
`otif allocate` writes them. A plan of an older version has none of them; then everything here is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from dashboards.formats import MISSING, counted, money_text, value_text, words
from storage.ledger import Plan

LENSES: Final = {"fill": "shipped in full", "need": "by the customer's date", "ship_by": "by the ship-by date"}
LEVELS: Final = ("unit", "line", "order")
ALL: Final = "(all)"


def names(plan: Plan) -> list[str]:
    """Return the scenarios that were compared, the reference first; empty where nothing was."""
    return list(_part(plan).get("names") or [])


def service(plan: Plan, *, level: str) -> pl.DataFrame:
    """Return one row per lens and channel and one column per scenario, shares written with their counts.

    Columns are numbered (`s0`, `s1`, …) because people choose the names.
    """
    rows = [row for row in _part(plan).get("measures") or [] if row["level"] == level]
    found = {(row["lens"], row["channel"], row["scenario"]): row for row in rows}
    channels = [ALL, *sorted({row["channel"] for row in rows} - {ALL})]
    shown = names(plan)
    table = [
        {
            "lens": words(LENSES[lens]),
            "channel": "All" if channel == ALL else channel,
            **{f"s{place}": _share(found.get((lens, channel, name))) for place, name in enumerate(shown)},
        }
        for lens in LENSES
        for channel in channels
        if any((lens, channel, name) in found for name in shown)
    ]
    return pl.DataFrame(table)


def _share(row: Mapping[str, Any] | None) -> str:
    if row is None or not row["denominator"]:
        return MISSING
    return f"{value_text(row['numerator'] / row['denominator'], 'ratio')} of {row['denominator']:,}"


def money(plan: Plan) -> pl.DataFrame:
    """Return one row per term of the objective and one column per scenario, in whole money; zero terms are left out."""
    rows = _part(plan).get("money") or []
    shown = names(plan)
    found = {(row["term"], row["scenario"]): round(row["cents"] / 100) for row in rows}
    terms = [term for term in dict.fromkeys(row["term"] for row in rows) if any(found.get((term, n)) for n in shown)]
    return pl.DataFrame(
        [
            {"term": words(term), **{f"s{place}": found.get((term, name)) for place, name in enumerate(shown)}}
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
    return frame.with_columns(reasons).select(*columns, "what", "reason")


def conflict(plan: Plan, *, currency: str) -> list[str]:
    """Return what promises clash, as sentences: the clash, then the ways out, cheapest first; empty without one."""
    broken = [
        f"{item['name']} is broken by {counted(item['units'], 'unit')}, priced at "
        f"{money_text(item['cents'] / 100, currency=currency)}."
        for item in plan.kpis.get("broken") or []
    ]
    found = plan.kpis.get("conflict")
    if not found:
        return broken
    outs = [
        f"Way out at {money_text(way['cost_cents'] / 100, currency=currency)}: give up {way['gives_up']}."
        for way in found["ways_out"]
    ]
    return [f"{found['words']}.", *broken, *outs]


def explained(plan: Plan) -> list[dict[str, Any]]:
    """Return the lines that were solved again, the dearest first."""
    return list(plan.kpis.get("explained") or [])


def remedies(line: Mapping[str, Any], *, currency: str) -> pl.DataFrame:
    """Return what would have to change for a line: words, what the plan is worth more with it, arrival, who pays."""
    schema = {"words": pl.String, "worth": pl.String, "arrives": pl.String, "pays": pl.String}
    rows = [
        (
            item["words"][:1].upper() + item["words"][1:],
            _gain(-item["cost_cents"] / 100, currency),
            item["arrives"],
            _payers(item["displaced"]),
        )
        for item in line["remedies"]
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _gain(amount: float, currency: str) -> str:
    return ("+" if amount > 0 else "") + money_text(amount, currency=currency)


def _payers(displaced: list[Mapping[str, Any]]) -> str:
    named = [
        f"{item['order_id']} ({item['units_lost'] + item['units_later']} {'less' if item['units_lost'] else 'later'})"
        for item in displaced[:3]
    ]
    more = len(displaced) - len(named)
    return ", ".join([*named, *([f"{more} more"] if more > 0 else [])])


def marginals(plan: Plan) -> pl.DataFrame:
    """Return what one more is worth: words, value of the next, units that are worth the same."""
    rows = plan.kpis.get("marginals") or []
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.select("words", value=pl.col("next_cents") / 100, valid="valid_units") if rows else frame


def lates(plan: Plan) -> pl.DataFrame:
    """Return late lines: order, SKU, units, days late, reason in words."""
    frame = pl.DataFrame(plan.kpis.get("lates") or [], infer_schema_length=None)
    if frame.is_empty():
        return frame
    named = pl.Series("reason", [words(code.lower()) for code in frame["reason"]])
    return frame.with_columns(named).select(
        "order_id", "line_id", "sku", "channel", "late_quantity", "days_late", "reason"
    )


def _part(plan: Plan) -> Mapping[str, Any]:
    return plan.kpis.get("comparison") or {}
