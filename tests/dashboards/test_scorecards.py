"""Scorecards: raw and adjusted by hand, proof of the misses, claims, and refusals that name what is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from dashboards.errors import QuestionError
from dashboards.queries import credit_claims, scorecard, sla_cases
from storage.duck import Connection, connect


@pytest.fixture
def published() -> Iterator[Connection]:
    connection = connect()
    connection.execute("create schema marts")
    connection.execute(
        """
        create table marts.fct_sla_clocks as
        select * replace (cast(due_date as date) as due_date), cast(due_date as timestamp) as due_at from (values
            ('hand_over', 'n', 'a', 'n', true, true, true, null, 0.0, '2026-03-10'),
            ('hand_over', 'n', 'b', 'n', true, false, true, null, 2.5, '2026-03-10'),
            ('hand_over', 'n', 'c', 'n', true, false, false, 'stock_out', 0.0, '2026-03-17'),
            ('hand_over', 'n', 'd', 'n', false, false, false, null, 0.0, '2026-03-18'),
            ('hand_over', 'm', 'e', 'm', true, false, false, 'carrier_no_show', 0.0, '2026-03-10'),
            ('delivery', 'x', 'a', 't', true, true, true, null, null, '2026-03-12')
        ) as rows (
            clock, party_id, order_id, subject_id, is_due, is_kept, is_counted, excuse, pause_hours, due_date
        )
        """
    )
    connection.execute(
        """
        create table marts.fct_sla_credits as
        select 'hand_over' as clock, 'n' as party_id, 'b' as order_id, 'n' as subject_id, 'adjusted' as basis,
            'USD' as currency, 0.9 as target, 2.50 as credit_amount, 2 as cases, 1 as kept,
            date '2026-03-10' as due_date, date '2026-03-09' as due_week, timestamp '2026-03-10' as due_at
        """
    )
    yield connection
    connection.close()


def test_raw_counts_every_due_case_and_adjusted_leaves_the_excused_out(published: Connection) -> None:
    rows = {row["party_id"]: row for row in scorecard(published, "3pl").iter_rows(named=True)}
    assert (rows["n"]["cases"], rows["n"]["kept"], rows["n"]["counted"], rows["n"]["missed"]) == (3, 1, 2, 1)
    assert (rows["n"]["raw"], rows["n"]["adjusted"]) == (pytest.approx(1 / 3), pytest.approx(1 / 2))
    assert (rows["n"]["credit_amount"], rows["n"]["currency"]) == (pytest.approx(2.5), "USD")
    # Where every case is excused there is no adjusted score: neither 0 nor 100 %.
    assert (rows["m"]["raw"], rows["m"]["adjusted"], rows["m"]["credit_amount"]) == (0.0, None, None)
    assert list(rows) == ["n", "m"]


def test_a_week_and_a_party_narrow_it(published: Connection) -> None:
    week = {"date_from": date(2026, 3, 16), "date_to": date(2026, 3, 22)}
    assert scorecard(published, "3pl", party="n", **week).select("cases", "stock_out").row(0) == (1, 1)
    assert credit_claims(published, "3pl", **week).is_empty()
    assert scorecard(published, "carrier").select("party_id", "cases", "raw").rows() == [("x", 1, 1.0)]


def test_the_misses_come_with_their_excuses(published: Connection) -> None:
    cases = sla_cases(published, "3pl")
    assert cases.select("order_id", "excuse").rows() == [("b", None), ("e", "carrier_no_show"), ("c", "stock_out")]
    assert credit_claims(published, "3pl")["order_id"].to_list() == ["b"]


def test_what_is_unknown_is_refused_with_what_is_known(published: Connection) -> None:
    with pytest.raises(QuestionError, match="no scorecard of plane; known: 3pl, carrier"):
        scorecard(published, "plane")
    with pytest.raises(QuestionError, match="no clock of z has been seen; known: m, n"):
        sla_cases(published, "3pl", party="z")
    with connect() as empty, pytest.raises(QuestionError, match="otif build"):
        scorecard(empty, "3pl")
