"""The watched inbox: what is taken, where it goes, what the manifest says."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines import inbox
from pipelines.inbox import FileOutcome, complete, look, take_in
from storage.duck import connect
from storage.errors import StorageBusyError
from storage.settings import Settings

NOW = datetime(2026, 3, 2, 15, 4, 5, tzinfo=UTC)
HEADER = "event_type,event_at,order_id,line_id,sku,quantity\n"


def row(order: str, when: str = "2026-03-02T14:00:00Z") -> str:
    return f"order.captured,{when},{order},1,MUG,1\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "otif.toml").write_text('[company]\nname = "Inbox"\n', encoding="utf-8")
    (tmp_path / "inbox").mkdir()
    return Settings.load(tmp_path)


def drop(settings: Settings, name: str, content: str) -> Path:
    path = settings.home / "inbox" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def taken(settings: Settings) -> dict[str, FileOutcome]:
    return {outcome.file: outcome for outcome in take_in(settings, list(look(settings)), now=NOW)}


def orders(settings: Settings) -> list[tuple[str, int]]:
    connection = connect(settings.database, read_only=True)
    rows = connection.execute("select order_id, count(*) from landing.order_events group by 1 order by 1").fetchall()
    connection.close()
    return rows


def test_a_file_is_complete_when_two_looks_find_it_unchanged(settings: Settings) -> None:
    growing, resting = drop(settings, "growing.csv", "a"), drop(settings, "resting.csv", "a")
    before = look(settings)
    growing.write_text("ab", encoding="utf-8")
    assert complete(before, look(settings)) == [resting]
    assert complete({}, look(settings)) == []


def test_a_file_written_again_with_the_same_size_is_not_complete(settings: Settings) -> None:
    path = drop(settings, "a.csv", "a")
    before = look(settings)
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 1))
    assert complete(before, look(settings)) == []


@pytest.mark.parametrize("name", ["a.csv.part", "a.csv.filepart", "a.tmp", ".a.csv", "a.csv~", ".upload/a.csv"])
def test_uploads_in_progress_are_left_alone(settings: Settings, name: str) -> None:
    drop(settings, name, HEADER)
    assert not look(settings)


def test_what_lands_is_archived_and_what_does_not_is_put_aside_with_its_reason(settings: Settings) -> None:
    drop(settings, "good.csv", HEADER + row("A-1"))
    drop(settings, "partner/mixed.csv", HEADER + row("A-2") + row("A-3", "yesterday"))
    drop(settings, "bad.csv", HEADER + row("A-4", "tomorrow"))
    drop(settings, "strange.csv", "colour,shape\nred,round\n")
    found = taken(settings)
    assert {name: outcome.outcome for name, outcome in found.items()} == {
        "good.csv": "landed", "partner/mixed.csv": "landed", "bad.csv": "failed", "strange.csv": "failed",
    }  # fmt: skip
    assert (found["partner/mixed.csv"].events, found["partner/mixed.csv"].rejected) == (1, 1)
    assert "tomorrow" in found["bad.csv"].reason
    assert "no source recognises strange.csv" in found["strange.csv"].reason
    assert orders(settings) == [("A-1", 1), ("A-2", 1)]
    for outcome in found.values():
        path = settings.home / outcome.moved_to
        assert path.is_file()
        assert path.parent == settings.home / ("failed" if outcome.outcome == "failed" else "archive") / "2026-03-02"
        assert path.with_name(f"{path.name}.reason.txt").is_file() == (outcome.outcome == "failed")
    reason = settings.home / f"{found['strange.csv'].moved_to}.reason.txt"
    assert "`otif map FILE` proposes one" in reason.read_text(encoding="utf-8")
    lines = (settings.home / "archive" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    assert {entry["file"]: entry["outcome"] for entry in map(json.loads, lines)} == {
        name: outcome.outcome for name, outcome in found.items()
    }
    assert not look(settings)


def test_the_same_bytes_again_are_known_and_archived(settings: Settings) -> None:
    drop(settings, "a.csv", HEADER + row("A-1"))
    taken(settings)
    drop(settings, "a-again.csv", HEADER + row("A-1"))
    assert {name: outcome.outcome for name, outcome in taken(settings).items()} == {"a-again.csv": "known"}
    assert orders(settings) == [("A-1", 1)]


def test_what_a_killed_process_had_taken_is_taken_up_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(settings, "a.csv", HEADER + row("A-1"))
    drop(settings, "b.csv", HEADER + row("A-2"))
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "_put_away", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            taken(settings)
    drop(settings, "c.csv", HEADER + row("A-3"))
    assert set(taken(settings)) == {"a.csv", "b.csv", "c.csv"}
    assert orders(settings) == [("A-1", 1), ("A-2", 1), ("A-3", 1)]
    assert not (settings.home / "inbox" / ".taking").exists()


def test_a_busy_database_puts_nothing_aside(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(settings, "a.csv", HEADER + row("A-1"))

    def busy(*_: object, **__: object) -> None:
        raise StorageBusyError

    with monkeypatch.context() as patch:
        patch.setattr(inbox, "ingest", busy)
        with pytest.raises(StorageBusyError):
            taken(settings)
    assert not (settings.home / "failed").exists()
    assert {name: outcome.outcome for name, outcome in taken(settings).items()} == {"a.csv": "landed"}
