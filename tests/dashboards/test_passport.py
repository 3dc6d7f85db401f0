"""The passport of a number on a publication that can be recounted by hand."""

from __future__ import annotations

import pytest

from dashboards.errors import QuestionError
from dashboards.queries import members, number_passport, week_named
from storage.duck import Connection

WEEK = week_named("2026-W46")


def test_the_rows_of_a_cell_give_its_published_figure(connection: Connection) -> None:
    found = number_passport(connection, "otif", where={"channel": "dtc"}, date_from=WEEK.start, date_to=WEEK.end)
    assert found.agrees
    assert (found.recount.numerator, found.recount.denominator, found.recount.observations) == (133, 140, 140)
    assert found.parts == {"numerator": 133, "denominator": 7, "excluded": 7}
    assert found.exclusions.rows() == [("customer_cancelled", 7)]


def test_a_lens_has_its_own_rows(connection: Connection) -> None:
    found = number_passport(connection, "otif", lens="promise_first", date_from=WEEK.start, date_to=WEEK.end)
    assert found.agrees
    assert found.recount.value == 1


def test_rows_come_with_the_files_of_their_orders(connection: Connection) -> None:
    found = number_passport(connection, "otif", date_from=WEEK.end, date_to=WEEK.end)
    assert {(row["batch_id"], row["file_name"]) for row in found.sources.iter_rows(named=True)} == {
        ("b1", "f:1"),
        ("b2", "g:1"),
    }


def test_a_limit_shortens_the_list_and_not_the_count(connection: Connection) -> None:
    found = number_passport(connection, "otif", part="excluded", limit=3)
    assert found.rows.height == 3
    assert found.rows["part"].unique().to_list() == ["excluded"]
    assert found.parts["excluded"] == 210


def test_rows_that_are_missing_are_noticed(connection: Connection) -> None:
    assert not number_passport(connection, "on_time_ship").agrees


@pytest.mark.parametrize(
    ("kpi", "where", "words"),
    [
        ("nothing", {}, "unknown KPI nothing"),
        ("otif", {"moon": "full"}, "unknown dimension moon"),
        ("otif", {"stage": "x"}, "no stages"),
        ("cycle_time", {"stage": "x"}, "known here: capture_to_delivered, capture_to_release"),
        ("return_rate", {}, "unavailable: no return events have landed"),
    ],
)
def test_what_cannot_be_asked_is_said(connection: Connection, kpi: str, where: dict[str, str], words: str) -> None:
    with pytest.raises(QuestionError, match=words):
        number_passport(connection, kpi, where=where)


def test_members_of_a_dimension_are_listed(connection: Connection) -> None:
    assert members(connection, "channel") == ["dtc", "wholesale"]
    with pytest.raises(QuestionError, match="unknown dimension"):
        members(connection, "moon")
