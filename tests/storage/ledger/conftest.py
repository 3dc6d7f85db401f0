"""A ledger on SQLite and one on a real PostgreSQL server, each test on an empty database."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from storage.ledger import Ledger, open_ledger
from storage.settings import LedgerSettings, Settings


def _as_postgres(*command: str) -> list[str]:
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else list(command)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL prefix of a throw-away PostgreSQL server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL server on this machine (/usr/lib/postgresql/*/bin/initdb)")
    programs = found[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="otif-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    data = str(folder / "data")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    try:
        _run(_as_postgres(str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"))
        _run(_as_postgres(str(programs / "pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start"))
        yield f"postgresql://postgres@127.0.0.1:{port}"
        _run(_as_postgres(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "stop"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a workspace whose ledger is empty."""
    if request.param == "sqlite":
        return Settings(home=tmp_path)
    server = request.getfixturevalue("postgres_server")
    name = f"ledger_{uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"create database {name}")
    return Settings(home=tmp_path, ledger=LedgerSettings(url=f"{server}/{name}"))


@pytest.fixture
def ledger(ledger_settings: Settings) -> Iterator[Ledger]:
    """An empty ledger."""
    with open_ledger(ledger_settings) as opened:
        yield opened
