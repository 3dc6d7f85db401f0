"""Fines with a threshold against brute force in ten lines of arithmetic: the worth of a case by the standing so far."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from optimizer.allocation import allocate

MARGIN, GOODWILL, RATE, FLAT = 900, 200, 60, 5_000
"""Cents: a unit at $20 that costs $10 and $1 freight; 10 % goodwill, 3 % fine, $50 flat."""


@pytest.fixture
def contest(world, day):
    """Two retailers of equal worth want ten units each; fourteen are there, a scorecard each."""

    def build(standing, rates=(0.03, 0.03), on_hand=14):
        lines = [
            world.line(
                str(number),
                channel="wholesale",
                channel_type="wholesale",
                customer_id=name,
                open_quantity=10,
                need_at=day(5),
            )
            for number, name in enumerate(("target", "walmart"))
        ]
        cards = [
            {
                "customer_id": name,
                "measure": "on_time_in_full",
                "period_start": date(2026, 11, 1),
                "period_end": date(2026, 11, 30),
                "threshold": 0.9,
                "units_measured": 90,
                "units_compliant": compliant,
                "fine_rate": rate,
                "fine_flat": FLAT / 100,
            }
            for name, compliant, rate in zip(("target", "walmart"), standing, rates, strict=True)
        ]
        return world.make(lines, [world.stock(on_hand=on_hand)], extras={"scorecards": cards})

    return build


def fine(compliant, served, rate=RATE):
    """The period's fine: below 90 % of 100 units the flat fine and the rate of every unit not served."""
    return 0 if compliant + served >= 90 else FLAT + rate * (10 - served)


def worth(standing, served):
    money = sum(served) * MARGIN - sum(10 - units for units in served) * GOODWILL
    return money - sum(fine(*pair) for pair in zip(standing, served, strict=True))


def every_split(on_hand=14):
    return [(one, two) for one in range(11) for two in range(11) if one + two <= on_hand]


STANDINGS = [(79, 90), (80, 90), (81, 81), (82, 85), (84, 80), (86, 86), (87, 83), (88, 79), (90, 80), (60, 88)]


@pytest.mark.parametrize("standing", STANDINGS)
def test_the_plan_is_the_best_split_of_all(contest, standing):
    result = allocate(contest(standing))
    units = dict.fromkeys(("0", "1"), 0)
    for order, quantity in result.allocations.select("order_id", "quantity").iter_rows():
        units[order] += quantity
    best = max(worth(standing, split) for split in every_split())
    assert result.objective_cents == best
    assert worth(standing, (units["0"], units["1"])) == best


def test_stock_follows_the_cliff_from_one_customer_to_the_other(contest):
    """Whoever can still reach its threshold gets what it needs; whoever is safe or lost gets the rest."""
    needs = {80: 10, 82: 8, 84: 6, 86: 4}
    for compliant, need in needs.items():
        for side in (0, 1):
            standing = (compliant, 90) if side == 0 else (90, compliant)
            result = allocate(contest(standing, on_hand=need))
            assert result.allocations["order_id"].unique().to_list() == [str(side)]
            assert result.terms["chargeback"] == 0


def test_one_case_short_of_the_cliff_is_worth_only_its_rate(contest):
    """With one unit fewer than the threshold needs, the other customer's rate decides."""
    lost, rival = (80, 70), (0.01, 0.03)
    enough, short = allocate(contest(lost, rival, on_hand=10)), allocate(contest(lost, rival, on_hand=9))
    assert enough.allocations["order_id"].unique().to_list() == ["0"]
    assert short.allocations["order_id"].unique().to_list() == ["1"]


def test_the_marginal_worth_of_a_case_jumps_at_the_cliff(contest):
    values = [allocate(contest((85, 90), (0.03, 0.03), on_hand=units)).objective_cents for units in range(7)]
    steps = np.diff(values).tolist()
    # Five cases reach the threshold: the fifth saves the flat fine and the rate of the five that stay short.
    assert steps == [MARGIN + GOODWILL + RATE] * 4 + [MARGIN + GOODWILL + FLAT + 6 * RATE, MARGIN + GOODWILL]


@pytest.mark.parametrize(("flat", "ships"), [(5_000, False), (50, True)])
def test_an_on_time_rate_measures_only_what_ships(world, day, flat, ships):
    """90 of 100 on time so far: ten late units break the 90 %, so they ship only where the fine is worth it."""
    line = world.line(channel_type="wholesale", customer_id="target", open_quantity=10, need_at=day(1))
    card = {
        "customer_id": "target",
        "measure": "on_time",
        "period_start": date(2026, 11, 1),
        "period_end": date(2026, 11, 30),
        "threshold": 0.9,
        "units_measured": 100,
        "units_compliant": 90,
        "fine_flat": flat,
    }
    late = world.receipt(quantity=10, days=2)
    result = allocate(world.make([line], [], receipts=[late], extras={"scorecards": [card]}))
    assert result.allocations["quantity"].sum() == (10 if ships else 0)
    assert result.terms["chargeback"] == (-100 * flat if ships else 0)
    assert result.thresholds.select("need", "complying", "is_met").row(0) == (9 * ships, 0, not ships)
