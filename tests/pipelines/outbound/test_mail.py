"""Mail: built as asked, delivered once, by real SMTP servers."""

from __future__ import annotations

import email
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipelines.outbound import catcher as catcher_module
from pipelines.outbound.catcher import MailCatcher
from pipelines.outbound.errors import MailError
from pipelines.outbound.mail import (
    MAX_HTML_BYTES,
    Attachment,
    InlineImage,
    Mail,
    build_message,
    deliver,
    deliver_outstanding,
)
from storage.ledger import Ledger
from storage.ledger.outbox import STALE_CLAIM
from storage.settings import MailSettings

NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
KEY = "weekly/2026-W46/1"
MAIL = Mail(
    subject="Lieferfähigkeit 2026-W46: OTIF 91,2 % ↓",
    text="OTIF 91,2 % – unter Ziel",
    html='<h1>OTIF</h1><p>Lieferfähigkeit</p><img width="600" src="cid:otif"><img alt="fills" src="cid:fill">',
    images=(InlineImage("otif", PNG, 'OTIF by week, "down" to 91.2 %'), InlineImage("fill", PNG[:50], "Fill rate")),
    attachments=(Attachment("kpis-2026-W46.csv", b"kpi,value\notif,0.912\n", "text/csv"),),
)


@pytest.fixture
def catcher(tmp_path: Path) -> Any:
    with MailCatcher(tmp_path / "mail") as opened:
        yield opened


def read(path: Path) -> EmailMessage:
    message = email.message_from_bytes(path.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def send(ledger: Ledger, settings: MailSettings, *recipients: str, mail: Mail = MAIL, key: str = KEY) -> list[str]:
    found = deliver(ledger, settings, mail, recipients or ("maria@x.example",), send_key_base=key, now=NOW)
    return [delivery.status for delivery in found]


def test_a_mail_arrives_with_text_html_pictures_and_attachment(ledger: Ledger, catcher: MailCatcher) -> None:
    assert send(ledger, catcher.settings("otif@x.example"), "Maria <maria@x.example>") == ["sent"]
    (path,) = catcher.caught()
    message = read(path)

    assert message["Subject"] == MAIL.subject
    assert (message["To"], message["From"]) == ("maria@x.example", "otif@x.example")
    assert message["Date"].datetime == NOW
    assert not message.defects
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
        "image/png", "text/csv",
    ]  # fmt: skip
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().strip() == MAIL.text
    assert '<img alt="OTIF by week, &quot;down&quot; to 91.2 %" width="600" src="cid:otif">' in html.get_content()
    assert '<img alt="fills" src="cid:fill">' in html.get_content()
    pictures = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert [part["Content-ID"] for part in pictures] == ["<otif>", "<fill>"]
    assert [part.get_content() for part in pictures] == [PNG, PNG[:50]]
    (attached,) = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("kpis-2026-W46.csv", "kpi,value\notif,0.912\n")


def test_a_plain_mail_needs_no_pictures(ledger: Ledger, catcher: MailCatcher) -> None:
    send(ledger, catcher.settings(), mail=Mail("Daily", "fine", "<p>fine</p>"))
    kinds = [part.get_content_type() for part in read(catcher.caught()[0]).walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]


def test_sending_twice_sends_once(ledger: Ledger, catcher: MailCatcher) -> None:
    first = send(ledger, catcher.settings(), "a@x.example", "b@x.example", "a@x.example")
    again = send(ledger, catcher.settings(), "A@x.example", "b@x.example", "c@x.example")
    other = send(ledger, catcher.settings(), "a@x.example", key="weekly/2026-W46/2")

    assert (first, again, other) == (["sent", "sent"], ["already_sent", "already_sent", "sent"], ["sent"])
    assert [read(path)["To"] for path in catcher.caught()] == [
        "a@x.example", "b@x.example", "c@x.example", "a@x.example",
    ]  # fmt: skip


def test_the_message_id_comes_from_the_send_key() -> None:
    def built(key: str) -> bytes:
        return build_message(MAIL, sender="otif@x.example", recipient="a@x.example", send_key=key, now=NOW).as_bytes()

    first = email.message_from_bytes(built("k1"), policy=default)
    assert first["Message-ID"].endswith("@x.example>")
    assert built("k1") == built("k1")
    assert first["Message-ID"] != email.message_from_bytes(built("k2"), policy=default)["Message-ID"]


def test_a_mail_that_another_process_is_sending_is_left_alone(ledger: Ledger, catcher: MailCatcher) -> None:
    ledger.enqueue_mail(f"{KEY}/a@x.example", recipient="a@x.example", subject="s", message=b"m", now=NOW)
    ledger.claim_mail(f"{KEY}/a@x.example", now=NOW)
    assert send(ledger, catcher.settings(), "a@x.example") == ["in_progress"]
    assert catcher.caught() == []
    (later,) = deliver_outstanding(ledger, catcher.settings(), now=NOW + STALE_CLAIM)
    assert later.status == "sent"


def test_a_mail_refused_for_now_is_kept_and_goes_out_next_time(ledger: Ledger, tmp_path: Path) -> None:
    with MailCatcher(tmp_path / "mail") as catcher:
        handler = catcher._controller.handler  # type: ignore[union-attr]
        keep = type(handler).handle_DATA
        handler.handle_DATA = first_refuse("451 4.3.0 try again later", lambda *a: keep(handler, *a))
        first = deliver(ledger, catcher.settings(), MAIL, ["a@x.example"], send_key_base=KEY, now=NOW)
        kept = ledger.list_mail(unsent=True)
        second = deliver_outstanding(ledger, catcher.settings(), now=NOW + timedelta(hours=1))

        assert first[0].status == "failed"
        assert "did not take the mail to a@x.example: 451 4.3.0 try again later" in str(first[0].error)
        assert [(mail.status, mail.attempts, mail.error) for mail in kept] == [("failed", 1, first[0].error)]
        assert [delivery.status for delivery in second] == ["sent"]
        assert len(catcher.caught()) == 1
        assert deliver_outstanding(ledger, catcher.settings(), now=NOW) == []


def test_one_refused_recipient_does_not_stop_the_others(ledger: Ledger, tmp_path: Path) -> None:
    with MailCatcher(tmp_path / "mail") as catcher:

        async def handle_rcpt(
            _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
        ) -> str:
            if address.startswith("gone"):
                return "550 no such user"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        catcher._controller.handler.handle_RCPT = handle_rcpt  # type: ignore[union-attr]
        found = deliver(ledger, catcher.settings(), MAIL, ["gone@x.example", "b@x.example"], send_key_base=KEY, now=NOW)
    assert [delivery.status for delivery in found] == ["failed", "sent"]
    assert "refused gone@x.example: 550 no such user" in str(found[0].error)


def test_a_server_that_is_not_there_fails_every_mail_and_keeps_them(ledger: Ledger, tmp_path: Path) -> None:
    with MailCatcher(tmp_path / "gone") as gone:
        nobody = gone.settings()
    found = deliver(ledger, nobody, MAIL, ["a@x.example", "b@x.example"], send_key_base=KEY, now=NOW)
    assert [delivery.status for delivery in found] == ["failed", "failed"]
    assert "cannot be used" in str(found[1].error)
    with MailCatcher(tmp_path / "mail") as catcher:
        assert send(ledger, catcher.settings(), "a@x.example", "b@x.example") == ["sent", "sent"]


def test_a_repaired_mail_replaces_the_one_that_was_not_sent(ledger: Ledger, tmp_path: Path) -> None:
    with MailCatcher(tmp_path / "gone") as gone:
        nobody = gone.settings()
    send(ledger, nobody)
    with MailCatcher(tmp_path / "mail") as catcher:
        send(ledger, catcher.settings(), mail=replace(MAIL, subject="repaired"))
        assert read(catcher.caught()[0])["Subject"] == "repaired"


def test_a_login_over_starttls_is_used(ledger: Ledger, secure: Callable[..., MailCatcher]) -> None:
    with secure("right") as catcher:
        assert send(ledger, login(catcher)) == ["sent"]
        assert len(catcher.caught()) == 1


def test_a_refused_login_says_535_and_what_to_check(ledger: Ledger, secure: Callable[..., MailCatcher]) -> None:
    with secure("other") as catcher:
        found = deliver(ledger, login(catcher), MAIL, ["a@x.example", "b@x.example"], send_key_base=KEY, now=NOW)
        assert [delivery.status for delivery in found] == ["failed", "failed"]
        for delivery in found:
            assert "refused the login of 'robot': 535" in str(delivery.error)
            assert "OTIF_SMTP_PASSWORD" in str(delivery.error)
            assert "right" not in str(delivery.error)
        assert catcher.caught() == []


def test_an_untrusted_certificate_is_not_accepted(
    ledger: Ledger, secure: Callable[..., MailCatcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    with secure("right") as catcher:
        monkeypatch.delenv("SSL_CERT_FILE")
        (found,) = deliver(ledger, login(catcher), MAIL, ["a@x.example"], send_key_base=KEY, now=NOW)
        assert "CERTIFICATE_VERIFY_FAILED" in str(found.error)


def test_a_server_without_starttls_is_not_used_in_the_open(ledger: Ledger, catcher: MailCatcher) -> None:
    (found,) = deliver(
        ledger,
        catcher.settings().model_copy(update={"starttls": True}),
        MAIL,
        ["a@x.example"],
        send_key_base=KEY,
        now=NOW,
    )
    assert "STARTTLS extension not supported" in str(found.error)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (MailSettings(), "no mail server is set"),
        (MailSettings(host="127.0.0.1", username="robot"), "OTIF_SMTP_PASSWORD is empty"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    ledger: Ledger, settings: MailSettings, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTIF_SMTP_PASSWORD", raising=False)
    with pytest.raises(MailError, match=words):
        send(ledger, settings)
    assert ledger.list_mail() == []


def test_a_password_is_never_sent_in_the_open_to_another_machine(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTIF_SMTP_PASSWORD", "right")
    with pytest.raises(MailError, match="Set starttls = true"):
        send(ledger, MailSettings(host="mail.x.example", username="robot"))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"html": "<p>" + "x" * MAX_HTML_BYTES + "</p>", "images": ()}, "mail readers cut off at 100,000"),
        ({"html": "<p>no picture</p>"}, r"shows images \[\], but \['fill', 'otif'\] are given"),
        ({"images": ()}, r"shows images \['fill', 'otif'\], but \[\] are given"),
        ({"images": (InlineImage("otif", PNG, "a"), InlineImage("fill", b"GIF89a", "b"))}, "'fill' is not a PNG"),
        ({"images": (InlineImage("otif", PNG, " "), InlineImage("fill", PNG, "b"))}, "'otif' is not a PNG with an alt"),
        ({"subject": "a\nBcc: eve@x.example"}, "malformed header"),
    ],
)
def test_a_mail_that_would_not_look_right_is_refused_before_anything_is_sent(
    ledger: Ledger, catcher: MailCatcher, fault: dict[str, Any], words: str
) -> None:
    with pytest.raises(MailError, match=words):
        send(ledger, catcher.settings(), mail=replace(MAIL, **fault))
    assert ledger.list_mail() == []
    assert catcher.caught() == []


@pytest.mark.parametrize("recipient", ["", "maria", "maria@", "@x.example", "märia@x.example", "a@x.example\nb@y"])
def test_a_malformed_address_is_refused(ledger: Ledger, catcher: MailCatcher, recipient: str) -> None:
    with pytest.raises(MailError, match="expected an address"):
        send(ledger, catcher.settings(), "b@x.example", recipient)
    assert catcher.caught() == []


def test_a_catcher_without_a_free_port_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with MailCatcher(tmp_path / "one") as first:
        monkeypatch.setattr(catcher_module, "_free_port", lambda: first.port)
        monkeypatch.setattr(catcher_module, "_ATTEMPTS", 1)
        with pytest.raises(MailError, match="no free port"), MailCatcher(tmp_path / "two", ready_timeout=2):
            pass


def first_refuse(answer: str, then: Callable[..., Any]) -> Callable[..., Any]:
    calls: list[int] = []

    async def handle(*arguments: Any) -> str:
        calls.append(1)
        return answer if len(calls) == 1 else str(await then(*arguments))

    return handle


def login(catcher: MailCatcher) -> MailSettings:
    return catcher.settings().model_copy(update={"starttls": True, "username": "robot"})


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., MailCatcher]:
    """Maker of catchers that ask for STARTTLS and a login; their certificate is trusted."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("OTIF_SMTP_PASSWORD", "right")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def make(password: str) -> MailCatcher:
        def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
            is_right = given.login == b"robot" and given.password == password.encode()
            return AuthResult(success=is_right, handled=False)

        return MailCatcher(
            tmp_path / "mail",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=check,
        )

    return make


def make_certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(tz=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(pem))
    return path
