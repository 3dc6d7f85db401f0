"""Reject reasons by kind: a stable code for every sentence, for filters and counts."""

from __future__ import annotations

from typing import Final

import polars as pl

CODES: Final[tuple[tuple[str, str], ...]] = (
    ("damaged_file", r"^damaged file|file cannot be read|cannot be unpacked|truncated"),
    ("not_wanted", r"^test interchange"),
    (
        "malformed_row",
        r"^expected \d+ cells|is a quote left open|no JSON object|not valid JSON|longer than [\d,]+ char",
    ),
    ("wrong_encoding", r"^the text is not "),
    ("wrong_columns", r"^the file has no header|in the header|the header has|is no column of"),
    ("unreadable_value", r" is not (a|an) |is not a number|is not a time|is not a date|not true or false|is no "),
    ("unknown_value", r" is not one of |is unknown"),
    ("unknown_reference", r"has no row in table"),
    ("value_out_of_range", r" is below | is above | is before |is not after"),
    ("missing_value", r" is missing| needs |is empty"),
)
"""Code and the pattern of its sentences, in the order in which they are tried."""

OTHER: Final = "other"


def reason_code(reason: pl.Expr) -> pl.Expr:
    """Return the code of the first thing that is wrong with a record."""
    first = reason.str.split("; ").list.first()
    code: pl.Expr = pl.lit(OTHER)
    for name, pattern in reversed(CODES):
        code = pl.when(first.str.contains(pattern)).then(pl.lit(name)).otherwise(code)
    return code
