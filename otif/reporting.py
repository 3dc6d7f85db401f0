"""Report jobs: render the weekly snapshot from a publication, write it, send it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from storage.settings import MailSettings, Settings

if TYPE_CHECKING:
    from dashboards.reports.weekly import WeeklyReport
    from pipelines.outbound.mail import Delivery


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A rendered snapshot and its file.

    Attributes:
        report: The snapshot.
        path: Self-contained page on disk.
    """

    report: WeeklyReport
    path: Path


def write_weekly(settings: Settings, *, week: str = "", out: Path | None = None) -> WrittenReport:
    """Render the snapshot of a week with the decisions that wait, and write it as one HTML file.

    Args:
        settings: Workspace.
        week: Week such as 2026-W46; empty = the last complete one.
        out: File to write; default is `var/reports/weekly-<week>.html`.
    """
    from dashboards.decisions import open_proposals
    from dashboards.reports.weekly import build_weekly
    from storage.ledger import open_ledger
    from storage.publish import open_published

    with open_ledger(settings) as ledger:
        proposals = open_proposals(ledger, currency=settings.company.currency)
    with open_published(settings) as connection:
        report = build_weekly(connection, week, proposals=proposals, company=settings.company.name)
    path = out or settings.reports / f"weekly-{report.week}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report.html, encoding="utf-8")
    return WrittenReport(report, path)


def send_weekly(
    settings: Settings, report: WeeklyReport, *, now: datetime, mail_settings: MailSettings | None = None
) -> list[Delivery]:
    """Mail a snapshot to the workspace's weekly recipients; who has had this version already gets nothing.

    Args:
        settings: Workspace.
        report: The snapshot; its data hash is the version in the send key.
        now: The instant.
        mail_settings: Another mail server, e.g. the local catcher of the demonstration.

    Raises:
        ConfigError: There are no recipients.
        MailError: No mail server is set, or an address is malformed.
    """
    from pipelines.outbound.mail import InlineImage, Mail, deliver
    from storage.errors import ConfigError
    from storage.ledger import open_ledger

    if not settings.mail.weekly_recipients:
        message = f"nobody to send to: write [mail] weekly_recipients into {settings.home / 'otif.toml'}"
        raise ConfigError(message)
    mail = Mail(
        subject=report.subject,
        text=report.text,
        html=report.mail_html,
        images=tuple(
            InlineImage(content_id=image.content_id, data=image.png, alt=image.alt_text) for image in report.images
        ),
    )
    with open_ledger(settings) as ledger:
        return deliver(
            ledger,
            mail_settings or settings.mail,
            mail,
            settings.mail.weekly_recipients,
            send_key_base=f"weekly/{report.week}/{report.data_hash[:12]}",
            now=now,
        )
