# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""Local stamps of X12 as UTC instants."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from pipelines.sources.edi.clock import Clock

CLOCK = Clock(ZoneInfo("America/New_York"))


@pytest.mark.parametrize(
    ("stamp", "start", "end"),
    [
        (("20260702",), datetime(2026, 7, 2, 4), datetime(2026, 7, 3, 4)),
        (("260702",), datetime(2026, 7, 2, 4), datetime(2026, 7, 3, 4)),
        (("960702",), datetime(1996, 7, 2, 4), datetime(1996, 7, 3, 4)),
        (("20260702", "1430"), datetime(2026, 7, 2, 18, 30), datetime(2026, 7, 2, 18, 31)),
        (("20260702", "143015"), datetime(2026, 7, 2, 18, 30, 15), datetime(2026, 7, 2, 18, 30, 16)),
        (("20260702", "14301577"), datetime(2026, 7, 2, 18, 30, 15), datetime(2026, 7, 2, 18, 30, 16)),
        (("20260702", "2400"), datetime(2026, 7, 3, 4), datetime(2026, 7, 3, 4, 1)),
        (("20260702", "1430", "PT"), datetime(2026, 7, 2, 21, 30), datetime(2026, 7, 2, 21, 31)),
        (("20260702", "1430", "PS"), datetime(2026, 7, 2, 22, 30), datetime(2026, 7, 2, 22, 31)),
        (("20260702", "1430", "UT"), datetime(2026, 7, 2, 14, 30), datetime(2026, 7, 2, 14, 31)),
        (("20260702", "1430", "LT"), datetime(2026, 7, 2, 18, 30), datetime(2026, 7, 2, 18, 31)),
        (("20260702", "1430", "02"), datetime(2026, 7, 2, 12, 30), datetime(2026, 7, 2, 12, 31)),
        (("20260702", "1430", "20"), datetime(2026, 7, 2, 19, 30), datetime(2026, 7, 2, 19, 31)),
        (("20261101",), datetime(2026, 11, 1, 4), datetime(2026, 11, 2, 5)),
    ],
)
def test_stamps_become_instants(stamp, start, end):
    assert CLOCK.start(*stamp) == start
    assert CLOCK.end(*stamp) == end


@pytest.mark.parametrize(
    "stamp",
    [
        ("",),
        ("20260231",),
        ("2026-07-02",),
        ("2026070",),
        ("202607022",),
        ("٢٠٢٦٠٧٠٢",),
        ("20260702", "2501"),
        ("20260702", "1260"),
        ("20260702", "12"),
        ("20260702", "12:30"),
        ("99991231",),
    ],
)
def test_what_is_no_stamp_is_none(stamp):
    assert CLOCK.end(*stamp) is None
