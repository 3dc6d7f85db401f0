"""Exception jobs: tell the ledger what a build shows, work on one, tell people of new ones, each once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from storage.errors import ConfigError, LedgerError
from storage.settings import MailSettings, Settings

if TYPE_CHECKING:
    import polars as pl

    from pipelines.outbound.mail import Delivery
    from storage.ledger import ExceptionState, Ledger, SeenReport

EVERYBODY: Final = "*"
"""Key of `[mail.exception_recipients]` for those who are told of all exceptions."""


def note_exceptions(settings: Settings, *, as_of: datetime) -> SeenReport:
    """Tell the ledger which exceptions the current publication shows.

    Args:
        settings: Workspace.
        as_of: Instant of the build.
    """
    from dashboards.queries import exceptions_list
    from storage.ledger import open_ledger
    from storage.publish import open_published

    with open_published(settings) as connection:
        shown = exceptions_list(connection)["exception_id"].to_list()
    with open_ledger(settings) as ledger:
        return ledger.mark_exceptions_seen(shown, now=as_of)


def listed_exceptions(
    settings: Settings,
    *,
    kinds: Sequence[str] = (),
    statuses: Sequence[str] = (),
    limit: int | None = None,
    only_new: bool = False,
) -> pl.DataFrame:
    """Return the exceptions of the publication with what people did about them, the most money first.

    Args:
        settings: Workspace.
        kinds: Kinds; empty = all.
        statuses: What people did about them; empty = neither resolved nor put aside.
        limit: Only the first.
        only_new: Only open ones of which nobody was told.
    """
    import polars as pl

    from dashboards.queries import exceptions_list
    from dashboards.work_items import TO_DO, with_states
    from storage.ledger import open_ledger
    from storage.publish import open_published

    with open_published(settings) as connection:
        frame = exceptions_list(connection, kinds=kinds)
    with open_ledger(settings) as ledger:
        frame = with_states(frame, ledger).filter(pl.col("status").is_in(statuses or TO_DO))
        if only_new:
            new = ledger.unalerted_exceptions(frame["exception_id"].to_list())
            frame = frame.filter(pl.col("exception_id").is_in(list(new)))
    return frame.head(limit) if limit is not None else frame


def find_exception(
    settings: Settings, start: str
) -> tuple[dict[str, Any], list[dict[str, Any]], ExceptionState | None]:
    """Return one exception by its id or the beginning of it, its events, and where people stand with it.

    Raises:
        LedgerError: None or several begin like this.
    """
    from dashboards.queries import exceptions_list
    from dashboards.queries.work import exception_events
    from storage.ledger import open_ledger
    from storage.publish import open_published

    with open_published(settings) as connection:
        rows = [
            row for row in exceptions_list(connection).iter_rows(named=True) if row["exception_id"].startswith(start)
        ]
        if len(rows) != 1:
            found = "none" if not rows else f"{len(rows)}"
            message = f"{found} of the exceptions shown begins with {start!r}. `otif exceptions` lists them."
            raise LedgerError(message)
        events = list(exception_events(connection, rows[0]["exception_id"]).iter_rows(named=True))
    with open_ledger(settings) as ledger:
        state = ledger.exception_states([rows[0]["exception_id"]]).get(rows[0]["exception_id"])
    return rows[0], events, state


def work_on_exception(
    settings: Settings, start: str, step: str, *, by: str, text: str = "", until: datetime | None = None
) -> ExceptionState:
    """Acknowledge, comment, snooze or resolve an exception that the publication shows.

    Args:
        settings: Workspace.
        start: Its id or the beginning of it.
        step: acknowledge, comment, snooze or resolve.
        by: Who.
        text: In which words.
        until: Until when it is put aside.

    Raises:
        LedgerError: The step is not possible; the message says why.
    """
    from dashboards.queries import build_info, exceptions_list
    from storage.ledger import open_ledger
    from storage.publish import open_published

    row, _, state = find_exception(settings, start)
    exception_id = row["exception_id"]
    now = datetime.now(tz=UTC)
    with open_ledger(settings) as ledger:
        if state is None:
            # A publication that came without its build (a copy, an older one) is not in the ledger yet.
            with open_published(settings) as connection:
                shown = exceptions_list(connection)["exception_id"].to_list()
                as_of = build_info(connection).as_of.replace(tzinfo=UTC)
            ledger.mark_exceptions_seen(shown, now=as_of)
        if step == "acknowledge":
            return ledger.acknowledge_exception(exception_id, by=by, now=now, text=text)
        if step == "comment":
            return ledger.comment_exception(exception_id, by=by, now=now, text=text)
        if step == "snooze" and until is not None:
            return ledger.snooze_exception(exception_id, by=by, until=until, now=now, text=text)
        return ledger.resolve_exception(exception_id, by=by, now=now, text=text)


def send_alerts(settings: Settings, *, now: datetime, mail_settings: MailSettings | None = None) -> list[Delivery]:
    """Mail every recipient the open exceptions of his own that he was not told of; nothing new, no mail.

    A mail that did not go out is sent again with what it said; of an episode nobody hears twice.

    Args:
        settings: Workspace.
        now: The instant.
        mail_settings: Another mail server, e.g. a local catcher.

    Raises:
        ConfigError: There are no recipients.
        MailError: No mail server is set, or an address is malformed.
    """
    from dashboards.queries import build_info, exceptions_list
    from storage.ledger import open_ledger
    from storage.publish import open_published

    recipients = settings.mail.exception_recipients
    if not recipients:
        message = f"nobody to tell: write [mail] exception_recipients into {settings.home / 'otif.toml'}"
        raise ConfigError(message)
    with open_published(settings) as connection:
        shown = exceptions_list(connection)
        as_of = build_info(connection).as_of.replace(tzinfo=UTC)
    addresses: dict[str, set[str]] = {}
    for owner, people in recipients.items():
        for address in people:
            addresses.setdefault(address, set()).add(owner)
    deliveries = []
    with open_ledger(settings) as ledger:
        ledger.mark_exceptions_seen(shown["exception_id"].to_list(), now=as_of)
        for address, owners in sorted(addresses.items()):
            mine = shown if EVERYBODY in owners else shown.filter(shown["owner_role"].is_in(sorted(owners)))
            deliveries += _alert(
                ledger, settings, mail_settings or settings.mail, mine, shown, address=address, now=now
            )
    return deliveries


def _alert(
    ledger: Ledger,
    settings: Settings,
    mail_settings: MailSettings,
    mine: pl.DataFrame,
    shown: pl.DataFrame,
    *,
    address: str,
    now: datetime,
) -> list[Delivery]:
    from dashboards.reports.alerts import build_alert
    from pipelines.outbound.mail import Mail, deliver

    new = ledger.unalerted_exceptions(mine["exception_id"].to_list(), recipient=address)
    if new:
        digest = hashlib.sha256("\n".join((now.isoformat(), *new)).encode()).hexdigest()[:16]
        ledger.claim_alerts(new, recipient=address, send_key=f"exceptions/{digest}/{address}", now=now)
    deliveries = []
    for send_key, ids in ledger.unsent_alerts(address).items():
        told = shown.filter(shown["exception_id"].is_in(list(ids)))
        alert = build_alert(told, zone=settings.company.zone)
        base = send_key.removesuffix(f"/{address}")
        mail = Mail(subject=alert.subject, text=alert.text, html=alert.html)
        deliveries += deliver(ledger, mail_settings, mail, [address], send_key_base=base, now=now)
    return deliveries
