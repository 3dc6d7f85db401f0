"""The intake: what comes in by itself. Pushed messages, the inbox and pulls land; then the models are built anew."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from storage.errors import ConfigError, OtifError
from storage.settings import Settings

if TYPE_CHECKING:
    from pipelines.inbox import FileOutcome, Look
    from pipelines.landing import BatchReport
    from pipelines.pull.feeds import Feed
    from pipelines.pull.run import PullReport
    from pipelines.webhooks.drain import DrainReport

Say = Callable[[str], None]
"""Tells the person what happened, a line at a time."""


def receive(settings: Settings, *, host: str, port: int) -> None:
    """Take webhooks until interrupted.

    Raises:
        ConfigError: No sender has a secret.
    """
    from pipelines.webhooks.providers import PROVIDERS, configured_secrets
    from pipelines.webhooks.receiver import run_receiver
    from pipelines.webhooks.spool import spool_path

    secrets = configured_secrets()
    if not secrets:
        names = ", ".join(provider.variable for provider in PROVIDERS.values())
        message = f"no sender has a secret; set the environment variable of each that pushes: {names}"
        raise ConfigError(message)
    run_receiver(spool_path(settings), secrets, host=host, port=port)


def drain(settings: Settings) -> DrainReport | None:
    """Land the pushed messages that wait; None if none was ever received."""
    from pipelines.webhooks.drain import drain as drain_spool
    from pipelines.webhooks.spool import Spool, spool_path

    if not spool_path(settings).exists():
        return None
    spool = Spool(spool_path(settings))
    try:
        return drain_spool(settings, spool)
    finally:
        spool.close()


def chosen_feeds(settings: Settings, names: Sequence[str]) -> list[Feed]:
    """Return the feeds of the workspace, or only the named ones.

    Raises:
        ConfigError: There is no such feed.
        PullError: A definition is missing or malformed.
    """
    from pipelines.pull.feeds import feeds_of

    unknown = [name for name in names if name not in settings.feeds]
    if unknown:
        known = ", ".join(settings.feeds) or "none"
        message = f"no feed {', '.join(unknown)} in otif.toml; set up: {known}"
        raise ConfigError(message)
    return [feed for feed in feeds_of(settings) if not names or feed.name in names]


def pull_line(report: PullReport) -> str:
    """Return what became of a pull, in a line."""
    landed = sum(batch.events_landed for batch in report.batches)
    rejected = sum(batch.rows_rejected for batch in report.batches)
    upto = f", up to {report.watermark:%Y-%m-%d %H:%M} UTC" if report.watermark else ""
    line = f"{report.feed:<20} {report.status.replace('_', ' ')}: {report.pages} pages, {report.rows:,} rows → "
    return f"{line}{landed:,} events, {rejected:,} rejected{upto}"


def file_line(outcome: FileOutcome) -> str:
    """Return what became of a file of the inbox, in a line."""
    told = f" ({outcome.reason.splitlines()[0]})" if outcome.reason else ""
    counts = f"{outcome.events:,} events, {outcome.duplicates:,} duplicate, {outcome.rejected:,} rejected"
    return f"{outcome.file}: {outcome.outcome}, {counts} → {outcome.moved_to}{told}"


class Watch:
    """Looks at everything that comes in, again and again.

    Args:
        settings: Workspace.
        say: Told what happened.
        with_inbox: Take files of the inbox too.
        with_build: Build the models after something landed.
    """

    def __init__(self, settings: Settings, say: Say, *, with_inbox: bool = True, with_build: bool = True) -> None:
        self._settings, self._say = settings, say
        self._with_inbox, self._with_build = with_inbox, with_build
        self._before: Look = {}
        self._pulled: dict[str, float] = {}
        self._is_stale = False

    def run(self, *, every: float) -> None:
        """Look every so many seconds until interrupted. What fails is told and tried again at the next look."""
        with watch_lock(self._settings):
            while True:
                self.tick()
                # Files that may be complete are looked at again as soon as they can have settled.
                time.sleep(min(every, max(self._settings.inbox.settle_seconds, 1)) if self._before else every)

    def once(self) -> bool:
        """Take everything there is; return whether all of it went well."""
        with watch_lock(self._settings):
            if self._with_inbox:
                self._look()
                time.sleep(self._settings.inbox.settle_seconds if self._before else 0)
            return self.tick()

    def tick(self) -> bool:
        """Take what is there now; return whether all went well."""
        steps = [self._drain, *([self._inbox] if self._with_inbox else []), self._pull, self._build]
        return all([self._safely(step) for step in steps])  # noqa: C419 - a failing step does not stop the others

    def _safely(self, step: Callable[[], bool]) -> bool:
        try:
            return step()
        except OtifError as error:
            self._say(f"failed: {error}")
            return False

    def _look(self) -> Look:
        from pipelines.inbox import look

        before, self._before = self._before, look(self._settings)
        return before

    def _drain(self) -> bool:
        report = drain(self._settings)
        if report is None or not (report.messages or report.held):
            return True
        self._note(report.batches)
        held = f", {report.held:,} held back" if report.held else ""
        self._say(f"webhooks: {report.messages:,} messages → {_events(report.batches):,} events{held}")
        for batch in report.batches:
            for failure in batch.failures:
                self._say(f"  {batch.batch_id or batch.source}: {failure}")
        return not report.held

    def _inbox(self) -> bool:
        from pipelines.inbox import complete, take_in

        before = self._look()
        outcomes = take_in(self._settings, complete(before, self._before), now=datetime.now(tz=UTC))
        for outcome in outcomes:
            self._say(file_line(outcome))
        self._is_stale |= any(outcome.events for outcome in outcomes)
        return all(outcome.outcome != "failed" for outcome in outcomes)

    def _pull(self) -> bool:
        from pipelines.pull.run import pull

        good = True
        for feed in chosen_feeds(self._settings, []):
            last = self._pulled.get(feed.name)
            if last is not None and time.monotonic() - last < feed.every_minutes * 60:
                continue
            self._pulled[feed.name] = time.monotonic()
            try:
                report = pull(self._settings, feed)
            except OtifError as error:
                self._say(f"{feed.name:<20} failed: {error}")
                good = False
                continue
            self._note(report.batches)
            self._say(pull_line(report))
            good &= report.status != "held"
        return good

    def _build(self) -> bool:
        from otif.jobs import run_build

        if not (self._with_build and self._is_stale):
            return True
        report = run_build(self._settings, self._settings.resolve_as_of(None))
        self._is_stale = False
        self._say(f"built {report.models} models, published {report.publication.name} ({report.seconds:.1f} s)")
        return True

    def _note(self, batches: Sequence[BatchReport]) -> None:
        self._is_stale |= _events(batches) > 0


def _events(batches: Sequence[BatchReport]) -> int:
    return sum(batch.events_landed for batch in batches)


@contextmanager
def watch_lock(settings: Settings) -> Iterator[None]:
    """Keep other watchers of the workspace out.

    Raises:
        ConfigError: One is running.
    """
    settings.var.mkdir(parents=True, exist_ok=True)
    with (settings.var / "watch.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"{settings.home} is being watched by another process"
            raise ConfigError(message) from error
        yield


@contextmanager
def intake_processes(settings: Settings, *, host: str, port: int, with_build: bool, say: Say) -> Iterator[None]:
    """Run the receiver and the watch beside the dashboards, as far as the workspace sets them up.

    Args:
        settings: Workspace.
        host: Address of the receiver.
        port: Port of the receiver.
        with_build: The watch builds the models after something landed.
        say: Told what runs.
    """
    from pipelines.webhooks.providers import configured_secrets

    secrets = configured_secrets()
    command = [sys.executable, "-m", "otif.cli", "--home", str(settings.home)]
    processes = []
    if secrets:
        say(f"webhooks from {', '.join(sorted(secrets))}: http://{host}:{port}/webhooks/<sender>")
        processes.append([*command, "receive", "--host", host, "--port", str(port)])
    if secrets or settings.feeds or settings.inbox.watch:
        watched = [f"feed {name}" for name in settings.feeds] + (["the inbox"] if settings.inbox.watch else [])
        say(f"watching {', '.join(watched) or 'what is pushed'}")
        options = [] if settings.inbox.watch else ["--no-inbox"]
        processes.append([*command, "watch", *options, *([] if with_build else ["--no-build"])])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that what runs beside us ends with us
    running = [subprocess.Popen(arguments, env=os.environ) for arguments in processes]  # noqa: S603
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
