"""From the queue into the database: waiting messages become files of JSON lines, land as any file does, and are marked.

A process killed between landing and marking lands the same lines again, which landing recognises event by event.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipelines.errors import SourceError
from pipelines.landing import BatchReport, ingest
from pipelines.sources.base import SourceFile
from pipelines.sources.registry import recognise
from pipelines.webhooks.providers import PROVIDERS
from pipelines.webhooks.spool import Spool, Waiting
from storage.settings import Settings

PORTION: Final = 5_000
"""Messages per file."""


@dataclass(frozen=True, slots=True)
class DrainReport:
    """What became of the waiting messages.

    Attributes:
        messages: Messages handed to landing.
        held: Messages kept waiting because their batch did not land.
        batches: Reports of landing.
    """

    messages: int
    held: int
    batches: tuple[BatchReport, ...]


def drain(settings: Settings, spool: Spool) -> DrainReport:
    """Land everything that waits.

    Messages whose batch is quarantined or fails keep waiting; the next call tries them again.
    """
    reports: list[BatchReport] = []
    handed = held = 0
    folder = settings.var / "webhooks"
    for provider, topic in spool.kinds_waiting():
        while waiting := spool.waiting(provider, topic, limit=PORTION):
            path = _write(folder, provider, waiting)
            landed = _land(settings, path, PROVIDERS[provider].source)
            reports += landed
            path.unlink()
            if any(report.status in ("quarantined", "failed", "unrecognised") for report in landed):
                held += len(waiting)
                break
            spool.mark_landed([message.seq for message in waiting], landed_at=datetime.now(tz=UTC).isoformat())
            handed += len(waiting)
    return DrainReport(handed, held, tuple(reports))


def _land(settings: Settings, path: Path, source: str) -> list[BatchReport]:
    known = recognise(SourceFile(path, path.name))
    try:
        return ingest(settings, [path], source=known or source)
    except SourceError as error:
        return [BatchReport("", source, "failed", 1, 0, 0, 0, 0, 0.0, (str(error),))]


def _write(folder: Path, provider: str, waiting: Sequence[Waiting]) -> Path:
    """Write messages as JSON lines, one each."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{provider}-{waiting[0].seq:012d}-{waiting[-1].seq:012d}.jsonl"
    with path.open("wb") as handle:
        for message in waiting:
            handle.write(_line(message.body) + b"\n")
        handle.flush()
        os.fsync(handle.fileno())
    return path


def _line(body: bytes) -> bytes:
    if b"\n" not in body and b"\r" not in body:
        return body
    return json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
