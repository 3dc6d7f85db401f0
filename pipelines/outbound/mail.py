"""Mail: build one message per recipient and deliver it through the ledger's outbox, once per send key.

What a report says is rendered elsewhere and comes in as a `Mail`. A mail is put into the outbox before it
is sent; a failed one stays there with its reason and goes out with the next delivery.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Final, Literal

from pipelines.outbound.errors import MailError
from pipelines.outbound.smtp import SmtpSender, check_mail_settings
from storage.ledger import Ledger
from storage.settings import MailSettings

MAX_HTML_BYTES: Final = 100_000
"""Common mail readers cut longer HTML off; charts therefore travel as inline images."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_IMAGE_TAG: Final = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_CONTENT_ID: Final = re.compile(r"""cid:([^"'\s>)]+)""")
_HAS_ALT: Final = re.compile(r"\salt\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InlineImage:
    """A PNG that the HTML shows with `<img src="cid:CONTENT_ID">`.

    Attributes:
        content_id: Letters, digits, dots, dashes and underscores.
        data: The PNG.
        alt: What the picture says, for readers without pictures; put into the tag when it has no alt yet.
    """

    content_id: str
    data: bytes
    alt: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels with the mail."""

    filename: str
    data: bytes
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail says, the same for every recipient."""

    subject: str
    text: str
    html: str
    images: tuple[InlineImage, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a mail to one recipient.

    Attributes:
        recipient: Address.
        send_key: Key in the outbox.
        status: sent, already_sent, in_progress (another process is sending it) or failed.
        error: Why it failed.
    """

    recipient: str
    send_key: str
    status: Literal["sent", "already_sent", "in_progress", "failed"]
    error: str | None = None


def deliver(
    ledger: Ledger,
    settings: MailSettings,
    mail: Mail,
    recipients: Sequence[str],
    *,
    send_key_base: str,
    now: datetime,
) -> list[Delivery]:
    """Send a mail to each recipient who has not had it yet.

    Args:
        ledger: Keeps the outbox.
        settings: Mail server and sender.
        mail: What to say.
        recipients: Addresses; doubles are sent once.
        send_key_base: Report, period and version, e.g. `weekly/2026-W46/1`; the recipient is added.
        now: The instant, for the mail's date and the outbox.

    Raises:
        MailError: No mail server is set, an address or the mail itself is malformed. Nothing was sent.
    """
    check_mail_settings(settings)
    addresses = list(dict.fromkeys(checked_address(recipient) for recipient in recipients))
    keys = [f"{send_key_base}/{address.lower()}" for address in addresses]
    messages = [
        build_message(mail, sender=settings.sender, recipient=address, send_key=key, now=now)
        for address, key in zip(addresses, keys, strict=True)
    ]
    for address, key, message in zip(addresses, keys, messages, strict=True):
        ledger.enqueue_mail(key, recipient=address, subject=mail.subject, message=message.as_bytes(), now=now)
    return _send(ledger, settings, list(zip(addresses, keys, strict=True)), now=now)


def deliver_outstanding(ledger: Ledger, settings: MailSettings, *, now: datetime) -> list[Delivery]:
    """Send again what earlier deliveries left in the outbox.

    Raises:
        MailError: No mail server is set.
    """
    check_mail_settings(settings)
    waiting = [(mail.recipient, mail.send_key) for mail in ledger.list_mail(unsent=True)]
    return _send(ledger, settings, waiting, now=now)


def build_message(mail: Mail, *, sender: str, recipient: str, send_key: str, now: datetime) -> EmailMessage:
    """Return the message: text and HTML alternatives, inline images, attachments; same input, same bytes.

    Raises:
        MailError: The HTML is too long, an image is missing, unused or no PNG, or a header is malformed.
    """
    html = _checked_html(mail)
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    digest = hashlib.sha256(send_key.encode()).hexdigest()
    try:
        message["Subject"] = mail.subject
        message["From"] = sender
        message["To"] = recipient
    except (ValueError, MessageError) as error:
        message_text = f"mail to {recipient!r}: malformed header: {error}. Subject and addresses are single lines."
        raise MailError(message_text) from error
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{digest[:40]}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(html, subtype="html")
    _attach(message, mail)
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{digest[:24]}_{number}")
    return message


def checked_address(recipient: str) -> str:
    """Return the bare address of `a@b.example` or `Name <a@b.example>`.

    Raises:
        MailError: It is not an address that every mail server takes.
    """
    address = parseaddr(recipient)[1] if recipient.isprintable() else ""
    local, _, domain = address.rpartition("@")
    if not local or not domain or not address.isascii() or any(mark in address for mark in " ,;"):
        message = f"recipient {recipient!r}: expected an address such as maria@company.example."
        raise MailError(message)
    return address


def _attach(message: EmailMessage, mail: Mail) -> None:
    html_part = message.get_body(("html",))
    for image in mail.images:
        if isinstance(html_part, EmailMessage):
            html_part.add_related(
                image.data,
                maintype="image",
                subtype="png",
                cid=f"<{image.content_id}>",
                disposition="inline",
                filename=f"{image.content_id}.png",
            )
    for attachment in mail.attachments:
        main, _, sub = attachment.media_type.partition("/")
        message.add_attachment(
            attachment.data, maintype=main, subtype=sub or "octet-stream", filename=attachment.filename
        )


def _checked_html(mail: Mail) -> str:
    known = {image.content_id: image for image in mail.images}
    used = set(_CONTENT_ID.findall(mail.html))
    if used != known.keys() or len(known) != len(mail.images):
        message = (
            f"mail {mail.subject!r}: the HTML shows images {sorted(used)}, but {sorted(known)} are given. "
            "Each inline image is given once and shown with <img src='cid:…'>."
        )
        raise MailError(message)
    for image in mail.images:
        if not image.data.startswith(_PNG) or not image.alt.strip():
            message = f"mail {mail.subject!r}: image {image.content_id!r} is not a PNG with an alt text."
            raise MailError(message)
    html = _IMAGE_TAG.sub(lambda tag: _with_alt(tag.group(), known), mail.html)
    size = len(html.encode())
    if size >= MAX_HTML_BYTES:
        message = (
            f"mail {mail.subject!r}: the HTML has {size:,} bytes, mail readers cut off at {MAX_HTML_BYTES:,}. "
            "Show fewer rows, or move pictures into inline images."
        )
        raise MailError(message)
    return html


def _with_alt(tag: str, known: dict[str, InlineImage]) -> str:
    found = _CONTENT_ID.search(tag)
    if found is None or _HAS_ALT.search(tag):
        return tag
    return f'<img alt="{escape(known[found.group(1)].alt)}"{tag[4:]}'


def _send(ledger: Ledger, settings: MailSettings, mails: Sequence[tuple[str, str]], *, now: datetime) -> list[Delivery]:
    sender = SmtpSender(settings)
    deliveries = []
    for recipient, key in mails:
        claimed = ledger.claim_mail(key, now=now)
        if claimed is None or claimed.message is None:
            is_sent = ledger.get_mail(key).status == "sent"
            deliveries.append(Delivery(recipient, key, "already_sent" if is_sent else "in_progress"))
            continue
        try:
            sender.send(recipient, claimed.message)
        except MailError as error:
            ledger.mark_mail_failed(key, error=str(error))
            deliveries.append(Delivery(recipient, key, "failed", str(error)))
        else:
            ledger.mark_mail_sent(key, now=now)
            deliveries.append(Delivery(recipient, key, "sent"))
    return deliveries
