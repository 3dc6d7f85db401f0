"""Scorecards of 3PLs and carriers: kept raw and with excuses, the proof of each case, and credits to claim."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from dashboards.errors import QuestionError
from dashboards.queries.frames import has_table, read
from storage.duck import Connection

CLOCKS: Final = {"3pl": "hand_over", "carrier": "delivery"}
"""Whose scorecard → the clock it is judged by."""

NO_CLOCKS: Final = "this publication holds no service clocks; run `otif build` to make them"

_OF_WEEK: Final = """
    clock = $clock and is_due and ($party = '' or party_id = $party)
    and ($first is null or due_date >= $first) and ($last is null or due_date <= $last)
"""


def clocks_missing(connection: Connection) -> str:
    """Return why the publication has no service clocks at all; empty = it has a table of them."""
    return "" if has_table(connection, "marts", "fct_sla_clocks") else NO_CLOCKS


def scorecard(
    connection: Connection, whose: str, *, party: str = "", date_from: date | None = None, date_to: date | None = None
) -> pl.DataFrame:
    """Return one row per node or carrier, the most misses that count first.

    Args:
        connection: Open publication.
        whose: 3pl (nodes, by their cut-offs) or carrier (by their first estimates).
        party: One node or carrier; empty = all.
        date_from: First local day of the deadline (inclusive); None = from the beginning.
        date_to: Last local day (inclusive); None = to the as-of.

    Returns:
        party_id, cases, kept, counted, missed (of the counted), stock_out, volume_above_cap, carrier_no_show, raw
        (kept / cases), adjusted (kept / counted; null where nothing counts), pause_hours, credit_amount and currency
        (null where nothing is to be claimed).

    Raises:
        QuestionError: Not a scorecard, or no such party.
    """
    return read(
        connection,
        f"""
        with cases as (select * from marts.fct_sla_clocks where {_OF_WEEK}),
        credits as (
            -- Amounts of several currencies have no sum.
            select
                party_id, min(currency) as currency,
                case when min(currency) is not distinct from max(currency) then sum(credit_amount) end as credit_amount
            from marts.fct_sla_credits
            where clock = $clock and ($first is null or due_date >= $first) and ($last is null or due_date <= $last)
            group by party_id
        )
        select
            cases.party_id, count(*) as cases, count(*) filter (is_kept) as kept,
            count(*) filter (is_counted) as counted,
            count(*) filter (is_counted and not is_kept) as missed,
            count(*) filter (excuse = 'stock_out') as stock_out,
            count(*) filter (excuse = 'volume_above_cap') as volume_above_cap,
            count(*) filter (excuse = 'carrier_no_show') as carrier_no_show,
            count(*) filter (is_kept) / count(*) as raw,
            count(*) filter (is_kept) / nullif(count(*) filter (is_counted), 0) as adjusted,
            sum(pause_hours) as pause_hours, any_value(credits.credit_amount) as credit_amount,
            any_value(credits.currency) as currency
        from cases left join credits on cases.party_id = credits.party_id
        group by cases.party_id
        order by missed desc, cases.party_id
        """,
        _asked(connection, whose, party, date_from, date_to),
    )


def sla_cases(
    connection: Connection, whose: str, *, party: str = "", date_from: date | None = None, date_to: date | None = None
) -> pl.DataFrame:
    """Return the proof of each missed case, excused ones too, in the order of the deadlines.

    Returns:
        The columns of marts.fct_sla_clocks.
    """
    return read(
        connection,
        f"select * from marts.fct_sla_clocks where {_OF_WEEK} and not is_kept order by due_at, order_id, subject_id",
        _asked(connection, whose, party, date_from, date_to),
    )


def credit_claims(
    connection: Connection, whose: str, *, party: str = "", date_from: date | None = None, date_to: date | None = None
) -> pl.DataFrame:
    """Return the misses that a contract gives a credit for, in the order of the deadlines.

    Returns:
        The columns of marts.fct_sla_credits; empty where nothing is agreed or every week kept its target.
    """
    return read(
        connection,
        """
        select * from marts.fct_sla_credits
        where clock = $clock and ($party = '' or party_id = $party)
            and ($first is null or due_date >= $first) and ($last is null or due_date <= $last)
        order by due_at, order_id, subject_id, basis
        """,
        _asked(connection, whose, party, date_from, date_to),
    )


def _asked(
    connection: Connection, whose: str, party: str, date_from: date | None, date_to: date | None
) -> dict[str, object]:
    if whose not in CLOCKS:
        message = f"there is no scorecard of {whose}; known: {', '.join(CLOCKS)}"
        raise QuestionError(message)
    if missing := clocks_missing(connection):
        raise QuestionError(missing)
    clock = CLOCKS[whose]
    found = read(
        connection,
        "select distinct party_id from marts.fct_sla_clocks where clock = $clock order by party_id",
        {"clock": clock},
    )
    known = found["party_id"].to_list()
    if party and party not in known:
        message = f"no clock of {party} has been seen; known: {', '.join(known) or 'none'}"
        raise QuestionError(message)
    return {"clock": clock, "party": party, "first": date_from, "last": date_to}
