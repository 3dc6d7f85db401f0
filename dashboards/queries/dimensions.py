"""Dimensions: which there are, and the SQL that gives a table the ones it does not carry.

Three kinds. *Stored* ones stand in `metrics.kpi_values`. *Derived* ones follow from a stored one through a small
table (the 3PL from the node). *Row* dimensions stand on the rows only: keeping them in `kpi_values` would multiply it,
so they are answered from `metrics.kpi_facts` when asked. A row that has no such thing (an order has no SKU) says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dashboards.errors import QuestionError
from dashboards.queries.frames import has_table
from storage.duck import Connection

STORED: Final = (
    "channel", "channel_type", "customer_id", "node_id", "carrier", "region", "category", "seller_id", "currency",
)  # fmt: skip
"""Dimensions of `metrics.kpi_values`."""

ABSENT: Final = "(not applicable)"
"""The member of rows that have no such thing."""

_NODES: Final = "left join marts.dim_nodes as nodes on base.node_id = nodes.node_id"
_REGIONS: Final = "left join marts.dim_regions as regions on base.region = regions.region"
_CHANNELS: Final = "left join marts.dim_channels as channels on base.channel = channels.channel"
_ORDERS: Final = "left join marts.fct_orders as orders on base.order_id = orders.order_id"
_ONE_SERVICE: Final = (
    "case when min(service) is null then '(none)' when min(service) = max(service) then min(service) "
    "else '(multiple)' end as service from marts.fct_shipment_lines where not is_voided"
)
_SERVICES: Final = f"""
    left join (select order_id, line_id, {_ONE_SERVICE} group by order_id, line_id) as line_services
        on base.order_id = line_services.order_id and base.line_id = line_services.line_id
    left join (select order_id, {_ONE_SERVICE} group by order_id) as order_services
        on base.order_id = order_services.order_id
"""

_DERIVED: Final = {
    "tpl": (
        "case when nodes.node_type = 'tpl' or base.node_id in ('(none)', '(multiple)') then base.node_id "
        "when nodes.node_type is null then '(none)' else '(own)' end",
        _NODES,
    ),
    "node_type": (
        "case when base.node_id = '(multiple)' then base.node_id else coalesce(nodes.node_type, '(none)') end",
        _NODES,
    ),
    "lane_zone": ("coalesce(regions.lane_zone, '(none)')", _REGIONS),
    "lane": ("base.node_id || ' > ' || coalesce(regions.lane_zone, base.region)", _REGIONS),
    "priority_tier": ("coalesce('tier ' || channels.priority_rank, '(none)')", _CHANNELS),
}
"""Dimension → expression and join; the base carries the stored dimensions."""


def _of_order(column: str) -> tuple[str, str]:
    return (
        f"case when base.order_id is null then '{ABSENT}' else coalesce(orders.{column}, '(none)') end",
        _ORDERS,
    )


_OF_ROWS: Final = {
    "sku": (f"coalesce(base.sku, '{ABSENT}')", ""),
    "service": (
        f"coalesce({{service}}, line_services.service, case when base.order_id is null then '{ABSENT}' "
        "when base.line_id is not null then '(none)' else coalesce(order_services.service, '(none)') end)",
        _SERVICES,
    ),
    "ship_to_id": _of_order("ship_to_id"),
    "order_type": _of_order("order_type"),
    "incoterm": _of_order("incoterm"),
}
"""Dimension → expression and join; the base carries order_id, line_id and sku as well."""

DIMENSIONS: Final = (*STORED, *_DERIVED, *_OF_ROWS)
"""Dimensions that `by` and `where` accept."""

ALIASES: Final = {
    "state": "region", "customer": "customer_id", "retailer": "customer_id", "node": "node_id", "seller": "seller_id",
    "3pl": "tpl", "ship_to": "ship_to_id",
}  # fmt: skip
"""Words for dimensions that are accepted as well."""


def needs_rows(names: Iterable[str]) -> bool:
    """Return whether one of the dimensions stands on the rows only."""
    return any(name in _OF_ROWS for name in names)


def selected(names: Iterable[str]) -> str:
    """Return the select list of dimensions of a `relation`, each after a comma."""
    return "".join(f", {name}" if name in STORED else f", dim_{name} as {name}" for name in names)


def relation(base: str, names: Iterable[str]) -> str:
    """Return a table with what dimensions it does not carry, as columns `dim_<name>`.

    Args:
        base: Qualified table or view that carries the stored dimensions (and the keys of rows for row dimensions).
        names: Dimensions.
    """
    known = _DERIVED | _OF_ROWS
    added = {name: known[name] for name in dict.fromkeys(names) if name in known}
    if not added:
        return base
    own_service = "base.service" if base == "metrics.kpi_facts" else "null"
    columns = "".join(
        f", {expression.replace('{service}', own_service)} as dim_{name}" for name, (expression, _) in added.items()
    )
    joins = " ".join(dict.fromkeys(join for _, join in added.values()))
    return f"(select base.*{columns} from {base} as base {joins})"


def check_dimensions(connection: Connection, names: Iterable[str], *, further: Iterable[str] = ()) -> None:
    """Refuse dimensions that nobody knows, or that this publication cannot answer.

    Args:
        connection: Open publication.
        names: Dimensions, aliases resolved.
        further: Words to name in the message beside the dimensions.

    Raises:
        QuestionError: Unknown dimension, or the publication is of before there were rows to ask.
    """
    asked = list(names)
    wrong = [name for name in asked if name not in DIMENSIONS]
    if wrong:
        message = f"unknown dimension {', '.join(wrong)}; known: {', '.join((*DIMENSIONS, *ALIASES, *further))}"
        raise QuestionError(message)
    lacking = [name for name in asked if name not in STORED]
    if lacking and not has_table(connection, "marts", "dim_regions"):
        message = f"this publication was made before it knew {', '.join(lacking)}; run `otif build` once"
        raise QuestionError(message)
