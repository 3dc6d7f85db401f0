"""Differences between rule sets: they lead there, and back to the very same set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.errors import InvalidRulesError
from optimizer.rules.diff import ChangeType, RuleChange, apply_diff, diff
from optimizer.rules.kinds import CarrierCap, ChannelReservation, Priority, Routing, SafetyStock
from optimizer.rules.model import RuleSet
from pipelines.outbound.documents import diff_rules

MakeSet = Callable[..., RuleSet]
Reserve = Callable[..., ChannelReservation]


@given(data=st.data())
@settings(deadline=None, max_examples=100)
def test_a_patch_leads_there_and_its_inverse_back(data: st.DataObject, rule_sets: Any) -> None:
    before, after = data.draw(rule_sets), data.draw(rule_sets)
    patch = diff(before, after)
    there = apply_diff(before, patch)
    assert there == after
    assert apply_diff(there, patch.inverse()) == before
    assert patch.inverse().inverse() == patch


@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_equal_sets_do_not_differ(data: st.DataObject, rule_sets: Any) -> None:
    rule_set = data.draw(rule_sets)
    assert diff(rule_set, rule_set).is_empty


@given(data=st.data())
@settings(deadline=None, max_examples=80)
def test_what_counts_as_a_difference_is_what_the_oms_sees(data: st.DataObject, rule_sets: Any) -> None:
    before, after = data.draw(rule_sets), data.draw(rule_sets)
    names = {ChangeType.ADDED: "add", ChangeType.REMOVED: "remove", ChangeType.CHANGED: "change"}
    mine = [(names[change.type], change.key[0]) for change in diff(before, after).changes if change.is_effective]
    wire = diff_rules(before.to_document()["rules"], after.to_document()["rules"])
    assert mine == [(change.op, change.kind) for change in wire]


def test_a_change_reads_as_a_sentence(make_set: MakeSet, reserve: Reserve) -> None:
    before = make_set(
        reserve(120), reserve(9, channel="ebay"), SafetyStock(rule_id="s", sku="LG-001", location="tpl_east", qty=20)
    )
    after = make_set(
        reserve(35, expires_at="2026-11-23T05:00:00Z"),
        reserve(4, channel="dtc", mode="hard"),
        SafetyStock(rule_id="s", sku="LG-001", location="tpl_east", qty=5),
        Priority(rule_id="p", channel="dtc", rank=1),
        Routing(rule_id="w", locations=("tpl_east", "tpl_west"), split_allowed=False),
        CarrierCap(rule_id="c", carrier="ironroad", location="tpl_east", units=8, last_date="2026-12-24"),
    )
    assert diff(before, after).words() == (
        "pick-up limit of ironroad at tpl_east: none → 8 units a day to 2026-12-24",
        "reservation of 4 units of LG-001 at dc_columbus for dtc: none → 4 (hard)",
        "reservation of 9 units of LG-001 at dc_columbus for ebay: 9 → none",
        "reservation of 120 units of LG-001 at dc_columbus for wholesale: 120 → 35 until 2026-11-23T05:00:00Z",
        "priority for channel dtc: none → rank 1",
        "routing for everything: none → tpl_east then tpl_west, unsplit",
        "safety stock of 20 units of LG-001 at tpl_east: 20 → 5",
    )


def test_another_reason_is_a_difference_that_changes_no_stock(make_set: MakeSet, reserve: Reserve) -> None:
    patch = diff(make_set(reserve(1)), make_set(reserve(1, reason="promotion")))
    assert [change.is_effective for change in patch.changes] == [False]
    assert "1 as before" in patch.words()[0]


def test_a_patch_does_not_overwrite_what_somebody_else_changed(make_set: MakeSet, reserve: Reserve) -> None:
    before = make_set(reserve(120))
    patch = diff(before, make_set(reserve(35)))
    with pytest.raises(InvalidRulesError, match=r"the patch expects 120 as channel_reservation .* found 80"):
        apply_diff(make_set(reserve(80)), patch)
    with pytest.raises(InvalidRulesError, match="found none"):
        apply_diff(make_set(), patch)
    with pytest.raises(InvalidRulesError, match="another id, period, run or order"):
        apply_diff(replace(before, run_id="other"), patch)


def test_order_alone_is_a_difference_because_reservations_share_stock(make_set: MakeSet, reserve: Reserve) -> None:
    first, second = make_set(reserve(1), reserve(2, channel="dtc")), make_set(reserve(2, channel="dtc"), reserve(1))
    patch = diff(first, second)
    assert (patch.changes, patch.is_empty) == ((), False)
    assert apply_diff(first, patch).digest == second.digest


def test_a_set_with_faults_cannot_be_compared(make_set: MakeSet, reserve: Reserve) -> None:
    with pytest.raises(InvalidRulesError, match="appears twice"):
        diff(make_set(reserve(1), reserve(2)), make_set())


def test_a_change_of_nothing_still_has_words() -> None:
    assert RuleChange(("x", "{}"), None, None).words() == "no rule before and none after"
