"""HTTP to an OMS rule service: connection, retries, and answers that are not what was hoped for.

Only requests that may be repeated are sent through here (reads, keyed writes, absolute applications), so
every one of them is retried when the service is busy or the connection breaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from pipelines.errors import OutboundError
from pipelines.outbound.documents import TOKEN_VARIABLE
from pipelines.outbound.errors import OmsRefusedError, OmsUnavailableError

_BUSY: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient the client is.

    Attributes:
        attempts: Tries per request.
        first_pause: Seconds before the second try; doubles from try to try.
        longest_pause: Upper bound of a pause.
        poll_pause: Seconds between looks at a running operation.
        poll_seconds: How long to wait for an operation before giving up for now.
    """

    attempts: int = 5
    first_pause: float = 0.5
    longest_pause: float = 10.0
    poll_pause: float = 0.2
    poll_seconds: float = 60.0


class _BusyError(Exception):
    """An attempt that is worth repeating."""


class OmsTransport:
    """The connection to one service; a context manager that closes it."""

    def __init__(
        self, base_url: str, *, token: str = "", timeout: float = 15.0, retry: RetryPolicy | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._retry = retry or RetryPolicy()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=_checked_url(self.base_url), headers=headers, timeout=timeout)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send a request until it is answered and return the answer's JSON.

        Raises:
            OmsRefusedError: The service said no.
            OmsUnavailableError: It stayed busy, did not answer, or broke.
            OutboundError: The answer is not JSON.
        """
        retrying = Retrying(
            stop=stop_after_attempt(self._retry.attempts),
            wait=wait_exponential(multiplier=self._retry.first_pause, max=self._retry.longest_pause),
            retry=retry_if_exception_type(_BusyError),
            reraise=True,
        )
        try:
            response = retrying(self._attempt, method, path, body, headers)
        except _BusyError as error:
            message = (
                f"{self.base_url} does not answer {method} {path}: {error} ({self._retry.attempts} attempts). "
                "Start the service or correct [oms] url, then run the same command again: it continues."
            )
            raise OmsUnavailableError(message) from error
        if response.is_error:
            raise self._refusal(response)
        try:
            found: dict[str, Any] = response.json() if response.content else {}
        except ValueError as error:
            message = f"{self.base_url} answered {method} {path} without JSON. Is it a rule service? Check [oms] url."
            raise OutboundError(message) from error
        return found

    def _attempt(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> httpx.Response:
        try:
            response = self._http.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            raise _BusyError(str(error) or type(error).__name__) from error
        if response.status_code in _BUSY:
            message = f"status {response.status_code}"
            raise _BusyError(message)
        return response

    def _refusal(self, response: httpx.Response) -> OutboundError:
        try:
            problem: dict[str, Any] = response.json()
        except ValueError:
            problem = {}
        status = response.status_code
        kind = str(problem.get("type", "")).rpartition(":")[2]
        faults = [f"{fault.get('rule_id', '')}: {fault.get('detail', '')}" for fault in problem.get("errors", [])]
        detail = "; ".join([str(problem.get("detail") or response.reason_phrase), *faults])
        request = f"{response.request.method} {response.request.url.path}"
        message = f"{self.base_url} answered {request} with {status}: {detail}."
        if status == httpx.codes.UNAUTHORIZED:
            message += f" Set {TOKEN_VARIABLE} to the service's token."
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return OmsUnavailableError(f"{message} Look at the service's log, then push again.")
        return OmsRefusedError(message, status=status, kind=kind)


def _checked_url(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        message = f"[oms] url {url!r} is no address, expected e.g. http://127.0.0.1:8080."
        raise OutboundError(message)
    return parsed
