"""Whether a file writes its decimals with a point or a comma, found out from all its numbers and never guessed.

Systems export numbers in the preference of the user who ran the export. `1,200` is twelve hundred or one and a fifth; a
file that holds no number which can be read in one way only cannot be read, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from pipelines.sources.mapping.values import GROUPED, bare_number

POINT, COMMA = "1,234.5", "1.234,5"
_ENOUGH: Final = 0.9
"""Share of the numbers that the style must fit; what it does not fit is a faulty row, not another style."""

_FRACTION: Final = r"^[+-]?0+[.,]\d{3}$"
"""Nobody writes a nought before thousands."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """The outcome.

    Attributes:
        style: How numbers are written, one of the styles of mapping files.
        fault: Why it is not certain, else None.
    """

    style: str
    fault: str | None = None


def detect(texts: Iterable[pl.Series]) -> NumberFormat:
    """Find the style of numbers; texts that are no numbers do not count, nor do those without comma and point."""
    parts = pl.concat([pl.Series(dtype=pl.String), *(series.cast(pl.String).alias("") for series in texts)])
    bare = pl.DataFrame({"text": parts.drop_nulls().unique()}).with_columns(bare=bare_number(pl.col("text")))
    marked = bare.filter(pl.col("bare").str.contains(r"\d") & pl.col("bare").str.contains(r"[.,]"))
    fraction = pl.col("bare").str.contains(_FRACTION)
    read = marked.with_columns(
        point=pl.col("bare").str.contains(GROUPED[POINT]) & ~(fraction & pl.col("bare").str.contains(",")),
        comma=pl.col("bare").str.contains(GROUPED[COMMA]) & ~(fraction & pl.col("bare").str.contains(r"\.")),
    ).sort("text")
    only_point = read.filter(pl.col("point") & ~pl.col("comma"))["text"]
    only_comma = read.filter(pl.col("comma") & ~pl.col("point"))["text"]
    decided = len(only_point) + len(only_comma)
    if max(len(only_point), len(only_comma)) < _ENOUGH * decided:
        return NumberFormat(POINT, f"{only_point[0]} has a decimal point and {only_comma[0]} a decimal comma")
    if len(only_comma) > len(only_point):
        return NumberFormat(COMMA)
    either = read.filter(pl.col("comma") & pl.col("point") & pl.col("text").str.contains(","))["text"]
    if len(only_point) or either.is_empty():
        return NumberFormat(POINT)
    return NumberFormat(
        POINT,
        f"the comma in {either[0]} can part thousands or decimals: nothing in the file tells which. Export numbers "
        "without parted thousands, or one with decimals",
    )
