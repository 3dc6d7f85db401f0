"""Replays: the same history under two rule sets, and an honest verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.errors import InvalidDataError, InvalidRulesError
from optimizer.replay.compare import Verdict
from optimizer.replay.options import ReplayOptions
from optimizer.replay.run import ReplayResult, replay
from optimizer.rules.kinds import CarrierCap, ChannelReservation, Priority, Routing, Rule, SafetyStock
from optimizer.rules.model import RuleSet

Frames = Callable[..., pl.DataFrame]
MakeRules = Callable[..., RuleSet]
SIDES = ("filled_a", "on_time_a", "margin_cents_a")


def reserve(units: int, channel: str = "wholesale", *, sku: str = "A", node: str = "n1") -> ChannelReservation:
    return ChannelReservation(rule_id=f"{channel}-{sku}-{node}", channel=channel, sku=sku, location=node, qty=units)


def safety(units: int, channel: str | None = None) -> SafetyStock:
    return SafetyStock(rule_id=f"safety-{channel}", sku="A", location="n1", channel=channel, qty=units)


@pytest.fixture
def shipped(lines: Frames, stock: Frames, receipts: Frames, rules: MakeRules) -> Callable[..., tuple[int, ...]]:
    """Units filled in the first week of a small history, under rules A and B."""

    def run(rows: list[dict[str, Any]], a: tuple[Rule, ...], b: tuple[Rule, ...] = (), **more: Any) -> tuple[int, ...]:
        opening = more.get("opening", [("A", "n1", 10)])
        found = replay(
            lines(rows),
            stock(*opening),
            receipts(*more.get("incoming", [])),
            rules(*a),
            rules(*b),
            weeks=1,
            seed=1,
            options=more.get("options"),
        )
        return found.weekly["filled_a"].to_list()[0], found.weekly["filled_b"].to_list()[0]

    return run


def test_a_reservation_is_kept_from_other_channels_only(shipped: Callable[..., Any]) -> None:
    assert shipped([{"channel": "dtc"}], (reserve(6),)) == (4, 10)
    assert shipped([{"channel": "wholesale"}], (reserve(6),)) == (10, 10)


def test_a_channel_draws_on_its_own_reservation_before_the_pool(shipped: Callable[..., Any]) -> None:
    rows = [{"channel": "wholesale", "quantity": 6}, {"channel": "dtc", "quantity": 4, "day": 1}]
    assert shipped(rows, (reserve(6),)) == (10, 10)


def test_a_reservation_is_full_again_after_the_refill(shipped: Callable[..., Any]) -> None:
    rows = [{"channel": "wholesale", "quantity": 2}, {"channel": "dtc", "quantity": 8, "day": 4, "need": 9}]
    assert shipped(rows, (reserve(5),), options=ReplayOptions(refill_days=7)) == (7, 10)
    assert shipped(rows, (reserve(5),), options=ReplayOptions(refill_days=2)) == (5, 10)


def test_safety_stock_goes_to_nobody_and_a_buffer_is_kept_from_one_channel(shipped: Callable[..., Any]) -> None:
    assert shipped([{}], (safety(3),), (safety(3, "dtc"),)) == (7, 7)
    assert shipped([{"channel": "ebay"}], (safety(3),), (safety(3, "dtc"),)) == (7, 10)
    assert shipped([{}], (safety(3), safety(4, "dtc")), (safety(30),)) == (6, 0)


def test_lower_rank_is_served_first_then_the_older_line(
    lines: Frames, stock: Frames, receipts: Frames, rules: MakeRules
) -> None:
    rows = [
        {"channel": "dtc", "priority_rank": 2, "unit_price": 5.0},
        {"channel": "ebay", "priority_rank": 1, "unit_price": 6.0},
    ]
    first = Priority(rule_id="p", channel="dtc", rank=0)
    narrow = Priority(rule_id="q", channel="dtc", sku="A", rank=3)
    args = (lines(rows), stock(("A", "n1", 10)), receipts())
    found = replay(*args, rules(), rules(first), weeks=1, seed=1)
    assert found.weekly.select("margin_cents_a", "margin_cents_b").row(0) == (2_000, 1_000)
    again = replay(*args, rules(first), rules(first, narrow), weeks=1, seed=1)
    assert again.weekly.select("margin_cents_a", "margin_cents_b").row(0) == (1_000, 2_000)


def test_routing_says_where_from_and_whether_lines_are_split(shipped: Callable[..., Any]) -> None:
    opening = [("A", "n1", 6), ("A", "n2", 5)]
    only = Routing(rule_id="w", channel="dtc", locations=("n2", "n9"))
    whole = Routing(rule_id="w", locations=("n1", "n2"), split_allowed=False)
    assert shipped([{}], (), (only,), opening=opening) == (10, 5)
    assert shipped([{}, {"quantity": 5}], (), (whole,), opening=opening) == (11, 5)


def test_units_wait_for_receipts_but_not_for_ever(shipped: Callable[..., Any]) -> None:
    incoming = [("A", "n1", 8, 10)]
    arguments: dict[str, Any] = {"opening": [], "incoming": incoming}
    assert shipped([{}], (), **arguments) == (10, 10)
    assert shipped([{}], (), options=ReplayOptions(patience_days=4), **arguments) == (0, 0)
    assert shipped([{}], (), options=ReplayOptions(drain_days=1), **arguments) == (0, 0)


def test_on_time_is_by_the_needed_day_less_the_lead(
    lines: Frames, stock: Frames, receipts: Frames, rules: MakeRules
) -> None:
    rows = [{"need": 3, "quantity": 5}, {"need": 1, "quantity": 2}, {"need": None, "quantity": 1}]
    for lead, expected in ((0, 6), (1, 6), (2, 1)):
        found = replay(
            lines(rows),
            stock(),
            receipts(("A", "n1", 2, 20)),
            rules(),
            rules(),
            weeks=1,
            seed=1,
            options=ReplayOptions(lead_days=lead),
        )
        assert found.weekly.select("filled_a", "on_time_a").row(0) == (8, expected)


def history(
    lines: Frames, stock: Frames, receipts: Frames, *, weeks: int, skus: int, per_sku: int
) -> tuple[pl.DataFrame, ...]:
    """Seasonal SKUs, bought once and short: lines, opening stock, receipts. Wholesale asks for little."""
    random = np.random.default_rng(3)
    rows = [
        {
            "day": week * 7 + int(random.integers(0, 7)),
            "sku": f"S{week}-{number}",
            "channel": "wholesale" if random.random() < 0.1 else "dtc",
            "quantity": int(random.integers(1, 9)),
        }
        for week in range(weeks)
        for number in range(skus)
        for _ in range(per_sku)
    ]
    incoming = [(f"S{week}-{number}", "n1", week * 7, 4 * per_sku) for week in range(weeks) for number in range(skus)]
    return lines(rows), stock(), receipts(*incoming)


def reserve_all(units: int, *, weeks: int, skus: int) -> list[Rule]:
    return [reserve(units, sku=f"S{week}-{number}") for week in range(weeks) for number in range(skus)]


@pytest.fixture
def scarce(lines: Frames, stock: Frames, receipts: Frames) -> tuple[pl.DataFrame, ...]:
    return history(lines, stock, receipts, weeks=16, skus=2, per_sku=10)


@pytest.fixture
def starving(rules: MakeRules) -> RuleSet:
    """Three quarters of the stock are kept for a channel that asks for a tenth."""
    return rules(*reserve_all(30, weeks=16, skus=2))


@pytest.fixture
def distilled(rules: MakeRules) -> RuleSet:
    """A tenth of the stock is kept for that channel."""
    return rules(*reserve_all(4, weeks=16, skus=2))


def run(frames: tuple[pl.DataFrame, ...], a: RuleSet, b: RuleSet, *, weeks: int = 16, seed: int = 7) -> ReplayResult:
    return replay(frames[0], frames[1], frames[2], a, b, weeks=weeks, seed=seed)


def test_a_rule_set_cannot_be_told_from_itself(scarce: tuple[pl.DataFrame, ...], starving: RuleSet) -> None:
    found = run(scarce, starving, starving)
    assert found.verdict is Verdict.NOT_DISTINGUISHABLE
    assert {(measure.difference, measure.low, measure.high) for measure in found.measures} == {(0.0, 0.0, 0.0)}
    assert found.weekly["filled_a"].to_list() == found.weekly["filled_b"].to_list()
    assert found.digest_a == found.digest_b


def test_a_planted_better_rule_set_is_found_and_its_mirror_is_worse(
    scarce: tuple[pl.DataFrame, ...], starving: RuleSet, distilled: RuleSet
) -> None:
    found = run(scarce, starving, distilled)
    mirrored = run(scarce, distilled, starving)
    assert (found.verdict, mirrored.verdict) == (Verdict.BETTER, Verdict.WORSE)
    assert [measure.difference for measure in mirrored.measures] == [-measure.difference for measure in found.measures]
    assert found.words()[0] == "B against A over 16 weeks: better"
    assert found.words()[1].endswith(": better")


def test_the_weeks_add_up_to_the_measures(
    scarce: tuple[pl.DataFrame, ...], starving: RuleSet, distilled: RuleSet
) -> None:
    found = run(scarce, starving, distilled)
    fill, on_time, margin = found.measures
    assert fill.b == pytest.approx(found.weekly["filled_b"].sum() / found.weekly["ordered_units"].sum())
    assert on_time.a == pytest.approx(found.weekly["on_time_a"].mean())
    assert margin.b == pytest.approx(found.weekly["margin_cents_b"].mean())
    assert found.weekly["margin_cents_a"].to_list() == (found.weekly["filled_a"] * 600).to_list()
    assert all(measure.low <= measure.difference <= measure.high for measure in found.measures)


def test_equal_input_and_seed_give_equal_results_whatever_the_order_of_rows(
    scarce: tuple[pl.DataFrame, ...], starving: RuleSet, distilled: RuleSet
) -> None:
    found = run(scarce, starving, distilled)
    again = run(tuple(frame.reverse() for frame in scarce), starving, distilled)
    assert found.measures == again.measures
    assert found.weekly.equals(again.weekly)
    assert run(scarce, starving, distilled, seed=8).measures != found.measures


def test_too_few_weeks_give_no_verdict(scarce: tuple[pl.DataFrame, ...], starving: RuleSet, distilled: RuleSet) -> None:
    found = run(scarce, starving, distilled, weeks=3)
    assert found.measures[0].low > 0
    assert found.verdict is Verdict.NOT_DISTINGUISHABLE
    assert "3 weeks are too few for a verdict; expected 13 or more" in found.notes


def test_better_here_and_worse_there_is_no_verdict(
    lines: Frames, stock: Frames, receipts: Frames, rules: MakeRules
) -> None:
    rows: list[dict[str, Any]] = []
    for week in range(8):
        late = {"day": week * 7 + 1, "sku": f"S{week}", "channel": "wholesale", "quantity": 3, "unit_price": 90.0}
        rows += [{"day": week * 7, "sku": f"S{week}", "channel": "ebay", "quantity": 8, "unit_price": 5.0}, late]
    found = replay(
        lines(rows),
        stock(),
        receipts(*[(f"S{week}", "n1", week * 7, 8) for week in range(8)]),
        rules(),
        rules(*[reserve(5, sku=f"S{week}") for week in range(8)]),
        weeks=8,
        seed=1,
        options=ReplayOptions(patience_days=1, min_weeks=8),
    )
    fill, _, margin = found.measures
    assert (fill.verdict, margin.verdict) == (Verdict.WORSE, Verdict.BETTER)
    assert found.verdict is Verdict.NOT_DISTINGUISHABLE
    assert "some measures are better and some worse: weigh them yourself" in found.notes


SMALL = st.lists(
    st.fixed_dictionaries(
        {
            "day": st.integers(0, 20),
            "sku": st.sampled_from("AB"),
            "channel": st.sampled_from(["dtc", "wholesale"]),
            "priority_rank": st.sampled_from([None, 1, 2]),
            "quantity": st.integers(0, 9),
        }
    ),
    max_size=12,
)
UNITS = st.integers(0, 12)


@given(rows=SMALL, units=st.tuples(*[UNITS] * 8), day=st.integers(0, 20), split=st.booleans())
@settings(deadline=None, max_examples=60)
def test_no_policy_ships_stock_that_is_not_there_or_units_that_nobody_asked_for(
    lines: Frames,
    stock: Frames,
    receipts: Frames,
    rules: MakeRules,
    rows: list[dict[str, Any]],
    units: tuple[int, ...],
    day: int,
    split: bool,
) -> None:
    opening = stock(("A", "n1", units[0]), ("A", "n2", units[1]), ("B", "n1", units[2]))
    incoming = receipts(("A", "n1", day, units[3]), ("B", "n2", day, units[4]))
    kept = (reserve(units[5]), reserve(units[6], "dtc"), safety(units[7]), safety(units[6], "dtc"))
    route = Routing(rule_id="w", channel="dtc", locations=("n2", "n1"), split_allowed=split)
    asked = lines(rows)
    found = replay(asked, opening, incoming, rules(*kept), rules(route), weeks=3, seed=1)
    total, weekly = found.stock, found.weekly
    for side in "ab":
        assert total.filter(pl.col(f"left_{side}") < 0).is_empty()
        assert (total["supplied"] - total[f"shipped_{side}"]).to_list() == total[f"left_{side}"].to_list()
        assert total[f"shipped_{side}"].sum() == weekly[f"filled_{side}"].sum()
        assert weekly.filter(pl.col(f"filled_{side}") > pl.col("ordered_units")).is_empty()
        assert weekly.filter(pl.col(f"on_time_{side}") > pl.col(f"filled_{side}")).is_empty()
    guarded = total.filter(pl.col("sku") == "A", pl.col("node_id") == "n1")
    assert all(left >= min(supplied, units[7]) for left, supplied in guarded.select("left_a", "supplied").iter_rows())


def test_nothing_to_replay_is_an_answer(lines: Frames, stock: Frames, receipts: Frames, rules: MakeRules) -> None:
    found = replay(lines([]), stock(("A", "n1", 5)), receipts(), rules(), rules(), weeks=4, seed=1)
    assert (found.weekly.height, found.verdict) == (0, Verdict.NOT_DISTINGUISHABLE)
    assert found.stock.rows() == [("A", "n1", 5, 0, 5, 0, 5)]
    assert found.notes == ("there are no order lines: nothing is replayed",)


def test_lines_without_any_stock_are_simply_short(shipped: Callable[..., Any]) -> None:
    assert shipped([{}, {"sku": "Z"}], (), opening=[]) == (0, 0)


def test_what_is_left_out_is_said(lines: Frames, stock: Frames, receipts: Frames, rules: MakeRules) -> None:
    ignored = (
        CarrierCap(rule_id="c", carrier="x", location="n1", units=1),
        Priority(rule_id="p", customer="walmart", rank=1),
        Routing(rule_id="w", region="NY", locations=()),
    )
    rows = [{"unit_price": None, "unit_cost": None}, {"day": 30}]
    incoming = receipts(("A", "n1", -1, 5), ("A", "n1", 90, 5))
    found = replay(lines(rows), stock(), incoming, rules(), rules(*ignored), weeks=1, seed=1)
    assert len(found.notes) == 9
    assert [note for note in found.notes if note.startswith("rule set B")] == [
        "rule set B: 1 carrier_cap rules are ignored: the replay knows no carriers",
        "rule set B: 1 priority rules are ignored: order lines carry neither customer nor region",
        "rule set B: 1 routing rules are ignored: order lines carry neither region nor SKU class",
    ]


def test_faults_of_frames_rules_and_options_are_refused(
    lines: Frames, stock: Frames, receipts: Frames, rules: MakeRules
) -> None:
    twice = stock(("A", "n1", 1), ("A", "n1", -2))
    with pytest.raises(InvalidDataError) as caught:
        replay(lines([{"sku": None}]), twice, receipts(), rules(), rules(), weeks=1, seed=1)
    assert len(caught.value.faults) == 3
    with pytest.raises(InvalidDataError, match="receipts has no column quantity") as caught:
        replay(lines([]), stock(), receipts().drop("quantity"), rules(), rules(), weeks=0, seed=1)
    assert "weeks is 0; expected 1 or more" in caught.value.faults
    with pytest.raises(InvalidRulesError):
        replay(lines([]), stock(), receipts(), rules(), rules(reserve(-1)), weeks=1, seed=1)
    with pytest.raises(InvalidDataError, match="block_weeks is 0") as caught:
        ReplayOptions(block_weeks=0, refill_days=0, confidence=1.0)
    assert len(caught.value.faults) == 3


def test_ten_thousand_lines_are_replayed_under_both_rule_sets(
    lines: Frames, stock: Frames, receipts: Frames, rules: MakeRules
) -> None:
    frames = history(lines, stock, receipts, weeks=20, skus=10, per_sku=50)
    kept = [rules(*reserve_all(units, weeks=20, skus=10)) for units in (150, 20)]
    found = run(frames, *kept, weeks=20)
    assert frames[0].height == 10_000
    assert found.weekly["ordered_units"].sum() == frames[0]["quantity"].sum()
    assert found.verdict is Verdict.BETTER
