"""Predictions of a small company that is made up: time travel, calibration, judgement, reasons and next steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from optimizer.risk import History, Learner, act, judge, reliability, scores
from optimizer.risk.calibrate import FLOOR, Calibration, fit_calibration
from optimizer.risk.history import DEADLINES, MILESTONES, passings

START = datetime(2026, 3, 2, tzinfo=UTC).replace(tzinfo=None)
DAYS = 100
PER_DAY = 14


def stone(order: int | str, milestone: str, reached: datetime, **more: object) -> dict[str, object]:
    row: dict[str, object] = {
        "order_id": str(order), "line_id": "1", "piece_id": "", "milestone": milestone, "node_id": None,
        "carrier": None, "service": None, "detail": "", "quantity": 1.0, "reached_at": reached, "known_at": reached,
    }  # fmt: skip
    return row | more


def deadline(order: int | str, captured: datetime, end: datetime, **more: object) -> dict[str, object]:
    row: dict[str, object] = {
        "order_id": str(order), "line_id": "1", "profile_id": "promise", "measured_event": "delivered", "sku": "A",
        "channel": "dtc", "channel_type": "dtc", "customer_id": "(none)", "lane_zone": "north", "seller_id": None,
        "base_quantity": 1.0,
        "is_missed": None, "captured_at": captured, "said_at": captured, "ship_window_start_at": None,
        "window_start_at": None, "window_end_at": end, "is_headline": True,
    }  # fmt: skip
    return row | more


def frames(stones: list[dict[str, object]], deadlines: list[dict[str, object]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    return pl.DataFrame(stones, schema=MILESTONES), pl.DataFrame(deadlines, schema=DEADLINES)


def company(seed: int = 4) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Orders that a fast and a slow node release, pack and ship; promised five days after capture."""
    draw = np.random.default_rng(seed)
    stones, deadlines = [], []
    for number in range(DAYS * PER_DAY):
        captured = START + timedelta(days=number // PER_DAY, hours=float(draw.uniform(8, 20)))
        node = "slow" if draw.random() < 0.3 else "fast"
        released = captured + timedelta(hours=float(draw.exponential(6)))
        accepted = released + timedelta(hours=float(draw.exponential(40 if node == "slow" else 12)) + 4)
        delivered = accepted + timedelta(hours=float(draw.gamma(8, 6)))
        end = captured.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=6)
        at = {"node_id": node, "piece_id": "p"}
        stones += [
            stone(number, "captured", captured),
            stone(number, "released", released, node_id=node),
            stone(number, "accepted", accepted, carrier="c", service="ground", **at),
            stone(number, "delivered", delivered, carrier="c", service="ground", **at),
        ]
        deadlines.append(deadline(number, captured, end, is_missed=delivered >= end))
    return frames(stones, deadlines)


NOW = START + timedelta(days=90)


@pytest.fixture(scope="module")
def made() -> tuple[pl.DataFrame, pl.DataFrame]:
    return company()


@pytest.fixture(scope="module")
def learner(made: tuple[pl.DataFrame, pl.DataFrame]) -> Learner:
    return Learner(History.from_frames(*made))


@pytest.fixture(scope="module")
def judged(learner: Learner) -> pl.DataFrame:
    return judge(learner, START + timedelta(days=98), weeks=4)


def test_news_that_comes_later_changes_nothing(made: tuple[pl.DataFrame, pl.DataFrame], learner: Learner) -> None:
    stones, deadlines = made
    later = [
        stone(number, "cancelled", NOW + timedelta(hours=1), detail="seller") for number in range(DAYS * PER_DAY)
    ] + [
        # Told late of something that happened early.
        stone(number, "accepted", NOW - timedelta(days=30), known_at=NOW + timedelta(minutes=1), piece_id="q")
        for number in range(0, DAYS * PER_DAY, 3)
    ]
    open_still = deadlines.with_columns(
        pl.when(pl.col("window_end_at") <= NOW).then("is_missed").otherwise(~pl.col("is_missed")).alias("is_missed")
    )
    richer = Learner(History.from_frames(pl.concat([stones, pl.DataFrame(later, schema=MILESTONES)]), open_still))
    poorer = Learner(learner.history.known(NOW))
    expected = learner.model(NOW).predict(learner.open_lines(NOW)).sort("order_id").drop("is_missed", "unit")
    assert len(expected) > 40
    for other in (richer, poorer):
        found = other.model(NOW).predict(other.open_lines(NOW)).sort("order_id")
        assert found["order_id"].to_list() == expected["order_id"].to_list()
        for name in ("stage", "age_hours", "probability", "typical_hours"):
            assert found[name].to_list() == expected[name].to_list(), name


def test_held_out_weeks_are_better_foretold_than_by_the_usual_share_and_hold(judged: pl.DataFrame) -> None:
    row = scores(judged).row(0, named=True)
    assert row["rows"] > 800
    assert row["squared_error"] < 0.7 * row["squared_error_base"]
    assert row["squared_error"] < 0.7 * row["squared_error_channel"]
    assert row["calibration_gap"] / row["rows"] < 0.06


def test_errors_add_up_over_cuts(judged: pl.DataFrame) -> None:
    whole, parts = scores(judged).row(0, named=True), scores(judged, ["horizon"])
    assert parts["rows"].sum() == whole["rows"]
    assert parts["squared_error"].sum() == pytest.approx(whole["squared_error"])
    bins = reliability(judged)
    assert bins["rows"].sum() == whole["rows"]
    assert bins["misses"].sum() == whole["misses"]
    assert bins["said"].sum() == pytest.approx(judged["probability"].sum())
    gap = (bins["said"] - bins["misses"]).abs().sum()
    assert gap == pytest.approx(whole["calibration_gap"])


def test_a_line_at_the_slow_node_is_likelier_to_miss_than_one_at_the_fast(learner: Learner) -> None:
    open_lines = learner.model(NOW).predict(learner.open_lines(NOW)).filter(pl.col("stage") == 2)
    typical = dict(open_lines.group_by("node_id").agg(pl.col("typical_hours").first()).iter_rows())
    assert typical["slow"] > 1.5 * typical["fast"]


def test_the_steps_ahead_help_and_a_parcel_under_way_has_none(learner: Learner) -> None:
    model = learner.model(NOW)
    lines = act(model, model.predict(learner.open_lines(NOW)))
    waits, moves = lines.filter(pl.col("stage") < 4), lines.filter(pl.col("stage") == 4)
    helped = waits.filter(pl.col("probability_after").is_not_null())
    assert len(helped) > 0.8 * len(waits)
    # This company does not tell of packing: from the release the next news is the hand-over.
    assert set(waits.filter(pl.col("stage") == 2)["action"]) == {"Have it handed over to the carrier now"}
    assert (helped["probability_after"] < helped["probability"]).all()
    assert moves["probability_after"].is_null().all()
    assert lines["reason"].is_not_null().all()


def test_a_hold_and_missing_stock_are_said_and_have_their_own_step() -> None:
    stones, deadlines = company()
    moment = NOW - timedelta(hours=3)
    more_stones, more_deadlines = frames(
        [
            stone("held", "captured", moment),
            stone("held", "hold_placed", moment, line_id="", detail="credit"),
            stone("short", "captured", moment),
            stone("free", "captured", moment),
            stone("free", "hold_placed", moment, line_id="", detail="fraud"),
            stone("free", "hold_released", moment + timedelta(hours=1), line_id="", detail="fraud"),
        ],
        [
            deadline("held", moment, NOW + timedelta(days=5), sku="C"),
            deadline("short", moment, NOW + timedelta(days=5), sku="B", base_quantity=7.0),
            deadline("free", moment, NOW + timedelta(days=5), sku="C"),
        ],
    )
    stock = pl.DataFrame({"sku": ["B", "C"], "known_at": [START, START], "level": [3.0, 900.0]})
    learner = Learner(
        History.from_frames(pl.concat([stones, more_stones]), pl.concat([deadlines, more_deadlines]), stock)
    )
    model = learner.model(NOW)
    lines = act(model, model.predict(learner.open_lines(NOW)))
    said = {row["order_id"]: row for row in lines.iter_rows(named=True)}
    assert (said["held"]["reason"], said["held"]["action"]) == ("It is on hold.", "Decide on the hold")
    assert said["short"]["reason"] == "No free stock: 7 units of its SKU wait up to this line, 3 are there."
    assert said["short"]["action"] == "Find stock or move units to it"
    assert said["free"]["action"] == "Release it to a node now"


def test_a_milestone_is_passed_with_the_last_unit_needed_and_known_when_that_is_told() -> None:
    first, second = START + timedelta(hours=1), START + timedelta(hours=2)
    told = START + timedelta(hours=9)
    history = History.from_frames(
        *frames(
            [
                stone("x", "accepted", first, piece_id="a", quantity=4.0),
                stone("x", "accepted", second, piece_id="b", quantity=6.0, known_at=told),
                stone("y", "accepted", first, piece_id="a", quantity=None),
                stone("z", "accepted", first, piece_id="a", quantity=4.0),
            ],
            [
                deadline(name, START, START + timedelta(days=3), base_quantity=10.0, measured_event="accepted")
                for name in ("x", "y", "z")
            ],
        )
    )
    passed = history.units.select("unit", "order_id").join(passings(history), on="unit").sort("order_id")
    assert passed["measured_at"].to_list() == [second, first, None]
    assert passed["measured_known"].to_list() == [told, first, None]


def test_decided_lines_are_not_open() -> None:
    soon, moment = START + timedelta(days=3), START + timedelta(days=1)
    history = History.from_frames(
        *frames(
            [
                stone("done", "delivered", START, piece_id="a"),
                stone("cut", "cancelled", START, detail="seller"),
                stone("early", "delivered", START, piece_id="a", quantity=1.0),
                stone("early by half", "delivered", START, piece_id="a", quantity=1.0),
            ],
            [
                deadline("done", START, soon),
                deadline("cut", START, soon),
                deadline("over", START, moment),
                deadline("unsaid", START, soon, said_at=moment + timedelta(hours=1)),
                deadline("early by half", START, soon, window_start_at=moment, base_quantity=2.0),
                deadline("open", START, soon),
            ],
        )
    )
    assert Learner(history).open_lines(moment)["order_id"].to_list() == ["open"]


def test_lenses_that_ask_the_same_share_a_unit() -> None:
    end = START + timedelta(days=3)
    rows = [deadline("x", START, end), deadline("x", START, end, profile_id="other")]
    history = History.from_frames(
        *frames([], [*rows, deadline("x", START, end, profile_id="ship", measured_event="accepted")])
    )
    assert len(history.units) == 2
    assert sorted(history.lenses["profile_id"]) == ["other", "promise", "ship"]


def test_too_little_history_is_said_with_its_numbers() -> None:
    learner = Learner(
        History.from_frames(*frames([], [deadline("x", START, START + timedelta(days=3), is_missed=True)]))
    )
    assert learner.too_thin(NOW).startswith("1 lines whose window has ended, 1 of them missed")
    assert judge(learner, NOW).is_empty()


def test_a_calibration_that_has_nothing_to_learn_from_changes_nothing() -> None:
    chance, none = np.array([0.1, 0.5, 0.9]), np.zeros((3, 2))
    assert fit_calibration(chance, none, np.array([0.0, 1.0, 1.0])) == Calibration()
    assert Calibration()(chance, none) == pytest.approx(chance)
    assert Calibration()(np.array([0.0, 1.0]), none[:2]) == pytest.approx([FLOOR, 1 - FLOOR])


def test_a_score_that_says_too_much_is_brought_down() -> None:
    draw = np.random.default_rng(2)
    truth = draw.uniform(0.05, 0.5, 20_000)
    outcome = (draw.random(len(truth)) < truth).astype(float)
    none = np.zeros((len(truth), 1))
    said = np.clip(truth * 1.8, 0, 0.95)
    calibrated = fit_calibration(said, none, outcome)(said, none)
    assert abs(calibrated.mean() - outcome.mean()) < 0.02
    assert ((calibrated - outcome) ** 2).mean() < ((said - outcome) ** 2).mean()


def test_a_company_without_orders_has_no_open_lines() -> None:
    learner = Learner(History.from_frames(*frames([], [])))
    assert learner.too_thin(NOW)
    assert learner.open_lines(NOW).is_empty()
