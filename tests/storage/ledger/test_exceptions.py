"""Exceptions keep their identity from build to build."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import LedgerError
from storage.ledger import Ledger

NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def test_an_exception_is_opened_seen_again_cleared_and_reopened(ledger: Ledger) -> None:
    first = ledger.mark_exceptions_seen(["b", "a"], now=NOW)
    second = ledger.mark_exceptions_seen(["a"], now=NOW + DAY)
    third = ledger.mark_exceptions_seen(["a", "b"], now=NOW + 2 * DAY)

    assert first.opened == ("a", "b")
    assert (second.seen_again, second.cleared) == (("a",), ("b",))
    assert (third.seen_again, third.reopened) == (("a",), ("b",))
    states = ledger.exception_states()
    assert (states["a"].times_seen, states["a"].opened_at) == (3, NOW)
    assert (states["b"].status, states["b"].times_reopened, states["b"].opened_at) == ("open", 1, NOW + 2 * DAY)
    assert [note.action for note in states["b"].history] == ["opened", "resolved", "reopened"]
    assert states["b"].comments == ()


def test_looking_twice_at_the_same_build_counts_once(ledger: Ledger) -> None:
    ledger.mark_exceptions_seen(["a"], now=NOW)
    before = ledger.exception_states()
    assert ledger.mark_exceptions_seen(["a"], now=NOW).seen_again == ("a",)
    assert ledger.exception_states() == before


def test_a_look_at_an_older_build_changes_nothing(ledger: Ledger) -> None:
    ledger.mark_exceptions_seen(["a"], now=NOW)
    before = ledger.exception_states()
    report = ledger.mark_exceptions_seen(["b"], now=NOW - DAY)
    assert report.opened == report.cleared == ()
    assert ledger.exception_states() == before


def test_a_person_takes_over_comments_and_resolves(ledger: Ledger) -> None:
    ledger.mark_exceptions_seen(["a"], now=NOW)
    ledger.acknowledge_exception("a", by="maria", now=NOW, text="calling the carrier")
    ledger.comment_exception("a", by="john", text=" truck found ", now=NOW)
    resolved = ledger.resolve_exception("a", by="maria", now=NOW, text="delivered")

    assert (resolved.status, resolved.owner) == ("resolved", "maria")
    assert [(note.by, note.text) for note in resolved.comments] == [
        ("maria", "calling the carrier"),
        ("john", "truck found"),
        ("maria", "delivered"),
    ]
    assert ledger.exception_states(["a", "zzz"]) == {"a": resolved}
    assert ledger.exception_states(status="open") == {}


def test_a_resolved_exception_that_a_later_build_still_shows_is_reopened_without_owner(ledger: Ledger) -> None:
    ledger.mark_exceptions_seen(["a"], now=NOW)
    ledger.acknowledge_exception("a", by="maria", now=NOW)
    ledger.resolve_exception("a", by="maria", now=NOW)
    assert ledger.mark_exceptions_seen(["a"], now=NOW).reopened == ()
    assert ledger.mark_exceptions_seen(["a"], now=NOW + DAY).reopened == ("a",)
    state = ledger.exception_states()["a"]
    assert (state.status, state.owner) == ("open", None)


def test_an_acknowledged_exception_stays_acknowledged_while_it_is_seen(ledger: Ledger) -> None:
    ledger.mark_exceptions_seen(["a"], now=NOW)
    ledger.acknowledge_exception("a", by="maria", now=NOW, owner="3PL desk")
    ledger.mark_exceptions_seen(["a"], now=NOW + DAY)
    state = ledger.exception_states()["a"]
    assert (state.status, state.owner) == ("acknowledged", "3PL desk")


@pytest.mark.parametrize("verb", ["acknowledge_exception", "resolve_exception"])
def test_a_resolved_or_unknown_exception_is_refused(ledger: Ledger, verb: str) -> None:
    ledger.mark_exceptions_seen(["a"], now=NOW)
    ledger.resolve_exception("a", by="maria", now=NOW)
    with pytest.raises(LedgerError, match="is resolved"):
        getattr(ledger, verb)("a", by="maria", now=NOW)
    with pytest.raises(LedgerError, match="no exception 'zzz'"):
        getattr(ledger, verb)("zzz", by="maria", now=NOW)


def test_an_empty_comment_is_refused(ledger: Ledger) -> None:
    ledger.mark_exceptions_seen(["a"], now=NOW)
    with pytest.raises(LedgerError, match="the comment is empty"):
        ledger.comment_exception("a", by="maria", text=" ", now=NOW)


def test_more_exceptions_than_one_statement_takes_are_handled(ledger: Ledger) -> None:
    ids = [f"id-{number:05d}" for number in range(1_201)]
    assert ledger.mark_exceptions_seen(ids, now=NOW).opened == tuple(ids)
    assert sorted(ledger.exception_states(ids)) == ids
