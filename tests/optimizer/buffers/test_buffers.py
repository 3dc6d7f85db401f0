"""Buffers: a week is sold as the rules say, reserves are the best on their samples, regret is least out of sample."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.buffers import History, decide, judge, regret_curve, worthless
from optimizer.buffers.decide import CURVE, best_reserves
from optimizer.buffers.judge import JUDGED, WORTHLESS
from optimizer.buffers.week import hindsight, sell

MONDAY = date(2026, 1, 5)


def history(units, lost, ranks=None):
    """Demand of shape (SKUs, channels, weeks, 7)."""
    units = np.asarray(units, dtype=np.int64)
    skus = tuple(f"s{place}" for place in range(units.shape[0]))
    channels = tuple(f"c{place}" for place in range(units.shape[1]))
    return History(skus, channels, MONDAY, units, np.asarray(lost), np.asarray(ranks or [0] * units.shape[1]))


@pytest.fixture(scope="module")
def contested():
    """Forty SKUs over 30 weeks: dear customers late in the week, cheap ones early, stock for three quarters."""
    draw = np.random.default_rng(3)
    units = np.zeros((40, 2, 30, 7), dtype=np.int64)
    rate = draw.gamma(2.0, 2.0, 40)
    for week in range(30):
        units[:, 0, week, 4:] = draw.poisson(rate[:, None] / 3, (40, 3))
        units[:, 1, week, :3] = draw.poisson(rate[:, None], (40, 3))
    made = history(units, np.tile([4000, 1000], (40, 1)), [1, 0])
    stock = np.rint(units.sum(axis=(1, 3)).mean(axis=1) * 0.75).astype(np.int64)
    return made, np.repeat(stock[:, None], 30, axis=1)


def test_frames_become_whole_weeks_from_monday():
    demand = pl.DataFrame(
        {
            "sku": ["a", "a", "b"],
            "channel": ["x", "x", "y"],
            "day": [MONDAY + timedelta(days=2), MONDAY + timedelta(days=2), MONDAY + timedelta(days=8)],
            "quantity": [1, 2, 5],
        }
    )
    worth = pl.DataFrame({"sku": ["a"], "channel": ["x"], "lost_cents": [700], "rank": [3]})
    made = History.from_frames(demand, worth)
    assert (made.skus, made.channels, made.first) == (("a", "b"), ("x", "y"), MONDAY)
    assert made.units.shape == (2, 2, 2, 7)
    assert made.units[0, 0, 0, 2] == 3
    assert made.units[1, 1, 1, 1] == 5
    assert made.lost_cents.tolist() == [[700, 700], [700, 700]]


def test_no_demand_is_an_empty_history():
    none = pl.DataFrame(schema={"sku": pl.String, "channel": pl.String, "day": pl.Date, "quantity": pl.Int64})
    worth = pl.DataFrame(schema={"sku": pl.String, "channel": pl.String, "lost_cents": pl.Int64, "rank": pl.Int64})
    made = History.from_frames(none, worth)
    chosen = decide(made, np.zeros(0, dtype=np.int64))
    assert chosen.reserves.is_empty()


def test_a_reserve_is_kept_for_its_channel_and_nobody_else():
    demand = np.zeros((1, 2, 7), dtype=np.int64)
    demand[0, 1, 0], demand[0, 0, 3] = 10, 4
    week = sell(10, demand, np.array([3, 0]), ranks=np.array([1, 0]), lost_cents=np.array([5, 1]))
    assert week.served.tolist() == [[3, 7]]
    assert week.lost.tolist() == [1 * 5 + 3 * 1]
    assert week.stranded.tolist() == [0]


def test_a_reserve_that_nobody_draws_on_is_stranded():
    demand = np.zeros((1, 2, 7), dtype=np.int64)
    demand[0, 1, 0] = 10
    week = sell(10, demand, np.array([4, 0]), ranks=np.array([1, 0]), lost_cents=np.array([5, 1]))
    assert week.served.tolist() == [[0, 6]]
    assert week.stranded.tolist() == [4]


@settings(max_examples=60, deadline=None)
@given(
    stock=st.integers(0, 30),
    units=st.lists(st.integers(0, 4), min_size=42, max_size=42),
    kept=st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    lost=st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)),
)
def test_nothing_is_sold_twice_and_nobody_beats_hindsight(stock, units, kept, lost):
    demand = np.asarray(units, dtype=np.int64).reshape(2, 3, 7)
    week = sell(stock, demand, np.asarray(kept), ranks=np.array([2, 1, 0]), lost_cents=np.asarray(lost))
    assert (week.served.sum(axis=1) <= stock).all()
    assert (week.served <= demand.sum(axis=2)).all()
    assert (week.lost >= hindsight(stock, demand, np.asarray(lost))).all()


def test_reserves_are_the_best_of_all_on_their_samples_for_two_channels():
    draw = np.random.default_rng(5)
    demand = draw.poisson(0.7, (60, 2, 7)).astype(np.int64)
    ranks, lost = np.array([1, 0]), np.array([900, 300])
    chosen = best_reserves(6, demand, ranks=ranks, lost_cents=lost)
    losses = {kept: sell(6, demand, np.array([kept, 0]), ranks=ranks, lost_cents=lost).lost.sum() for kept in range(7)}
    assert losses[int(chosen[0])] <= min(losses.values()) * 1.01
    assert chosen[1] == 0


def test_plenty_needs_no_reserve(contested):
    made, _ = contested
    chosen = decide(made, np.full(40, 10_000))
    assert chosen.reserves.is_empty()
    assert chosen.safety.is_empty()


def test_the_same_seed_chooses_the_same_and_another_sku_changes_nothing(contested):
    made, stock = contested
    again = [decide(made, stock[:, 0], seed=4).units for _ in range(2)]
    assert (again[0] == again[1]).all()
    samples = made.samples(count=20, seed=4)
    fewer = History(made.skus[:5], made.channels, made.first, made.units[:5], made.lost_cents[:5], made.ranks)
    assert (fewer.samples(count=20, seed=4)[:, :10] == samples[:5, :10]).all()


def test_on_held_out_weeks_regret_is_less_than_with_fixed_shares_and_averages(contested):
    made, stock = contested
    judged = judge(made, stock, weeks=range(24, 30))
    assert judged.schema == JUDGED
    regret = dict(judged.group_by("policy").agg(pl.col("regret_cents").sum()).iter_rows())
    ours = regret.pop("sample average")
    assert len(regret) == 4
    assert all(ours < other for other in regret.values()), regret


def test_a_policy_sees_only_the_weeks_before(contested):
    made, stock = contested
    seen = []

    def spy(known, _):
        seen.append(known.units.shape[2])
        return np.zeros(known.lost_cents.shape, dtype=np.int64)

    judge(made, stock, weeks=[10, 20], tried={"spy": spy})
    assert seen == [10, 20]


def test_the_curve_trades_service_for_stranded_units(contested):
    made, stock = contested
    curve = regret_curve(made, stock[:, 0], decide(made, stock[:, 0]))
    assert curve.schema == CURVE
    assert curve["protected_fill"].is_sorted()
    assert curve["stranded_units"].is_sorted()
    assert curve["other_fill"].is_sorted(descending=True)
    assert curve["lost_cents"].arg_min() not in (0, curve.height - 1)


def test_buffers_that_protected_nothing_are_named(contested):
    made, stock = contested
    today = pl.DataFrame({"sku": ["s0", "s1", "gone"], "channel": ["c0", "c1", "c0"], "units": [5, 5, 5]})
    marked = worthless(made, stock, today, weeks=range(22, 30))
    assert marked.schema == WORTHLESS
    rows = {row["sku"]: row for row in marked.iter_rows(named=True)}
    assert rows["s0"]["protected_units"] > 0
    assert not rows["s0"]["protected_nothing"]
    # The cheap channel comes first anyway: a reserve for it protects nothing.
    assert rows["s1"]["protected_nothing"]
    assert rows["gone"]["protected_nothing"]


def test_every_pair_of_channel_and_rank_serves_everything_when_there_is_plenty():
    demand = np.ones((1, 2, 7), dtype=np.int64)
    for ranks, kept in product(([0, 1], [1, 0]), ([0, 0], [3, 2])):
        week = sell(14, demand, np.asarray(kept), ranks=np.asarray(ranks), lost_cents=np.array([1, 1]))
        assert week.served.sum() == 14
