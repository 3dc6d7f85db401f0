"""Signatures of every sender: what is authentic passes, every change of a byte does not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from pipelines.webhooks.providers import PROVIDERS, Headers, RefusedError, configured_secrets

NOW = 1_780_000_000.0
SECRET = "s3cret-é"
BODY = b'{"event_type": "x", "event_at": "y", "id": "evt_1", "event_id": "u-1", "hash": "h-1", "url": "https://x/y"}'


def signed(body: bytes, secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


def base64_of(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def standard(body: bytes, *, at: float = NOW) -> dict[str, str]:
    signature = base64_of(signed(f"m-1.{at:.0f}.".encode() + body))
    return {"webhook-id": "m-1", "webhook-timestamp": f"{at:.0f}", "webhook-signature": f"v1,bm90IGl0 v1,{signature}"}


@pytest.fixture(scope="module")
def rsa() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def jwks(key: RSAPrivateKey) -> str:
    numbers = key.public_key().public_numbers()

    def text(number: int) -> str:
        return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8)).rstrip(b"=").decode()

    return json.dumps({"keys": [{"kid": "k1", "kty": "RSA", "e": text(numbers.e), "n": text(numbers.n)}]})


def shipstation(body: bytes, key: RSAPrivateKey, stamp: str) -> dict[str, str]:
    signature = key.sign(f"{stamp}.".encode() + body, PKCS1v15(), SHA256())
    return {
        "x-shipengine-rsa-sha256-key-id": "k1",
        "x-shipengine-rsa-sha256-signature": base64_of(signature),
        "x-shipengine-timestamp": stamp,
    }


STAMP = datetime.fromtimestamp(NOW, tz=UTC).isoformat().replace("+00:00", "Z")
PLAIN = {
    "shopify": {"x-shopify-hmac-sha256": base64_of(signed(BODY)), "x-shopify-webhook-id": "w-1"},
    "woocommerce": {"x-wc-webhook-signature": base64_of(signed(BODY)), "x-wc-webhook-delivery-id": "w-1"},
    "bigcommerce": {"x-otif-token": SECRET.encode().decode("latin-1")} | {},
    "loop": {"x-loop-signature": base64_of(signed(BODY.replace(b"/", b"\\/")))},
    "signifyd": {"signifyd-sec-hmac-sha256": base64_of(signed(BODY))},
    "aftership": {"aftership-hmac-sha256": base64_of(signed(BODY))},
    "easypost": {"x-hmac-signature": "hmac-sha256-hex=" + signed(BODY, "s3cret-e\u0301").hex()},
    "generic": standard(BODY),
}
IDS = {
    "shopify": "w-1", "woocommerce": "w-1", "bigcommerce": "h-1", "aftership": "u-1", "easypost": "evt_1",
    "generic": "m-1",
}  # fmt: skip


def headers_of(name: str) -> Headers:
    return PLAIN[name] if name != "bigcommerce" else {"x-otif-token": SECRET}


@pytest.mark.parametrize("name", PLAIN)
def test_an_authentic_message_is_taken_under_its_own_id(name: str) -> None:
    message = PROVIDERS[name].accept(headers_of(name), BODY, secret=SECRET, now=NOW)
    assert message.message_id == IDS.get(name, hashlib.sha256(BODY).hexdigest())
    assert message.body == BODY


@pytest.mark.parametrize("name", [name for name in PLAIN if name != "bigcommerce"])
def test_a_changed_body_is_refused(name: str) -> None:
    for at in range(len(BODY)):
        changed = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
        with pytest.raises(RefusedError, match="bad_signature"):
            PROVIDERS[name].accept(headers_of(name), changed, secret=SECRET, now=NOW)


@pytest.mark.parametrize("name", PLAIN)
def test_another_secret_is_refused(name: str) -> None:
    with pytest.raises(RefusedError, match="bad_signature"):
        PROVIDERS[name].accept(headers_of(name), BODY, secret="other", now=NOW)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_message_without_signature_is_refused(name: str) -> None:
    with pytest.raises(RefusedError, match="unsigned"):
        PROVIDERS[name].accept({}, BODY, secret=SECRET, now=NOW)


@pytest.mark.parametrize("garbage", ["", "=", "not base64 é", "%%%", "v1,", "hmac-sha256-hex=zz"])
@pytest.mark.parametrize("name", [name for name in PLAIN if name != "bigcommerce"])
def test_garbage_for_a_signature_is_refused_not_raised(name: str, garbage: str) -> None:
    headers = dict.fromkeys(headers_of(name), garbage)
    with pytest.raises(RefusedError):
        PROVIDERS[name].accept(headers, BODY, secret=SECRET, now=NOW)


def test_bigcommerce_may_sign_as_standard_webhooks() -> None:
    assert PROVIDERS["bigcommerce"].accept(standard(BODY), BODY, secret=SECRET, now=NOW).message_id == "m-1"
    with pytest.raises(RefusedError, match="bad_signature"):
        PROVIDERS["bigcommerce"].accept(standard(BODY) | {"x-otif-token": SECRET}, b"{}", secret=SECRET, now=NOW)


@pytest.mark.parametrize(("seconds", "is_taken"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_signed_time_may_be_five_minutes_away(seconds: int, is_taken: bool, rsa: RSAPrivateKey) -> None:
    stamp = datetime.fromtimestamp(NOW + seconds, tz=UTC).isoformat().replace("+00:00", "Z")
    for name, headers, secret in (
        ("generic", standard(BODY, at=NOW + seconds), SECRET),
        ("shipstation", shipstation(BODY, rsa, stamp), jwks(rsa)),
    ):
        if is_taken:
            PROVIDERS[name].accept(headers, BODY, secret=secret, now=NOW)
        else:
            with pytest.raises(RefusedError, match="stale"):
                PROVIDERS[name].accept(headers, BODY, secret=secret, now=NOW)


def test_shipstation_is_checked_against_the_key_it_names(rsa: RSAPrivateKey) -> None:
    headers = shipstation(BODY, rsa, STAMP)
    provider = PROVIDERS["shipstation"]
    assert provider.accept(headers, BODY, secret=jwks(rsa), now=NOW).body == BODY
    with pytest.raises(RefusedError, match="bad_signature"):
        provider.accept(headers, BODY + b" ", secret=jwks(rsa), now=NOW)
    with pytest.raises(RefusedError, match="unknown_key"):
        provider.accept(headers | {"x-shipengine-rsa-sha256-key-id": "k2"}, BODY, secret=jwks(rsa), now=NOW)
    with pytest.raises(RefusedError, match="bad_secret"):
        provider.accept(headers, BODY, secret="/nowhere/jwks.json", now=NOW)


def test_secrets_come_from_the_environment() -> None:
    assert configured_secrets({"OTIF_WEBHOOK_SHOPIFY": "a", "OTIF_WEBHOOK_LOOP": ""}) == {"shopify": "a"}
