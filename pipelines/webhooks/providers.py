"""How each sender signs its messages, and what identifies one. Signatures are taken over the bytes as they came.

| sender | signature | message id |
|---|---|---|
| Shopify | `X-Shopify-Hmac-Sha256`: base64 HMAC-SHA256 of the body | `X-Shopify-Event-Id`, `-Webhook-Id` |
| WooCommerce | `X-WC-Webhook-Signature`: base64 HMAC-SHA256 | `X-WC-Webhook-Delivery-ID` |
| BigCommerce | Standard Webhooks, else a header `X-Otif-Token` set when the hook is made | `webhook-id`, `hash` |
| Loop | `X-Loop-Signature`: base64 HMAC-SHA256, slashes escaped, no newlines | – |
| Signifyd | `SIGNIFYD-SEC-HMAC-SHA256`, with or without `X-`: base64 HMAC-SHA256 | – |
| AfterShip | `aftership-hmac-sha256`: base64 HMAC-SHA256 | `event_id` |
| EasyPost | `X-Hmac-Signature`: `hmac-sha256-hex=` and hex HMAC-SHA256, secret in NFKD | `id` |
| ShipStation v2 | RSA-SHA256 of `timestamp.body`, key by id from a JWKS document | – |
| generic (Zapier) | Standard Webhooks: `v1,` and base64 HMAC-SHA256 of `id.timestamp.body` | `webhook-id` |

A message without an id of its own is known by the digest of its body. So is every other message besides: the ids of
most senders stand in headers that no signature covers, so a recorded body under a new id is still the same message.
Where a time is signed, messages further than five minutes from our clock are refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

TOLERANCE_SECONDS: Final = 300
"""How far a signed time may be from our clock (Standard Webhooks and ShipStation both advise five minutes)."""

Headers = Mapping[str, str]
"""Headers of a request, names in lower case."""


class Refusal(StrEnum):
    """Why a message was not taken."""

    UNSIGNED = "unsigned"
    BAD_SIGNATURE = "bad_signature"
    BAD_SECRET = "bad_secret"  # noqa: S105 - a reason: ours cannot be read as the sender's kind of secret
    UNKNOWN_KEY = "unknown_key"
    BAD_TIMESTAMP = "bad_timestamp"
    STALE = "stale"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"


class RefusedError(Exception):
    """A message must not be taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Message:
    """An authentic message.

    Attributes:
        provider: Sender.
        topic: What it is about, as the sender says; empty where it does not.
        message_id: The sender's id, or the digest of the body.
        body: The bytes as they came.
    """

    provider: str
    topic: str
    message_id: str
    body: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of topic and body."""
        return hashlib.sha256(self.topic.encode() + b"\0" + self.body).hexdigest()


Check = Callable[[Headers, bytes, str, float], None]


@dataclass(frozen=True, slots=True)
class Provider:
    """A sender.

    Attributes:
        name: Path of its messages: `/webhooks/<name>`.
        source: Adapter that reads them where they do not show it themselves.
        check: Raises `RefusedError` unless headers, body, secret and our clock (Unix seconds) agree.
        id_headers: Headers that carry the message's id, best first.
        id_field: Member of the body that carries it.
        topic_headers: Headers that carry the topic.
        topic_field: Member of the body that carries it.
        required: Members without which the body says nothing.
    """

    name: str
    source: str
    check: Check
    id_headers: tuple[str, ...] = ()
    id_field: str = ""
    topic_headers: tuple[str, ...] = ()
    topic_field: str = ""
    required: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """Environment variable of its secret."""
        return f"OTIF_WEBHOOK_{self.name.upper()}"

    def accept(self, headers: Headers, body: bytes, *, secret: str, now: float) -> Message:
        """Return the message if it is authentic.

        Raises:
            RefusedError: It is not.
        """
        self.check(headers, body, secret, now)
        members = _members(body)
        if any(name not in members for name in self.required):
            raise RefusedError(Refusal.MALFORMED)
        told = (*(headers.get(name, "") for name in self.id_headers), members.get(self.id_field, ""))
        topics = (*(headers.get(name, "") for name in self.topic_headers), members.get(self.topic_field, ""))
        message_id = next(filter(None, told), hashlib.sha256(body).hexdigest())
        return Message(self.name, next(filter(None, topics), ""), message_id, body)


def configured_secrets(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return provider → secret, of the providers that have one in the environment."""
    return {name: environment[p.variable] for name, p in PROVIDERS.items() if environment.get(p.variable)}


def _members(body: bytes) -> dict[str, str]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise RefusedError(Refusal.MALFORMED) from error
    if not isinstance(document, dict):
        raise RefusedError(Refusal.MALFORMED)
    return {key: str(value) for key, value in document.items() if isinstance(value, str | int)}


def _signed(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


def _require(given: str, *, any_of: tuple[bytes, ...], decode: Callable[[str], bytes]) -> None:
    if not given:
        raise RefusedError(Refusal.UNSIGNED)
    try:
        signature = decode(given)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(Refusal.BAD_SIGNATURE) from error
    # Every candidate is compared, so that the time taken says nothing.
    matches = [hmac.compare_digest(signature, expected) for expected in any_of]
    if not any(matches):
        raise RefusedError(Refusal.BAD_SIGNATURE)


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _hmac_in(*names: str) -> Check:
    def check(headers: Headers, body: bytes, secret: str, _now: float) -> None:
        given = next(filter(None, (headers.get(name, "") for name in names)), "")
        _require(given, any_of=(_signed(secret, body),), decode=_base64)

    return check


def _check_loop(headers: Headers, body: bytes, secret: str, _now: float) -> None:
    """Loop signs its JSON with slashes escaped and without newlines; what arrives may be escaped already."""
    plain = body.replace(b"\r", b"").replace(b"\n", b"")
    escaped = plain.replace(b"\\/", b"/").replace(b"/", b"\\/")
    signatures = tuple(_signed(secret, text) for text in (body, plain, escaped))
    _require(headers.get("x-loop-signature", ""), any_of=signatures, decode=_base64)


def _check_easypost(headers: Headers, body: bytes, secret: str, _now: float) -> None:
    given = headers.get("x-hmac-signature", "").removeprefix("hmac-sha256-hex=")
    _require(given, any_of=(_signed(unicodedata.normalize("NFKD", secret), body),), decode=bytes.fromhex)


def _check_standard(headers: Headers, body: bytes, secret: str, now: float) -> None:
    """Check the Standard Webhooks headers; several signatures may be given while a secret is rotated."""
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "").split()
    if not (message_id and stamp and given):
        raise RefusedError(Refusal.UNSIGNED)
    _require_recent(stamp, now)
    try:
        key = _base64(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    except (binascii.Error, ValueError) as error:
        raise RefusedError(Refusal.BAD_SECRET) from error
    expected = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    versions = [text.removeprefix("v1,") for text in given if text.startswith("v1,")]
    if not any([_matches(text, expected) for text in versions]):  # noqa: C419 - all are compared, see _require
        raise RefusedError(Refusal.BAD_SIGNATURE)


def _matches(text: str, expected: bytes) -> bool:
    try:
        return hmac.compare_digest(_base64(text), expected)
    except (binascii.Error, ValueError):
        return False


def _check_bigcommerce(headers: Headers, body: bytes, secret: str, now: float) -> None:
    if "webhook-signature" in headers:
        _check_standard(headers, body, secret, now)
        return
    token = headers.get("x-otif-token", "")
    if not token:
        raise RefusedError(Refusal.UNSIGNED)
    if not hmac.compare_digest(token.encode(), secret.encode()):
        raise RefusedError(Refusal.BAD_SIGNATURE)


def _check_shipstation(headers: Headers, body: bytes, secret: str, now: float) -> None:
    """Check an RSA signature against a JWKS document; the secret is the document or the path of a file with it."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only this sender needs it
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    key_id, stamp = headers.get("x-shipengine-rsa-sha256-key-id", ""), headers.get("x-shipengine-timestamp", "")
    given = headers.get("x-shipengine-rsa-sha256-signature", "")
    if not (key_id and stamp and given):
        raise RefusedError(Refusal.UNSIGNED)
    _require_recent(stamp, now)
    numbers = _jwks(secret).get(key_id)
    if numbers is None:
        raise RefusedError(Refusal.UNKNOWN_KEY)
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers  # noqa: PLC0415

    try:
        RSAPublicNumbers(*numbers).public_key().verify(
            _base64(given), f"{stamp}.".encode() + body, PKCS1v15(), SHA256()
        )
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise RefusedError(Refusal.BAD_SIGNATURE) from error


@lru_cache(maxsize=8)
def _jwks(secret: str) -> dict[str, tuple[int, int]]:
    """Return key id → (exponent, modulus) of a JWKS document."""
    try:
        text = secret if secret.lstrip().startswith("{") else Path(secret).read_text(encoding="utf-8")
        keys = json.loads(text)["keys"]
        return {key["kid"]: (_number(key["e"]), _number(key["n"])) for key in keys if key["kty"] == "RSA"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RefusedError(Refusal.BAD_SECRET) from error


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _require_recent(stamp: str, now: float) -> None:
    try:
        moment = float(stamp) if stamp.replace(".", "", 1).isdigit() else datetime.fromisoformat(stamp).timestamp()
    except ValueError as error:
        raise RefusedError(Refusal.BAD_TIMESTAMP) from error
    if abs(now - moment) > TOLERANCE_SECONDS:
        raise RefusedError(Refusal.STALE)


PROVIDERS: Final[dict[str, Provider]] = {
    provider.name: provider
    for provider in (
        Provider(
            "shopify", "shopify", _hmac_in("x-shopify-hmac-sha256"),
            id_headers=("x-shopify-event-id", "x-shopify-webhook-id"), topic_headers=("x-shopify-topic",),
        ),
        Provider(
            "woocommerce", "woocommerce", _hmac_in("x-wc-webhook-signature"),
            id_headers=("x-wc-webhook-delivery-id",), topic_headers=("x-wc-webhook-topic",),
        ),
        Provider(
            "bigcommerce", "bigcommerce", _check_bigcommerce, id_headers=("webhook-id",), id_field="hash",
            topic_field="scope",
        ),
        Provider("loop", "returns", _check_loop, topic_headers=("x-loop-topic",), topic_field="topic"),
        Provider(
            "signifyd", "signifyd", _hmac_in("signifyd-sec-hmac-sha256", "x-signifyd-sec-hmac-sha256"),
            topic_headers=("signifyd-topic", "x-signifyd-topic", "signifyd-checkpoint"),
        ),
        Provider(
            "aftership", "aftership", _hmac_in("aftership-hmac-sha256"), id_field="event_id", topic_field="event"
        ),
        Provider("easypost", "carrier", _check_easypost, id_field="id", topic_field="description"),
        Provider("shipstation", "shipstation", _check_shipstation, topic_field="resource_type"),
        Provider(
            "generic", "canonical", _check_standard, id_headers=("webhook-id",), topic_field="event_type",
            required=("event_type", "event_at"),
        ),
    )
}  # fmt: skip
"""Name → sender."""
