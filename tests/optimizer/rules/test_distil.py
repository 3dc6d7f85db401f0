"""Distilled rule sets: what the plan gave up and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.errors import InvalidRulesError
from optimizer.rules.distil import Proposal, Release, distil
from optimizer.rules.kinds import ChannelReservation, Priority, SafetyStock
from optimizer.rules.model import RuleSet

MakeSet = Callable[..., RuleSet]
Reserve = Callable[..., ChannelReservation]
START, END = datetime(2026, 11, 16, 5, tzinfo=UTC), datetime(2026, 11, 23, 5, tzinfo=UTC)


def release(units: int, **more: Any) -> Release:
    base = {"kind": "channel_reservation", "sku": "LG-001", "node_id": "dc_columbus", "channel": "wholesale"}
    return Release(**(base | {"released_units": units} | more))


def distilled(current: RuleSet, *releases: Release, end: datetime = END) -> Proposal:
    return distil(current, releases, effective_from=START, expires_at=end, run_id="plan-1")


@given(data=st.data())
@settings(deadline=None, max_examples=80)
def test_only_released_rules_change_and_units_are_conserved(data: st.DataObject, rule_sets: Any) -> None:
    current = data.draw(rule_sets)
    holders = [rule for rule in current.rules if isinstance(rule, ChannelReservation | SafetyStock)]
    releases = [
        Release(
            kind=rule.kind,
            sku=rule.sku,
            node_id=rule.location,
            channel=rule.channel,
            released_units=data.draw(st.integers(0, rule.qty)),
        )
        for rule in holders
    ]
    units = {rule.key: release.released_units for rule, release in zip(holders, releases, strict=True)}
    found = distilled(current, *data.draw(st.permutations(releases)))

    assert found.rule_set.validate() == ()
    for old, new in zip(current.rules, found.rule_set.rules, strict=True):
        if units.get(old.key, 0) == 0:
            assert new == old
        else:
            assert new.qty == old.qty - units[old.key]
            assert new.reason is not None
            assert new.expires_at is not None
    assert {change.key for change in found.changes} == {key for key, count in units.items() if count}
    assert found == distilled(current, *releases)


def test_a_release_carries_reason_expiry_and_evidence(make_set: MakeSet, reserve: Reserve) -> None:
    other = Priority(rule_id="p", rank=1)
    current = make_set(other, reserve(120), reserve(7, channel="ebay"))
    found = distilled(current, release(85, lines_served=3, gain_cents=123_456, reason="web orders are short"))
    lowered = reserve(
        35,
        reason="web orders are short: 85 units released serve 3 lines, gain 1,234.56",
        expires_at="2026-11-23T05:00:00Z",
    )
    assert found.rule_set == make_set(other, lowered, reserve(7, channel="ebay"), run_id="plan-1")
    assert found.gain_cents == 123_456
    assert found.words == (
        "reservation of 120 units of LG-001 at dc_columbus for wholesale: 120 → 35 until 2026-11-23T05:00:00Z "
        "(web orders are short: 85 units released serve 3 lines, gain 1,234.56)",
    )


def test_a_rule_given_up_wholly_stays_with_quantity_0(make_set: MakeSet, reserve: Reserve) -> None:
    found = distilled(make_set(reserve(5)), release(5, lines_served=1))
    assert found.rule_set.rules[0].qty == 0
    assert "5 units released serve 1 line," in found.rule_set.rules[0].reason


def test_a_rule_that_ends_sooner_keeps_its_end(make_set: MakeSet, reserve: Reserve) -> None:
    sooner = "2026-11-18T00:00:00-05:00"
    assert distilled(make_set(reserve(5, expires_at=sooner)), release(1)).rule_set.rules[0].expires_at == sooner
    later = reserve(5, expires_at="2027-01-01T00:00:00Z")
    assert distilled(make_set(later), release(1)).rule_set.rules[0].expires_at == "2026-11-23T05:00:00Z"


def test_safety_stock_is_released_like_a_reservation(make_set: MakeSet) -> None:
    current = make_set(SafetyStock(rule_id="s", sku="LG-001", location="dc_columbus", qty=20))
    found = distilled(current, release(15, kind="safety_stock", channel=None))
    assert found.rule_set.rules[0].qty == 5


def test_no_release_proposes_the_rules_as_they_are(make_set: MakeSet, reserve: Reserve) -> None:
    found = distilled(make_set(reserve(5)), release(0))
    assert (found.changes, found.gain_cents, found.words) == ((), 0, ())
    assert found.rule_set.rules == (reserve(5),)


@pytest.mark.parametrize(
    ("releases", "words"),
    [
        ((release(6),), "expected 0 to 5 units"),
        ((release(-1),), "expected 0 to 5 units"),
        ((release(1, channel="dtc"),), "there is no such rule"),
        ((release(1, kind="safety_stock", channel=None),), "there is no such rule"),
        ((release(1), release(2)), "released twice"),
    ],
)
def test_a_release_that_fits_no_rule_is_refused(
    make_set: MakeSet, reserve: Reserve, releases: tuple[Release, ...], words: str
) -> None:
    with pytest.raises(InvalidRulesError, match=words):
        distilled(make_set(reserve(5)), *releases)


def test_an_empty_period_is_refused(make_set: MakeSet, reserve: Reserve) -> None:
    with pytest.raises(InvalidRulesError, match="is not after effective_from"):
        distilled(make_set(reserve(5)), release(1), end=START)
    with pytest.raises(InvalidRulesError, match="has no zone"):
        distilled(make_set(reserve(5)), release(1), end=datetime(2026, 11, 23))  # noqa: DTZ001
    ended = make_set(reserve(5), effective_from="2026-11-01T05:00:00Z", effective_to="2026-11-10T05:00:00Z")
    with pytest.raises(InvalidRulesError, match="is not before the end of the current rules"):
        distilled(ended, release(1))
