"""A reservation that starves others comes down to what its holder needs, never below, never above what is there."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.errors import InvalidRulesError
from optimizer.rules.distil import Release
from optimizer.rules.kinds import ChannelReservation
from optimizer.rules.model import RuleSet
from optimizer.rules.sizing import size_releases

NEEDS = {"sku": pl.String, "channel": pl.String, "open_units": pl.Float64, "weekly_units": pl.Float64}


def reservation(qty: int, *, sku: str = "A", node: str = "east", channel: str = "wholesale") -> ChannelReservation:
    return ChannelReservation(rule_id=f"{channel}/{sku}/{node}", channel=channel, sku=sku, location=node, qty=qty)


def size(
    rules: list[ChannelReservation],
    planned: list[tuple[str, str, str, int]],
    *,
    needs: list[tuple[str, str, float, float]],
    stock: list[tuple[str, str, int]],
    gain_cents: int = 1000,
    cover_weeks: float = 2.0,
) -> dict[tuple[str, str], Release]:
    found = size_releases(
        RuleSet(id="live", effective_from="2026-01-01T00:00:00Z", rules=tuple(rules)),
        pl.DataFrame(planned, schema=["sku", "node_id", "holder", "released"], orient="row"),
        needs=pl.DataFrame(needs, schema=NEEDS, orient="row"),
        sellable=pl.DataFrame(stock, schema=["sku", "node_id", "quantity"], orient="row"),
        cover_weeks=cover_weeks,
        gain_cents=gain_cents,
        lines_served=pl.DataFrame({"sku": ["A"], "lines": [3]}),
    )
    return {(release.sku, release.node_id): release for release in found}


def test_the_holder_keeps_its_open_units_and_its_usual_demand() -> None:
    sized = size([reservation(500)], [("A", "east", "wholesale", 5)], needs=[("A", "wholesale", 10, 4)],
                 stock=[("A", "east", 400)])  # fmt: skip
    release = sized["A", "east"]
    assert 500 - release.released_units == 10 + 2 * 4
    assert (release.gain_cents, release.lines_served) == (1000, 3)


def test_what_the_plan_takes_is_really_free_even_when_the_holder_would_need_it() -> None:
    sized = size([reservation(50)], [("A", "east", "wholesale", 8)], needs=[("A", "wholesale", 40, 20)],
                 stock=[("A", "east", 20)])  # fmt: skip
    assert 50 - sized["A", "east"].released_units == 20 - 8


def test_a_holder_without_demand_keeps_nothing() -> None:
    sized = size([reservation(50)], [("A", "east", "wholesale", 8)], needs=[], stock=[("A", "east", 20)])
    assert sized["A", "east"].released_units == 50


def test_need_is_spread_over_the_nodes_in_proportion_to_the_reservations() -> None:
    rules = [reservation(300), reservation(100, node="west")]
    sized = size(rules, [("A", "east", "wholesale", 1)], needs=[("A", "wholesale", 40, 0)],
                 stock=[("A", "east", 300), ("A", "west", 100)])  # fmt: skip
    assert {key: release.released_units for key, release in sized.items()} == {("A", "east"): 270, ("A", "west"): 90}


def test_rules_that_the_plan_does_not_touch_stay() -> None:
    rules = [reservation(300), reservation(70, sku="B"), reservation(9, channel="amazon")]
    sized = size(rules, [("A", "east", "wholesale", 1)], needs=[], stock=[("A", "east", 300), ("B", "east", 70)])
    assert set(sized) == {("A", "east")}


def test_a_frame_without_its_columns_is_refused() -> None:
    with pytest.raises(InvalidRulesError, match="weekly_units"):
        size_releases(
            RuleSet(id="live", effective_from="2026-01-01T00:00:00Z", rules=()),
            pl.DataFrame(schema=["sku", "node_id", "holder", "released"]),
            needs=pl.DataFrame(schema=["sku", "channel", "open_units"]),
            sellable=pl.DataFrame(schema=["sku", "node_id", "quantity"]),
            cover_weeks=1,
            gain_cents=0,
            lines_served=pl.DataFrame(schema=["sku", "lines"]),
        )


@settings(deadline=None, max_examples=80)
@given(
    qty=st.integers(1, 500),
    there=st.integers(-5, 500),
    taken=st.integers(1, 500),
    open_units=st.integers(0, 300),
    weekly=st.floats(0, 100),
    gain=st.integers(-10_000, 10_000),
)
def test_nothing_below_zero_nothing_raised_and_the_gain_is_shared_to_the_cent(
    qty: int, there: int, taken: int, open_units: int, weekly: float, gain: int
) -> None:
    taken = min(taken, max(min(qty, there), 1))
    sized = size(
        [reservation(qty), reservation(qty, node="west")],
        [("A", "east", "wholesale", taken), ("A", "west", "wholesale", 1)],
        needs=[("A", "wholesale", open_units, weekly)],
        stock=[("A", "east", there), ("A", "west", there)],
        gain_cents=gain,
    )
    for release in sized.values():
        assert 0 < release.released_units <= qty
        assert qty - release.released_units <= max(min(qty, there), 0)
    if len(sized) == 2:
        assert sum(release.gain_cents for release in sized.values()) == gain
