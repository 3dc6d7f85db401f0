"""Pieces of the weekly snapshot that pages show live, and files they offer.

Asked with plain arguments, so that answers can be cached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from dashboards.queries import build_info, number_passport, week_named
from dashboards.reports import narrative
from dashboards.reports.facts import ActionFacts, Proposal, Tile
from dashboards.reports.tiles import build_tile, tile_catalogue
from dashboards.reports.weekly import build_weekly
from storage.duck import Connection


def snapshot_tiles(connection: Connection, *, week: str) -> tuple[Tile, ...]:
    """Return the tiles of a week."""
    info = build_info(connection)
    chosen = week_named(week, week_start=info.week_start)
    return tuple(
        build_tile(connection, kpi, chosen, info)[0] for kpi in tile_catalogue(connection).iter_rows(named=True)
    )


def actions_now(connection: Connection) -> tuple[ActionFacts, ...]:
    """Return what to do next, by whom and until when, as of the publication."""
    info = build_info(connection)
    groups, _ = narrative.exception_groups(connection, info)
    return narrative.actions(groups, narrative.disputes(connection, info), info)


def week_page(connection: Connection, *, week: str, company: str, proposals: Sequence[Proposal] = ()) -> str:
    """Return the whole report of a week as a self-contained page."""
    return build_weekly(connection, week, proposals=proposals, company=company).html


def passport_csv(
    connection: Connection, *, kpi_id: str, where: Mapping[str, str], date_from: date | None, date_to: date | None
) -> bytes:
    """Return all rows of a passport as CSV."""
    found = number_passport(connection, kpi_id, where=where, date_from=date_from, date_to=date_to)
    return found.rows.write_csv().encode()
