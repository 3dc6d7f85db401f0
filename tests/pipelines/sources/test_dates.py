"""A date format is found out, never guessed."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.dates import detect


def detected(*texts: str | None):
    return detect([pl.Series(list(texts), dtype=pl.String)])


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (("3/4/2026", "03/13/2026 3:04 pm"), "%m/%d/%Y"),
        (("13/4/2026", "1/4/2026 15:04"), "%d/%m/%Y"),
        (("2026-03-04",), "%Y-%m-%d"),
        (("4.3.2026", None), "%d.%m.%Y"),
        (("5-Mar-2026", "17-apr-2026"), "%d-%b-%Y"),
        (("5/5/2026",), "%m/%d/%Y"),
        ((), "%Y-%m-%d"),
        (("13/4/2026", "unknown"), "%d/%m/%Y"),
    ],
)
def test_one_date_that_fits_one_format_only_decides_for_all(texts, first):
    found = detected(*texts)
    assert (found.formats[0], found.fault) == (first, None)


def test_dates_that_fit_two_formats_are_refused_with_the_way_out():
    found = detected("03/04/2026", "5/6/2026")
    assert found.formats == ()
    assert found.fault == (
        "dates such as 03/04/2026 can be M/D/YYYY or D/M/YYYY: nothing in the export tells which. Export dates as "
        "YYYY-MM-DD, or a period with a day after the 12th"
    )


def test_dates_in_two_formats_are_refused():
    assert "no one date format fits" in (detected("13/4/2026", "4/13/2026").fault or "")


@given(days=st.lists(st.dates(date(2000, 1, 1), date(2099, 12, 31)), min_size=1, max_size=20))
def test_a_detected_format_reads_every_date_back_as_it_was_written(days):
    for form in ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y-%m-%d"):
        texts = pl.Series([day.strftime(form) for day in days])
        found = detect([texts])
        if found.fault is None:
            assert texts.str.to_date(found.formats[0]).to_list() == days
        else:
            assert all(day.day <= 12 for day in days)
