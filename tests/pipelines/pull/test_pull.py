"""Pulls against a server that pages, limits, stalls, breaks off, repeats and reorders."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.checks.verdict import Verdict
from pipelines.errors import PullError
from pipelines.landing import BatchReport
from pipelines.pull import run as pull_run
from pipelines.pull.definition import Definition
from pipelines.pull.feeds import Feed
from pipelines.pull.run import PullReport, pull
from pipelines.pull.state import Store
from storage.duck import connect
from storage.settings import Settings
from tests.pipelines.pull.shop import START, Shop, order, serving, stamp

PAGINGS = {
    "link": {"kind": "link"},
    "url": {"kind": "url", "at": "next"},
    "cursor": {"kind": "cursor", "at": "paging.cursor", "more": "paging.more", "into": "query.cursor"},
    "page": {"kind": "page", "into": "query.page", "size": 3},
    "offset": {"kind": "offset", "into": "query.offset", "size": 3},
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("OTIF_FEED_SHOP", "secret")
    # The expectation suite is not what is tested here.
    ingest = pull_run.ingest
    verdict = Verdict()
    monkeypatch.setattr(pull_run, "ingest", lambda *args, **rest: ingest(*args, judge=lambda *_: verdict, **rest))
    (tmp_path / "otif.toml").write_text('[company]\nname = "Pull"\n', encoding="utf-8")
    return Settings.load(tmp_path)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with serving(Shop([order(number) for number in range(10)])) as running:
        yield running


def feed_of(shop: Shop, paging: str = "link", **changes: object) -> Feed:
    document = {
        "source": "shopify", "url": f"{shop.address}/orders", "rows": "orders", "paging": PAGINGS[paging],
        "since": {"into": "query.updated_at_min", "field": "updated_at", "overlap_minutes": 2},
    }  # fmt: skip
    return Feed("shop", Definition.model_validate({**document, **changes}), {}, START.date(), 15)


def landed(settings: Settings) -> dict[str, int]:
    connection = connect(settings.database, read_only=True)
    rows = connection.execute(
        "select order_id, count(*) from landing.order_events where event_type = 'order.captured' group by 1"
    ).fetchall()
    connection.close()
    return dict(rows)


def pulled(settings: Settings, feed: Feed, **options: object) -> PullReport:
    return pull(settings, feed, sleep=lambda _: None, **options)  # type: ignore[arg-type]


def once(shop: Shop) -> dict[str, int]:
    return {row["name"]: 1 for row in shop.orders}


@pytest.mark.parametrize("paging", PAGINGS)
def test_every_kind_of_paging_reads_every_row_once(settings: Settings, shop: Shop, paging: str) -> None:
    report = pulled(settings, feed_of(shop, paging))
    assert (report.status, report.rows) == ("landed", 10)
    assert landed(settings) == once(shop)
    assert report.watermark == stamp(shop.orders[-1]["updated_at"])
    assert shop.authorizations == {"Bearer secret"}


@pytest.mark.parametrize("paging", PAGINGS)
def test_a_server_in_trouble_is_asked_again_and_waited_for_as_it_says(
    settings: Settings, shop: Shop, paging: str
) -> None:
    shop.troubles = [(429, {"Retry-After": "7"}), 503, "break", "stall", 500]
    waits: list[float] = []
    pull(settings, feed_of(shop, paging), sleep=waits.append, timeout=0.3)
    assert waits[0] == 7
    assert len(waits) == 5
    assert landed(settings) == once(shop)


def test_the_last_request_of_a_window_waits_for_the_next_window(settings: Settings, shop: Shop) -> None:
    answer = shop.answer

    def counting(path: str, query: dict[str, str]) -> tuple[int, dict[str, str], object]:
        status, headers, body = answer(path, query)
        return status, {**headers, "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "21"}, body

    shop.answer = counting  # type: ignore[method-assign]
    waits: list[float] = []
    pull(settings, feed_of(shop), sleep=waits.append)
    assert waits == [21, 21, 21]


def test_the_next_pull_starts_a_little_before_and_doubles_nothing(settings: Settings, shop: Shop) -> None:
    pulled(settings, feed_of(shop))
    shop.asked.clear()
    shop.orders += [order(20), order(8, minutes=8)]  # a new one, and one that became visible late
    report = pulled(settings, feed_of(shop))
    assert {query["updated_at_min"] for _, query in shop.asked if "cursor" not in query} == {
        (START.replace(minute=7)).isoformat()
    }
    assert landed(settings) == {**once(shop), "A8": 1}
    assert report.rows == 5
    assert pulled(settings, feed_of(shop)).status == "nothing_new"


def test_rows_that_move_while_pages_are_counted_are_not_missed(settings: Settings, shop: Shop) -> None:
    moved = iter(range(3))

    def change_an_order_already_read(query: dict[str, str]) -> None:
        # It goes to the end, and everything after it slides one place forward, over the edge of the next page.
        if int(query.get("page", 1)) > 1 and (number := next(moved, None)) is not None:
            shop.orders[number] = order(number, minutes=100 + number)

    shop.before_page = change_an_order_already_read
    pulled(settings, feed_of(shop, "page"))
    assert landed(settings) == once(shop)


def test_repeated_and_shuffled_rows_land_once(settings: Settings, shop: Shop) -> None:
    answer = shop.answer

    def shuffling(path: str, query: dict[str, str]) -> tuple[int, dict[str, str], object]:
        status, headers, body = answer(path, query)
        rows = body["orders"]
        return status, headers, {**body, "orders": [*reversed(rows), *rows[:2]]}

    shop.answer = shuffling  # type: ignore[method-assign]
    pulled(settings, feed_of(shop))
    assert landed(settings) == once(shop)


def test_a_pull_goes_on_at_the_page_at_which_it_was_cut_off(settings: Settings, shop: Shop) -> None:
    shop.troubles = []

    def fail_at_the_third(query: dict[str, str]) -> None:
        if query.get("cursor") == "6" and not shop.troubles and len(shop.asked) == 2:
            shop.troubles += [500] * 10

    shop.before_page = fail_at_the_third
    shop.asked.clear()
    answer = shop.answer

    def failing(path: str, query: dict[str, str]) -> tuple[int, dict[str, str], object]:
        status, headers, body = answer(path, query)
        return (500 if shop.troubles else status), headers, body

    shop.answer = failing  # type: ignore[method-assign]
    with pytest.raises(PullError, match="gave up after 8 attempts: HTTP 500"):
        pulled(settings, feed_of(shop))
    shop.troubles, shop.before_page = [], lambda _: None
    shop.asked.clear()
    pulled(settings, feed_of(shop))
    assert [query["cursor"] for _, query in shop.asked] == ["6", "9"]
    assert landed(settings) == once(shop)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_deaths_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    with serving(Shop([order(number) for number in range(24)], size=2)) as shop:
        shop.before_page = lambda _: time.sleep(0.05)
        document = {"source": "shopify", "url": f"{shop.address}/orders", "rows": "orders", "paging": PAGINGS["page"]}
        document["paging"] = {**PAGINGS["page"], "size": 2}
        (tmp_path / "feeds").mkdir()
        (tmp_path / "feeds" / "shop.yml").write_text(json.dumps(document), encoding="utf-8")
        (tmp_path / "otif.toml").write_text('[company]\nname = "Pull"\n[feeds.shop]\n', encoding="utf-8")
        command = [sys.executable, "-m", "otif.cli", "--home", str(tmp_path), "pull"]
        environment = {**os.environ, "OTIF_FEED_SHOP": "secret"}
        chance = random.Random(11)
        deaths = 0
        while True:
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            known = len(shop.asked)
            while len(shop.asked) < known + chance.randint(3, 9) and process.poll() is None:
                time.sleep(0.01)
            if process.poll() is None and len(shop.asked) < 20:
                os.kill(process.pid, signal.SIGKILL)
                deaths += 1
                process.wait()
                continue
            assert process.wait() == 0
            break
        assert deaths >= 3
        assert landed(Settings.load(tmp_path)) == once(shop)


def test_pages_that_do_not_land_are_kept_for_the_next_pull(
    settings: Settings, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(pull_run, "ingest", lambda *_, **__: [BatchReport.of_files("shopify", "quarantined", 1)])
        report = pulled(settings, feed_of(shop))
    assert (report.status, report.watermark) == ("held", None)
    shop.asked.clear()
    assert pulled(settings, feed_of(shop)).status == "landed"
    assert shop.asked == []
    assert landed(settings) == once(shop)


def test_two_pulls_of_a_feed_do_not_run_at_once(settings: Settings, shop: Shop) -> None:
    with (
        Store(settings.var / "pull" / "shop").lock(),
        pytest.raises(PullError, match="feed shop: another pull is running"),
    ):
        pulled(settings, feed_of(shop))


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (401, {}, {}, "does not take our secret; check OTIF_FEED_SHOP"),
        (404, {}, {"errors": "Not Found"}, "HTTP 404: .*Not Found"),
        (301, {"Location": "https://elsewhere.example/orders"}, {}, "put the final address into the feed"),
        (429, {"Retry-After": "86400"}, {}, "asks to wait 86,400 s; the next pull goes on from here"),
        (200, {}, b"<html>Log in</html>", "the answer is no JSON: '<html>Log in</html>'"),
        (200, {}, {"data": []}, "no list of rows at 'orders'; the answer holds data"),
        (200, {}, {"errors": [{"message": "Throttled"}]}, "answers with errors: .*Throttled"),
        (200, {}, {"orders": [{"id": 1}]}, "no row has a stamp at updated_at"),
        (200, {"Link": '<https://elsewhere.example/2>; rel="next"'}, {"orders": [order(1)]}, "another server"),
    ],
)
def test_what_cannot_be_pulled_is_told(
    settings: Settings, shop: Shop, status: int, headers: dict[str, str], body: object, words: str
) -> None:
    shop.answer = lambda *_: (status, headers, body)  # type: ignore[method-assign]
    with pytest.raises(PullError, match=words):
        pulled(settings, feed_of(shop))


def test_a_cursor_that_stands_still_is_no_endless_loop(settings: Settings, shop: Shop) -> None:
    shop.answer = lambda *_: (200, {}, {"orders": [order(1)], "paging": {"cursor": "x", "more": True}})  # type: ignore[method-assign]
    with pytest.raises(PullError, match="gives cursor 'x' again"):
        pulled(settings, feed_of(shop, "cursor"))


def test_the_watermark_never_passes_the_start_of_the_pull(settings: Settings, shop: Shop) -> None:
    shop.orders = [{**order(1), "updated_at": "2999-01-01T00:00:00+00:00"}]
    report = pulled(settings, feed_of(shop))
    assert report.watermark is not None
    assert report.watermark.year < 2999


def test_a_feed_without_its_secret_says_which_variable_to_set(
    settings: Settings, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTIF_FEED_SHOP")
    with pytest.raises(PullError, match="set the environment variable OTIF_FEED_SHOP"):
        pulled(settings, feed_of(shop))
