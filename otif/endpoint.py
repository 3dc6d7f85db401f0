"""Runs the reference rule endpoint: in the foreground for people, in the background for the demonstration."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from storage.errors import ConfigError
from storage.settings import Settings

DEFAULT_PORT: Final = 8600
_PATIENCE_SECONDS: Final = 120.0


def endpoint_store(settings: Settings) -> Path:
    """Where the reference endpoint keeps its state."""
    return settings.var / "rules-endpoint.sqlite"


def serve_endpoint(settings: Settings, *, host: str, port: int) -> None:
    """Serve until interrupted."""
    from pipelines.outbound.rules_endpoint import run_rules_endpoint

    settings.var.mkdir(parents=True, exist_ok=True)
    run_rules_endpoint(host, port, endpoint_store(settings))


@contextmanager
def background_endpoint(settings: Settings, *, port: int) -> Iterator[str]:
    """Run the endpoint as a process of its own while the block runs, and yield its address.

    Raises:
        ConfigError: It does not come up.
    """
    command = [sys.executable, "-m", "otif.cli", "--home", str(settings.home), "rules-endpoint", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    try:
        _wait_until_up(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{url}/v1/capabilities", timeout=2)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    message = f"the rule endpoint did not come up on {url}; is the port taken?"
    raise ConfigError(message)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
