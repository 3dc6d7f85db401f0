"""Rule sets and documents that hypothesis draws, and a small one by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st

from optimizer.rules.kinds import KINDS, CarrierCap, ChannelReservation, Priority, Routing, Rule, SafetyStock
from optimizer.rules.model import RuleSet

NAMES = st.sampled_from(["LG-001", "dc_columbus", "wholesale", "é 東", "a/b"])
INSTANTS = st.sampled_from(["2026-11-16T05:00:00Z", "2026-11-23T00:00:00-05:00", "2026-12-01T12:30:00+01:00"])
WHOLE = st.integers(0, 1000)
EXPLAINED = {"reason": st.none() | st.text("ab ", max_size=3), "expires_at": st.none() | INSTANTS}
FIELDS: dict[type[Rule], dict[str, st.SearchStrategy[Any]]] = {
    ChannelReservation: {"qty": WHOLE, "mode": st.sampled_from([None, "hard", "soft"])},
    SafetyStock: {"qty": WHOLE},
    Priority: {"rank": WHOLE, "tie_break": st.none() | st.just("age")},
    Routing: {"locations": st.lists(NAMES, unique=True).map(tuple), "split_allowed": st.none() | st.booleans()},
    CarrierCap: {"units": WHOLE, "per": st.none() | st.just("day"), "first_date": st.none() | st.just("2026-11-16")},
}


@st.composite
def drawn_rule(draw: st.DrawFn) -> Rule:
    kind = draw(st.sampled_from(sorted(KINDS)))
    made = KINDS[kind]
    scope = {name: NAMES if name in made.required else st.none() | NAMES for name in made.scope_fields}
    drawn = {name: draw(strategy) for name, strategy in (scope | FIELDS[made] | EXPLAINED).items()}
    return made(rule_id="x", **drawn)


@st.composite
def drawn_rule_set(draw: st.DrawFn) -> RuleSet:
    rules = draw(st.lists(drawn_rule(), max_size=6, unique_by=lambda rule: rule.key))
    named = tuple(replace(rule, rule_id=f"r{place}") for place, rule in enumerate(rules))
    return RuleSet(id=draw(st.sampled_from(["live", "trial"])), effective_from=draw(INSTANTS), rules=named)


@pytest.fixture(scope="session")
def rule_sets() -> st.SearchStrategy[RuleSet]:
    """Valid rule sets of every kind."""
    return drawn_rule_set()


@pytest.fixture
def reserve() -> Callable[..., ChannelReservation]:
    """Maker of a reservation of LG-001 at dc_columbus."""

    def make(quantity: int, *, channel: str = "wholesale", **more: Any) -> ChannelReservation:
        return ChannelReservation(
            rule_id=f"reserve-{channel}", channel=channel, sku="LG-001", location="dc_columbus", qty=quantity, **more
        )

    return make


@pytest.fixture
def make_set() -> Callable[..., RuleSet]:
    """Maker of the rule set `live`."""

    def make(*rules: Rule, **more: Any) -> RuleSet:
        return RuleSet(**({"id": "live", "effective_from": "2026-11-16T05:00:00Z", "rules": rules} | more))

    return make
