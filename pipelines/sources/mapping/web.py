"""Tables published on the web as CSV, such as a Google Sheet (File → Share → Publish to web → CSV)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipelines.errors import SourceError

TIMEOUT_SECONDS: Final = 30.0
ATTEMPTS: Final = 3
LARGEST_BYTES: Final = 1 << 30


def fetch_table(url: str, path: Path) -> None:
    """Download a published table; the file appears when it is complete.

    Args:
        url: Address; redirects are followed.
        path: Where the table is to be.

    Raises:
        SourceError: The address does not answer with a table.
    """
    import httpx  # noqa: PLC0415 - only published tables pay for it

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        transport = httpx.HTTPTransport(retries=ATTEMPTS)
        with (
            httpx.Client(transport=transport, follow_redirects=True, timeout=TIMEOUT_SECONDS) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                message = f"{url} answered {answer.status_code}. Is the table published, and is the address complete?"
                raise SourceError(message)
            if "html" in answer.headers.get("content-type", ""):
                message = (
                    f"{url} answered with a web page, not with a table. Publish the sheet as CSV "
                    "(File → Share → Publish to web) and take the address that ends in output=csv."
                )
                raise SourceError(message)
            with part.open("wb") as out:
                size = 0
                for chunk in answer.iter_bytes():
                    size += len(chunk)
                    if size > LARGEST_BYTES:
                        message = f"{url} is larger than {LARGEST_BYTES >> 20} MiB"
                        raise SourceError(message)
                    out.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        message = f"{url} cannot be fetched: {error or type(error).__name__}"
        raise SourceError(message) from error
    part.replace(path)
