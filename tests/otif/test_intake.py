"""What comes in by itself, as the commands do it: webhooks, the inbox, feeds; `otif serve` runs all of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from otif.cli import app
from otif.doctor import examine
from pipelines.webhooks.providers import Message, Refusal
from pipelines.webhooks.spool import Spool, spool_path
from storage.duck import DatabaseError, connect
from storage.errors import StorageError
from storage.settings import Settings
from tests.pipelines.pull.shop import Shop, order, serving
from tests.pipelines.webhooks.test_receiver import free_port

SECRET = "shh"
CSV = "event_type,event_at,order_id,line_id,sku,quantity\norder.captured,2026-03-02T14:00:00Z,FILE-1,1,MUG,1\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "otif.toml").write_text(
        '[company]\nname = "Intake"\n[inbox]\nwatch = true\nsettle_seconds = 1\n', encoding="utf-8"
    )
    (tmp_path / "inbox").mkdir()
    return tmp_path


def set_up_feed(home: Path, shop: Shop) -> None:
    (home / "feeds").mkdir()
    feed = {"source": "shopify", "url": f"{shop.address}/orders", "rows": "orders", "paging": {"kind": "link"}}
    (home / "feeds" / "shop.yml").write_text(json.dumps(feed), encoding="utf-8")
    with (home / "otif.toml").open("a", encoding="utf-8") as handle:
        handle.write("[feeds.shop]\n")


def landed(home: Path) -> set[str]:
    try:
        connection = connect(Settings.load(home).database, read_only=True)
    except StorageError:
        return set()  # not there yet
    try:
        return {row[0] for row in connection.execute("select distinct order_id from landing.order_events").fetchall()}
    except DatabaseError:
        return set()
    finally:
        connection.close()


def push(port: int, name: str) -> httpx.Response:
    body = json.dumps(order(7) | {"name": name}).encode()
    signature = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()
    headers = {"X-Shopify-Hmac-Sha256": signature, "X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": name}
    return httpx.post(f"http://127.0.0.1:{port}/webhooks/shopify", content=body, headers=headers, timeout=10)


def test_watching_once_takes_files_and_feeds_and_says_what_failed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTIF_FEED_SHOP", "secret")
    (home / "inbox" / "good.csv").write_text(CSV, encoding="utf-8")
    (home / "inbox" / "strange.csv").write_text("colour\nred\n", encoding="utf-8")
    with serving(Shop([order(1), order(2)])) as shop:
        set_up_feed(home, shop)
        result = CliRunner().invoke(app, ["--home", str(home), "watch", "--once", "--no-build"])
    assert "good.csv: landed, 1 events, 0 duplicate, 0 rejected → archive/" in result.stdout
    assert "strange.csv: failed" in result.stdout
    assert "shop                 landed: 1 pages, 2 rows → 2 events, 0 rejected" in result.stdout
    assert result.exit_code == 1
    assert landed(home) == {"FILE-1", "A1", "A2"}
    assert not list((home / "inbox").iterdir())


def test_a_feed_that_fails_does_not_stop_the_others_and_says_what_to_do(home: Path) -> None:
    with serving(Shop([])) as shop:
        set_up_feed(home, shop)
        result = CliRunner().invoke(app, ["--home", str(home), "pull", "--json"])
    assert result.exit_code == 1
    [failure] = json.loads(result.stdout)["failures"]
    assert failure["error"] == "feed shop: set the environment variable OTIF_FEED_SHOP to its secret"


def test_receiving_without_any_secret_names_the_variables(home: Path) -> None:
    result = CliRunner().invoke(app, ["--home", str(home), "receive"])
    assert "OTIF_WEBHOOK_SHOPIFY" in str(result.exception)


def test_two_watchers_of_a_workspace_do_not_run_at_once(home: Path) -> None:
    from otif.intake import watch_lock

    with watch_lock(Settings.load(home)):
        result = CliRunner().invoke(app, ["--home", str(home), "watch", "--once"])
    assert "is being watched by another process" in str(result.exception)


@contextmanager
def served(home: Path, *options: str) -> Iterator[tuple[int, int]]:
    page, hooks = free_port(), free_port()
    command = [sys.executable, "-m", "otif.cli", "--home", str(home), "serve"]
    command += ["--port", str(page), "--webhook-port", str(hooks), *options]
    environment = os.environ | {"OTIF_WEBHOOK_SHOPIFY": SECRET}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield page, hooks
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def until(condition, what: str) -> None:
    for _ in range(3000):
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"waited five minutes in vain for {what}")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_serving_shows_pages_takes_webhooks_and_watches_the_inbox(home: Path) -> None:
    with served(home, "--no-build") as (page, hooks):
        until(lambda: httpx.get(f"http://127.0.0.1:{hooks}/health").is_success, "the receiver")
        until(lambda: httpx.get(f"http://127.0.0.1:{page}/_stcore/health").is_success, "the dashboards")
        assert push(hooks, "PUSHED-1").json() == {"status": "accepted"}
        (home / "inbox" / "good.csv").write_text(CSV, encoding="utf-8")
        # The database belongs to the watch: we look at what it leaves behind.
        until((home / "archive" / "manifest.jsonl").exists, "the file to land")
        until(lambda: not Spool(spool_path(Settings.load(home))).kinds_waiting(), "the message to land")
    # The receiver and the watch have ended with the dashboards.
    with pytest.raises(httpx.TransportError):
        push(hooks, "PUSHED-2")
    assert landed(home) == {"PUSHED-1", "FILE-1"}


def test_the_doctor_tells_of_feeds_without_secret_and_of_messages_that_wait_or_were_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = Message("shopify", "orders/create", "1", json.dumps(order(1)).encode())
    spool = Spool(spool_path(Settings.load(home)))
    assert spool.put(message, received_at="2026-03-02T14:00:00+00:00").result()
    spool.close()
    with serving(Shop([order(1)])) as shop:
        set_up_feed(home, shop)
        findings = {finding.subject: finding for finding in examine(home)}
        assert findings["feed shop"].level == "fail"
        assert findings["feed shop"].mend == "export OTIF_FEED_SHOP=…"
        assert findings["webhooks"].detail == "1 messages, 1 waiting to land"
        monkeypatch.setenv("OTIF_FEED_SHOP", "secret")
        assert {f.subject: f for f in examine(home)}["feed shop"].detail == "never pulled"
    spool = Spool(spool_path(Settings.load(home)))
    spool.count_refusal("shopify", Refusal.BAD_SIGNATURE, day=f"{datetime.now(tz=UTC):%Y-%m-%d}")
    spool.close()
    refused = {finding.subject: finding for finding in examine(home)}["webhooks"]
    assert "refused since yesterday: 1 shopify bad_signature" in refused.detail
    assert refused.mend == "compare OTIF_WEBHOOK_<SENDER> with the secret at the sender"
