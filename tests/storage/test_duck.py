"""Connections to DuckDB are all set up alike."""

from __future__ import annotations

from storage.duck import connect


def test_a_connection_counts_in_utc_and_prints_no_progress(tmp_path):
    for path in (None, tmp_path / "some.duckdb"):
        connection = connect(path)
        settings = connection.execute("select current_setting('timezone'), current_setting('enable_progress_bar')")
        assert settings.fetchone() == ("UTC", False)
        connection.close()
