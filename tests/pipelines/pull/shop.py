"""A small shop API that behaves as badly as real ones: it pages, limits, stalls, breaks off, repeats and reorders."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

START = datetime(2026, 3, 2, 14, tzinfo=UTC)


def order(number: int, *, minutes: int | None = None) -> dict[str, Any]:
    """Return a Shopify order; `minutes` after START it was last changed."""
    made = START + timedelta(minutes=number)
    changed = made if minutes is None else START + timedelta(minutes=minutes)
    return {
        "id": 1000 + number, "name": f"A{number}", "created_at": made.isoformat(), "processed_at": made.isoformat(),
        "updated_at": changed.isoformat(), "financial_status": "paid", "source_name": "web", "currency": "USD",
        "line_items": [{"id": 5000 + number, "sku": "MUG", "quantity": 1, "price": "9.00", "requires_shipping": True}],
    }  # fmt: skip


@dataclass
class Shop:
    """The API.

    Attributes:
        orders: What it sells; sorted by change when asked.
        size: Orders per page.
        troubles: What goes wrong with the next requests, first one first: a status, "stall", "break" or a pair of
            status and headers.
        asked: (path, query) of every request that was answered in full.
        before_page: Called with the query before a page is cut.
    """

    orders: list[dict[str, Any]]
    size: int = 3
    troubles: list[Any] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    before_page: Callable[[dict[str, str]], None] = lambda _: None
    address: str = ""

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and body."""
        self.before_page(query)
        since = query.get("updated_at_min", "")
        rows = sorted(
            (o for o in self.orders if not since or datetime.fromisoformat(o["updated_at"]) >= stamp(since)),
            key=lambda o: o["updated_at"],
        )
        position = int(query.get("page", 1)) - 1
        start = int(query.get("cursor", query.get("offset", position * self.size)))
        page = rows[start : start + self.size]
        rest = start + self.size < len(rows)
        following = f"{self.address}{path}?cursor={start + self.size}&updated_at_min={since.replace('+', '%2B')}"
        body: dict[str, Any] = {"orders": page, "paging": {"cursor": str(start + self.size), "more": rest}}
        body["next"] = following if rest else None
        headers = {"Link": f'<{following}>; rel="next"'} if rest else {}
        return 200, headers, body


def stamp(text: str) -> datetime:
    """Read an instant of a query."""
    return datetime.fromisoformat(text.replace(" ", "+"))


class _Handler(BaseHTTPRequestHandler):
    """Answers for a shop."""

    protocol_version = "HTTP/1.1"
    shop: Shop

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.shop.authorizations.add(self.headers.get("Authorization", ""))
        trouble = self.shop.troubles.pop(0) if self.shop.troubles else None
        if trouble == "stall":
            time.sleep(1.0)
            self.close_connection = True
        elif trouble is None:
            self._send(*self.shop.answer(parts.path, query))
            self.shop.asked.append((parts.path, query))
        elif trouble == "break":
            self._send(200, {}, {}, missing=7)
            self.close_connection = True
        else:
            status, headers = trouble if isinstance(trouble, tuple) else (trouble, {})
            self._send(status, headers, {})

    def do_POST(self) -> None:
        """Answer a query; its variables count as the address's."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        variables = {name: str(value) for name, value in body["variables"].items() if value is not None}
        self.path += "?" + urlencode(variables)
        self.do_GET()

    def _send(self, status: int, headers: dict[str, str], body: object, *, missing: int = 0) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) + missing))
        self.end_headers()
        with suppress(BrokenPipeError):
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(shop: Shop) -> Iterator[Shop]:
    """Run the shop."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"shop": shop}))
    server.daemon_threads = True
    shop.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
