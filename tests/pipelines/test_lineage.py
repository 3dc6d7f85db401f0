"""What a passport shows of the models behind a KPI."""

from __future__ import annotations

from pipelines.lineage import sql_to_show


def test_marks_that_only_builds_read_are_not_shown() -> None:
    sql = "select 1 where is_due and /* on days changed: due_date */ true\n  and /* on days changed: a, b */ true"
    assert sql_to_show(sql) == "select 1 where is_due and true\n  and true"
