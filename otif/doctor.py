"""Checks machine, configuration, storage and freshness, and says how to mend what is wrong."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from storage.errors import OtifError
from storage.settings import Settings

Level = Literal["ok", "warn", "fail"]
_FREE_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: ok, warn (works, but look) or fail (will not work).
        subject: What was looked at.
        detail: What was seen.
        mend: How to mend it; empty when all is well.
    """

    level: Level
    subject: str
    detail: str
    mend: str = ""


def examine(home: Path | None) -> list[Finding]:
    """Look at everything that can be looked at without changing anything."""
    findings = [_python()]
    try:
        settings = Settings.load(home)
    except OtifError as error:
        return [*findings, Finding("fail", "workspace", str(error), "otif init DIR")]
    findings.append(Finding("ok", "workspace", f"{settings.home} ({settings.company.name})"))
    checks: tuple[Callable[[Settings], list[Finding]], ...] = (
        _disk,
        _landing,
        _webhooks,
        _feeds,
        _publication,
        _mail,
        _oms,
    )
    for check in checks:
        try:
            findings += check(settings)
        except OtifError as error:
            findings.append(Finding("fail", check.__name__.lstrip("_"), str(error)))
    return findings


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("ok", "python", version)


def _disk(settings: Settings) -> list[Finding]:
    free = shutil.disk_usage(settings.home).free
    detail = f"{free / (1 << 30):.1f} GiB free"
    if free < _FREE_BYTES:
        return [Finding("warn", "disk", detail, "free some space: a build writes a full copy of the marts")]
    return [Finding("ok", "disk", detail)]


def _landing(settings: Settings) -> list[Finding]:
    from storage.duck import connect

    if not settings.database.exists():
        return [Finding("warn", "landing", "nothing has landed yet", "otif ingest PATH")]
    connection = connect(settings.database, read_only=True)
    try:
        rows = connection.execute("select status, count(*) from landing.batches group by 1 order by 1").fetchall()
    finally:
        connection.close()
    counts = {str(status): int(count) for status, count in rows}
    detail = ", ".join(f"{count} {status}" for status, count in counts.items()) or "no batches"
    if counts.get("quarantined"):
        return [Finding("warn", "landing", detail, f"look at {settings.var / 'data_docs' / 'index.html'}")]
    return [Finding("ok", "landing", detail)]


def _webhooks(settings: Settings) -> list[Finding]:
    from pipelines.webhooks.spool import Spool, spool_path

    if not spool_path(settings).exists():
        return []
    spool = Spool(spool_path(settings))
    try:
        received, waiting = spool.count(), spool.count_waiting()
        refused = [(sender, why, count) for sender, why, day, count in spool.refusals() if day >= _yesterday()]
    finally:
        spool.close()
    told = "; refused since yesterday: " + ", ".join(f"{count} {who} {why}" for who, why, count in refused)
    detail = f"{received:,} messages, {waiting:,} waiting to land{told if refused else ''}"
    if any(why in ("bad_signature", "bad_secret", "unknown_key") for _, why, _ in refused):
        return [Finding("warn", "webhooks", detail, "compare OTIF_WEBHOOK_<SENDER> with the secret at the sender")]
    if waiting:
        return [Finding("warn", "webhooks", detail, "otif watch --once")]
    return [Finding("ok", "webhooks", detail)]


def _yesterday() -> str:
    return f"{datetime.now(tz=UTC) - timedelta(days=1):%Y-%m-%d}"


def _feeds(settings: Settings) -> list[Finding]:
    from pipelines.pull.feeds import feeds_of
    from pipelines.pull.state import Store

    findings = []
    for feed in feeds_of(settings):
        subject = f"feed {feed.name}"
        try:
            feed.secret()
        except OtifError as error:
            findings.append(Finding("fail", subject, str(error), f"export {feed.secret_name}=…"))
            continue
        state = Store(settings.var / "pull" / feed.name).load()
        upto = f"landed up to {state.watermark:%Y-%m-%d %H:%M} UTC" if state.watermark else "never pulled"
        if state.run is not None:
            detail = f"{upto}; a pull of {state.run.started_at:%Y-%m-%d %H:%M} UTC is not finished"
            findings.append(Finding("warn", subject, detail, f"otif pull {feed.name}"))
        else:
            findings.append(Finding("ok", subject, upto))
    return findings


def _publication(settings: Settings) -> list[Finding]:
    from storage.errors import NotPublishedError
    from storage.publish import current_publication, open_published

    try:
        path = current_publication(settings)
    except NotPublishedError as error:
        return [Finding("warn", "publication", str(error), "otif build")]
    with open_published(settings) as connection:
        row = connection.execute("select as_of from marts.build_info").fetchone()
    as_of: datetime | None = row[0] if row else None
    age = datetime.now(tz=UTC) - datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    detail = f"{path.name}, as of {as_of} UTC, built {age.total_seconds() / 3600:.1f} h ago"
    return [Finding("ok", "publication", detail)]


def _mail(settings: Settings) -> list[Finding]:
    if not settings.mail.host:
        return [Finding("warn", "mail", "no SMTP server set; reports are written but not sent", "[mail] in otif.toml")]
    return [Finding("ok", "mail", f"{settings.mail.host}:{settings.mail.port}")]


def _oms(settings: Settings) -> list[Finding]:
    if not settings.oms.url:
        return [Finding("warn", "oms", "no rule endpoint set; rules cannot be pushed", "[oms] in otif.toml")]
    import httpx

    try:
        answer = httpx.get(f"{settings.oms.url.rstrip('/')}/v1/capabilities", timeout=5)
    except httpx.HTTPError as error:
        return [Finding("fail", "oms", f"{settings.oms.url}: {error}", "start it, or correct [oms] url")]
    level: Level = "ok" if answer.is_success else "fail"
    return [Finding(level, "oms", f"{settings.oms.url}: HTTP {answer.status_code}")]


_CHECKS: Final[tuple[Callable[[Settings], list[Finding]], ...]] = (
    _disk, _landing, _webhooks, _feeds, _publication, _mail, _oms,
)  # fmt: skip
