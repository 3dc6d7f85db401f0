"""Decimal points and commas are found out from all numbers of a file, or it is refused."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines.sources.numbers import COMMA, POINT, detect


@pytest.mark.parametrize(
    ("texts", "style"),
    [
        (["12", "-3", "", "n/a", None], POINT),
        (["1.200", "2.000"], POINT),  # without any comma a point is one
        (["1,200", "5.25"], POINT),
        (["1,200,000.5"], POINT),
        (["1.200", "5,25"], COMMA),
        (["1.200,5"], COMMA),
        (["$1,200.00", "3"], POINT),
        (["1 200,5 €"], COMMA),
        (["0,125", "1,200"], COMMA),
        (["0.125", "1,200"], POINT),
        ([f"{number}.5" for number in range(30)] + ["7,25"], POINT),
    ],
)
def test_a_number_that_reads_in_one_way_only_decides(texts, style):
    found = detect([pl.Series(texts, dtype=pl.String)])
    assert (found.style, found.fault) == (style, None)


@pytest.mark.parametrize("texts", [["1,200"], ["1,200", "3,500", "12"], ["1,200", "2.500"], ["5.25", "5,25"]])
def test_numbers_that_decide_nothing_or_contradict_refuse_the_file(texts):
    assert detect([pl.Series(texts, dtype=pl.String)]).fault is not None
