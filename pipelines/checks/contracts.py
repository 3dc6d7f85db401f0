"""Row contracts: vectorised rules from `storage.contracts`; a row that breaks one becomes a reject."""

from __future__ import annotations

import polars as pl

from pipelines.sources.base import ParsedBatch
from storage.contracts import EVENT_TABLES, conform


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
            [pl.when(pl.sql_expr(broken)).then(pl.lit(text)) for broken, text in table.row_rules()],
            separator="; ",
            ignore_nulls=True,
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
