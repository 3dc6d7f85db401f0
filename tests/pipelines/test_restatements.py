"""What a build changes in weeks that were published before, told row by row; two small builds written by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dashboards.queries import restated_rate, restatements, week_named
from pipelines.restatements import record_restatements
from storage.duck import Connection, connect, open_writer
from storage.publish import current_publication, open_published, publish, rollback_publication
from storage.settings import Settings

AS_OF = "2026-11-16 05:00:00"
WEEK = week_named("2026-W46")
_TABLES = """
create schema if not exists marts; create schema if not exists metrics;
create or replace table marts.build_info (
    as_of timestamp, company_zone varchar, currency varchar, week_start varchar);
create or replace table marts.fct_batches (batch_id varchar, status varchar);
create or replace table marts.fct_events (
    event_id varchar, order_id varchar, line_id varchar, event_at timestamp, source_ref varchar,
    batch_id varchar);
create or replace table marts.fct_orderless_events (
    row_key varchar, event_at timestamp, source_ref varchar, batch_id varchar);
create or replace table metrics.kpi_catalogue (
    kpi_id varchar, kpi_name varchar, unit varchar, cohort_date varchar, display_order bigint);
create or replace table metrics.kpi_availability (kpi_id varchar, is_available boolean);
create or replace table metrics.kpi_facts (
    kpi_id varchar, row_kind varchar, row_key varchar, profile_id varchar, order_id varchar, line_id varchar,
    exclusion_reason varchar, numerator double, denominator double, is_headline boolean, period_date date);
create or replace table metrics.kpi_models (
    kpi_id varchar, row_model varchar, definition_version varchar, rules_version varchar);
create or replace table metrics.kpi_lineage (row_model varchar, kind varchar, name varchar, fingerprint varchar);
insert into metrics.kpi_catalogue values
    ('otif', 'OTIF', 'ratio', 'due date', 1), ('backorder_units', 'Backorder units', 'units', 'as-of date', 2);
"""


class Build:
    """A build: orders with a verdict, events with their batches, versions of the model and the rules."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.number = 0
        self.as_of = AS_OF
        # order → day, verdict
        self.orders: dict[str, tuple[str, int]] = {
            "A": ("2026-11-10", 1), "B": ("2026-11-11", 0), "C": ("2026-11-12", 1), "D": ("2026-11-16", 0),
        }  # fmt: skip
        self.events = [(order, "2026-11-09 12:00:00", "b1") for order in "ABCD"]
        self.quarantined: list[str] = []
        self.model = "m1"
        self.rules = "r1"
        self.backorders = 5.0
        self.is_available = True

    def publish(self) -> int:
        """Write and publish the build; return how many figures it restated."""
        self.number += 1
        name = f"20261116T050000-{self.number:03d}"
        with open_writer(self.settings, purpose="test") as connection:
            self._write(connection)
            restated = record_restatements(self.settings, connection, publication_id=name)
        publish(self.settings, publication_id=name)
        return restated

    def _write(self, connection: Connection) -> None:
        connection.execute(_TABLES)
        connection.execute("insert into marts.build_info values (?, 'UTC', 'USD', 'monday')", [self.as_of])
        for batch in sorted({batch for *_, batch in self.events}):
            connection.execute("insert into marts.fct_batches values (?, 'landed')", [batch])
        for batch in self.quarantined:
            connection.execute("insert into marts.fct_batches values (?, 'quarantined')", [batch])
        for number, (order, at, batch) in enumerate(self.events):
            connection.execute(
                "insert into marts.fct_events values (?, ?, null, ?, ?, ?)",
                [str(number), order, at, f"{batch}.csv#{number}", batch],
            )
        for order, (day, verdict) in self.orders.items():
            connection.execute(
                "insert into metrics.kpi_facts values ('otif', 'order', ?, 'p', ?, null, null, ?, 1, true, ?)",
                [order, order, verdict, day],
            )
        connection.execute(
            "insert into metrics.kpi_facts values ('backorder_units', 'line', 'x', '', null, null, null, ?, 0, false, "
            "'2026-11-10')",
            [self.backorders],
        )
        connection.execute(
            "create or replace table metrics.kpi_values as select kpi_id, profile_id, is_headline, period_date, "
            "'USD' as currency, sum(numerator) as numerator, sum(denominator) as denominator from metrics.kpi_facts "
            "where exclusion_reason is null group by all"
        )
        connection.execute(
            "insert into metrics.kpi_availability values ('otif', ?), ('backorder_units', true)", [self.is_available]
        )
        connection.execute("insert into metrics.kpi_models values ('otif', 'rows', ?, ?)", [self.model, self.rules])
        connection.execute(
            "insert into metrics.kpi_lineage values ('rows', 'model', 'int_units', ?), "
            "('rows', 'seed', 'service_profiles', ?), ('rows', 'seed', 'channels', 'same')",
            [self.model, self.rules],
        )


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return Build(Settings(home=tmp_path))


@pytest.fixture
def log(build: Build) -> Callable[[], list[tuple[object, ...]]]:
    """The log as readers see it: KPI, cause, detail, changes, old and new sums."""

    def read() -> list[tuple[object, ...]]:
        with open_published(build.settings) as connection:
            return restatements(connection).select(
                "kpi_id", "cause", "detail", "numerator_change", "denominator_change", "old_numerator", "new_numerator"
            ).rows()  # fmt: skip

    return read


def test_the_first_publication_restates_nothing(build: Build, log: Callable[[], list[object]]) -> None:
    assert build.publish() == 0
    assert log() == []


def test_the_same_build_again_restates_nothing(build: Build, log: Callable[[], list[object]]) -> None:
    build.publish()
    assert build.publish() == 0
    assert log() == []


def test_an_event_that_came_late_restates_the_week_it_speaks_of(build: Build, log: Callable[[], list[object]]) -> None:
    build.publish()
    build.orders["B"] = ("2026-11-11", 1)
    build.events.append(("B", "2026-11-11 09:00:00", "b2"))
    assert build.publish() == 1
    assert log() == [("otif", "late_events", "b2.csv", 1.0, 0.0, 2.0, 3.0)]


def test_events_of_a_batch_that_was_in_quarantine_before_are_late(
    build: Build, log: Callable[[], list[object]]
) -> None:
    build.quarantined = ["b2"]
    build.publish()
    build.quarantined = []
    build.orders["B"] = ("2026-11-11", 1)
    build.events.append(("B", "2026-11-11 09:00:00", "b2"))
    build.publish()
    assert log() == [("otif", "late_events", "b2.csv", 1.0, 0.0, 2.0, 3.0)]


def test_many_late_files_are_counted_after_the_third(build: Build, log: Callable[[], list[tuple[object, ...]]]) -> None:
    build.publish()
    for order, batch in zip("ABC", ("b2", "b3", "b4"), strict=True):
        build.orders[order] = ("2026-11-10", 2)
        build.events.append((order, "2026-11-11 09:00:00", batch))
    build.orders["E"] = ("2026-11-10", 1)
    build.events.append(("E", "2026-11-11 09:00:00", "b5"))
    build.publish()
    assert [row[2] for row in log()] == ["b2.csv, b3.csv, b4.csv and 1 more"]


def test_what_happened_since_is_no_late_event(build: Build, log: Callable[[], list[object]]) -> None:
    build.publish()
    build.as_of = "2026-11-17 05:00:00"
    build.orders["A"] = ("2026-11-10", 0)
    build.events.append(("A", "2026-11-16 09:00:00", "b2"))
    build.publish()
    assert log() == [("otif", "new_events", None, -1.0, 0.0, 2.0, 1.0)]


def test_a_changed_rule_is_named(build: Build, log: Callable[[], list[object]]) -> None:
    build.publish()
    build.rules = "r2"
    build.orders["C"] = ("2026-11-12", 0)
    build.publish()
    assert log() == [("otif", "rules", "service_profiles", -1.0, 0.0, 2.0, 1.0)]


def test_a_changed_model_is_named_and_a_late_row_stays_late(build: Build, log: Callable[[], list[object]]) -> None:
    build.publish()
    build.model = "m2"
    build.orders |= {"A": ("2026-11-10", 0), "B": ("2026-11-11", 1), "C": ("2026-11-12", 0)}
    build.events.append(("B", "2026-11-11 09:00:00", "b2"))
    build.publish()
    assert log() == [
        ("otif", "late_events", "b2.csv", 1.0, 0.0, 2.0, 1.0),
        ("otif", "definition", "int_units", -2.0, 0.0, 2.0, 1.0),
    ]


def test_a_row_that_fell_due_in_a_past_week_is_time(build: Build, log: Callable[[], list[object]]) -> None:
    build.publish()
    build.orders["E"] = ("2026-11-13", 1)
    build.publish()
    assert log() == [("otif", "time", None, 1.0, 1.0, 2.0, 3.0)]


def test_a_figure_that_was_not_published_is_not_restated(build: Build, log: Callable[[], list[object]]) -> None:
    build.is_available = False
    build.publish()
    build.is_available = True
    build.orders["B"] = ("2026-11-11", 1)
    assert build.publish() == 0
    build.orders["E"] = ("2026-10-01", 1)  # the first of its week: there was no rate
    assert build.publish() == 0
    build.is_available = False
    build.orders["B"] = ("2026-11-11", 0)
    assert build.publish() == 0
    assert log() == []


def test_the_week_under_way_and_states_restate_nothing(build: Build, log: Callable[[], list[object]]) -> None:
    build.publish()
    build.orders["D"] = ("2026-11-16", 1)
    build.backorders = 9.0
    assert build.publish() == 0
    assert log() == []


def test_the_log_outlives_publications_and_a_withdrawn_one_leaves_it(
    build: Build, log: Callable[[], list[object]]
) -> None:
    build.publish()
    build.orders["E"] = ("2026-11-13", 1)
    build.publish()
    build.orders["F"] = ("2026-11-13", 0)
    build.publish()
    assert [row[4] for row in log()] == [1.0, 1.0]
    rollback_publication(build.settings)
    build.publish()
    assert [row[4] for row in log()] == [1.0, 1.0]


def test_a_damaged_publication_does_not_stop_the_next(build: Build, log: Callable[[], list[object]]) -> None:
    build.publish()
    current_publication(build.settings).write_bytes(b"nothing")
    assert build.publish() == 0
    assert log() == []


def test_effects_on_a_rate_add_up_from_what_was_published_to_now(build: Build) -> None:
    build.publish()
    build.rules = "r2"
    build.orders |= {"B": ("2026-11-11", 1), "C": ("2026-11-12", 0)}
    build.events.append(("B", "2026-11-11 09:00:00", "b2"))
    build.orders["E"] = ("2026-11-13", 1)
    build.publish()
    with open_published(build.settings) as connection:
        found = restated_rate(connection, "otif", numerator=3, denominator=4, first=WEEK.start, last=WEEK.end)
        assert restated_rate(connection, "otif", numerator=3, denominator=4, first=WEEK.end, last=WEEK.end) is None
    assert found is not None
    assert found.published == pytest.approx(2 / 3)
    assert [cause for cause, _ in found.effects] == ["late_events", "rules"]
    assert found.published + sum(effect for _, effect in found.effects) == pytest.approx(found.now) == 0.75


def test_a_publication_of_before_has_an_empty_log() -> None:
    connection = connect()
    assert restatements(connection).is_empty()
