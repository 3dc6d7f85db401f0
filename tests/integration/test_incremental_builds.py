"""Built batch by batch or at once: the same tables, cell for cell.

The sample company's events are cut into random batches: one in ten lands up to eight days late, one in ten before its
time, and every batch is shuffled. Each batch is built on top of the last with a later as-of; then everything is built
from scratch in the same workspace.
"""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.landing import prepare_landing
from pipelines.transform import build, make_models
from storage.contracts import EVENT_TABLES
from storage.duck import Connection, connect
from storage.settings import Settings

AS_OF = datetime(2026, 11, 16, 5, tzinfo=UTC)
SCHEMAS = ("intermediate", "marts", "metrics")
# What tells about the build itself or about its publications, not about the company.
BOOKKEEPING = {
    "int_orders_changed",
    "int_numbers_changed",
    "kpi_days_changed",
    "kpi_days_excluded",
    "kpi_restatements",
    "publication",
}
# The chain from events to verdicts and timelines, for the short proof.
CHAIN = ("+int_service_orders_assessed", "+int_order_lines_handed_over", "+fct_order_stages", "+fct_events")


def empty_workspace(sample: Path, home: Path) -> Settings:
    """The sample company's settings and seeds, and no event."""
    home.mkdir(parents=True)
    shutil.copyfile(sample / "otif.toml", home / "otif.toml")
    shutil.copytree(sample / "seeds", home / "seeds")
    settings = Settings.load(home)
    settings.var.mkdir(parents=True, exist_ok=True)
    return settings


def random_instants(seed: int, count: int) -> list[datetime]:
    """As-ofs in rising order within the sample company's last three weeks; the last is the company's own."""
    draws = random.Random(seed)
    hours = sorted(draws.sample(range(6, 24 * 21), count - 1), reverse=True)
    return [*(AS_OF - timedelta(hours=hour) for hour in hours), AS_OF]


# The sample company has no appointments: one of five shipments and scans is followed by one, under the same numbers.
AGREED = """
    select * replace (
        md5(event_id || 'agreed') as event_id, 'appt.scheduled' as event_type, null as quantity,
        event_at + to_hours(cast(hash(event_id || 'h') % 200 as int)) as appointment_at,
        '{"stop":"delivery"}' as attributes
    )
    from sample.landing.shipment_events
    where event_type in ('carrier.accepted', 'ship.confirmed') and hash(event_id || 'a') % 5 = 0
"""


def land_batch(
    settings: Settings, sample: Path, seed: int, *, after: datetime | None, until: datetime, share: int
) -> None:
    """Land what arrives from one instant until another, shuffled; of `share` in a thousand orders.

    The last batch brings all the rest. Landing itself drops what is told twice (tests/pipelines/test_landing.py).
    """
    chance = f"hash(event_id || '{seed}') % 10"
    arrives_at = (
        f"case when {chance} = 0 then event_at + to_hours(cast(hash(event_id || 'd{seed}') % 200 as int)) "
        f"when {chance} = 1 then event_at - interval '12' hour else event_at end"
    )
    first, last = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
    bounds = [(after or first).replace(tzinfo=None), (last if until == AS_OF else until).replace(tzinfo=None)]
    connection = connect(settings.database)
    prepare_landing(connection)
    connection.execute(f"attach '{sample / 'var' / 'otif.duckdb'}' as sample (read_only)")
    for family, table in EVENT_TABLES.items():
        agreed = f"union all by name ({AGREED})" if family == "shipment" else ""
        names = ", ".join(table.names)
        kept = f"hash(coalesce(order_id, '') || 'k{seed}') % 1000 < {share}" if "order_id" in table.names else "true"
        connection.execute(
            f"insert into {table.table} ({names}) select {names} from (select * from sample.{table.table} {agreed}) "
            f"where {kept} and ({arrives_at}) >= ? and ({arrives_at}) < ? order by hash(event_id || 'o{seed}')",
            bounds,
        )
    connection.close()


def set_aside(settings: Settings, folder: Path) -> Path:
    """Copy the database, under its own name: its views name it."""
    folder.mkdir()
    return Path(shutil.copyfile(settings.database, folder / settings.database.name))


def differences(left: Path, right: Path) -> dict[str, int]:
    """Rows that only one of two databases has, per table; sums of doubles may differ in the last digits."""
    connection = connect(left, read_only=True)
    connection.execute(f"attach '{right}' as other (read_only)")
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = current_database() "
        "and schema_name in (select unnest(?))",
        [list(SCHEMAS)],
    ).fetchall()
    found = {
        f"{schema}.{table}": _apart(connection, schema, table) for schema, table in tables if table not in BOOKKEEPING
    }
    connection.close()
    assert found, "nothing was compared"
    return {name: rows for name, rows in found.items() if rows}


def _apart(connection: Connection, schema: str, table: str) -> int:
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns() where database_name = current_database() "
        "and schema_name = ? and table_name = ? order by column_index",
        [schema, table],
    ).fetchall()
    cells = ", ".join(f'round("{name}", 6)' if kind == "DOUBLE" else f'"{name}"' for name, kind in columns)
    ours, others = f'select {cells} from "{schema}"."{table}"', f'select {cells} from other."{schema}"."{table}"'
    rows = f"({ours} except all {others}) union all ({others} except all {ours})"
    [(count,)] = connection.execute(f"select count(*) from ({rows})").fetchall()
    return int(count)


@pytest.mark.exhaustive
def test_the_chain_from_events_to_verdicts_is_the_same_in_two_steps_or_one(sample_home: Path, tmp_path: Path) -> None:
    settings = empty_workspace(sample_home, tmp_path / "company")
    before = AS_OF - timedelta(days=3)
    land_batch(settings, sample_home, 7, after=None, until=before, share=100)
    make_models(settings, before, *CHAIN)
    land_batch(settings, sample_home, 7, after=before, until=AS_OF, share=100)

    plan, _ = make_models(settings, AS_OF, *CHAIN)

    assert plan.why_full == ""

    stepwise = set_aside(settings, tmp_path / "stepwise")
    make_models(settings, AS_OF, *CHAIN, full=True)
    assert differences(stepwise, settings.database) == {}


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_table_is_the_same_however_the_events_arrive(sample_home: Path, tmp_path: Path, seed: int) -> None:
    settings = empty_workspace(sample_home, tmp_path / "company")
    since = None
    kinds = []
    for as_of in random_instants(seed, 4):
        land_batch(settings, sample_home, seed, after=since, until=as_of, share=300)
        kinds.append(build(settings, as_of, tests=False).kind)
        since = as_of
    assert kinds == ["full", "incremental", "incremental", "incremental"]

    stepwise = set_aside(settings, tmp_path / "stepwise")
    build(settings, AS_OF, full=True, tests=False)
    assert differences(stepwise, settings.database) == {}


@pytest.mark.exhaustive
def test_tables_made_in_pieces_of_capture_days_are_those_made_at_once(
    sample_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = empty_workspace(sample_home, tmp_path / "company")
    land_batch(settings, sample_home, 11, after=None, until=AS_OF, share=300)
    build(settings, AS_OF, tests=False)
    at_once = set_aside(settings, tmp_path / "at_once")
    assert not models_in_pieces(settings)

    monkeypatch.setenv("OTIF_ROWS_AT_ONCE", "200")
    build(settings, AS_OF, full=True, tests=False)

    assert models_in_pieces(settings) >= {
        "int_order_lines_balanced",
        "int_service_units_assessed",
        "int_miss_shares",
        "int_node_orders_clocked",
        "fct_orders",
    }
    assert differences(at_once, settings.database) == {}


def models_in_pieces(settings: Settings) -> set[str]:
    """The models of which the statement that made them, as dbt keeps it, is of some capture days only."""
    made = [*(settings.var / "dbt").glob("**/run/**/*.sql")]
    assert made, "dbt kept no statements"
    return {path.stem for path in made if "captured_date <= date '" in path.read_text(encoding="utf-8")}
