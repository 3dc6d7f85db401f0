"""What can still be promised, and when short lines will be covered."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dashboards.queries.frames import read
from storage.duck import Connection

_ALL = 2**40


def available_to_promise(
    connection: Connection,
    *,
    skus: Sequence[str] = (),
    nodes: Sequence[str] = (),
    weeks: int = 53,
    limit: int | None = None,
) -> pl.DataFrame:
    """Return units available to promise, by SKU, node and week; an empty filter means all.

    Args:
        connection: Open publication.
        skus: SKUs.
        nodes: Nodes; `(none)` holds open lines that no node is planned for.
        weeks: Weeks from the as-of's week on. The last published week holds all that is later.
        limit: Only the first rows.

    Returns:
        The columns of `fct_atp`; quantities are units.
    """
    return read(
        connection,
        """
        select *
        from marts.fct_atp
        where (len($skus) = 0 or list_contains($skus, sku))
            and (len($nodes) = 0 or list_contains($nodes, node_id))
            and week_number < $weeks
        order by sku, node_id, week_number
        limit $limit
        """,
        {
            "skus": list(skus),
            "nodes": list(nodes),
            "weeks": weeks,
            "limit": limit if limit is not None else _ALL,
        },
    )


def backorder_recoveries(connection: Connection, *, skus: Sequence[str] = (), limit: int | None = None) -> pl.DataFrame:
    """Return open lines that free stock does not cover, the most valuable and oldest first.

    Returns:
        The columns of `fct_backorder_recoveries`; `covered_at` of null = no confirmed receipt covers the line.
    """
    return read(
        connection,
        """
        select *
        from marts.fct_backorder_recoveries
        where len($skus) = 0 or list_contains($skus, sku)
        order by recovery_rank
        limit $limit
        """,
        {"skus": list(skus), "limit": limit if limit is not None else _ALL},
    )
