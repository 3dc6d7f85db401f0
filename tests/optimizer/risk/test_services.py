"""Another carrier or service: asked of lines it can help, told only with a history, taken when it is worth more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from optimizer.risk import History, Learner, RiskModel, act, choose, other_services
from optimizer.risk.calibrate import Calibration
from optimizer.risk.curves import STEPS, in_turn, survival
from optimizer.risk.history import DEADLINES, MILESTONES
from optimizer.risk.services import ATP, NOTHING_PAYS, OTHERS, RATES
from optimizer.risk.stages import learn_stages

START = datetime(2026, 3, 2, tzinfo=UTC).replace(tzinfo=None)
NOW = START + timedelta(days=40)
NUMBERS = ("probability", "probability_after", "loss_cents", "base_quantity", "level", "busy", "queue")


def line(order: str, captured: datetime, end: datetime, way: dict[str, float], **more: Any) -> tuple[list, tuple]:
    """A line of one piece: hours from its capture to each milestone, and its carrier, service and node."""
    made = {"channel": "dtc", "type": "dtc", "customer": "(none)", "zone": "north", "event": "delivered"} | more
    service = (made.get("node"), made.get("carrier"), made.get("service"))
    stones = []
    for name, hours in {"captured": 0.0, **way}.items():
        at = captured + timedelta(hours=hours)
        whose = (
            service if name in ("accepted", "delivered") else (service[0] if name == "released" else None, None, None)
        )
        stones.append((order, "1", "p", name, *whose, "", 3.0, at, at))
    told = (made["event"], "A", made["channel"], made["type"], made["customer"], made["zone"], None, 3.0)
    deadline = (order, "1", "promise", *told, None, captured, captured, None, None, end, True)
    return stones, deadline


def company(*more: tuple[list, tuple]) -> History:
    """Slow and fast ground leave a node 20 hours after capture; to the door it takes 100 and 30 hours."""
    lines = list(more)
    carried = {("slow", "ground"): (100.0, 200), ("fast", "ground"): (30.0, 60), ("rare", "air"): (10.0, 7)}
    for (carrier, service), (hours, count) in carried.items():
        for number in range(count):
            captured = START + timedelta(hours=number * 600 / count)
            way = {"released": 4.0, "accepted": 20.0, "delivered": 20.0 + hours}
            kind = {"node": "dc", "carrier": carrier, "service": service}
            lines.append(line(f"{carrier}{number}", captured, captured + timedelta(days=5), way, **kind))
    stones, deadlines = [stone for those, _ in lines for stone in those], [row for _, row in lines]
    return History.from_frames(
        pl.DataFrame(stones, schema=MILESTONES, orient="row"), pl.DataFrame(deadlines, schema=DEADLINES, orient="row")
    )


def rates(**cents: float) -> pl.DataFrame:
    """Freight of the node to the north, in cents per unit."""
    rows = [("dc", "north", name, "air" if name == "rare" else "ground", price, "USD") for name, price in cents.items()]
    return pl.DataFrame(rows, schema=RATES, orient="row")


def stock(**units: float) -> pl.DataFrame:
    """What nodes can still promise of SKU A this week."""
    return pl.DataFrame([("A", node, promise) for node, promise in units.items()], schema=ATP, orient="row")


def asked(
    history: History, freight: pl.DataFrame, promise: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is said of the open lines, and of other services for them; curves without calibration."""
    learner = Learner(history)
    model = RiskModel(NOW, learn_stages(history, learner.passed, NOW), Calibration(), "UTC")
    lines = act(model, model.predict(learner.open_lines(NOW)))
    others = other_services(learner, model, lines, freight, stock() if promise is None else promise)
    return lines, lines.select("unit", "order_id").join(others, on="unit").sort("order_id", "carrier")


def test_stages_in_turn_take_as_long_as_both() -> None:
    first, then = np.zeros(STEPS), np.zeros(STEPS)
    first[2], then[5] = 1.0, 1.0
    both = 1 - survival(in_turn(first, then))
    # The first ends at 2½ steps on average, the second between 5 and 6 steps after it.
    assert both[:8] == pytest.approx(0.0)
    assert both[8] == pytest.approx(0.5)
    assert both[9:] == pytest.approx(1.0)


def test_a_faster_service_brings_what_the_usual_one_would_bring_too_late() -> None:
    captured = NOW - timedelta(hours=6)
    end = NOW + timedelta(hours=72)  # 14 hours to the hand-over; then 100 by the usual service, 30 by the fast one
    lines, others = asked(
        company(line("x", captured, end, {"released": 4.0}, node="dc")), rates(slow=600.0, fast=850.0)
    )
    assert lines["probability"].to_list() == pytest.approx([1 - 65 / 267], abs=0.08)  # the fast and the rare share
    fast, rare = others.row(0, named=True), others.row(1, named=True)
    assert (fast["carrier"], fast["carried"], fast["extra_cents"]) == ("fast", 60, 250.0)
    assert fast["probability"] < 0.1
    assert (rare["carrier"], rare["carried"], rare["probability"], rare["extra_cents"]) == ("rare", 7, None, None)
    assert "slow" not in others["carrier"]  # the usual service is none other


def test_a_told_service_is_compared_with_the_others_and_a_line_without_a_node_is_taken_for_a_usual_one() -> None:
    captured, end = NOW - timedelta(hours=2), NOW + timedelta(hours=72)
    unreleased, labelled = line("x", captured, end, {}), line("y", captured, end, {"released": 1.0}, node="dc")
    labelled[0].append(("y", "1", "p", "packed", "dc", "fast", "ground", "", 3.0, NOW, NOW))
    _, others = asked(company(unreleased, labelled), rates(slow=600.0, fast=850.0))
    of_line = {(row["order_id"], row["carrier"]): row["extra_cents"] for row in others.iter_rows(named=True)}
    assert of_line == {("x", "fast"): 250.0, ("x", "rare"): None, ("y", "slow"): -250.0, ("y", "rare"): None}


def test_lines_that_no_service_can_help_are_not_asked_about() -> None:
    captured, end = NOW - timedelta(hours=30), NOW + timedelta(hours=72)
    gone = line("gone", captured, end, {"released": 4.0, "accepted": 20.0}, node="dc", carrier="slow", service="ground")
    shipped = line("shipped", captured, end, {"released": 4.0}, node="dc", event="accepted")
    routed = line("routed", captured, end, {"released": 4.0}, node="dc", channel="b2b", type="wholesale", customer="w")
    held = line("held", captured, end, {})
    held[0].append(("held", "", "", "hold_placed", None, None, None, "credit", None, captured, captured))
    _, others = asked(company(gone, shipped, routed, held), rates(slow=600.0, fast=850.0))
    assert others.is_empty()


def from_west(count: int) -> list[tuple[list, tuple]]:
    """Lines that west shipped by fast ground: 30 hours to the door."""
    way, kind = {"released": 4.0, "accepted": 20.0, "delivered": 50.0}, {"carrier": "fast", "service": "ground"}
    starts = [START + timedelta(hours=number * 600 / count) for number in range(count)]
    return [
        line(f"west{number}", at, at + timedelta(days=5), way, node="west", **kind) for number, at in enumerate(starts)
    ]


def freight_with_west(**cents: float) -> pl.DataFrame:
    west = pl.DataFrame([("west", "north", "fast", "ground", 900.0, "USD")], schema=RATES, orient="row")
    return pl.concat([rates(**cents), west])


def test_another_node_that_has_the_stock_is_asked_with_its_own_way_to_the_zone() -> None:
    waits = line("x", NOW - timedelta(hours=2), NOW + timedelta(hours=72), {})
    _, others = asked(company(waits, *from_west(40)), freight_with_west(slow=600.0), stock(west=3.0, dc=50.0))
    [west] = others.filter(pl.col("node").is_not_null()).to_dicts()
    # 18 hours to the hand-over and 30 to the door, of 72; $ 9 from west instead of $ 6 from its own node.
    assert (west["node"], west["carrier"], west["service"], west["carried"]) == ("west", "fast", "ground", 40)
    assert west["probability"] < 0.1
    assert west["extra_cents"] == 300.0
    _, others = asked(company(waits, *from_west(40)), rates(slow=600.0), stock(west=3.0))
    assert others.filter(pl.col("node") == "west")["extra_cents"].to_list() == [None]  # its rate is not known


def test_a_node_is_not_asked_without_all_units_nor_for_a_line_that_another_works_on() -> None:
    captured, end = NOW - timedelta(hours=2), NOW + timedelta(hours=72)
    waits, begun = line("x", captured, end, {}), line("y", captured, end, {"released": 1.0}, node="dc")
    for lines, promise in (([waits], stock(west=2.0)), ([begun], stock(west=3.0)), ([waits], stock(dc=9.0))):
        _, others = asked(company(*lines, *from_west(40)), rates(slow=600.0), promise)
        assert others["node"].null_count() == len(others) > 0


def test_a_node_that_shipped_too_few_lines_to_the_zone_is_not_suggested() -> None:
    waits = line("x", NOW - timedelta(hours=2), NOW + timedelta(hours=72), {})
    for count in (20, 0):
        _, others = asked(company(waits, *from_west(count)), rates(slow=600.0), stock(west=3.0))
        [west] = others.filter(pl.col("node") == "west").to_dicts()
        assert (west["carried"], west["probability"]) == (count, None)


def test_a_line_without_stock_can_be_shipped_by_a_node_that_has_it_and_one_on_hold_cannot() -> None:
    short, held = (line(order, NOW - timedelta(hours=2), NOW + timedelta(hours=72), {}) for order in ("s", "h"))
    held[0].append(("h", "", "", "hold_placed", None, None, None, "credit", None, NOW, NOW))
    history = company(short, held, *from_west(40))
    none = pl.DataFrame({"sku": ["A"], "known_at": [START], "level": [0.0]}, schema=history.stock.schema)
    history = History(history.units, history.lenses, history.milestones, none, history.zone)
    _, others = asked(history, freight_with_west(slow=600.0), stock(west=3.0))
    assert others.select("order_id", "node").rows() == [("s", "west")]
    assert others["probability"][0] < 0.1


def judged(
    *, loss: float | None = 1_000.0, extra: float | None = 150.0, other: float | None = 0.1, currency: str = "USD",
    units: float | None = 2.0, carried: int = 80, now: float | None = 0.8, after: float | None = 0.5,
    stage: int = 1, node: str | None = None, queue: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One line of two units at 80 %, 50 % after its step, and one other service."""
    lines = pl.DataFrame(
        {
            "unit": [1], "profile_id": ["promise"], "probability": [now], "probability_after": [after],
            "action": ["Release it to a node now"], "loss_cents": [loss], "base_quantity": [units],
            "currency": [currency], "stage": [stage], "measured_event": ["delivered"], "held": [False],
            "level": [0.0], "busy": [0.0], "queue": [queue],
        },
        schema_overrides=dict.fromkeys(NUMBERS, pl.Float64),
    )  # fmt: skip
    others = pl.DataFrame(
        [(1, "north", node, "fast", "express", carried, other, extra, "USD")], schema=OTHERS, orient="row"
    )
    row: dict[str, Any] = choose(lines, others).row(0, named=True)
    return row


def test_the_service_is_the_next_step_where_it_is_worth_more_than_the_step_here() -> None:
    # It saves 70 points of $ 10 and costs 2 × $ 1.50: worth $ 4; the step saves 30 points: worth $ 3.
    row = judged()
    assert row["action"] == "Ship it by fast express"
    assert (row["probability_after"], row["action_cost_cents"]) == (0.1, 300.0)
    assert row["action_value_cents"] == pytest.approx(400.0)
    assert row["other_note"] is None
    # At $ 2.00 a unit it is worth $ 3 too, and what costs nothing goes first.
    row = judged(extra=201.0)
    assert (row["action"], row["probability_after"], row["action_cost_cents"]) == (
        "Release it to a node now",
        0.5,
        None,
    )
    assert row["action_value_cents"] == pytest.approx(300.0)
    assert row["other_value_cents"] == pytest.approx(298.0)
    assert row["other_note"] == "it is worth less than the next step"
    assert judged(after=None, extra=201.0)["action"] == "Ship it by fast express"


def test_a_service_that_costs_more_than_it_saves_is_told_and_not_taken() -> None:
    row = judged(extra=500.0)
    assert row["action"] == "Release it to a node now"
    assert row["action_value_cents"] == pytest.approx(300.0)
    assert (row["other_cost_cents"], row["other_value_cents"]) == (1_000.0, pytest.approx(-300.0))
    assert row["other_note"] == "its freight costs more than it saves"


@pytest.mark.parametrize(
    ("case", "note"),
    [
        ({"extra": None}, "its freight is not known"),
        ({"currency": "CAD"}, "its freight is not known"),
        ({"units": None}, "its freight is not known"),
        ({"loss": None}, "what a miss costs is not known"),
    ],
)
def test_nothing_is_made_up_where_freight_or_loss_is_not_known(case: dict[str, Any], note: str) -> None:
    row = judged(**case)
    assert row["action"] == "Release it to a node now"
    assert row["other_value_cents"] is None
    assert row["other_probability"] == 0.1
    assert row["other_note"] == note


def test_a_service_with_too_little_history_is_not_suggested_and_the_reason_says_so() -> None:
    row = judged(other=None, carried=7)
    assert row["other_carrier"] is None
    assert row["action"] == "Release it to a node now"
    assert row["other_note"] == "fast express carried 7 lines to north, 30 are needed"


def test_a_service_that_would_not_be_sooner_is_none_however_cheap() -> None:
    row = judged(other=0.8, extra=-300.0, after=None)
    assert row["other_carrier"] is None
    assert row["other_note"] == "no other service that is known here would be sooner"
    # Sooner by ten points and cheaper: the points count, the saving does not.
    row = judged(other=0.7, extra=-300.0, after=None)
    assert (row["action"], row["action_cost_cents"]) == ("Ship it by fast express", 0.0)
    assert row["action_value_cents"] == pytest.approx(100.0)


def test_another_node_is_the_next_step_where_it_is_worth_most() -> None:
    # 70 points of $ 10 less 2 × $ 1.50 more freight: $ 4 against the $ 3 of the step here.
    row = judged(node="west")
    assert (row["action"], row["other_node"]) == ("Ship it from west by fast express", "west")
    assert row["action_value_cents"] == pytest.approx(400.0)
    assert judged(node="west", extra=None)["other_note"] == "its freight is not known"
    row = judged(node="west", other=None, carried=7)
    assert row["other_note"] == "west fast express carried 7 lines to north, 30 are needed"


def test_a_short_line_that_no_other_node_can_ship_sooner_says_so() -> None:
    row = judged(other=None, carried=7, node="west", queue=5.0)
    assert row["other_note"] == (
        "it needs stock first, and no other node that can promise it is known to be sooner; "
        "west fast express carried 7 lines to north, 30 are needed"
    )


def test_where_no_step_saves_a_whole_unit_of_money_nothing_is_advised_and_what_was_weighed_is_told() -> None:
    # The step saves 4 points of $ 10, $ 0.40; the service saves 70 points, $ 7, and costs 2 × $ 5.
    row = judged(after=0.76, extra=500.0)
    assert (row["action"], row["probability_after"], row["action_value_cents"]) == (NOTHING_PAYS, None, None)
    step = '"Release it to a node now" would save 0.40 of the 10.00 USD that a miss costs: 80.0 % would become 76.0 %'
    assert row["action_note"] == step
    assert row["other_note"] == "its freight costs more than it saves"
    # At 5 points it is $ 0.50 and told; where it would not help at all there is no figure.
    row = judged(after=0.75, extra=500.0)
    assert (row["action"], row["action_note"]) == ("Release it to a node now", None)
    row = judged(after=None, extra=500.0)
    assert row["action_note"] == '"Release it to a node now" would not lower the chance of a miss'
    # A service that saves 70 points and costs $ 6.80 is worth $ 0.20: no advice either.
    row = judged(after=None, extra=340.0)
    assert (row["action"], row["other_note"]) == (NOTHING_PAYS, "it saves next to nothing")


def test_a_step_whose_worth_nobody_knows_is_told() -> None:
    row = judged(loss=None, after=0.79)
    assert (row["action"], row["probability_after"], row["action_note"]) == ("Release it to a node now", 0.79, None)


def test_a_parcel_under_way_is_not_said_to_be_let_run() -> None:
    row = judged(after=None, other=None, stage=4)
    assert (row["action"], row["action_note"]) == ("Release it to a node now", None)


def test_a_line_without_a_probability_has_no_other_service() -> None:
    row = judged(now=None, after=None)
    assert row["other_carrier"] is None
    assert row["other_note"] is None
