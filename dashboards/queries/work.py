"""What needs a person: exceptions, the orders behind them, open work and what is at risk next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from dashboards.queries.frames import read
from storage.duck import Connection


def exceptions_list(
    connection: Connection,
    *,
    kinds: Sequence[str] = (),
    severities: Sequence[str] = (),
    owners: Sequence[str] = (),
    channels: Sequence[str] = (),
    limit: int | None = None,
) -> pl.DataFrame:
    """Return exceptions, the most money at risk first; an empty filter means all.

    Returns:
        exception_id, kind, kind_name, severity, order_id, line_id, sku, node_id, carrier, channel, customer_id,
        opened_at, due_at, money_at_risk, currency (of its order, else of the company), title, evidence,
        suggested_action, owner_role.
    """
    return read(
        connection,
        """
        select
            exception_id, kind, kind_name, severity, order_id, line_id, sku, node_id, carrier, channel, customer_id,
            opened_at, due_at, money_at_risk,
            coalesce(
                (select orders.currency from marts.fct_orders as orders where orders.order_id = risks.order_id),
                (select currency from marts.build_info)
            ) as currency,
            title, evidence, suggested_action, owner_role
        from marts.fct_exceptions as risks
        where (len($kinds) = 0 or list_contains($kinds, kind))
            and (len($severities) = 0 or list_contains($severities, severity))
            and (len($owners) = 0 or list_contains($owners, owner_role))
            and (len($channels) = 0 or list_contains($channels, channel))
        order by
            money_at_risk desc nulls last,
            case severity when 'high' then 0 when 'medium' then 1 else 2 end,
            due_at nulls last, exception_id
        limit $limit
        """,
        {
            "kinds": list(kinds),
            "severities": list(severities),
            "owners": list(owners),
            "channels": list(channels),
            "limit": limit if limit is not None else 2**40,
        },
    )


def exception_events(connection: Connection, exception_id: str) -> pl.DataFrame:
    """Return the events behind an exception, oldest first."""
    return read(
        connection,
        """
        select event_at, event_type, summary, source, source_ref, event_id
        from marts.fct_exception_events
        where exception_id = $exception_id
        order by event_at, event_type, event_id
        """,
        {"exception_id": exception_id},
    )


def order_header(connection: Connection, order_id: str) -> pl.DataFrame:
    """Return the order's row (none when there is no such order)."""
    return read(connection, "select * from marts.fct_orders where order_id = $order_id", {"order_id": order_id})


def order_lines(connection: Connection, order_id: str) -> pl.DataFrame:
    """Return the order's lines with the headline verdict where the line was judged."""
    return read(
        connection,
        """
        select
            lines.line_id, lines.sku, lines.line_status, lines.base_original, lines.base_revised,
            lines.quantity_released, lines.quantity_shipped, lines.quantity_delivered, lines.open_quantity,
            lines.unit_price,
            coalesce(verdicts.window_end_at, lines.window_end_at) as window_end_at, lines.promise_first_at,
            lines.last_delivered_at, lines.is_on_hold, lines.hold_type,
            verdicts.is_otif, verdicts.miss_cause, verdicts.miss_evidence
        from marts.fct_order_lines as lines
        left join marts.fct_line_assessments as verdicts
            on lines.order_id = verdicts.order_id and lines.line_id = verdicts.line_id
            and verdicts.is_headline and verdicts.is_due
        where lines.order_id = $order_id
        order by try_cast(lines.line_id as bigint), lines.line_id
        """,
        {"order_id": order_id},
    )


def order_events(connection: Connection, order_id: str) -> pl.DataFrame:
    """Return everything that happened to an order, oldest first."""
    return read(
        connection,
        """
        select event_at, event_type, family, line_id, quantity, summary, source, source_ref, batch_id
        from marts.fct_events
        where order_id = $order_id
        order by event_at, family, event_type, line_id, event_id
        """,
        {"order_id": order_id},
    )


def open_orders(connection: Connection) -> pl.DataFrame:
    """Return open units and value per order, the earliest need first."""
    return read(
        connection,
        """
        select
            order_id, channel, customer_id, min(need_at) as need_at, min(ship_by_at) as ship_by_at,
            sum(open_quantity) as open_units, sum(open_quantity * unit_price) as open_value,
            bool_or(is_on_hold) as is_on_hold, count(*) as lines
        from marts.fct_open_lines
        group by order_id, channel, customer_id
        order by need_at nulls last, open_value desc nulls last, order_id
        """,
    )


def at_risk(connection: Connection, *, date_from: date, date_to: date) -> pl.DataFrame:
    """Return open work needed in a range of days against the stock that is free for it, per channel.

    A line is short when free stock of its SKU over all nodes does not cover the open demand up to and including it,
    served in the order of need. This is a look ahead, not a plan: the allocation scenario decides who gets what.

    Args:
        connection: Open publication.
        date_from: First local day of need (inclusive).
        date_to: Last local day of need (inclusive).

    Returns:
        channel, orders, units, value, short_units, short_value, held_units, fine_exposure.
    """
    return read(
        connection,
        """
        with stock as (
            select sku, sum(greatest(available, 0)) as free from marts.fct_inventory group by sku
        ),
        queue as (
            select
                lines.*, coalesce(stock.free, 0) as free,
                sum(lines.open_quantity) over (
                    partition by lines.sku
                    order by
                        lines.need_at nulls last, lines.priority_rank, lines.captured_at, lines.order_id, lines.line_id
                    rows unbounded preceding
                ) as demand_so_far
            from marts.fct_open_lines as lines
            left join stock on lines.sku = stock.sku
        ),
        judged as (
            select queue.*, least(queue.open_quantity, greatest(queue.demand_so_far - queue.free, 0)) as short
            from queue
            cross join marts.build_info as info
            -- need_at is the exclusive end of a local day: step back into it before asking which day it is
            where cast(
                timezone(info.company_zone, timezone('UTC', queue.need_at - interval 1 microsecond)) as date
            ) between $date_from and $date_to
        )
        select
            channel, count(distinct order_id) as orders, sum(open_quantity) as units,
            sum(open_quantity * unit_price) as value, sum(short) as short_units,
            sum(short * unit_price) as short_value, sum(open_quantity) filter (is_on_hold) as held_units,
            sum(short * coalesce(unit_price, 0) * coalesce(fine_rate, 0)) as fine_exposure
        from judged
        group by channel
        order by short_value desc nulls last, channel
        """,
        {"date_from": date_from, "date_to": date_to},
    )


def disputes_expiring(connection: Connection, *, date_from: date, date_to: date) -> pl.DataFrame:
    """Return deductions that can still be disputed and whose deadline falls into a range of days.

    Returns:
        customer_id, currency, deductions, amount, first_deadline.
    """
    return read(
        connection,
        """
        select
            customer_id, currency, count(*) as deductions, sum(amount) as amount,
            min(cast(dispute_due_at as date)) as first_deadline
        from marts.fct_deductions
        where dispute_status in ('none', 'open') and cast(dispute_due_at as date) between $date_from and $date_to
        group by customer_id, currency
        order by first_deadline, customer_id, currency
        """,
        {"date_from": date_from, "date_to": date_to},
    )
