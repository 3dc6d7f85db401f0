"""Opening and migrating the ledger."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.errors import LedgerError
from storage.ledger import open_ledger
from storage.settings import LedgerSettings, Settings

NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)


def test_opening_again_keeps_what_was_written(ledger_settings: Settings) -> None:
    with open_ledger(ledger_settings) as ledger:
        run = ledger.start_job("x", now=NOW)
    with open_ledger(ledger_settings) as ledger:
        assert ledger.list_job_runs() == [run]


def test_several_processes_may_open_a_new_ledger_at_once(ledger_settings: Settings) -> None:
    def open_and_write(number: int) -> None:
        with open_ledger(ledger_settings) as ledger:
            ledger.start_job(f"job-{number}", now=NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_and_write, range(4)))
    with open_ledger(ledger_settings) as ledger:
        assert len(ledger.list_job_runs()) == 4


def test_a_ledger_of_a_newer_program_is_refused(ledger_settings: Settings) -> None:
    with open_ledger(ledger_settings) as ledger, ledger._engine.begin() as connection:
        connection.execute(text("insert into schema_version (version) values (99)"))
    with pytest.raises(LedgerError, match=r"schema 99.*newer otif"):
        open_ledger(ledger_settings)


def test_sqlite_runs_in_wal_mode_with_foreign_keys(tmp_path: Path) -> None:
    with open_ledger(Settings(home=tmp_path)) as ledger, ledger._engine.connect() as connection:
        assert connection.scalar(text("pragma journal_mode")) == "wal"
        assert connection.scalar(text("pragma foreign_keys")) == 1
        assert connection.scalar(text("pragma busy_timeout")) == 15_000


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "no database address"),
        ("mysql://x/y", "expected sqlite or postgresql"),
        ("postgresql://nobody:hidden@127.0.0.1:1/none?connect_timeout=1", "cannot be opened"),
    ],
)
def test_an_address_that_leads_nowhere_is_named_without_its_password(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(LedgerError, match=words) as caught:
        open_ledger(Settings(home=tmp_path, ledger=LedgerSettings(url=url)))
    assert "hidden" not in str(caught.value)


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "var" / "ledger.sqlite"
    file.parent.mkdir()
    file.write_bytes(b"this is not a database, but it is long enough to look at" * 20)
    with pytest.raises(LedgerError, match="is not a ledger"):
        open_ledger(Settings(home=tmp_path))


def test_a_ledger_locked_by_another_program_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.ledger.engine.BUSY_SECONDS", 0)
    settings = Settings(home=tmp_path)
    with open_ledger(settings) as ledger:
        other = sqlite3.connect(settings.var / "ledger.sqlite", isolation_level=None)
        other.execute("begin immediate")
        try:
            with pytest.raises(LedgerError, match="does not answer: database is locked"):
                ledger.start_job("x", now=NOW)
        finally:
            other.close()
