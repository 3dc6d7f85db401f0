"""One request until it is answered: time-outs, retries with backoff, and the pace the server asks for.

Tried again are broken connections, time-outs and the statuses that pass by (408, 425, 429, 5xx). `Retry-After` is
obeyed; if it asks for more than `LONGEST_WAIT_SECONDS` the pull stops and goes on from the same page next time. Servers
that count requests are not run against the wall: at the last one allowed we wait for the window to pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from pipelines.errors import PullError
from pipelines.pull.definition import Auth

TIMEOUT_SECONDS: Final = 60.0
ATTEMPTS: Final = 8
LONGEST_WAIT_SECONDS: Final = 900.0

_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_BACKOFF: Final = wait_exponential_jitter(initial=1, max=60, jitter=1)

_COUNTS: Final = (
    ("x-shopify-shop-api-call-limit", ""),
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
    ("x-rate-limit-requests-left", "x-rate-limit-time-reset-ms"),
)
"""Headers of requests left, and of when there are more: seconds, milliseconds or a Unix time."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as the state file keeps it.

    Attributes:
        url: Address.
        query: Query parameters.
        body: JSON body.
    """

    url: str
    query: dict[str, Any]
    body: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"url": self.url, "query": self.query, "body": self.body}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read it from JSON."""
        return cls(document["url"], document["query"], document["body"])


class _AgainError(Exception):
    """A failure that may pass."""

    def __init__(self, words: str, after: float | None = None) -> None:
        super().__init__(words)
        self.after = after


class Client:
    """Asks one server.

    Args:
        auth: How the secret is sent.
        secret: The secret; empty for none.
        headers: Further headers.
        seconds_between: Least pause between two requests.
        secret_name: Where the secret comes from, for error messages.
        timeout: Seconds without an answer, or within one, after which a request is given up.
        sleep: Waits.
    """

    def __init__(
        self,
        auth: Auth,
        secret: str,
        *,
        headers: Mapping[str, str],
        seconds_between: float = 0,
        secret_name: str = "",
        timeout: float = TIMEOUT_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        sent = {"Accept": "application/json", "User-Agent": "otif", **headers}
        basic: httpx.BasicAuth | None = None
        match auth.kind:
            case "bearer":
                sent["Authorization"] = f"Bearer {secret}"
            case "header":
                sent[auth.header] = secret
            case "basic":
                user, _, password = secret.partition(":")
                basic = httpx.BasicAuth(user, password)
        self._http = httpx.Client(headers=sent, auth=basic, timeout=timeout, follow_redirects=False)
        self._secret_name, self._pause, self._sleep = secret_name, seconds_between, sleep
        self._hold = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, method: str, request: Request) -> httpx.Response:
        """Return the answer to a request.

        Raises:
            PullError: The server refuses, or does not answer after all attempts.
        """
        attempts = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=retry_if_exception_type(_AgainError),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            answer: httpx.Response = attempts(self._try, method, request)
        except _AgainError as error:
            message = f"{request.url}: gave up after {ATTEMPTS} attempts: {error}. The next pull goes on from here."
            raise PullError(message) from error
        return answer

    def _try(self, method: str, request: Request) -> httpx.Response:
        if pause := max(self._hold, self._pause):
            self._sleep(min(pause, LONGEST_WAIT_SECONDS))
        self._hold = 0.0
        try:
            answer = self._http.request(method, request.url, params=request.query or None, json=request.body)
        except (httpx.TransportError, httpx.DecodingError) as error:
            message = f"{type(error).__name__}: {error}"
            raise _AgainError(message) from error
        self._hold = seconds_to_window(answer.headers)
        if answer.status_code in _PASSING:
            after = retry_after(answer.headers)
            if after is not None and after > LONGEST_WAIT_SECONDS:
                message = f"{request.url}: the server asks to wait {after:,.0f} s; the next pull goes on from here"
                raise PullError(message)
            message = f"HTTP {answer.status_code}"
            raise _AgainError(message, after)
        if answer.is_success:
            return answer
        raise PullError(self._refusal(request, answer))

    def _refusal(self, request: Request, answer: httpx.Response) -> str:
        words = f"{request.url}: HTTP {answer.status_code}"
        if answer.status_code in (401, 403):
            return f"{words}: the server does not take our secret; check {self._secret_name}"
        if answer.is_redirect:
            return f"{words}: redirected to {answer.headers.get('location', '?')}; put the final address into the feed"
        return f"{words}: {answer.text[:200].strip() or 'no explanation'}"


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    after = error.after if isinstance(error, _AgainError) else None
    return _BACKOFF(state) if after is None else after


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for (a number or a date), None where it is absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(tz=UTC)).total_seconds())


def seconds_to_window(headers: Mapping[str, str], now: float | None = None) -> float:
    """Return how long to wait before the next request: nothing, unless none is left in the server's window.

    Args:
        headers: Headers of the last answer.
        now: Unix time.
    """
    for left_name, reset_name in _COUNTS:
        left = headers.get(left_name, "")
        if not left:
            continue
        used, slash, limit = left.partition("/")
        try:
            remaining = float(limit) - float(used) if slash else float(used)
            reset = float(headers.get(reset_name, "") or 1)
        except ValueError:
            return 0.0
        if remaining >= 1:
            return 0.0
        if reset_name.endswith("-ms"):
            return reset / 1000
        moment = time.time() if now is None else now
        return max(0.0, reset - moment) if reset > moment / 2 else reset
    return 0.0
