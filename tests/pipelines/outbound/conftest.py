"""Real servers on 127.0.0.1: the rule endpoint in a thread or in a process of its own, and a ledger."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from pipelines.outbound.oms import OmsClient, RetryPolicy
from pipelines.outbound.rules_endpoint import create_app
from storage.ledger import Ledger, open_ledger
from storage.settings import Settings

FAST = RetryPolicy(attempts=3, first_pause=0.01, longest_pause=0.05, poll_pause=0.01, poll_seconds=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _serving(app: Any) -> Iterator[str]:
    """Serve an ASGI app with uvicorn in a thread."""
    config = uvicorn.Config(app, host="127.0.0.1", port=free_port(), log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{config.port}"
    finally:
        server.should_exit = True
        thread.join()


class EndpointProcess:
    """The rule endpoint in a process that can be killed."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        code = (
            "import sys; from pipelines.outbound.rules_endpoint import run_rules_endpoint; "
            "run_rules_endpoint('127.0.0.1', int(sys.argv[1]), sys.argv[2])"
        )
        root = Path(__file__).resolve().parents[3]
        self.process = subprocess.Popen([sys.executable, "-c", code, str(self.port), str(self.store)], cwd=root)
        while True:
            assert self.process.poll() is None, "the endpoint did not start"
            try:
                httpx.get(f"{self.url}/v1/capabilities")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serving() -> Callable[[Any], AbstractContextManager[str]]:
    """Maker of servers: a context manager that serves an ASGI app and gives its address."""
    return _serving


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """File of the endpoint's store."""
    return tmp_path / "oms" / "rules.sqlite"


@pytest.fixture
def endpoint(store: Path) -> Iterator[str]:
    """Address of a rule endpoint."""
    with _serving(create_app(store, token="")) as url:
        yield url


@pytest.fixture
def client(endpoint: str) -> Iterator[OmsClient]:
    """A client of the rule endpoint."""
    with OmsClient(endpoint, retry=FAST) as opened:
        yield opened


@pytest.fixture
def endpoint_process(store: Path) -> Iterator[EndpointProcess]:
    """A rule endpoint in a process of its own."""
    process = EndpointProcess(store)
    process.start()
    yield process
    process.kill()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger on SQLite."""
    with open_ledger(Settings(home=tmp_path)) as opened:
        yield opened


@pytest.fixture
def reserve() -> Callable[..., dict[str, Any]]:
    """Maker of a channel reservation rule."""

    def make(quantity: int, *, channel: str = "dtc", sku: str = "SKU-1", mode: str = "soft") -> dict[str, Any]:
        return {
            "rule_id": f"reserve-{channel}-{sku}",
            "kind": "channel_reservation",
            "scope": {"channel": channel, "sku": sku, "location": "dc_columbus"},
            "qty": quantity,
            "mode": mode,
            "reason": "protects the channel",
        }

    return make
