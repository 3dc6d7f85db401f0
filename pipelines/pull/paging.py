"""From one page to the next: pure functions over a definition, a request and its answer."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from pipelines.errors import PullError
from pipelines.pull.client import Request
from pipelines.pull.definition import Definition

_NOTHING = (None, "", False)


def look_up(document: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return what stands at a path such as `data.orders.-1.id`; None where there is nothing."""
    found = document
    for step in filter(None, path.split(".")):
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.lstrip("-").isdigit():
            position = int(step)
            found = found[position] if -len(found) <= position < len(found) else None
        else:
            return None
    return found


def rows_of(definition: Definition, document: Any) -> list[Any]:  # noqa: ANN401 - JSON
    """Return the rows of a page.

    Raises:
        PullError: There is no list at the stated path.
    """
    found = look_up(document, definition.rows)
    if found is None and isinstance(document, Mapping) and document.get("errors"):
        message = f"{definition.url}: the server answers with errors: {str(document['errors'])[:200]}"
        raise PullError(message)
    if not isinstance(found, list):
        shape = ", ".join(document) if isinstance(document, Mapping) else type(document).__name__
        message = f"{definition.url}: no list of rows at {definition.rows or 'the top'!r}; the answer holds {shape}"
        raise PullError(message)
    return found


def put(request: Request, into: str, value: object) -> Request:
    """Return a request with a value at `query.<name>` or `body.<path>`."""
    place, _, path = into.partition(".")
    if place == "query":
        return Request(request.url, {**request.query, path: value}, request.body)
    body = copy.deepcopy(request.body) or {}
    *parents, last = path.split(".")
    inner = body
    for step in parents:
        inner = inner.setdefault(step, {})
    inner[last] = value
    return Request(request.url, request.query, body)


def get(request: Request, into: str) -> Any:  # noqa: ANN401 - JSON
    """Return what a request has at `query.<name>` or `body.<path>`."""
    place, _, path = into.partition(".")
    return request.query.get(path) if place == "query" else look_up(request.body, path)


def following(
    definition: Definition,
    request: Request,
    document: Any,  # noqa: ANN401 - JSON
    link: str | None,
    rows: int,
) -> Request | None:
    """Return the request for the next page, None after the last.

    Args:
        definition: The feed.
        request: The request that was answered.
        document: The answer's body.
        link: The answer's `Link` header to the next page.
        rows: Rows of the page.

    Raises:
        PullError: The next page would be at another server, or is the page that was just read.
    """
    paging = definition.paging
    if paging.more and look_up(document, paging.more) in _NOTHING:
        return None
    match paging.kind:
        case "link":
            return _linked(request, link)
        case "url":
            return _linked(request, look_up(document, paging.at))
        case "cursor":
            return _moved(request, paging.into, look_up(document, paging.at))
        case "page" | "offset" if rows >= paging.size:
            place = int(get(request, paging.into) or (paging.first if paging.kind == "page" else 0))
            return put(request, paging.into, place + (1 if paging.kind == "page" else rows))
    return None


def _linked(request: Request, address: object) -> Request | None:
    if address in _NOTHING:
        return None
    url = urljoin(request.url, str(address))
    # The secret goes with every request: never to another server.
    if urlsplit(url)[:2] != urlsplit(request.url)[:2]:
        message = f"{request.url}: the next page would be at {url}, another server; not followed"
        raise PullError(message)
    if url == request.url and not request.query:
        message = f"{request.url}: the server names the same page as the next one; stopped"
        raise PullError(message)
    return Request(url, {}, request.body)


def _moved(request: Request, into: str, cursor: object) -> Request | None:
    if cursor in _NOTHING:
        return None
    if cursor == get(request, into):
        message = f"{request.url}: the server gives cursor {cursor!r} again; stopped"
        raise PullError(message)
    return put(request, into, cursor)


def detail_addresses(definition: Definition, rows: list[Any]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield (row, detail, row's fields) of everything to be asked besides a page."""
    for number, row in enumerate(rows):
        if isinstance(row, Mapping):
            for detail in range(len(definition.details)):
                yield number, detail, dict(row)
