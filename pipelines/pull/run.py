"""Pull one feed: read every page since the last time, keep each, land them, and only then move the watermark."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from datetime import time as day_time
from typing import Any, Final, Literal

from pipelines.errors import PullError, SourceError
from pipelines.landing import BatchReport, ingest
from pipelines.pull.client import TIMEOUT_SECONDS, Client, Request
from pipelines.pull.definition import filled
from pipelines.pull.feeds import Feed
from pipelines.pull.paging import detail_addresses, following, look_up, put, rows_of
from pipelines.pull.state import Run, State, Store, write_durably
from storage.settings import Settings

MOST_PASSES: Final = 5
"""Passes over counted pages after which rows that still move are left to the next pull."""

_NO_CONTENT: Final = 204


@dataclass(frozen=True, slots=True)
class PullReport:
    """What became of a pull.

    Attributes:
        feed: Name.
        status: landed, nothing_new, or held: the pages are kept, but landing did not take them.
        pages: Pages read, repetitions included.
        rows: Different rows.
        watermark: Newest stamp that has landed.
        batches: Reports of landing.
    """

    feed: str
    status: Literal["landed", "nothing_new", "held"]
    pages: int
    rows: int
    watermark: datetime | None
    batches: tuple[BatchReport, ...] = ()


def pull(
    settings: Settings,
    feed: Feed,
    *,
    sleep: Callable[[float], None] = time.sleep,
    timeout: float = TIMEOUT_SECONDS,
) -> PullReport:
    """Pull a feed, going on where a pull was cut off.

    Args:
        settings: Workspace.
        feed: The feed.
        sleep: Waits, for retries and the server's pace.
        timeout: Seconds without an answer after which a request is tried again.

    Raises:
        PullError: The feed is set up wrongly, or the server refuses or does not answer. What was read is kept.
    """
    store = Store(settings.var / "pull" / feed.name)
    with store.lock():
        state = store.load()
        if state.run is None:
            state = replace(state, run=_begin(feed, state.watermark, datetime.now(tz=UTC)))
            store.save(state)
        reading = _Reading(feed, store, state, sleep=sleep, timeout=timeout)
        state, run = reading.read()
        batches = _land(settings, feed, store)
        if any(report.status in ("quarantined", "failed", "unrecognised") for report in batches):
            return PullReport(feed.name, "held", run.pages, run.rows, state.watermark, tuple(batches))
        watermark = _moved(state.watermark, run)
        store.save(State(watermark))
        store.drop_pages()
    status: Literal["landed", "nothing_new"] = "landed" if any(b.events_landed for b in batches) else "nothing_new"
    return PullReport(feed.name, status, run.pages, run.rows, watermark, tuple(batches))


def _begin(feed: Feed, watermark: datetime | None, now: datetime) -> Run:
    definition = feed.definition
    request = Request(feed.address, dict(definition.query), definition.body)
    if definition.since is not None:
        since = definition.since
        if watermark is not None:
            start = watermark - timedelta(minutes=since.overlap_minutes)
        elif feed.since is not None:
            start = datetime.combine(feed.since, day_time.min, tzinfo=UTC)
        else:
            start = definition.first_instant(now)
        request = put(request, since.into, since.written(start))
    return Run(started_at=now, request=request)


def _moved(watermark: datetime | None, run: Run) -> datetime | None:
    """Return the new watermark: never backwards, never past the start of the run, whatever a server's clock says."""
    newest = min(run.newest, run.started_at) if run.newest else None
    return max(filter(None, (watermark, newest)), default=None)


def _land(settings: Settings, feed: Feed, store: Store) -> Sequence[BatchReport]:
    if not store.page_files():
        return []
    try:
        return ingest(settings, [store.pages], source=feed.definition.source)
    except SourceError as error:
        return [BatchReport.of_files(feed.definition.source, "failed", len(store.page_files()), str(error))]


class _Reading:
    """Reads the pages of a run that are still missing."""

    def __init__(
        self, feed: Feed, store: Store, state: State, *, sleep: Callable[[float], None], timeout: float
    ) -> None:
        assert state.run is not None  # noqa: S101 - begun by the caller
        definition = feed.definition
        self._feed, self._store, self._state, self._run = feed, store, state, state.run
        self._first = _begin(feed, state.watermark, state.run.started_at).request
        self._client = Client(
            definition.auth,
            feed.secret() if state.run.request else "",
            headers=definition.headers,
            seconds_between=definition.seconds_between,
            secret_name=feed.secret_name,
            timeout=timeout,
            sleep=sleep,
        )
        self._seen: set[bytes] = set()

    def read(self) -> tuple[State, Run]:
        """Read every page that is missing; return the state and the finished run."""
        try:
            if self._feed.definition.paging.is_counted and self._run.request is not None:
                self._remember()
            while self._run.request is not None:
                self._run = self._page(self._run.request)
                self._state = replace(self._state, run=self._run)
                self._store.save(self._state)
        finally:
            self._client.close()
        return self._state, self._run

    def _remember(self) -> None:
        for path in self._store.page_files():
            if "-of-" not in path.stem:
                document = json.loads(path.read_bytes())
                self._seen.update(map(_digest, rows_of(self._feed.definition, document)))

    def _page(self, request: Request) -> Run:
        definition, run = self._feed.definition, self._run
        answer = self._client.send(definition.method, request)
        document = _document(request, answer.status_code, answer.content)
        rows = [] if document is None else rows_of(definition, document)
        fresh = self._fresh(rows)
        number = run.pages + 1
        if fresh:
            stem = f"{run.started_at:%Y%m%dT%H%M%S}-{number:06d}"
            self._details(stem, fresh)
            write_durably(self._store.pages / f"{stem}.json", answer.content)
        run = replace(
            run,
            pages=number,
            rows=run.rows + len(fresh),
            pass_pages=run.pass_pages + 1,
            pass_is_fresh=run.pass_is_fresh or bool(fresh),
            newest=max(filter(None, (run.newest, *self._stamps(rows))), default=None),
        )
        following_request = following(definition, request, document, answer.links.get("next", {}).get("url"), len(rows))
        if following_request is not None:
            return replace(run, request=following_request)
        # Rows slide between counted pages while these are read: again, until a pass brings nothing new.
        is_settled = run.pass_pages == 1 or not run.pass_is_fresh or run.passes >= MOST_PASSES
        if is_settled or not definition.paging.is_counted:
            return replace(run, request=None)
        return replace(run, request=self._first, passes=run.passes + 1, pass_pages=0, pass_is_fresh=False)

    def _fresh(self, rows: list[Any]) -> list[Any]:
        if not self._feed.definition.paging.is_counted:
            return rows
        digests = [_digest(row) for row in rows]
        fresh = [row for row, digest in zip(rows, digests, strict=True) if digest not in self._seen]
        self._seen.update(digests)
        return fresh

    def _stamps(self, rows: list[Any]) -> list[datetime | None]:
        since = self._feed.definition.since
        if since is None or not rows:
            return []
        told = ((look_up(row, path) for path in since.field) for row in rows)
        stamps = [since.read(next(filter(None, paths), None)) for paths in told]
        if not any(stamps):
            where = " or ".join(since.field)
            message = f"feed {self._feed.name}: no row has a stamp at {where}; correct `since.field`"
            raise PullError(message)
        return stamps

    def _details(self, stem: str, rows: list[Any]) -> None:
        definition = self._feed.definition
        for row, detail, fields in detail_addresses(definition, rows):
            values = {**self._feed.parameters, **fields}
            address = filled(definition.details[detail], values, where=f"feed {self._feed.name}")
            answer = self._client.send("GET", Request(address, {}, None))
            if answer.status_code != _NO_CONTENT and answer.content:
                write_durably(self._store.pages / f"{stem}-{row:04d}-of-{detail}.json", answer.content)


def _document(request: Request, status: int, content: bytes) -> Any:  # noqa: ANN401 - JSON
    if status == _NO_CONTENT or not content:
        return None
    try:
        return json.loads(content)
    except ValueError as error:
        message = f"{request.url}: the answer is no JSON: {content[:80].decode(errors='replace')!r}"
        raise PullError(message) from error


def _digest(row: object) -> bytes:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).digest()[:16]
