"""docs/write-back.md and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from fastapi.routing import APIRoute

from pipelines.outbound.documents import SCOPE_FIELDS
from pipelines.outbound.rules_endpoint import create_app
from pipelines.outbound.rules_planner import AckStatus
from storage.ledger import VersionState
from storage.ledger.records import PushStatus


def test_every_request_is_documented(project_root: Path, store: Path) -> None:
    page = (project_root / "docs/write-back.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(GET|PUT|POST) (/v1/[^`?\s]*)", page))
    served = {
        (method, route.path.replace("{rule_set_id}", "{id}").replace("{version:int}", "{n}"))
        for route in create_app(store, token="").routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert documented == served


def test_every_refusal_is_documented_with_its_status(project_root: Path) -> None:
    page = (project_root / "docs/write-back.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d{3}) \| (.+) \|$", page, re.MULTILINE))
    documented = {(int(status), kind) for status, text in rows.items() for kind in re.findall(r"`([a-z-]+)`", text)}
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in (project_root / "pipelines/outbound").glob("rules_*.py")
    )
    raised = {(int(s), k) for s, k in re.findall(r'(?:ServiceRefusal|_problem)\(\s*(\d{3}), "([a-z-]+)"', sources)}
    raised |= {(int(status), "stale-head") for status in re.findall(r"_stale\([^\n]*status=(\d{3})\)", sources)}
    assert documented == raised


def test_every_state_kind_and_ack_is_documented(project_root: Path) -> None:
    page = (project_root / "docs/write-back.md").read_text(encoding="utf-8")
    words = [*VersionState, *get_args(PushStatus), *get_args(AckStatus), *SCOPE_FIELDS]
    assert [word for word in words if str(word) not in page] == []
