"""The search for drivers: finds what was planted, leaves chance and mix alone, and its parts add up."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.drivers import explain_change

DIMENSIONS = ("channel", "node_id", "carrier")
WEEKS = 9


def orders(seed: int, *, count: int = 2000, rate=lambda **_: 0.9, weights=None) -> pl.DataFrame:
    """Draw orders of nine weeks; `rate` gives a place's chance of success, `weights` the channels' shares by week."""
    chance = np.random.default_rng(seed)
    frames = []
    for week in range(WEEKS):
        shares = weights(week) if weights else [0.5, 0.3, 0.2]
        names = {
            "channel": chance.choice(["dtc", "wholesale", "amazon"], count, p=shares),
            "node_id": chance.choice(["East", "West", "(none)"], count, p=[0.6, 0.35, 0.05]),
            "carrier": chance.choice(["UPS", "FedEx", "USPS"], count),
        }
        rates = np.array([
            rate(week=week, channel=c, node_id=n, carrier=k) for c, n, k in zip(*names.values(), strict=True)
        ])  # fmt: skip
        good = (chance.random(count) < rates).astype(float)
        frames.append(pl.DataFrame({**names, "week": week, "numerator": good, "denominator": 1.0}))
    return pl.concat(frames)


def explained(frame: pl.DataFrame):
    last = pl.col("week") == WEEKS - 1
    return explain_change(frame.filter(~last), frame.filter(last), DIMENSIONS)


def total(found) -> float:
    return found.mix + sum(driver.effect for driver in found.drivers) + found.shared + found.chance


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_found_where_nothing_happened(seed: int) -> None:
    found = explained(orders(seed))
    assert (found.verdict, found.drivers) in [("no_change", ()), ("outside", ())]
    assert found.shared == 0


def test_one_member_that_fails_is_found_and_told_in_points() -> None:
    found = explained(orders(1, rate=lambda week, node_id, **_: 0.6 if week == 8 and node_id == "West" else 0.9))
    [driver] = found.drivers
    assert (driver.place, driver.words) == ((("node_id", "West"),), "node West")
    assert driver.rate_expected == pytest.approx(0.9, abs=0.02)
    assert driver.rate_now == pytest.approx(0.6, abs=0.05)
    assert driver.effect == pytest.approx(driver.share * (driver.rate_now - driver.rate_expected), abs=1e-9)
    assert found.verdict == "drivers"


def test_a_pair_that_fails_is_found_as_the_pair_not_as_its_members() -> None:
    def rate(week: int, node_id: str, carrier: str, **_: object) -> float:
        return 0.4 if week == 8 and (node_id, carrier) == ("East", "UPS") else 0.9

    [driver] = explained(orders(2, rate=rate)).drivers
    assert driver.words == "node East and carrier UPS"


def accounts(frame: pl.DataFrame) -> pl.DataFrame:
    """The same orders with two accounts in each channel."""
    even = pl.int_range(pl.len()) % 2 == 0
    return frame.with_columns(
        customer_id=pl.col("channel") + pl.when(even).then(pl.lit(" one")).otherwise(pl.lit(" two"))
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_fault_of_a_channel_is_not_told_of_its_accounts(seed: int) -> None:
    def rate(week: int, channel: str, **_: object) -> float:
        return 0.55 if week == 8 and channel == "dtc" else 0.9

    frame = accounts(orders(seed, rate=rate))
    last = pl.col("week") == WEEKS - 1
    drivers = explain_change(frame.filter(~last), frame.filter(last), (*DIMENSIONS, "customer_id")).drivers
    assert [driver.words for driver in drivers] == ["channel dtc"]


@pytest.mark.parametrize("seed", range(6))
def test_a_fault_of_an_account_is_not_told_of_its_channel(seed: int) -> None:
    frame = accounts(orders(seed))
    last = pl.col("week") == WEEKS - 1
    chance = np.random.default_rng(seed)
    fails = last & (pl.col("customer_id") == "dtc one") & (pl.Series(chance.random(frame.height)) < 0.4)
    frame = frame.with_columns(numerator=pl.when(fails).then(0.0).otherwise(pl.col("numerator")))
    drivers = explain_change(frame.filter(~last), frame.filter(last), (*DIMENSIONS, "customer_id")).drivers
    assert [driver.words for driver in drivers] == ["customer dtc one"]


def test_two_faults_are_told_apart() -> None:
    def rate(week: int, channel: str, carrier: str, **_: object) -> float:
        return 0.9 - (0.3 if channel == "amazon" else 0.3 if carrier == "USPS" else 0.0) * (week == 8)

    words = {driver.words for driver in explained(orders(3, rate=rate)).drivers}
    assert {"channel amazon", "carrier USPS"} <= words


def test_a_shift_of_volume_to_a_difficult_channel_is_mix_not_a_driver() -> None:
    frame = orders(
        4,
        rate=lambda channel, **_: {"dtc": 0.97, "wholesale": 0.7, "amazon": 0.95}[channel],
        weights=lambda week: [0.2, 0.6, 0.2] if week == 8 else [0.5, 0.3, 0.2],
    )
    found = explained(frame)
    assert found.now - found.before < -0.05
    assert found.mix == pytest.approx(found.now - found.before, abs=0.02)
    assert found.drivers == ()


def test_what_all_places_share_lies_outside_the_data() -> None:
    found = explained(orders(5, rate=lambda week, **_: 0.75 if week == 8 else 0.9))
    assert (found.verdict, found.drivers) == ("everywhere", ())
    assert found.shared == pytest.approx(-0.15, abs=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_where_all_fell_the_place_that_fell_further_is_told_and_the_others_share_the_rest(seed: int) -> None:
    def rate(week: int, node_id: str, **_: str) -> float:
        return (0.5 if node_id == "West" else 0.8) if week == 8 else 0.95

    found = explained(orders(seed, rate=rate))
    [driver] = found.drivers
    assert driver.words == "node West"
    assert driver.effect == pytest.approx(0.35 * (0.5 - 0.95), abs=0.02)
    # What the others share is their own fall, not a share of West's.
    assert found.shared == pytest.approx(0.65 * (0.8 - 0.95), abs=0.02)
    assert total(found) == pytest.approx(found.now - found.before)


def test_what_never_shipped_is_no_place() -> None:
    found = explained(orders(6, rate=lambda week, node_id, **_: 0.0 if node_id == "(none)" and week == 8 else 0.9))
    assert all(member != "(none)" for driver in found.drivers for _, member in driver.place)


def test_other_names_of_the_same_rows_are_told() -> None:
    frame = orders(7, rate=lambda week, node_id, **_: 0.6 if week == 8 and node_id == "West" else 0.9)
    frame = frame.with_columns(site=pl.col("node_id").replace({"West": "Reno"}))
    last = pl.col("week") == WEEKS - 1
    [driver] = explain_change(frame.filter(~last), frame.filter(last), ("node_id", "site")).drivers
    assert (driver.place, driver.same_as) == ((("node_id", "West"),), ((("site", "Reno"),),))


def test_without_history_or_volume_nothing_stands_out() -> None:
    frame = orders(8, count=50)
    empty = frame.clear()
    assert explain_change(empty, frame, DIMENSIONS).verdict == "no_change"
    assert explain_change(frame, empty, DIMENSIONS).drivers == ()


def test_a_fault_of_the_past_does_not_hide_todays() -> None:
    def rate(week: int, node_id: str, carrier: str, **_: object) -> float:
        if 3 <= week <= 5 and carrier == "FedEx":
            return 0.6
        return 0.6 if week == 8 and node_id == "West" else 0.9

    assert "node West" in {driver.words for driver in explained(orders(9, rate=rate)).drivers}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 4), st.integers(0, 30), st.integers(0, 30)
        ),
        min_size=1,
        max_size=60,
    )
)
def test_the_parts_add_up_exactly_on_any_rows(rows) -> None:
    frame = pl.DataFrame(
        [
            {"channel": a, "node_id": b, "week": week, "numerator": float(min(n, d)), "denominator": float(d)}
            for a, b, week, n, d in rows
        ]
    )
    last = pl.col("week") == 4
    found = explain_change(frame.filter(~last), frame.filter(last), ("channel", "node_id"))
    assert total(found) == pytest.approx(found.now - found.before, abs=1e-9)
