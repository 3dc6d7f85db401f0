"""Rule sets as documents: nothing is lost, the digest is the ledger's, every fault is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.errors import InvalidRulesError
from optimizer.rules.kinds import ChannelReservation
from optimizer.rules.model import RuleSet, rule_document
from pipelines.outbound.documents import canonical_digest, find_faults, rule_key, rule_scope, rule_value
from storage.ledger import rule_set_digest

MakeSet = Callable[..., RuleSet]
Reserve = Callable[..., ChannelReservation]


def reservation(**more: Any) -> dict[str, Any]:
    scope = {"channel": "dtc", "sku": "LG-001", "location": "dc_columbus"}
    return {"rule_id": "r1", "kind": "channel_reservation", "scope": scope, "qty": 5} | more


def document(*rules: Any, **more: Any) -> dict[str, Any]:
    return {"id": "live", "effective_from": "2026-11-16T05:00:00Z", "rules": list(rules)} | more


@given(data=st.data())
@settings(deadline=None, max_examples=80)
def test_a_document_says_all_and_its_digest_is_the_ledgers(data: st.DataObject, rule_sets: Any) -> None:
    rule_set = data.draw(rule_sets)
    written = rule_set.to_document()
    content = {"rules": written["rules"], "effective_from": written["effective_from"]}
    assert RuleSet.from_document(written) == rule_set
    assert rule_set.digest == written["digest"] == rule_set_digest(written) == canonical_digest(content)


@given(data=st.data())
@settings(deadline=None, max_examples=80)
def test_the_write_back_contract_takes_and_understands_every_rule(data: st.DataObject, rule_sets: Any) -> None:
    rule_set = data.draw(rule_sets)
    assert find_faults(rule_set.to_document()) == []
    for rule in rule_set.rules:
        wire = rule_document(rule)
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in rule.values.items()}
        assert (rule.key, rule.scope) == (rule_key(wire), rule_scope(wire))
        assert values == rule_value(wire)


def test_a_ledger_document_is_read_with_its_digest() -> None:
    written = document(reservation(), version=3, parent_version=2, created_by="maria", state="active")
    assert RuleSet.from_document(written).digest == rule_set_digest(written)


def test_scope_fields_beside_the_values_are_read_and_written_under_scope() -> None:
    beside = {"rule_id": "r1", "kind": "safety_stock", "sku": "LG-001", "location": "dc_columbus", "qty": 4}
    rule_set = RuleSet.from_document(document(beside))
    nested = {"rule_id": "r1", "kind": "safety_stock", "scope": {"location": "dc_columbus", "sku": "LG-001"}, "qty": 4}
    assert rule_set.to_document()["rules"] == [nested]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (reservation(qty=1.5), "r1: qty: 1.5"),
        (reservation(qty=True), "r1: qty: True"),
        (reservation(qty=2**53), "r1: qty"),
        (reservation(mode="firm"), "r1: mode: 'firm', expected hard or soft"),
        (reservation(scope={"sku": "x", "location": "y"}), "r1: scope: channel is missing"),
        (reservation(scope={"sku": 7, "location": "y", "channel": "z"}), "r1: scope: sku is 7"),
        (reservation(scope=[]), "r1: scope: expected an object"),
        (reservation(colour="red"), "r1: colour: unknown field"),
        (reservation(scope={"planet": "x"}), "r1: scope.planet: unknown field"),
        (reservation(expires_at="tomorrow"), "r1: expires_at: 'tomorrow'"),
        (reservation(expires_at="2026-11-16T05:00:00"), "r1: expires_at"),
        (reservation(reason=3), "r1: reason: 3"),
        (reservation(reason="\ud800"), "r1: reason"),
        (reservation(rule_id=None), "rule_id: None"),
        (reservation(kind="magic"), "r1: kind 'magic', expected one of carrier_cap"),
        ("text", r"rules\[0\]: expected an object"),
        ({"rule_id": "p", "kind": "priority", "rank": -1}, "p: rank: -1"),
        ({"rule_id": "p", "kind": "priority", "rank": 1, "tie_break": 2}, "p: tie_break: 2"),
        ({"rule_id": "w", "kind": "routing"}, "w: locations: None"),
        ({"rule_id": "w", "kind": "routing", "locations": ["a", "a"]}, "w: locations: the same location"),
        ({"rule_id": "w", "kind": "routing", "locations": ["a"], "split_allowed": "no"}, "w: split_allowed"),
        ({"rule_id": "c", "kind": "carrier_cap", "carrier": "x", "location": "y", "units": 3, "per": "week"}, "c: per"),
        ({"rule_id": "c", "kind": "carrier_cap", "carrier": "x", "location": "y", "units": 3, "to": "soon"}, "c: to"),
    ],
)
def test_a_wrong_rule_is_refused_by_name(wrong: Any, words: str) -> None:
    with pytest.raises(InvalidRulesError, match=words):
        RuleSet.from_document(document(wrong))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"rules": None}, "rules: expected a list"),
        ({"id": ""}, "id: ''"),
        ({"run_id": 4}, "run_id: 4"),
        ({"effective_from": "2026-11-16"}, "effective_from: '2026-11-16'"),
        ({"effective_to": "x"}, "effective_to: 'x'"),
        ({"effective_to": "2026-11-16T05:00:00+00:00"}, "is not after effective_from"),
        ({"colour": "red"}, "colour: unknown field"),
    ],
)
def test_a_wrong_document_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRulesError, match=words):
        RuleSet.from_document(document(**more))


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InvalidRulesError) as caught:
        RuleSet.from_document(document(reservation(qty=-1, mode="firm"), reservation(kind="x"), effective_from=""))
    assert len(caught.value.faults) == 4


def test_twins_are_faults(make_set: MakeSet, reserve: Reserve) -> None:
    faults = make_set(reserve(1), reserve(2)).validate()
    assert faults == (
        "reserve-wholesale: rule_id appears twice",
        "reserve-wholesale: another rule has the same kind and scope",
    )
    with pytest.raises(InvalidRulesError):
        make_set(reserve(1), reserve(2)).to_document()
