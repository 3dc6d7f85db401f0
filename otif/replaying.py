"""Replay job: the same past weeks under two versions of the rule set, from the publication's own history."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from otif.decisions import published_as_of, published_queries
from storage.errors import ConfigError
from storage.settings import Settings

if TYPE_CHECKING:
    from optimizer.replay.run import ReplayResult

_LEAD_DAYS = 3
"""Days from shipping to the customer that a replay assumes; the sample's median is 2.7."""


def replay_versions(settings: Settings, *, version_a: int, version_b: int, weeks: int, seed: int = 7) -> ReplayResult:
    """Replay the last whole weeks before the publication's as-of under two rule-set versions.

    Stock starts from the snapshots at the first of these weeks; goods received since then arrive on their days.

    Args:
        settings: Workspace.
        version_a: Version to compare with.
        version_b: Version to judge.
        weeks: Weeks of history.
        seed: Seed of the bootstrap.

    Raises:
        ConfigError: There is no stock snapshot early enough.
        LedgerError: A version does not exist.
    """
    from optimizer.replay.options import ReplayOptions
    from optimizer.replay.run import replay
    from optimizer.rules.model import RuleSet
    from storage.ledger import open_ledger

    as_of = published_as_of(settings)
    monday = as_of.astimezone(settings.zone).date()
    monday -= timedelta(days=monday.weekday())
    start = monday - timedelta(weeks=weeks)
    with open_ledger(settings) as ledger:
        rules = [
            RuleSet.from_document(ledger.get_version(settings.oms.rule_set_id, version).document)
            for version in (version_a, version_b)
        ]
    frames = published_queries(settings, _history_queries(start, monday))
    if frames["opening_stock"].is_empty():
        message = f"no stock snapshot at {start} or in the week before; replay fewer weeks with --weeks"
        raise ConfigError(message)
    return replay(
        frames["order_lines"],
        frames["opening_stock"],
        frames["receipts"],
        *rules,
        weeks=weeks,
        seed=seed,
        options=ReplayOptions(start=start, lead_days=_LEAD_DAYS),
    )


def _history_queries(start: date, end: date) -> dict[str, str]:
    first, last = f"timestamp '{start}'", f"timestamp '{end}'"
    return {
        # Lines that nobody ever wanted shipped (test orders, cancelled by the customer or for fraud) are no demand.
        "order_lines": f"""
            select
                order_id, line_id, sku, lines.channel, channels.priority_rank, captured_at,
                coalesce(window_end_at, promise_first_at) as need_at,
                base_revised as quantity, unit_price, unit_cost
            from marts.fct_order_lines as lines
            left join marts.dim_channels as channels on lines.channel = channels.channel
            where captured_at >= {first} and captured_at < {last} and sku is not null and base_revised > 0
                and not is_excluded and coalesce(cancel_actor, '') not in ('customer', 'fraud', 'payment')
            order by all
        """,
        "opening_stock": f"""
            select sku, node_id, arg_max(on_hand - quarantine, snapshot_at) as quantity
            from marts.fct_inventory_snapshots
            where snapshot_at <= {first} + interval 1 day and snapshot_at > {first} - interval 7 day
            group by all
            order by all
        """,
        "receipts": f"""
            select sku, node_id, received_at, quantity
            from marts.fct_goods_received
            where received_at >= {first} and received_at < {last} + interval 14 day
            order by all
        """,
    }
