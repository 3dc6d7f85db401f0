"""Buffer jobs: read demand and stock history from the publication, choose buffers, judge them, propose rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from otif.decisions import published_as_of, published_frames, published_queries
from storage.errors import ConfigError
from storage.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from optimizer.buffers import Chosen, History
    from optimizer.buffers.history import Ints
    from optimizer.rules.model import RuleSet
    from storage.ledger import RuleSetVersion

JUDGED_WEEKS: Final = 8
"""Weeks held out to judge the policies on, and to see which of today's buffers protected anything."""

FEWEST_WEEKS: Final = 12
"""Weeks of history below which nothing is chosen."""

PROPOSAL_DAYS: Final = 14


@dataclass(frozen=True, slots=True, eq=False)
class BufferAdvice:
    """What to keep back, how it does on held-out weeks, and which of today's buffers protected nothing."""

    history: History
    chosen: Chosen
    curve: pl.DataFrame
    judged: pl.DataFrame
    worthless: pl.DataFrame
    notes: tuple[str, ...]

    def regret(self) -> pl.DataFrame:
        """Return the policies by regret over the held-out weeks, least first."""
        import polars as pl

        totals = self.judged.group_by("policy").agg(pl.exclude("policy", "week").sum())
        return totals.sort("regret_cents", "policy")


def advise_buffers(settings: Settings, *, weeks: int = JUDGED_WEEKS, seed: int = 1) -> BufferAdvice:
    """Choose reserves and safety stock for the coming week and judge the method on past weeks.

    Args:
        settings: Workspace.
        weeks: Held-out weeks.
        seed: Random seed of the samples.

    Raises:
        ConfigError: There is too little history.
        NotPublishedError: Nothing is published.
    """
    from optimizer.buffers import decide, judge, regret_curve, worthless

    history, stock, coming, notes = read_history(settings)
    have = history.units.shape[2]
    if have < FEWEST_WEEKS + weeks:
        message = (
            f"{have} weeks of order history; choosing buffers and judging them on {weeks} held-out weeks needs "
            f"{FEWEST_WEEKS + weeks}. Land more history or judge on fewer weeks with --weeks."
        )
        raise ConfigError(message)
    held_out = range(have - weeks, have)
    chosen = decide(history, coming, seed=seed)
    return BufferAdvice(
        history=history,
        chosen=chosen,
        curve=regret_curve(history, coming, chosen, seed=seed + 1),
        judged=judge(history, stock, weeks=held_out),
        worthless=worthless(history, stock, todays_reserves(settings), weeks=held_out),
        notes=notes,
    )


def todays_reserves(settings: Settings) -> pl.DataFrame:
    """Return the channel reservations in force by SKU and channel, over all nodes: sku, channel, units."""
    import polars as pl

    frame = published_frames(settings, {"reserves": "fct_channel_reservations"})["reserves"]
    return (
        frame.group_by("sku", "channel")
        .agg(pl.col("quantity").cast(pl.Int64).sum().alias("units"))
        .sort("sku", "channel")
    )


def read_history(settings: Settings) -> tuple[History, Ints, Ints, tuple[str, ...]]:
    """Return demand history, stock by SKU and week, stock of the coming week, and remarks.

    A week's stock is what was usable at its start (on hand less quarantine, all nodes) and what was received in it; the
    coming week's is today's and its confirmed receipts.
    """
    import numpy as np

    from optimizer.buffers import History

    monday = published_as_of(settings).astimezone(settings.zone).date()
    monday -= timedelta(days=monday.weekday())
    frames = published_queries(settings, _queries(settings, monday))
    history = History.from_frames(frames["demand"], _economics(frames["economics"]))
    weeks = history.units.shape[2]
    stock = np.zeros((len(history.skus), weeks), dtype=np.int64)
    _add(stock, history, frames["opening"], weeks)
    _add(stock, history, frames["received"], weeks)
    coming = np.zeros((len(history.skus), 1), dtype=np.int64)
    _add(coming, history, frames["today"], None)
    _add(coming, history, frames["expected"], None)
    notes = ("stock of all nodes serves all channels here; the nodes' shares follow today's stock",)
    return history, stock, np.maximum(coming[:, 0], 0), notes


def _add(target: Ints, history: History, frame: pl.DataFrame, weeks: int | None) -> None:
    place = {sku: number for number, sku in enumerate(history.skus)}
    for row in frame.iter_rows(named=True):
        week = 0 if weeks is None else (row["week"] - history.first).days // 7
        if row["sku"] in place and 0 <= week < target.shape[1]:
            target[place[row["sku"]], week] += max(int(row["quantity"]), 0)


def _queries(settings: Settings, monday: date) -> dict[str, str]:
    zone, last = settings.company.zone, f"timestamp '{monday}'"
    local = f"(({{}} at time zone 'UTC') at time zone '{zone}')"
    captured, snapped, received = (local.format(name) for name in ("captured_at", "snapshot_at", "received_at"))
    return {
        "demand": f"""
            select sku, channel, cast({captured} as date) as day, sum(base_revised) as quantity
            from marts.fct_order_lines
            where sku is not null and base_revised > 0 and not is_excluded and {captured} < {last}
                and coalesce(cancel_actor, '') not in ('customer', 'fraud', 'payment')
            group by all order by all
        """,
        "economics": """
            select
                sku, lines.channel, any_value(lines.channel_type) as channel_type, avg(unit_price) as unit_price,
                avg(unit_cost) as unit_cost, min(coalesce(channels.priority_rank, 999)) as rank
            from marts.fct_order_lines as lines
            left join marts.dim_channels as channels on lines.channel = channels.channel
            where sku is not null and unit_price is not null
            group by all order by all
        """,
        # The last snapshot before a week begins is its opening stock.
        "opening": f"""
            select sku, cast(week as date) as week, sum(quantity) as quantity from (
                select
                    sku, node_id, date_trunc('week', {snapped} + interval 1 day) as week,
                    arg_max(on_hand - quarantine, snapshot_at) as quantity
                from marts.fct_inventory_snapshots group by all
            ) group by all order by all
        """,
        "received": f"""
            select sku, cast(date_trunc('week', {received}) as date) as week, sum(quantity) as quantity
            from marts.fct_goods_received group by all order by all
        """,
        "today": "select sku, sum(on_hand - quarantine) as quantity from marts.fct_inventory group by all order by all",
        "expected": f"""
            select sku, sum(quantity) as quantity from marts.fct_inbound_receipts
            where is_confirmed and expected_at >= {last} and expected_at < {last} + interval 6 day
            group by all order by all
        """,
    }


def _economics(frame: pl.DataFrame) -> pl.DataFrame:
    """Return what an unserved unit costs: margin and short cost, with the allocation's weights."""
    import polars as pl

    from optimizer.allocation.money import with_money
    from optimizer.allocation.options import Weights

    cents = [
        (pl.col(name).cast(pl.Float64) * 100).round(0).cast(pl.Int64).alias(f"{short}_cents")
        for name, short in (("unit_price", "price"), ("unit_cost", "cost"))
    ]
    priced = frame.with_columns(
        *cents,
        pl.lit(0, pl.Int64).alias("fine_bp"),
        (pl.col("channel_type").fill_null("dtc") != "wholesale").alias("is_consumer"),
        pl.lit(value=False).alias("is_on_hold"),
    )
    worth = with_money(priced, Weights())
    return worth.select(
        "sku",
        "channel",
        (pl.col("margin_cents") + pl.col("short_cents")).alias("lost_cents"),
        pl.col("rank").cast(pl.Int64),
    )


def propose_buffers(settings: Settings, advice: BufferAdvice, *, by: str) -> tuple[RuleSetVersion, int]:
    """Propose the chosen reserves as a version of the rule set, over the version in force.

    Reservations of SKUs that the history knows are replaced; everything else stays. A reserve is spread over the nodes
    by their usable stock. The changed rules end after `PROPOSAL_DAYS` unless renewed.

    Returns:
        The proposed version and the number of rules it changes.

    Raises:
        LedgerError: No version is in force to compare with, or nothing changes.
    """
    from optimizer.rules.diff import diff
    from optimizer.rules.model import RuleSet
    from storage.errors import LedgerError
    from storage.ledger import open_ledger

    rule_set_id = settings.oms.rule_set_id
    with open_ledger(settings) as ledger:
        active = ledger.active_version(rule_set_id)
        if active is None:
            message = f"no version of {rule_set_id} is in force; take today's rules over with `otif rules adopt` first."
            raise LedgerError(message)
        current = RuleSet.from_document(active.document)
        proposed = _with_reserves(settings, current, advice)
        changes = [change for change in diff(current, proposed).changes if change.is_effective]
        if not changes:
            message = "the chosen buffers are those in force: there is nothing to propose."
            raise LedgerError(message)
        regret = {row["policy"]: row["regret_cents"] for row in advice.regret().iter_rows(named=True)}
        version = ledger.propose_rule_set(
            rule_set_id,
            proposed.to_document(),
            created_by=by,
            reason=(
                f"Buffers chosen by sample average: regret {settings.company.currency} "
                f"{regret['sample average'] / 100:,.0f} on the held-out weeks, against "
                f"{regret['fixed 20 % of stock'] / 100:,.0f} with 20 % of stock."
            ),
            now=datetime.now(tz=UTC),
            parent_version=active.version,
        )
    return version, len(changes)


def _with_reserves(settings: Settings, current: RuleSet, advice: BufferAdvice) -> RuleSet:
    from dataclasses import replace

    from optimizer.rules.current import rule_name
    from optimizer.rules.kinds import ChannelReservation
    from optimizer.rules.model import instant_text

    start = published_as_of(settings)
    ends = instant_text(start + timedelta(days=PROPOSAL_DAYS))
    wanted = spread_over_nodes(settings, advice.chosen.reserves)
    known = set(advice.history.skus)
    rules: list[Any] = []
    for rule in current.rules:
        if not isinstance(rule, ChannelReservation) or rule.sku not in known:
            rules.append(rule)
            continue
        units = wanted.pop((rule.sku, rule.location, rule.channel), 0)
        rules.append(rule if units == rule.qty else replace(rule, qty=units, expires_at=ends, reason=_REASON))
    for (sku, node, channel), units in sorted(wanted.items()):
        name = rule_name(ChannelReservation.kind, channel, sku, node)
        rules.append(
            ChannelReservation(
                rule_id=name, channel=channel, sku=sku, location=node, qty=units, expires_at=ends, reason=_REASON
            )
        )
    return replace(current, effective_from=instant_text(start), run_id="buffers", rules=tuple(rules))


_REASON: Final = "least expected loss over samples of the coming week's demand"


def spread_over_nodes(settings: Settings, reserves: pl.DataFrame) -> dict[tuple[str, str, str], int]:
    """Return units by SKU, node and channel: each reserve shared out by usable stock, largest remainders first."""
    import polars as pl

    frame = published_frames(settings, {"inventory": "fct_inventory"})["inventory"]
    usable = (pl.col("on_hand") - pl.col("quarantine").fill_null(0)).cast(pl.Int64).clip(lower_bound=0).alias("there")
    stock: dict[str, list[tuple[str, int]]] = {}
    for sku, node, there in frame.select("sku", "node_id", usable).sort("sku", "node_id").iter_rows():
        if there:
            stock.setdefault(sku, []).append((node, there))
    shared: dict[tuple[str, str, str], int] = {}
    for sku, channel, units in reserves.select("sku", "channel", "units").iter_rows():
        nodes = stock.get(sku, [])
        total = sum(there for _, there in nodes)
        kept = min(units, total)
        parts = [(kept * there // total, kept * there % total, node) for node, there in nodes]
        rest = kept - sum(part for part, _, _ in parts)
        for place, (part, _, node) in enumerate(sorted(parts, key=lambda item: (-item[1], item[2]))):
            given = part + (1 if place < rest else 0)
            if given:
                shared[sku, node, channel] = given
    return shared
