"""Causes of misses against the simulator's truth: single causes right, shares whole, planted faults on top."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from storage.publish import open_published
from storage.settings import Settings


@pytest.fixture(scope="module")
def truth(project_root: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        gzip.decompress((project_root / "data/sample/truth/truth.json.gz").read_bytes())
    )
    return document


def _all(home: Path, question: str) -> list[tuple[Any, ...]]:
    with open_published(Settings.load(home)) as connection:
        return connection.execute(question).fetchall()


@pytest.fixture(scope="module")
def explained(sample_home: Path) -> dict[tuple[str, str], str]:
    rows = _all(
        sample_home,
        "select order_id, line_id, miss_cause from marts.fct_line_assessments "
        "where is_headline and is_due and exclusion_reason is null and not is_otif",
    )
    return {(order, line): cause for order, line, cause in rows}


def test_ninety_five_of_a_hundred_single_causes_are_right(
    truth: dict[str, Any], explained: dict[tuple[str, str], str]
) -> None:
    single = [miss for miss in truth["missed_lines"] if not miss["also"]]
    right = sum(explained[miss["order_id"], miss["line_id"]] == miss["cause"] for miss in single)
    assert len(single) > 500
    assert right / len(single) >= 0.95


def test_nine_of_ten_causes_are_right_where_several_played_a_part(
    truth: dict[str, Any], explained: dict[tuple[str, str], str]
) -> None:
    mixed = [miss for miss in truth["missed_lines"] if miss["also"]]
    named = sum(explained[miss["order_id"], miss["line_id"]] in (miss["cause"], *miss["also"]) for miss in mixed)
    assert named / len(mixed) >= 0.9


def test_the_unknown_share_is_small_and_told(sample_home: Path) -> None:
    shares = dict(
        _all(sample_home, "select miss_cause, sum(share) from marts.fct_miss_causes where is_headline group by 1")
    )
    assert shares.get("unknown", 0) < 0.02 * sum(shares.values())


def test_every_planted_fault_is_among_the_top_three_causes_of_its_weeks(
    truth: dict[str, Any], sample_home: Path
) -> None:
    by_week: defaultdict[str, Counter[str]] = defaultdict(Counter)
    weekly = (
        "select strftime(due_date, '%G-W%V'), miss_cause, sum(share) from marts.fct_miss_causes "
        "where is_headline group by all"
    )
    for week, cause, share in _all(sample_home, weekly):
        by_week[week][cause] += share
    for fault in truth["faults"]:
        if not fault["cause"]:
            continue  # a late ASN makes nobody's goods late
        weeks = [week for week in by_week if fault["from_week"] <= week <= fault["to_week"]]
        together: Counter[str] = Counter()
        for week in weeks:
            together += by_week[week]
        assert fault["cause"] in [cause for cause, _ in together.most_common(3)], (fault["fault"], together)
