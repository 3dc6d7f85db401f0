"""A local SMTP server that keeps every mail as an .eml file, for the demo and for trying things out."""

from __future__ import annotations

import errno
import re
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from pipelines.outbound.errors import MailError
from storage.settings import MailSettings

_ATTEMPTS: Final = 5


class MailCatcher:
    """Catches mail on 127.0.0.1 while its block runs; `port` is free-chosen, `caught()` lists the files.

    Example:
        with MailCatcher(folder) as catcher:
            deliver(ledger, catcher.settings(), mail, ["maria@company.example"], …)
    """

    host: Final = "127.0.0.1"

    def __init__(self, folder: Path, **options: Any) -> None:  # noqa: ANN401 - options of aiosmtpd's Controller
        self._folder = folder
        self._options = options
        self._controller: Controller | None = None
        self.port = 0

    def settings(self, sender: str = "otif@localhost") -> MailSettings:
        """Return mail settings that lead here."""
        return MailSettings(host=self.host, port=self.port, sender=sender)

    def caught(self) -> list[Path]:
        """Return the files of the mails in the order they came in."""
        return sorted(self._folder.glob("*.eml"))

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        for _ in range(_ATTEMPTS):
            self.port = _free_port()
            controller = Controller(_Keeper(self._folder), hostname=self.host, port=self.port, **self._options)
            try:
                controller.start()
            except OSError as error:
                controller.loop.close()
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            self._controller = controller
            return self
        message = f"no free port for the mail catcher on {self.host} after {_ATTEMPTS} attempts. Try again."
        raise MailError(message)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._controller is not None:
            self._controller.stop()


class _Keeper:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        number = len(list(self._folder.glob("*.eml"))) + 1
        names = re.sub(r"[^\w@.-]+", "_", "+".join(envelope.rcpt_tos))[:80]
        target = self._folder / f"{number:04d}-{names}.eml"
        partial = target.with_suffix(".partial")
        content = envelope.content or b""
        partial.write_bytes(content if isinstance(content, bytes) else content.encode())
        partial.rename(target)
        return "250 caught"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((MailCatcher.host, 0))
        return int(probe.getsockname()[1])
