"""Row contracts: vectorised rules from `storage.contracts`; a row that breaks one becomes a reject."""

from __future__ import annotations

import polars as pl

from pipelines.sources.base import ParsedBatch
from storage.contracts import EVENT_TABLES, EventTable, conform


def apply_row_contracts(parsed: ParsedBatch, *, source: str) -> ParsedBatch:
    """Split a parsed batch into rows that keep the contract and rejects with a reason.

    Args:
        parsed: An adapter's result.
        source: Source name; fills the `source` column where an adapter left it empty.

    Returns:
        The same batch with only valid rows; `rejects` grows by the others (raw = the row as JSON).
    """
    events = {}
    rejects = [parsed.rejects]
    for family, parsed_frame in parsed.events.items():
        table = EVENT_TABLES[family]
        frame = conform(parsed_frame, family).with_columns(pl.col("source").fill_null(source))
        reasons = pl.concat_str(
            [pl.when(broken).then(pl.lit(text)) for broken, text in _rules(table)], separator="; ", ignore_nulls=True
        )
        judged = frame.with_columns(reasons.alias("_reason"))
        bad = judged.filter(pl.col("_reason") != "")
        events[family] = judged.filter(pl.col("_reason") == "").drop("_reason")
        if not bad.is_empty():
            raw = bad.drop("_reason").with_columns(pl.all().cast(pl.String))
            rejects.append(
                pl.DataFrame(
                    {
                        "source_ref": bad["source_ref"].fill_null("?"),
                        "reason": bad["_reason"],
                        "raw": raw.select(pl.struct(pl.all()).struct.json_encode()).to_series(),
                    }
                )
            )
    return ParsedBatch(events=events, rejects=pl.concat(rejects), rows_in=parsed.rows_in)


def _rules(table: EventTable) -> list[tuple[pl.Expr, str]]:
    rules: list[tuple[pl.Expr, str]] = []
    for column in table.columns:
        value = pl.col(column.name)
        if column.required:
            empty = value.is_null() | (value == "") if column.type == "VARCHAR" else value.is_null()
            rules.append((empty, f"{column.name} is missing"))
        if column.allowed:
            allowed = ", ".join(column.allowed)
            rules.append((value.is_not_null() & ~value.is_in(column.allowed), f"{column.name} is not one of {allowed}"))
        if column.minimum is not None:
            rules.append((value < column.minimum, f"{column.name} is below {column.minimum:g}"))
    for event_type, names in table.required_by_type.items():
        rules += [
            (
                (pl.col("event_type") == event_type) & pl.col(name).is_null(),
                f"{event_type} needs {name}",
            )
            for name in names
        ]
    if "window_start_at" in table.names:
        empty_window = pl.col("window_end_at") <= pl.col("window_start_at")
        rules.append((empty_window, "window_end_at is not after window_start_at"))
    return rules
