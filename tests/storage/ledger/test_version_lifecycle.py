"""Any order of decisions keeps the promises of the version life cycle (hypothesis state machine)."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from storage.errors import LedgerError
from storage.ledger import VersionState, open_ledger, rule_set_digest
from storage.ledger.lifecycle import NEXT_STATES
from storage.settings import Settings

NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)
QUANTITIES = st.integers(0, 3)
NUMBERS = st.integers(1, 6)


def content(quantity: int) -> dict[str, Any]:
    return {"effective_from": "2026-11-16T05:00:00Z", "rules": [{"rule_id": "r", "qty": quantity}]}


class VersionLife(RuleBasedStateMachine):
    """Drives the ledger next to a model of dictionaries; both must agree after every step."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="otif-")
        self.ledger = open_ledger(Settings(home=Path(self.folder.name)))
        self.steps = 0
        self.states: dict[int, str] = {}
        self.contents: dict[int, str] = {}
        self.parents: dict[int, int | None] = {}
        self.restores: dict[int, int] = {}
        self.pushed: set[int] = set()

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            self.folder.cleanup()

    @property
    def active(self) -> int | None:
        return next((version for version, state in self.states.items() if state == "active"), None)

    def now(self) -> datetime:
        self.steps += 1
        return NOW + timedelta(seconds=self.steps)

    def expect(self, allowed: bool, act: Any) -> bool:
        if allowed:
            act()
        else:
            with pytest.raises(LedgerError):
                act()
        return allowed

    def is_fresh(self, version: int) -> bool:
        return self.parents.get(version) == self.active

    @rule(quantity=QUANTITIES)
    def propose(self, quantity: int) -> None:
        made = self.ledger.propose_rule_set("live", content(quantity), created_by="x", reason="", now=self.now())
        if made.version not in self.states:
            assert made.version == len(self.states) + 1
            self.states[made.version] = "proposed"
            self.contents[made.version] = made.digest
            self.parents[made.version] = self.active
        assert self.contents[made.version] == rule_set_digest(content(quantity))
        assert self.states[made.version] in {"proposed", "approved", "active"}

    @rule(version=NUMBERS)
    def approve(self, version: int) -> None:
        allowed = self.states.get(version) == "proposed" and self.is_fresh(version)
        if self.expect(allowed, lambda: self.ledger.approve_version("live", version, by="maria", now=self.now())):
            self.states[version] = "approved"

    @rule(version=NUMBERS)
    def reject(self, version: int) -> None:
        allowed = self.states.get(version) in {"proposed", "approved"}
        if self.expect(allowed, lambda: self.ledger.reject_version("live", version, by="maria", now=self.now())):
            self.states[version] = "rejected"

    @rule(version=NUMBERS, by_push=st.booleans())
    def put_in_force(self, version: int, by_push: bool) -> None:
        allowed = self.states.get(version) == "approved" and self.is_fresh(version)

        def push() -> None:
            started = self.ledger.record_push(
                "live", version, idempotency_key=f"k{version}", target="t", by="maria", now=self.now()
            )
            self.ledger.finish_push(
                started.push_id,
                head_digest=self.contents[version],
                operation="op",
                acks=[],
                inverse=[],
                now=self.now(),
            )

        def activate() -> None:
            self.ledger.activate_version("live", version, now=self.now())

        before = self.active
        if by_push and version in self.pushed:
            push()  # a push that ended well is returned as it is, and nothing changes
        elif self.expect(allowed, push if by_push else activate):
            self.pushed |= {version} if by_push else set()
            if before is not None:
                self.states[before] = "rolled_back" if version in self.restores else "superseded"
            self.states[version] = "active"

    @rule(version=NUMBERS)
    def roll_back(self, version: int) -> None:
        allowed = self.states.get(version) in {"superseded", "rolled_back"} and self.active is not None

        def ask() -> None:
            made = self.ledger.propose_rollback("live", to_version=version, by="maria", reason="", now=self.now())
            assert made.digest == self.contents[version]
            assert made.parent_version == self.active
            self.states[made.version] = "approved"
            self.contents[made.version] = made.digest
            self.parents[made.version] = self.active
            self.restores[made.version] = version

        self.expect(allowed, ask)

    @invariant()
    def ledger_and_model_agree(self) -> None:
        if not hasattr(self, "ledger"):
            return
        versions = {v.version: v for v in self.ledger.list_versions("live")}
        assert {number: str(v.state) for number, v in versions.items()} == self.states
        assert {number: v.digest for number, v in versions.items()} == self.contents
        assert all(rule_set_digest(v.document) == v.digest for v in versions.values())
        assert sum(v.state is VersionState.ACTIVE for v in versions.values()) <= 1
        deciders = {a.version for a in self.ledger.list_approvals("live")}
        undecided = {number for number, state in self.states.items() if state == "proposed"}
        assert deciders == self.states.keys() - undecided


VersionLife.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestVersionLife = VersionLife.TestCase


def test_every_state_can_be_reached_and_the_last_ones_have_no_way_out() -> None:
    reached = {VersionState.PROPOSED}.union(*NEXT_STATES.values())
    assert reached == set(VersionState)
    assert [state for state in VersionState if not NEXT_STATES[state]] == ["superseded", "rolled_back", "rejected"]
