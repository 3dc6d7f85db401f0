from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

from storage.duck import connect, open_writer, writer_lock
from storage.errors import NotPublishedError, StorageBusyError, StorageError
from storage.publish import current_publication, open_published, publications, publish, rollback_publication
from storage.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, keep_publications=3)


def write_build(settings: Settings, number: int, rows: int = 2000) -> None:
    """Write a 'build': two tables in two schemas that must always carry the same number."""
    with open_writer(settings, purpose="test build") as connection:
        for schema, table in (("marts", "fct"), ("metrics", "kpi")):
            connection.execute(f"create schema if not exists {schema}")
            connection.execute(
                f"create or replace table {schema}.{table} as select {number} as build from range({rows})"
            )


def publish_build(settings: Settings, number: int) -> None:
    write_build(settings, number)
    with writer_lock(settings, purpose="test publish"):
        publish(settings, publication_id=f"{number:06d}")


def read_builds(settings: Settings) -> set[tuple[int, int, int, int]]:
    with open_published(settings) as connection:
        return {
            (low, high, count, connection.execute("select count(*) from metrics.kpi").fetchall()[0][0])
            for low, high, count in connection.execute(
                "select min(least(f.build, k.build)), max(greatest(f.build, k.build)), "
                "(select count(*) from marts.fct) from marts.fct f, (select distinct build from metrics.kpi) k"
            ).fetchall()
        }


def publish_many(home: Path, first: int, last: int) -> None:
    settings = Settings(home=home, keep_publications=3)
    for number in range(first, last + 1):
        publish_build(settings, number)


def test_reading_before_the_first_build_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(NotPublishedError, match="otif build"), open_published(settings):
        pass


def test_publishing_without_marts_is_refused(settings: Settings) -> None:
    with open_writer(settings, purpose="test"):
        pass
    with pytest.raises(StorageError, match="no marts"):
        publish(settings, publication_id="1")


def test_a_reader_through_twenty_builds_never_fails_and_never_sees_a_mix(settings: Settings) -> None:
    publish_build(settings, 0)
    writer = multiprocessing.get_context("spawn").Process(target=publish_many, args=(settings.home, 1, 20))
    writer.start()
    seen = []
    while writer.is_alive():
        for low, high, facts, metrics in read_builds(settings):
            assert low == high, "one read saw two builds"
            assert facts == metrics == 2000, "a read saw half a build"
            seen.append(low)
    writer.join()
    assert writer.exitcode == 0
    assert seen == sorted(seen), "a reader went back in time"
    assert read_builds(settings) == {(20, 20, 2000, 2000)}


def test_a_reader_keeps_its_publication_while_a_new_one_arrives(settings: Settings) -> None:
    publish_build(settings, 1)
    with open_published(settings) as connection:
        for number in range(2, 8):
            publish_build(settings, number)
        assert connection.execute("select distinct build from marts.fct").fetchall() == [(1,)]
    assert read_builds(settings) == {(7, 7, 2000, 2000)}


def test_only_the_last_publications_are_kept_and_rollback_goes_one_back(settings: Settings) -> None:
    for number in range(1, 7):
        publish_build(settings, number)
    assert [path.stem for path in publications(settings)] == ["000004", "000005", "000006"]
    assert rollback_publication(settings).stem == "000005"
    assert current_publication(settings).stem == "000005"
    assert rollback_publication(settings).stem == "000004"
    with pytest.raises(StorageError, match="oldest"):
        rollback_publication(settings)


def test_a_publication_that_failed_half_way_is_never_pointed_to(settings: Settings) -> None:
    publish_build(settings, 1)
    leftover = settings.published / ".000002.partial"
    connect(leftover).close()
    assert read_builds(settings) == {(1, 1, 2000, 2000)}
    publish_build(settings, 3)
    assert not leftover.exists()


def test_a_second_writer_waits_and_then_says_who_is_writing(settings: Settings) -> None:
    with (
        writer_lock(settings, purpose="building"),
        pytest.raises(StorageBusyError, match=r"building"),
        writer_lock(settings, purpose="landing", wait_seconds=0.2),
    ):
        pass


def test_the_lock_of_a_killed_process_is_free_at_once(settings: Settings) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom storage.settings import Settings\n"
        "from storage.duck import writer_lock\n"
        "with writer_lock(Settings(home=Path(sys.argv[1])), purpose='doomed'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run([sys.executable, "-c", script, str(settings.home)], check=False)
    assert died.returncode == -9
    with writer_lock(settings, purpose="next", wait_seconds=0.2):
        pass
