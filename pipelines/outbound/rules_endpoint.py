"""The reference rule endpoint over HTTP, for companies whose OMS has no rule API (`otif rules-endpoint`).

Only HTTP lives here: addresses, headers, status codes, problem documents, the bearer token. What the
contract means is `rules_service`. The contract is described in docs/write-back.md.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import logging
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import uvicorn
from fastapi import BackgroundTasks, Body, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from pipelines.outbound.documents import SCOPE_FIELDS, TOKEN_VARIABLE, canonical_digest
from pipelines.outbound.rules_reads import ServiceRefusal
from pipelines.outbound.rules_service import MISSING, Answer, KeyedRequest, RulesService

_LOG: Final = logging.getLogger(__name__)
_RULE_SET: Final = "/v1/rule-sets/{rule_set_id}"
_VERSION: Final = _RULE_SET + "/versions/{version:int}"


class ApplyRequest(BaseModel):
    """Body of `:apply`."""

    model_config = ConfigDict(extra="forbid")

    expect_state_digest: str | None = None
    on_unsupported: str = Field(default="reject", pattern="^(reject|skip)$")


class StockLevel(BaseModel):
    """One absolute stock level."""

    model_config = ConfigDict(extra="forbid")

    sku: str
    location: str
    quantity: int = Field(ge=0)


class StockRequest(BaseModel):
    """Body of `PUT /v1/stock`."""

    levels: list[StockLevel]


def create_app(store: Path | str, *, token: str | None = None, clock: Callable[[], datetime] | None = None) -> FastAPI:
    """Return the service on one store file; accepted applications of an earlier process are carried out first.

    Args:
        store: SQLite file; made when absent.
        token: Bearer token that callers must show; default is the environment's OTIF_OMS_TOKEN, empty means open.
        clock: Source of the service's time stamps; default is the machine's clock.
    """
    service = RulesService(store, clock=clock or (lambda: datetime.now(tz=UTC)))
    service.resume()
    expected = os.environ.get(TOKEN_VARIABLE, "") if token is None else token
    app = FastAPI(title="OTIF rule endpoint", version="1", dependencies=[Depends(_token_guard(expected))])
    app.add_exception_handler(ServiceRefusal, _refusal_problem)
    app.add_exception_handler(RequestValidationError, _validation_problem)
    app.add_exception_handler(HTTPException, _http_problem)
    _add_writes(app, service)
    _add_reads(app, service)
    return app


def run_rules_endpoint(host: str, port: int, store: Path | str) -> None:
    """Serve until interrupted."""
    uvicorn.run(create_app(store), host=host, port=port, log_level="warning", ws="none")


def _add_writes(app: FastAPI, service: RulesService) -> None:
    @app.put(_VERSION)
    def put_version(
        rule_set_id: str, version: int, request: Request, body: Annotated[dict[str, Any], Body()], response: Response
    ) -> dict[str, Any]:
        keyed = _keyed(request, body)
        answer = service.accept_version(keyed, rule_set_id, version, body, expected_head=_precondition(request))
        response.headers["ETag"] = f'"{answer.body["digest"]}"'
        return _answered(answer, response, created=201)

    @app.post(_VERSION + ":plan")
    def plan(rule_set_id: str, version: int, body: Annotated[dict[str, Any] | None, Body()] = None) -> dict[str, Any]:
        return service.plan(rule_set_id, version, body or None)

    @app.post(_VERSION + ":apply", status_code=202)
    def apply(
        rule_set_id: str,
        version: int,
        tasks: BackgroundTasks,
        response: Response,
        body: Annotated[ApplyRequest | None, Body()] = None,
    ) -> dict[str, Any]:
        expected = body.expect_state_digest if body else None
        operation = service.start_apply(rule_set_id, version, expect_state_digest=expected)
        tasks.add_task(_carry_out, service, operation["operation_id"])
        response.headers["Location"] = f"/v1/operations/{operation['operation_id']}"
        return operation

    @app.post(_RULE_SET + ":rollback")
    def rollback(
        rule_set_id: str,
        request: Request,
        body: Annotated[dict[str, Any], Body()],
        tasks: BackgroundTasks,
        response: Response,
    ) -> dict[str, Any]:
        keyed = _keyed(request, body)
        answer = service.start_rollback(keyed, rule_set_id, body, expected_head=_precondition(request))
        tasks.add_task(_carry_out, service, answer.body["operation_id"])
        response.headers["Location"] = f"/v1/operations/{answer.body['operation_id']}"
        return _answered(answer, response, created=202)

    @app.put("/v1/stock", status_code=204)
    def put_stock(body: StockRequest) -> None:
        service.tell_stock([level.model_dump() for level in body.levels])


def _add_reads(app: FastAPI, service: RulesService) -> None:
    @app.get("/v1/capabilities")
    def capabilities() -> dict[str, Any]:
        native = {"support": "native", "granularity": "rule", "max_batch": None}
        return {
            "service": "otif-rules-endpoint",
            "contract": 1,
            "kinds": dict.fromkeys(sorted(SCOPE_FIELDS), native),
            "atomicity": "batch",
            "concurrency": "etag",
            "clamps": "reservations over the told stock",
        }

    @app.get(_VERSION)
    def version(rule_set_id: str, version: int) -> dict[str, Any]:
        return service.version(rule_set_id, version)

    @app.get(_VERSION + "/acks")
    def acks(
        rule_set_id: str, version: int, after: str = "", limit: Annotated[int, Query(ge=1, le=1000)] = 500
    ) -> dict[str, Any]:
        rows = service.acks(rule_set_id, version, after=_position(after, start=-1), limit=limit)
        return {"acks": rows, "next": _cursor(rows[-1]["position"]) if len(rows) == limit else None}

    @app.get(_RULE_SET + "/head")
    def head(rule_set_id: str, response: Response) -> dict[str, Any]:
        found = service.head(rule_set_id)
        response.headers["ETag"] = f'"{found["digest"]}"'
        return found

    @app.get(_RULE_SET + "/effective")
    def effective(rule_set_id: str, at: AwareDatetime | None = None) -> dict[str, Any]:
        return service.effective(rule_set_id, at)

    @app.get("/v1/operations/{operation_id}")
    def operation(operation_id: str) -> dict[str, Any]:
        return service.operation(operation_id)

    @app.get("/v1/events")
    def events(after: str = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, Any]:
        rows = service.events(after=_position(after, start=0), limit=limit)
        return {
            "events": [row | {"event_id": str(row["position"]), "recorded_at": row["occurred_at"]} for row in rows],
            "next": _cursor(rows[-1]["position"]) if rows else after,
        }


def _token_guard(expected: str) -> Callable[..., Awaitable[None]]:
    async def check_token(authorization: Annotated[str, Header()] = "") -> None:
        if expected and not hmac.compare_digest(authorization.encode(), f"Bearer {expected}".encode()):
            raise ServiceRefusal(401, "unauthorised", f"show the token: Authorization: Bearer <{TOKEN_VARIABLE}>")

    return check_token


def _carry_out(service: RulesService, operation_id: str) -> None:
    try:
        service.run_operation(operation_id)
    except Exception as error:
        _LOG.exception("operation=%s failed", operation_id)
        service.fail_operation(operation_id, error=str(error))


def _keyed(request: Request, body: dict[str, Any]) -> KeyedRequest:
    key = request.headers.get("Idempotency-Key", "").strip()
    if not key:
        raise ServiceRefusal(400, "key-required", "Idempotency-Key is missing: send a UUID that stays on retries")
    try:
        digest = canonical_digest(body)
    except ValueError as error:
        raise ServiceRefusal(422, "invalid-request", f"the body has no canonical form: {error}") from error
    return KeyedRequest(key, request.method, request.url.path, digest)


def _precondition(request: Request) -> str | None:
    if request.headers.get("If-None-Match", "").strip() == MISSING:
        return MISSING
    tag = request.headers.get("If-Match")
    return None if tag is None else tag.strip().removeprefix("W/").strip('"')


def _answered(answer: Answer, response: Response, *, created: int) -> dict[str, Any]:
    response.status_code = created if answer.created else 200
    if answer.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return answer.body


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"p{position}".encode()).decode()


def _position(cursor: str, *, start: int) -> int:
    if not cursor:
        return start
    try:
        return int(base64.urlsafe_b64decode(cursor).decode().removeprefix("p"))
    except (binascii.Error, ValueError):
        raise ServiceRefusal(422, "invalid-cursor", f"after={cursor!r} is no cursor of this service") from None


def _problem(status: int, kind: str, detail: str, **facts: object) -> JSONResponse:
    content = {"type": f"urn:otif:problem:{kind}", "title": kind.replace("-", " "), "status": status, "detail": detail}
    return JSONResponse(
        json.loads(json.dumps(content | facts)), status_code=status, media_type="application/problem+json"
    )


async def _refusal_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceRefusal):
        raise error
    return _problem(error.status, error.kind, error.detail, errors=error.errors, **error.facts)


async def _validation_problem(_request: Request, error: Exception) -> Response:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    errors = [{"rule_id": "", "detail": f"{'.'.join(map(str, e['loc']))}: {e['msg']}"} for e in faults]
    return _problem(422, "invalid-request", "the request is malformed", errors=errors)


async def _http_problem(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _problem(status, "http", str(getattr(error, "detail", error)))
