"""The HTTP service that takes webhooks: POST /webhooks/<provider>.

200 once the message is on disk (also for a repetition), 401 for a message whose signature is missing or wrong, 400 for
an authentic one that is no JSON object, 413 above the body limit (all three are counted), 404 for a sender without
secret, 503 when the disk does not take it, so that the sender tries again.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from pipelines.webhooks.providers import PROVIDERS, Refusal, RefusedError
from pipelines.webhooks.spool import Spool

BODY_LIMIT: Final = 5 << 20
"""Largest body taken, in bytes: Shopify's largest messages are below it."""

_PING: Final = b"webhook_id="


def build_receiver(spool_file: Path, secrets: Mapping[str, str], *, body_limit: int = BODY_LIMIT) -> FastAPI:
    """Return the service.

    Args:
        spool_file: The queue's SQLite file.
        secrets: Provider → secret; other senders are not known.
        body_limit: Largest body in bytes.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.spool = Spool(spool_file)
        yield
        app.state.spool.close()

    app = FastAPI(title="otif webhooks", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    @app.get("/health")
    async def health() -> dict[str, object]:
        return {"status": "ok", "providers": sorted(secrets)}

    @app.post("/webhooks/{name}")
    async def receive(name: str, request: Request) -> JSONResponse:
        provider, secret = PROVIDERS.get(name), secrets.get(name)
        if provider is None or secret is None:
            return _answer(404, f"no sender {name!r} is set up here")
        spool: Spool = request.app.state.spool
        now = datetime.now(tz=UTC)
        body = await _read(request, body_limit)
        if body is None:
            await asyncio.to_thread(spool.count_refusal, name, Refusal.TOO_LARGE, day=f"{now:%Y-%m-%d}")
            return _answer(413, f"the body is larger than {body_limit} bytes")
        headers = {key.lower(): value for key, value in request.headers.items()}
        if name == "woocommerce" and body.startswith(_PING) and "x-wc-webhook-signature" not in headers:
            return _answer(200, "pong")  # sent once, unsigned and without content, when a webhook is made
        try:
            message = provider.accept(headers, body, secret=secret, now=time.time())
        except RefusedError as refused:
            await asyncio.to_thread(spool.count_refusal, name, refused.refusal, day=f"{now:%Y-%m-%d}")
            status = 400 if refused.refusal is Refusal.MALFORMED else 401
            return _answer(status, refused.refusal)
        try:
            is_new = await asyncio.wrap_future(spool.put(message, received_at=now.isoformat()))
        except sqlite3.Error:
            return _answer(503, "the message could not be stored; send it again")
        return _answer(200, "accepted" if is_new else "known")

    return app


async def _read(request: Request, limit: int) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def _answer(status: int, text: str) -> JSONResponse:
    return JSONResponse({"status": text}, status_code=status)


def run_receiver(spool_file: Path, secrets: Mapping[str, str], *, host: str, port: int) -> None:
    """Serve until interrupted."""
    uvicorn.run(build_receiver(spool_file, secrets), host=host, port=port, log_level="warning", access_log=False)
