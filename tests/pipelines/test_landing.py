"""Landing: one transaction per batch, nothing lost, nothing twice."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.checks.verdict import Failure, Verdict
from pipelines.errors import BatchStoppedError, SourceError
from pipelines.landing import BatchReport, ingest
from pipelines.sources.base import ParsedBatch
from storage.duck import connect
from storage.settings import ChecksSettings, Settings

MAPPING = """
name: shop
zone: UTC
tables:
  orders: {files: "*orders*.csv"}
events:
  - type: order.captured
    from: orders
    at: placed
    columns:
      order_id: order
      line_id: line
      sku: sku
      quantity: qty
      unit_price: price
"""
HEADER = "order,line,sku,placed,qty,price\n"


def passing(*_: object) -> Verdict:
    return Verdict()


def failing(_batch: str, source: str, _parsed: ParsedBatch) -> Verdict:
    return Verdict((Failure("expect_something", f"{source}.order", "expected something, found nothing"),))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "shop.yml").write_text(MAPPING)
    return Settings(home=tmp_path)


def write_orders(folder: Path, name: str, first: int, count: int, extra: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    rows = "".join(
        f"A{n},1,SKU-{n % 7},2026-03-{1 + n % 28:02d} 10:00:00,{1 + n % 5},{n % 90}.50\n"
        for n in range(first, first + count)
    )
    path.write_text(HEADER + rows + extra)
    return path


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    connection = connect(settings.database, read_only=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def land(settings: Settings, path: Path, judge: Callable[..., Verdict] = passing) -> BatchReport:
    return ingest(settings, [path], judge=judge)[-1]


def test_the_same_file_twice_lands_nothing_new(settings: Settings, tmp_path: Path) -> None:
    folder = write_orders(tmp_path / "in", "orders.csv", 0, 50).parent
    first, second = land(settings, folder), land(settings, folder)
    assert (first.status, first.rows_in, first.events_landed) == ("landed", 50, 50)
    assert (second.status, second.events_landed) == ("unchanged", 0)
    assert query(settings, "select count(*), count(distinct event_id) from landing.order_events") == [(50, 50)]


def test_an_overlapping_file_lands_only_what_is_new_and_counts_the_rest(settings: Settings, tmp_path: Path) -> None:
    land(settings, write_orders(tmp_path / "a", "orders.csv", 0, 50).parent)
    second = land(settings, write_orders(tmp_path / "b", "orders-2.csv", 30, 50).parent)
    assert (second.events_landed, second.events_duplicate) == (30, 20)
    assert query(settings, "select count(*) from landing.order_events") == [(80,)]


def test_the_same_row_twice_in_one_file_lands_once(settings: Settings, tmp_path: Path) -> None:
    again = "A1,1,SKU-1,2026-03-02 10:00:00,2,1.50\n"
    report = land(settings, write_orders(tmp_path / "in", "orders.csv", 0, 3, extra=again).parent)
    assert (report.rows_in, report.events_landed, report.events_duplicate) == (4, 3, 1)


def test_a_corrupt_row_is_rejected_with_its_reason_and_the_rest_lands(settings: Settings, tmp_path: Path) -> None:
    extra = "A900,1,SKU-1,not a date,1,1.00\nA901,1,SKU-1,2026-03-01 10:00:00,-4,1.00\n"
    report = land(settings, write_orders(tmp_path / "in", "orders.csv", 0, 10, extra=extra).parent)
    assert (report.events_landed, report.rows_rejected) == (10, 2)
    rejects = query(settings, "select source_ref, reason, raw from landing.rejects order by source_ref")
    assert "not a date" in rejects[0][1]
    assert "A900" in rejects[0][2]
    assert rejects[0][0].startswith("orders.csv#")
    assert "quantity" in rejects[1][1]
    assert query(settings, "select rows_rejected from landing.files where file = 'orders.csv'") == [(2,)]


def test_the_manifest_says_what_became_of_each_file(settings: Settings, tmp_path: Path) -> None:
    write_orders(tmp_path / "in", "orders-1.csv", 0, 5)
    write_orders(tmp_path / "in", "orders-2.csv", 3, 5)
    land(settings, tmp_path / "in")
    rows = query(
        settings,
        "select file, rows_in, events_landed, events_duplicate, length(sha256) from landing.files "
        "where file like 'orders%' order by file",
    )
    assert [row[0] for row in rows] == ["orders-1.csv", "orders-2.csv"]
    assert sum(row[1] for row in rows) == 10
    assert sum(row[2] for row in rows) == 8
    assert sum(row[3] for row in rows) == 2
    assert {row[4] for row in rows} == {64}


def test_a_failed_suite_quarantines_the_whole_batch_and_a_later_pass_lands_it(
    settings: Settings, tmp_path: Path
) -> None:
    folder = write_orders(tmp_path / "in", "orders.csv", 0, 5).parent
    report = land(settings, folder, failing)
    assert report.status == "quarantined"
    assert report.failures == ("expected something, found nothing",)
    assert query(settings, "select count(*) from landing.order_events") == [(0,)]
    assert (settings.var / "quarantine" / report.batch_id / "order.parquet").exists()
    assert land(settings, folder).events_landed == 5
    assert query(settings, "select status from landing.batches") == [("landed",)]


def test_a_failed_suite_can_warn_or_stop_instead(settings: Settings, tmp_path: Path) -> None:
    folder = write_orders(tmp_path / "in", "orders.csv", 0, 5).parent
    stop = settings.model_copy(update={"checks": ChecksSettings(on_failure="stop")})
    with pytest.raises(BatchStoppedError, match="expected something"):
        land(stop, folder, failing)
    assert query(settings, "select count(*) from landing.order_events") == [(0,)]
    warn = settings.model_copy(update={"checks": ChecksSettings(on_failure="warn")})
    report = land(warn, folder, failing)
    assert (report.status, report.events_landed) == ("warned", 5)


def test_an_unknown_file_is_named_and_the_others_land(settings: Settings, tmp_path: Path) -> None:
    folder = write_orders(tmp_path / "in", "orders.csv", 0, 5).parent
    (folder / "holiday.txt").write_text("beach")
    reports = ingest(settings, [folder], judge=passing)
    assert [report.status for report in reports] == ["landed", "unrecognised"]
    assert "holiday.txt" in reports[1].failures[0]
    with pytest.raises(SourceError, match=r"holiday\.txt"):
        ingest(settings, [folder / "holiday.txt"], judge=passing)


def test_a_damaged_file_is_rejected_whole_and_the_others_land(settings: Settings, tmp_path: Path) -> None:
    folder = write_orders(tmp_path / "in", "orders-1.csv", 0, 5).parent
    packed = gzip.compress(write_orders(tmp_path, "more.csv", 5, 500).read_bytes(), mtime=0)
    (folder / "orders-2.csv.gz").write_bytes(packed[: len(packed) // 2])
    report = land(settings, folder)
    assert (report.status, report.events_landed, report.rows_rejected) == ("landed", 5, 1)
    [(source_ref, reason)] = query(settings, "select source_ref, reason from landing.rejects")
    assert source_ref.startswith("orders-2.csv.gz#")
    assert "damaged file" in reason


def test_a_source_that_fails_does_not_stop_the_others(settings: Settings, tmp_path: Path) -> None:
    broken = MAPPING.replace("name: shop", "name: broken").replace("*orders*", "*stock*")
    (tmp_path / "mappings" / "broken.yml").write_text(broken)
    folder = write_orders(tmp_path / "in", "orders.csv", 0, 5).parent
    (folder / "stock.csv").write_text("some,other,columns\n1,2,3\n")
    reports = {report.source: report for report in ingest(settings, [folder], judge=passing)}
    assert reports["broken"].status == "failed"
    assert "stock.csv" in reports["broken"].failures[0]
    assert reports["shop"].events_landed == 5


def test_nothing_to_read_is_an_error_that_names_the_place(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        ingest(settings, [tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no files"):
        ingest(settings, [tmp_path / "empty"])


CHILD = """
import os, signal, sys
from pathlib import Path
from pipelines.landing import commit as landing, ingest
from pipelines.checks.verdict import Verdict
from storage.settings import Settings

point = sys.argv[3]
def die(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
if point == "before_commit":
    landing.Commit._land_rejects = die
elif point == "while_inserting":
    original = landing.Commit._land_events
    def insert_and_die(*args, **kwargs):
        original(*args, **kwargs)
        die()
    landing.Commit._land_events = insert_and_die
elif point == "after_commit":
    original = landing.Commit.run
    def commit_and_die(*args, **kwargs):
        original(*args, **kwargs)
        die()
    landing.Commit.run = commit_and_die
elif point == "while_judging":
    pass
judge = die if point == "while_judging" else (lambda *_: Verdict())
ingest(Settings(home=Path(sys.argv[1])), [Path(sys.argv[2])], judge=judge)
"""


@pytest.mark.parametrize("point", ["while_judging", "while_inserting", "before_commit", "after_commit"])
def test_a_process_killed_at_a_critical_point_loses_and_doubles_nothing(
    settings: Settings, tmp_path: Path, point: str
) -> None:
    folder = write_orders(tmp_path / "in", "orders.csv", 0, 200, extra="A999,1,S,never,1,1\n").parent
    killed = subprocess.run([sys.executable, "-c", CHILD, str(settings.home), str(folder), point], check=False)
    assert killed.returncode == -signal.SIGKILL
    report = land(settings, folder)
    assert report.status == ("unchanged" if point == "after_commit" else "landed")
    assert query(settings, "select count(*), count(distinct event_id) from landing.order_events") == [(200, 200)]
    assert query(settings, "select count(*) from landing.rejects") == [(1,)]
    assert query(settings, "select count(*), min(status) from landing.batches") == [(1, "landed")]


def test_a_process_killed_at_random_moments_loses_and_doubles_nothing(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for number in range(3):
        write_orders(folder, f"orders-{number}.csv", number * 20_000, 20_000)
    chance = random.Random(11)
    killed = 0
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", CHILD, str(settings.home), str(folder), "nowhere"])
        time.sleep(chance.uniform(0.05, 2.5))
        os.kill(process.pid, signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    assert killed > 0
    land(settings, folder)
    assert land(settings, folder).status == "unchanged"
    assert query(settings, "select count(*), count(distinct event_id) from landing.order_events") == [(60_000, 60_000)]
    assert query(settings, "select sum(events_landed) from landing.batches") == [(60_000,)]


def test_two_processes_landing_the_same_files_double_nothing(settings: Settings, tmp_path: Path) -> None:
    folder = write_orders(tmp_path / "in", "orders.csv", 0, 20_000).parent
    command = [sys.executable, "-c", CHILD, str(settings.home), str(folder), "nowhere"]
    children = [subprocess.Popen(command) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    assert query(settings, "select count(*), count(distinct event_id) from landing.order_events") == [(20_000, 20_000)]
    assert query(settings, "select count(*), sum(events_landed) from landing.batches") == [(1, 20_000)]
