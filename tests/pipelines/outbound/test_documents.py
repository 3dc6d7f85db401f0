"""Documents on the wire: differences lead there and back, faults are all named."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.outbound.documents import RuleChange, diff_rules, find_faults, rule_key, rule_scope, rule_value

Rule = dict[str, Any]

RULES = st.lists(
    st.builds(
        lambda channel, sku, quantity, reason: {
            "rule_id": f"{channel}-{sku}",
            "kind": "channel_reservation",
            "scope": {"channel": channel, "sku": sku, "location": "dc"},
            "qty": quantity,
            "reason": reason,
        },
        st.sampled_from(["dtc", "ebay"]),
        st.sampled_from(["A", "B"]),
        st.integers(0, 3),
        st.sampled_from(["", "because"]),
    ),
    unique_by=rule_key,
    max_size=4,
)


def follow(rules: list[Rule], changes: list[RuleChange]) -> dict[Any, Any]:
    state = {rule_key(rule): rule for rule in rules}
    for change in changes:
        key = rule_key({"kind": change.kind, "scope": change.scope})
        assert (change.op == "add") == (key not in state)
        if change.after is None:
            del state[key]
        else:
            state[key] = change.after
    return {key: rule_value(rule) for key, rule in state.items()}


@settings(max_examples=80, deadline=None)
@given(before=RULES, after=RULES)
def test_a_difference_leads_there_and_its_inverse_back(before: list[Rule], after: list[Rule]) -> None:
    assert follow(before, diff_rules(before, after)) == {rule_key(rule): rule_value(rule) for rule in after}
    assert follow(after, diff_rules(after, before)) == {rule_key(rule): rule_value(rule) for rule in before}
    assert diff_rules(before, before) == []


def test_a_new_reason_for_the_same_value_is_no_change() -> None:
    rule = {"rule_id": "a", "kind": "priority", "scope": {"channel": "dtc"}, "rank": 1, "reason": "x"}
    assert diff_rules([rule], [rule | {"rule_id": "b", "reason": "y"}]) == []
    assert [change.op for change in diff_rules([rule], [rule | {"expires_at": "2027-01-01T00:00:00Z"}])] == ["change"]


def test_a_scope_beside_the_values_is_the_same_scope() -> None:
    nested = {"kind": "safety_stock", "scope": {"sku": "A", "location": "dc"}, "qty": 1}
    flat = {"kind": "safety_stock", "sku": "A", "location": "dc", "qty": 1}
    assert rule_scope(nested) == rule_scope(flat)
    assert rule_value(nested) == rule_value(flat) == {"qty": 1}


def test_changes_read_as_sentences() -> None:
    rules = [
        {"kind": "priority", "scope": {}, "rank": 1},
        {"kind": "routing", "scope": {"region": "west"}, "locations": ["tpl_west"]},
    ]
    assert [change.words() for change in diff_rules([], rules)] == [
        "priority (everywhere): none → rank 1",
        "routing (region west): none → locations ['tpl_west']",
    ]


def test_every_fault_of_a_document_is_named() -> None:
    faults = find_faults(
        {
            "rules": [
                "text",
                {"kind": "priority"},
                {"rule_id": "a", "kind": "routing", "locations": "tpl_west"},
                {"rule_id": "a", "kind": "priority", "rank": True},
                {"rule_id": "b", "kind": "priority", "rank": 1, "expires_at": "2026-11-16"},
            ]
        }
    )
    assert [(fault.rule_id, fault.detail.split(":")[0]) for fault in faults] == [
        ("", "rules[0]"),
        ("", "rules[1]"),
        ("a", "locations"),
        ("a", "rank"),
        ("a", "rule_id appears twice"),
        ("b", "expires_at"),
        ("b", "another rule has the same kind and scope"),
    ]
