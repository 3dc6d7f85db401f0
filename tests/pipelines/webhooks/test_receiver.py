"""The receiver as a real process: answers, repetitions, limits, and fifty deaths under load."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import multiprocessing
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx
import pytest

from pipelines.webhooks.drain import drain
from pipelines.webhooks.receiver import run_receiver
from pipelines.webhooks.spool import Spool, spool_path
from storage.duck import connect
from storage.settings import Settings

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pipelines.webhooks.receiver"])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "otif.toml").write_text('[company]\nname = "Hooks"\n', encoding="utf-8")
    return Settings.load(tmp_path)


def event(number: int) -> bytes:
    return json.dumps({
        "event_type": "order.captured", "event_at": "2026-03-02T14:00:00Z", "order_id": f"A-{number}", "line_id": "1",
        "sku": "MUG", "quantity": 1,
    }).encode()  # fmt: skip


def headers_of(body: bytes, message_id: str) -> dict[str, str]:
    stamp = f"{time.time():.0f}"
    digest = hmac.new(b"0123456789abcdef", f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": signature}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(settings: Settings, port: int) -> BaseProcess:
    """Start the receiver, forked from a process that has imported it: fifty starts take seconds, not minutes."""
    arguments = (spool_path(settings), {"generic": SECRET})
    process = FORKS.Process(target=run_receiver, args=arguments, kwargs={"host": "127.0.0.1", "port": port})
    process.start()
    return process


def wait_until_up(port: int) -> None:
    for _ in range(600):
        try:
            httpx.get(f"http://127.0.0.1:{port}/health", timeout=5)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the receiver did not come up")


@contextmanager
def receiver(settings: Settings) -> Iterator[str]:
    port = free_port()
    process = start(settings, port)
    try:
        wait_until_up(port)
        yield f"http://127.0.0.1:{port}/webhooks/generic"
    finally:
        process.terminate()
        process.join()


def landed(settings: Settings) -> list[tuple[str, int]]:
    connection = connect(settings.database, read_only=True)
    rows = connection.execute("select order_id, count(*) from landing.order_events group by 1 order by 1").fetchall()
    connection.close()
    return rows


def test_messages_are_stored_once_refused_with_a_reason_and_landed(settings: Settings) -> None:
    with receiver(settings) as url, httpx.Client() as client:
        body = event(1)
        assert client.post(url, content=body, headers=headers_of(body, "m1")).json() == {"status": "accepted"}
        assert client.post(url, content=body, headers=headers_of(body, "m1")).json() == {"status": "known"}
        assert client.post(url, content=body, headers=headers_of(body, "m9")).json() == {"status": "known"}
        assert client.post(url, content=body).status_code == 401
        assert client.post(url, content=body + b" ", headers=headers_of(body, "m2")).status_code == 401
        assert client.post(url, content=b"x" * (6 << 20)).status_code == 413
        assert client.post(url.replace("generic", "shopify"), content=body).status_code == 404
        broken = b'{"event_type": "order.captured", nonsense'
        assert client.post(url, content=broken, headers=headers_of(broken, "m3")).status_code == 400
        unknown = b'{"event_type": "order.captured", "event_at": "yesterday", "order_id": "B"}'
        assert client.post(url, content=unknown, headers=headers_of(unknown, "m4")).status_code == 200
    spool = Spool(spool_path(settings))
    assert [(reason, count) for _, reason, _, count in spool.refusals()] == [
        ("bad_signature", 1), ("malformed", 1), ("too_large", 1), ("unsigned", 1),
    ]  # fmt: skip
    report = drain(settings, spool)
    assert (report.messages, report.held) == (2, 0)
    assert landed(settings) == [("A-1", 1)]
    assert drain(settings, spool).messages == 0
    spool.close()
    connection = connect(settings.database, read_only=True)
    raw = connection.execute("select raw from landing.rejects").fetchall()
    connection.close()
    assert raw == [(unknown.decode(),)]


def test_what_landed_but_was_not_marked_does_not_land_again(settings: Settings) -> None:
    with receiver(settings) as url, httpx.Client() as client:
        for number in range(3):
            body = event(number)
            client.post(url, content=body, headers=headers_of(body, f"m{number}"))
    spool = Spool(spool_path(settings))
    mark, spool.mark_landed = spool.mark_landed, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyboardInterrupt):
        drain(settings, spool)
    spool.mark_landed = mark  # type: ignore[method-assign]
    assert drain(settings, spool).messages == 3
    spool.close()
    assert landed(settings) == [(f"A-{number}", 1) for number in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.exhaustive)])
def test_deaths_under_load_lose_and_double_nothing(settings: Settings, rounds: int) -> None:
    """Kill -9 at random moments while senders push: every message that was answered lands exactly once."""
    chance = random.Random(7)
    port = free_port()
    answered: set[int] = set()
    sent = iter(range(10**9))
    lock = threading.Lock()
    is_over = threading.Event()

    def push() -> None:
        # As senders do: a message without an answer is sent again until it has one.
        with httpx.Client(timeout=5) as client:
            while not is_over.is_set():
                with lock:
                    number = next(sent)
                body = event(number)
                while not is_over.is_set():
                    try:
                        answer = client.post(
                            f"http://127.0.0.1:{port}/webhooks/generic", content=body,
                            headers=headers_of(body, f"m{number}"),
                        )  # fmt: skip
                    except httpx.TransportError:
                        time.sleep(0.2)
                        continue
                    if answer.status_code == 200:
                        with lock:
                            answered.add(number)
                        break

    senders = [threading.Thread(target=push) for _ in range(4)]
    process = start(settings, port)
    wait_until_up(port)
    for sender in senders:
        sender.start()
    for _ in range(rounds):
        time.sleep(chance.uniform(0.02, 0.15))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        process = start(settings, port)
        wait_until_up(port)
    is_over.set()
    for sender in senders:
        sender.join()
    process.kill()
    process.join()
    spool = Spool(spool_path(settings))
    drain(settings, spool)
    spool.close()
    found = landed(settings)
    assert len(answered) > rounds
    assert {f"A-{number}" for number in answered} <= {order for order, _ in found}
    assert [order for order, count in found if count != 1] == []
