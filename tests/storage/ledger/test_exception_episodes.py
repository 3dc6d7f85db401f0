"""Exceptions over several builds: identity, episodes, snoozing, and nobody told twice."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from storage.errors import LedgerError
from storage.ledger import Ledger, open_ledger
from storage.settings import Settings

NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def told(ledger: Ledger, ids: list[str], day: int, recipient: str = "ops@x") -> tuple[str, ...]:
    return ledger.claim_alerts(ids, recipient=recipient, send_key=f"k{day}/{recipient}", now=NOW + day * DAY)


def test_one_exception_over_six_builds_keeps_its_id_and_is_told_once_per_episode(ledger: Ledger) -> None:
    ledger.mark_exceptions_seen(["a", "b"], now=NOW)
    assert told(ledger, ["a", "b"], 0) == ("a", "b")
    ledger.mark_exceptions_seen(["a", "b"], now=NOW + DAY)
    assert told(ledger, ["a", "b"], 1) == ()
    assert ledger.mark_exceptions_seen(["b"], now=NOW + 2 * DAY).cleared == ("a",)
    assert ledger.exception_states()["a"].is_cleared_by_data
    assert ledger.mark_exceptions_seen(["a", "b"], now=NOW + 3 * DAY).reopened == ("a",)
    assert told(ledger, ["a", "b"], 3) == ("a",)
    ledger.resolve_exception("b", by="maria", now=NOW + 3 * DAY)
    assert not ledger.exception_states()["b"].is_cleared_by_data
    assert ledger.mark_exceptions_seen(["a", "b"], now=NOW + 4 * DAY).reopened == ("b",)
    assert told(ledger, ["a", "b"], 4) == ("b",)
    state = ledger.exception_states()["a"]
    assert (state.times_seen, state.times_reopened, state.status) == (4, 1, "open")
    assert [note.action for note in state.history] == ["opened", "resolved", "reopened"]


def test_what_somebody_has_in_hand_or_put_aside_is_nothing_new(ledger: Ledger) -> None:
    ledger.mark_exceptions_seen(["a", "b", "c"], now=NOW)
    ledger.acknowledge_exception("a", by="maria", now=NOW)
    ledger.snooze_exception("b", by="maria", until=NOW + 2 * DAY, now=NOW, text="supplier answers tomorrow")
    assert ledger.unalerted_exceptions(["a", "b", "c"]) == ("c",)
    ledger.mark_exceptions_seen(["a", "b", "c"], now=NOW + 2 * DAY - timedelta(seconds=1))
    assert ledger.exception_states()["b"].status == "snoozed"
    ledger.mark_exceptions_seen(["a", "b", "c"], now=NOW + 2 * DAY)
    state = ledger.exception_states()["b"]
    assert (state.status, state.snoozed_until, state.times_reopened) == ("open", None, 0)
    assert [note.action for note in state.history] == ["opened", "snoozed", "woken"]
    assert told(ledger, ["a", "b", "c"], 2) == ("b", "c")


def test_every_recipient_is_told_for_himself_and_a_claim_without_mail_is_found_again(ledger: Ledger) -> None:
    ledger.mark_exceptions_seen(["a", "b"], now=NOW)
    assert told(ledger, ["a"], 0) == ("a",)
    assert told(ledger, ["a", "b"], 1, "boss@x") == ("a", "b")
    assert ledger.unalerted_exceptions(["a", "b"]) == ()
    assert ledger.unalerted_exceptions(["a", "b"], recipient="ops@x") == ("b",)
    assert ledger.unsent_alerts("boss@x") == {"k1/boss@x": ("a", "b")}
    ledger.enqueue_mail("k1/boss@x", recipient="boss@x", subject="s", message=b"m", now=NOW)
    assert ledger.unsent_alerts("boss@x") == {"k1/boss@x": ("a", "b")}
    ledger.claim_mail("k1/boss@x", now=NOW)
    ledger.mark_mail_sent("k1/boss@x", now=NOW)
    assert ledger.unsent_alerts("boss@x") == {}
    assert told(ledger, ["zzz"], 2) == ()


def test_a_snooze_needs_a_person_a_future_and_an_open_exception(ledger: Ledger) -> None:
    ledger.mark_exceptions_seen(["a"], now=NOW)
    with pytest.raises(LedgerError, match="named person"):
        ledger.snooze_exception("a", by="", until=NOW + DAY, now=NOW)
    with pytest.raises(LedgerError, match="has passed"):
        ledger.snooze_exception("a", by="maria", until=NOW, now=NOW)
    ledger.resolve_exception("a", by="maria", now=NOW)
    with pytest.raises(LedgerError, match="is resolved"):
        ledger.snooze_exception("a", by="maria", until=NOW + DAY, now=NOW)


def test_a_ledger_of_an_earlier_schema_keeps_its_exceptions_and_learns_to_snooze(ledger_settings: Settings) -> None:
    with open_ledger(ledger_settings) as ledger:
        ledger.mark_exceptions_seen(["a"], now=NOW)
        with ledger._engine.begin() as connection:
            connection.execute(text("drop table exception_alerts"))
            connection.execute(text("alter table exception_states drop column snoozed_until"))
            connection.execute(text("delete from schema_version where version > 2"))
    with open_ledger(ledger_settings) as ledger:
        assert ledger.snooze_exception("a", by="maria", until=NOW + DAY, now=NOW).status == "snoozed"
        assert told(ledger, ["a"], 0) == ()


IDS = ("a", "b", "c")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("build"), st.frozensets(st.sampled_from(IDS))),
        st.tuples(st.sampled_from(("acknowledge", "resolve", "snooze", "alert")), st.sampled_from(IDS)),
    ),
    min_size=4,
    max_size=18,
)
_examples = itertools.count()


@pytest.fixture(scope="module")
def shared_ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """One ledger for all examples; each has days and ids of its own."""
    home: Path = tmp_path_factory.mktemp("episodes")
    return open_ledger(Settings(home=home))


@dataclass
class Account:
    """What should be known of each exception, kept by hand."""

    status: dict[str, str] = field(default_factory=dict)
    episode: dict[str, int] = field(default_factory=dict)
    until: dict[str, int] = field(default_factory=dict)
    heard: set[tuple[str, int]] = field(default_factory=set)

    def build(self, shown: frozenset[str], day: int) -> None:
        for key in shown - self.status.keys():
            self.status[key], self.episode[key] = "open", 0
        for key, status in list(self.status.items()):
            if key not in shown:
                self.status[key] = "resolved"
            elif status == "resolved":
                self.status[key], self.episode[key] = "open", self.episode[key] + 1
            elif status == "snoozed" and self.until[key] <= day:
                self.status[key] = "open"

    def alert(self) -> set[str]:
        new = {key for key, status in self.status.items() if status == "open"}
        new = {key for key in new if (key, self.episode[key]) not in self.heard}
        self.heard |= {(key, self.episode[key]) for key in new}
        return new

    def person(self, verb: str, key: str, day: int) -> bool:
        if self.status.get(key, "resolved") == "resolved":
            return False
        self.status[key] = {"acknowledge": "acknowledged", "snooze": "snoozed", "resolve": "resolved"}[verb]
        self.until[key] = day + 2
        return True


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_sequence_of_builds_and_people_agrees_with_a_plain_account(
    shared_ledger: Ledger, steps: list[tuple[str, frozenset[str] | str]]
) -> None:
    example = next(_examples)
    start = NOW + example * 1000 * DAY
    name = {key: f"{example}-{key}" for key in IDS}
    account = Account()
    for day, (verb, what) in enumerate(steps, start=1):
        now = start + day * DAY
        if isinstance(what, frozenset):
            account.build(what, day)
            shared_ledger.mark_exceptions_seen([name[key] for key in what], now=now)
        elif verb == "alert":
            claimed = shared_ledger.claim_alerts(
                list(name.values()), recipient="ops@x", send_key=f"{example}/{day}", now=now
            )
            assert set(claimed) == {name[key] for key in account.alert()}
        elif account.person(verb, what, day):
            further = {"until": now + 2 * DAY} if verb == "snooze" else {}
            getattr(shared_ledger, f"{verb}_exception")(name[what], by="maria", now=now, **further)
        states = shared_ledger.exception_states(list(name.values()))
        assert {key: states[name[key]].status for key in account.status} == account.status
        assert {key: states[name[key]].times_reopened for key in account.status} == account.episode
