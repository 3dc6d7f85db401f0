"""Deductions to dispute: the queue, one deduction with everything that speaks for or against it, the document chain."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dashboards.queries.frames import read
from storage.duck import Connection


def dispute_queue(
    connection: Connection, *, customers: Sequence[str] = (), states: Sequence[str] = (), limit: int | None = None
) -> pl.DataFrame:
    """Return the deductions worth working on, the most expected money per hour first; an empty filter means all.

    Returns:
        The columns of `fct_dispute_queue` with `document_id`, one row per deduction. A `win_probability` or
        `expected_value` of null is unrated, and `probability_note` says why.
    """
    return read(
        connection,
        """
        select queue.*, deductions.document_id
        from marts.fct_dispute_queue as queue
        inner join marts.fct_deductions as deductions on queue.deduction_id = deductions.deduction_id
        where (len($customers) = 0 or list_contains($customers, queue.customer_id))
            and (len($states) = 0 or list_contains($states, queue.queue_state))
        order by queue.queue_rank
        limit $limit
        """,
        {"customers": list(customers), "states": list(states), "limit": limit if limit is not None else 2**40},
    )


def deduction(connection: Connection, deduction_id: str) -> pl.DataFrame:
    """Return one deduction with its verdict and its place in the queue (no row when there is no such deduction)."""
    return read(
        connection,
        """
        select
            deductions.*, verdicts.verdict, verdicts.verdict_reason, verdicts.rule_key, verdicts.supported_amount,
            verdicts.disputable_amount, coalesce(verdicts.first_broken_link, '(none)') as first_broken_link,
            queue.queue_state, queue.queue_rank, queue.attempts_allowed, queue.win_probability,
            queue.probability_note, queue.effort_hours, queue.expected_value, queue.days_to_deadline
        from marts.fct_deductions as deductions
        left join marts.fct_deduction_verdicts as verdicts on deductions.deduction_id = verdicts.deduction_id
        left join marts.fct_dispute_queue as queue on deductions.deduction_id = queue.deduction_id
        where deductions.deduction_id = $deduction_id
        """,
        {"deduction_id": deduction_id},
    )


def document_chain(connection: Connection, order_id: str) -> pl.DataFrame:
    """Return the seven links of a wholesale order's document chain in their order (none for other orders)."""
    return read(
        connection,
        "select * from marts.fct_document_chains where order_id = $order_id order by link_position",
        {"order_id": order_id},
    )


def document_chain_lines(connection: Connection, order_id: str) -> pl.DataFrame:
    """Return units and prices of each line through its documents."""
    return read(
        connection,
        """
        select * from marts.fct_document_chain_lines where order_id = $order_id
        order by try_cast(line_id as bigint), line_id
        """,
        {"order_id": order_id},
    )


def rules_in_force(connection: Connection, *, customer_id: str, deduction_id: str) -> pl.DataFrame:
    """Return the retailer's rules in force on the day the goods of a deduction left, the applied one first."""
    return read(
        connection,
        """
        select rules.*, coalesce(rules.rule_key = verdicts.rule_key, false) as is_applied
        from marts.dim_retailer_rules as rules
        inner join marts.fct_deductions as deductions on deductions.deduction_id = $deduction_id
        left join marts.fct_deduction_verdicts as verdicts on deductions.deduction_id = verdicts.deduction_id
        where rules.customer_id = $customer_id
            and (
                rules.rule_key = verdicts.rule_key
                or deductions.shipped_date between coalesce(rules.effective_from, date '0001-01-01')
                and coalesce(rules.effective_to, date '9999-12-31')
            )
        order by is_applied desc, rules.program, rules.rule_violation
        """,
        {"customer_id": customer_id, "deduction_id": deduction_id},
    )
