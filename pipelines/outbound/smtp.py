"""SMTP: hand one message to the mail server, with STARTTLS and login where the workspace asks for them.

The password comes from OTIF_SMTP_PASSWORD and is never sent over an open connection to another machine.
"""

from __future__ import annotations

import os
import smtplib
import ssl
from ipaddress import ip_address
from typing import Final

from pipelines.outbound.errors import MailError
from storage.settings import MailSettings

PASSWORD_VARIABLE: Final = "OTIF_SMTP_PASSWORD"  # noqa: S105 - the name of the variable, not a password
_TIMEOUT_SECONDS: Final = 30


class _NoServerError(MailError):
    """The server cannot be used at all: other recipients would fare the same."""


def check_mail_settings(settings: MailSettings) -> None:
    """Refuse settings that cannot work.

    Raises:
        MailError: No server is set, or a login lacks its password or a safe connection.
    """
    if not settings.host:
        message = "no mail server is set: write [mail] host = … into otif.toml."
        raise MailError(message)
    if not settings.username:
        return
    if not os.environ.get(PASSWORD_VARIABLE):
        message = f"[mail] username is {settings.username!r}, but {PASSWORD_VARIABLE} is empty: set it."
        raise MailError(message)
    if not settings.starttls and not _is_this_machine(settings.host):
        message = f"[mail] would send a password to {settings.host} in the open. Set starttls = true."
        raise MailError(message)


class SmtpSender:
    """Sends messages one by one; after the server proved unusable it fails fast instead of waiting again."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._broken: _NoServerError | None = None

    def send(self, recipient: str, message: bytes) -> None:
        """Hand one message to the server.

        Raises:
            MailError: The server did not take it; says what it answered.
        """
        if self._broken is not None:
            raise self._broken
        try:
            self._send(recipient, message)
        except _NoServerError as error:
            self._broken = error
            raise

    def _send(self, recipient: str, message: bytes) -> None:
        where = f"{self._settings.host}:{self._settings.port}"
        try:
            with smtplib.SMTP(self._settings.host, self._settings.port, timeout=_TIMEOUT_SECONDS) as server:
                self._prepare(server)
                server.sendmail(self._settings.sender, [recipient], message)
        except smtplib.SMTPAuthenticationError as error:
            text = (
                f"{where} refused the login of {self._settings.username!r}: {_answer(error)}. "
                f"Check [mail] username and {PASSWORD_VARIABLE}."
            )
            raise _NoServerError(text) from error
        except smtplib.SMTPNotSupportedError as error:
            text = f"{where}: {error} Check [mail] starttls and username."
            raise _NoServerError(text) from error
        except smtplib.SMTPRecipientsRefused as error:
            code, words = error.recipients[recipient]
            text = f"{where} refused {recipient}: {code} {words.decode(errors='replace')}."
            raise MailError(text) from error
        except smtplib.SMTPResponseException as error:
            text = f"{where} did not take the mail to {recipient}: {_answer(error)}."
            raise MailError(text) from error
        except (smtplib.SMTPException, OSError) as error:
            text = f"{where} cannot be used: {error}. Check [mail] host and port."
            raise _NoServerError(text) from error

    def _prepare(self, server: smtplib.SMTP) -> None:
        if self._settings.starttls:
            server.starttls(context=ssl.create_default_context())
        if self._settings.username:
            server.login(self._settings.username, os.environ.get(PASSWORD_VARIABLE, ""))


def _answer(error: smtplib.SMTPResponseException) -> str:
    words = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
    return f"{error.smtp_code} {words}"


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
