"""The reference rule endpoint answers as the contract says, over real HTTP."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from pipelines.outbound.rules_endpoint import create_app
from pipelines.outbound.rules_service import RulesService
from storage.ledger import rule_set_digest

HTTP = httpx.Client(timeout=30)
START = "2026-11-16T05:00:00Z"
Rules = list[dict[str, Any]]
Reserve = Callable[..., dict[str, Any]]
Serving = Callable[[Any], AbstractContextManager[str]]


class Caller:
    """Speaks the contract by hand, so that the tests do not lean on our own client."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/v1"
        self.rule_set = f"{self.url}/rule-sets/live"

    def document(self, version: int, rules: Rules, parent: int | None, **more: Any) -> dict[str, Any]:
        base = {"id": "live", "version": version, "parent_version": parent, "created_by": "maria"}
        return base | {"effective_from": START, "rules": rules} | more

    def put(
        self,
        version: int,
        rules: Rules,
        *,
        parent: int | None = None,
        match: str | None = None,
        key: str = "",
        **more: Any,
    ) -> httpx.Response:
        condition = {"If-None-Match": "*"} if match is None else {"If-Match": f'"{match}"'}
        headers = {"Idempotency-Key": key or str(uuid4())} | condition
        body = self.document(version, rules, parent, **more)
        return HTTP.put(f"{self.rule_set}/versions/{version}", json=body, headers=headers)

    def apply(self, version: int, **body: Any) -> httpx.Response:
        return HTTP.post(f"{self.rule_set}/versions/{version}:apply", json=body)

    def plan(self, version: int, document: dict[str, Any] | None = None) -> httpx.Response:
        return HTTP.post(f"{self.rule_set}/versions/{version}:plan", json=document)

    def rollback(self, match: str, key: str = "", **body: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key or str(uuid4()), "If-Match": f'"{match}"'}
        return HTTP.post(f"{self.rule_set}:rollback", json=body, headers=headers)

    def in_force(self, version: int, rules: Rules, *, parent: int | None = None, match: str | None = None) -> str:
        put = self.put(version, rules, parent=parent, match=match)
        assert put.status_code == 201, put.text
        self.finish(self.apply(version))
        return str(put.json()["digest"])

    def finish(self, response: httpx.Response) -> dict[str, Any]:
        assert response.status_code in (200, 202), response.text
        location = response.headers["Location"]
        while True:
            operation: dict[str, Any] = HTTP.get(f"{self.url}{location.removeprefix('/v1')}").json()
            if operation["status"] in ("done", "failed"):
                return operation

    def acks(self, version: int) -> list[dict[str, Any]]:
        acks: list[dict[str, Any]] = HTTP.get(f"{self.rule_set}/versions/{version}/acks").json()["acks"]
        return acks

    def effective(self, at: str = "2026-12-01T00:00:00Z") -> dict[str, Any]:
        found = HTTP.get(f"{self.rule_set}/effective", params={"at": at}).json()
        return {rule["rule_id"]: rule["value"] for rule in found["rules"]}


@pytest.fixture(scope="module", autouse=True)
def _close_connections() -> Iterator[None]:
    yield
    HTTP.close()


@pytest.fixture
def caller(endpoint: str) -> Caller:
    return Caller(endpoint)


def test_a_version_is_accepted_applied_and_becomes_the_head(caller: Caller, reserve: Reserve) -> None:
    put = caller.put(1, [reserve(10)])
    operation = caller.finish(caller.apply(1))
    head = HTTP.get(f"{caller.rule_set}/head")

    digest = rule_set_digest({"effective_from": START, "rules": [reserve(10)]})
    assert (put.status_code, put.headers["ETag"]) == (201, f'"{digest}"')
    assert (operation["status"], operation["counts"]) == ("done", {"applied": 1})
    assert (head.headers["ETag"], head.json()["version"], head.json()["created_by"]) == (f'"{digest}"', 1, "maria")
    assert caller.acks(1)[0]["observed"] == {"mode": "soft", "qty": 10}
    assert caller.effective() == {"reserve-dtc-SKU-1": {"mode": "soft", "qty": 10}}


def test_the_same_key_and_body_is_replayed(caller: Caller, reserve: Reserve) -> None:
    first = caller.put(1, [reserve(10)], key="k")
    again = caller.put(1, [reserve(10)], key="k")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()


def test_a_replay_is_answered_after_the_head_has_moved_on(caller: Caller, reserve: Reserve) -> None:
    first = caller.put(1, [reserve(10)], key="k")
    caller.finish(caller.apply(1))
    caller.in_force(2, [reserve(20)], parent=1, match=first.json()["digest"])
    assert caller.put(1, [reserve(10)], key="k").status_code == 200


def test_the_same_key_with_another_body_is_refused(caller: Caller, reserve: Reserve) -> None:
    caller.put(1, [reserve(10)], key="k")
    other = caller.put(1, [reserve(11)], key="k")
    assert (other.status_code, other.json()["type"]) == (422, "urn:otif:problem:key-reused")
    assert other.headers["content-type"] == "application/problem+json"


def test_an_accepted_version_never_changes(caller: Caller, reserve: Reserve) -> None:
    caller.put(1, [reserve(10)])
    assert caller.put(1, [reserve(10)]).status_code == 200
    other = caller.put(1, [reserve(11)])
    assert (other.status_code, other.json()["type"]) == (409, "urn:otif:problem:version-exists")


def test_a_stale_parent_is_refused_and_the_head_is_named(caller: Caller, reserve: Reserve) -> None:
    first = caller.in_force(1, [reserve(10)])
    second = caller.in_force(2, [reserve(20)], parent=1, match=first)
    stale = caller.put(3, [reserve(30)], parent=1, match=first)
    assert stale.status_code == 412
    assert (stale.json()["head"]["version"], stale.json()["head"]["digest"]) == (2, second)
    assert caller.put(3, [reserve(30)]).status_code == 412


def test_a_restored_content_does_not_make_an_old_parent_fresh(caller: Caller, reserve: Reserve) -> None:
    first = caller.in_force(1, [reserve(10)])
    second = caller.in_force(2, [reserve(20)], parent=1, match=first)
    caller.finish(caller.rollback(second, to_version=1))
    assert caller.put(4, [reserve(40)], parent=1, match=first).status_code == 412


def test_a_version_below_the_head_is_refused(caller: Caller, reserve: Reserve) -> None:
    digest = caller.in_force(5, [reserve(10)])
    answer = caller.put(4, [reserve(20)], parent=5, match=digest)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:otif:problem:version-too-low")


def test_a_write_without_precondition_or_key_is_refused(caller: Caller, reserve: Reserve) -> None:
    url, body = f"{caller.rule_set}/versions/1", caller.document(1, [reserve(1)], None)
    assert HTTP.put(url, json=body, headers={"Idempotency-Key": "k"}).status_code == 428
    assert HTTP.put(url, json=body, headers={"If-None-Match": "*"}).status_code == 400


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"qty": -1}, "expected a whole number"),
        ({"qty": 1.5}, "expected a whole number"),
        ({"kind": "magic"}, "expected one of"),
        ({"scope": {"sku": "A"}}, "channel is missing"),
        ({"mode": "maybe"}, "expected hard or soft"),
        ({"expires_at": "tomorrow"}, "expected an ISO timestamp"),
    ],
)
def test_a_wrong_rule_is_refused_by_name(caller: Caller, reserve: Reserve, change: dict[str, Any], words: str) -> None:
    answer = caller.put(1, [reserve(1) | change])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["rule_id"] == "reserve-dtc-SKU-1"
    assert words in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"id": "other"}, "the address says 'live'"),
        ({"version": 9}, "the address says 1"),
        ({"digest": "0" * 64}, "the content has"),
        ({"effective_from": "soon"}, "with offset"),
        ({"rules": "none"}, "expected a list"),
    ],
)
def test_a_wrong_document_is_refused(caller: Caller, reserve: Reserve, more: dict[str, Any], words: str) -> None:
    body = caller.document(1, [reserve(1)], None) | more
    headers = {"Idempotency-Key": "k", "If-None-Match": "*"}
    answer = HTTP.put(f"{caller.rule_set}/versions/1", json=body, headers=headers)
    assert answer.status_code == 422
    assert words in answer.text


def test_two_rules_for_the_same_thing_are_refused(caller: Caller, reserve: Reserve) -> None:
    answer = caller.put(1, [reserve(1), reserve(2) | {"rule_id": "other"}])
    assert "another rule has the same kind and scope" in answer.text


def test_a_dry_run_shows_every_step_and_writes_nothing(caller: Caller, reserve: Reserve) -> None:
    first = caller.in_force(1, [reserve(10), reserve(5, channel="amazon"), reserve(7, channel="ebay")])
    rules = [reserve(12), reserve(4, channel="amazon")]
    plan = caller.plan(2, caller.document(2, rules, 1)).json()

    assert [(c["op"], c["target"]["channel"], (c["before"] or {}).get("qty")) for c in plan["changes"]] == [
        ("release", "ebay", 7),
        ("lower", "amazon", 5),
        ("set", "dtc", 10),
    ]
    assert HTTP.get(f"{caller.rule_set}/versions/2").status_code == 404
    assert HTTP.get(f"{caller.rule_set}/head").json()["digest"] == first


def test_a_stored_version_is_planned_without_a_body(caller: Caller, reserve: Reserve) -> None:
    caller.put(1, [reserve(10)])
    assert [change["op"] for change in caller.plan(1).json()["changes"]] == ["set"]
    assert caller.plan(7).status_code == 404


def test_an_apply_on_a_state_that_moved_since_the_plan_is_refused(caller: Caller, reserve: Reserve) -> None:
    caller.put(1, [reserve(10)])
    digest = caller.plan(1).json()["state_digest"]
    tell_stock(caller, 3)
    refused = caller.apply(1, expect_state_digest=digest)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:otif:problem:state-moved")
    assert caller.apply(1, expect_state_digest=caller.plan(1).json()["state_digest"]).status_code == 202


def test_applying_twice_is_one_operation(caller: Caller, reserve: Reserve) -> None:
    caller.put(1, [reserve(10)])
    first, again = caller.apply(1), caller.apply(1)
    assert first.json()["operation_id"] == again.json()["operation_id"]
    caller.finish(again)
    assert len(caller.acks(1)) == 1


def test_of_two_versions_on_one_parent_only_the_first_is_applied(caller: Caller, reserve: Reserve) -> None:
    caller.put(1, [reserve(10)])
    caller.put(2, [reserve(20)])
    caller.finish(caller.apply(1))
    late = caller.apply(2)
    assert (late.status_code, late.json()["type"]) == (409, "urn:otif:problem:stale-head")


def test_many_concurrent_writers_leave_exactly_one_head(caller: Caller, reserve: Reserve) -> None:
    def attempt(version: int) -> bool:
        if caller.put(version, [reserve(version)]).status_code != 201:
            return False
        return caller.apply(version).status_code == 202

    with ThreadPoolExecutor(6) as pool:
        wins = [version for version, won in zip(range(1, 7), pool.map(attempt, range(1, 7)), strict=True) if won]
    assert len(wins) == 1
    caller.finish(caller.apply(wins[0]))
    assert HTTP.get(f"{caller.rule_set}/head").json()["version"] == wins[0]


def test_a_soft_reservation_over_the_stock_is_clamped_and_a_hard_one_rejected(caller: Caller, reserve: Reserve) -> None:
    tell_stock(caller, 12)
    caller.in_force(
        1,
        [reserve(8), reserve(9, channel="amazon"), reserve(1, channel="ebay", mode="hard"), reserve(99, sku="SKU-2")],
    )
    acks = caller.acks(1)

    assert [ack["status"] for ack in acks] == ["applied", "clamped", "rejected", "applied"]
    assert [(ack["observed"] or {}).get("qty") for ack in acks] == [8, 4, None, 99]
    assert acks[1]["error"] == "asks for 9 of SKU-1 at dc_columbus, free are 4"
    assert HTTP.get(f"{caller.rule_set}/head").json()["state"] == "partially_active"
    assert set(caller.effective()) == {"reserve-dtc-SKU-1", "reserve-amazon-SKU-1", "reserve-dtc-SKU-2"}


def test_a_reservation_can_take_what_the_same_version_frees(caller: Caller, reserve: Reserve) -> None:
    tell_stock(caller, 10)
    first = caller.in_force(1, [reserve(10)])
    caller.in_force(2, [reserve(10, channel="amazon")], parent=1, match=first)
    assert [ack["status"] for ack in caller.acks(2)] == ["applied"]
    assert caller.effective() == {"reserve-amazon-SKU-1": {"mode": "soft", "qty": 10}}


def test_other_kinds_are_kept_and_read_back(caller: Caller) -> None:
    rules = [
        {"rule_id": "s", "kind": "safety_stock", "scope": {"sku": "A", "location": "dc"}, "qty": 3},
        {"rule_id": "p", "kind": "priority", "scope": {"channel": "dtc"}, "rank": 1, "tie_break": "oldest"},
        {"rule_id": "r", "kind": "routing", "region": "west", "locations": ["tpl_west"], "split_allowed": False},
        {"rule_id": "c", "kind": "carrier_cap", "carrier": "bluelane", "location": "dc", "per": "day", "units": 9},
    ]
    caller.in_force(1, rules)
    assert [ack["status"] for ack in caller.acks(1)] == ["applied"] * 4
    assert caller.effective()["r"] == {"locations": ["tpl_west"], "split_allowed": False}


def test_a_value_changed_by_other_hands_shows_as_drift(caller: Caller, store: Path, reserve: Reserve) -> None:
    caller.in_force(1, [reserve(10)])
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("""update settled_rules set observed = '{"mode": "soft", "qty": 2}'""")
    (ack,) = caller.acks(1)
    assert (ack["status"], ack["requested"]["qty"], ack["observed"]["qty"]) == ("drifted", 10, 2)


def test_a_rollback_appends_a_version_with_the_old_content(caller: Caller, reserve: Reserve) -> None:
    first = caller.in_force(1, [reserve(10)])
    second = caller.in_force(2, [reserve(20), reserve(5, channel="ebay")], parent=1, match=first)
    answer = caller.rollback(second, key="k", to_version=1, by="john", reason="starves amazon")
    caller.finish(answer)
    replay = caller.rollback(second, key="k", to_version=1, by="john", reason="starves amazon")
    head = HTTP.get(f"{caller.rule_set}/head").json()

    assert (answer.status_code, replay.status_code) == (202, 200)
    assert replay.json()["operation_id"] == answer.json()["operation_id"]
    assert (head["version"], head["parent_version"], head["digest"], head["created_by"]) == (3, 2, first, "john")
    assert caller.effective() == {"reserve-dtc-SKU-1": {"mode": "soft", "qty": 10}}
    assert HTTP.get(f"{caller.rule_set}/versions/2").json()["state"] == "rolled_back"


def test_a_rollback_to_what_never_was_in_force_or_on_a_stale_head_is_refused(caller: Caller, reserve: Reserve) -> None:
    first = caller.in_force(1, [reserve(10)])
    caller.put(2, [reserve(20)], parent=1, match=first)
    assert caller.rollback(first, to_version=2).status_code == 409
    assert caller.rollback(first, to_version=1).status_code == 409
    assert caller.rollback(first, to_version=9).status_code == 404
    assert caller.rollback("0" * 64, to_version=1).status_code == 412
    assert caller.rollback(first, to_version="one").status_code == 422


def test_the_effective_rules_follow_the_calendar(caller: Caller, reserve: Reserve) -> None:
    first = caller.in_force(1, [reserve(10) | {"expires_at": "2026-11-20T00:00:00Z"}])
    body = caller.document(2, [reserve(20)], 1) | {"effective_from": "2026-11-25T00:00:00Z"}
    headers = {"Idempotency-Key": "k", "If-Match": f'"{first}"'}
    assert HTTP.put(f"{caller.rule_set}/versions/2", json=body, headers=headers).status_code == 201
    caller.finish(caller.apply(2))

    assert caller.effective("2026-11-15T00:00:00Z") == {}
    assert caller.effective("2026-11-17T00:00:00Z")["reserve-dtc-SKU-1"]["qty"] == 10
    assert caller.effective("2026-11-21T00:00:00Z") == {}
    assert caller.effective("2026-11-26T00:00:00Z")["reserve-dtc-SKU-1"]["qty"] == 20


def test_the_feed_is_read_by_cursor(caller: Caller, reserve: Reserve) -> None:
    first = caller.in_force(1, [reserve(10)])
    caller.in_force(2, [reserve(20)], parent=1, match=first)
    seen: list[tuple[str, int]] = []
    cursor = ""
    while True:
        page = HTTP.get(f"{caller.url}/events", params={"after": cursor, "limit": 3}).json()
        if not page["events"]:
            break
        seen += [(event["type"], event["entity_version"]) for event in page["events"]]
        cursor = page["next"]
    assert seen == [(f"rule_set.{what}", version) for version in (1, 2) for what in ("accepted", "applied")]
    assert HTTP.get(f"{caller.url}/events", params={"after": "???"}).status_code == 422


def test_acks_are_read_in_pages(caller: Caller, reserve: Reserve) -> None:
    caller.in_force(1, [reserve(1, sku=f"SKU-{number}") for number in range(5)])
    url = f"{caller.rule_set}/versions/1/acks"
    first = HTTP.get(url, params={"limit": 3}).json()
    second = HTTP.get(url, params={"limit": 3, "after": first["next"]}).json()
    assert [ack["rule_id"][-1] for ack in first["acks"] + second["acks"]] == list("01234")
    assert second["next"] is None


def test_a_token_is_asked_for_when_one_is_set(store: Path, serving: Serving) -> None:
    with serving(create_app(store, token="hidden")) as url:
        assert HTTP.get(f"{url}/v1/capabilities").status_code == 401
        wrong = HTTP.get(f"{url}/v1/capabilities", headers={"Authorization": "Bearer other"})
        assert (wrong.status_code, wrong.json()["type"]) == (401, "urn:otif:problem:unauthorised")
        right = HTTP.get(f"{url}/v1/capabilities", headers={"Authorization": "Bearer hidden"})
        assert right.json()["kinds"]["carrier_cap"]["support"] == "native"


def test_unknown_addresses_and_malformed_bodies_are_problem_documents(caller: Caller) -> None:
    for answer, status in (
        (HTTP.get(f"{caller.url}/nowhere"), 404),
        (HTTP.get(f"{caller.rule_set}/head"), 404),
        (HTTP.get(f"{caller.url}/operations/none"), 404),
        (HTTP.put(f"{caller.rule_set}/versions/1", content=b"{", headers={"Idempotency-Key": "k"}), 422),
        (HTTP.put(f"{caller.rule_set}/versions/1", content=b'{"a": 1e999}', headers={"Idempotency-Key": "k"}), 422),
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_an_application_accepted_before_a_crash_is_carried_out_at_the_next_start(
    store: Path, serving: Serving, reserve: Reserve
) -> None:
    with serving(create_app(store, token="")) as url:
        Caller(url).put(1, [reserve(10)])
    service = RulesService(store, clock=lambda: datetime(2026, 11, 16, tzinfo=UTC))
    operation = service.start_apply("live", 1, expect_state_digest=None)
    assert service.operation(operation["operation_id"])["status"] == "queued"
    with serving(create_app(store, token="")) as url:
        assert Caller(url).acks(1)[0]["status"] == "applied"


def test_an_application_that_broke_can_be_asked_for_again(store: Path, serving: Serving, reserve: Reserve) -> None:
    service = RulesService(store, clock=lambda: datetime(2026, 11, 16, tzinfo=UTC))
    with serving(create_app(store, token="")) as url:
        caller = Caller(url)
        caller.put(1, [reserve(10)])
        broken = service.start_apply("live", 1, expect_state_digest=None)
        service.fail_operation(broken["operation_id"], error="disk full")
        assert HTTP.get(f"{caller.rule_set}/versions/1").json()["state"] == "failed"
        assert caller.finish(caller.apply(1))["status"] == "done"


def tell_stock(caller: Caller, quantity: int) -> None:
    levels = [{"sku": "SKU-1", "location": "dc_columbus", "quantity": quantity}]
    assert HTTP.put(f"{caller.url}/stock", json={"levels": levels}).status_code == 204
