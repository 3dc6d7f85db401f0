"""A small shop API that behaves as badly as real ones: it pages, limits, stalls, breaks off, repeats and reorders."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def serving(shop: Shop) -> Iterator[Shop]:
    """Run the shop."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            shop.authorizations.add(self.headers.get("Authorization", ""))
            trouble = shop.troubles.pop(0) if shop.troubles else None
            if trouble == "stall":
                time.sleep(1.0)
                self.close_connection = True
                return
            status, headers, body = (200, {}, {}) if trouble else shop.answer(parts.path, query)
            if isinstance(trouble, int):
                status = trouble
            elif isinstance(trouble, tuple):
                status, headers = trouble
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) + (7 if trouble == "break" else 0)))
            self.end_headers()
            try:
                self.wfile.write(content)
            except BrokenPipeError:
                return
            if trouble is None:
                shop.asked.append((parts.path, query))
            elif trouble == "break":
                self.close_connection = True

        def do_POST(self) -> None:
            """Answer a query; its variables count as the address's."""
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            variables = {name: str(value) for name, value in body["variables"].items() if value is not None}
            self.path += "?" + urlencode(variables)
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shop.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
