"""Write back: ledger, client and a real rule endpoint together."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.errors import OutboundError
from pipelines.outbound.errors import OmsConflictError, OmsRefusedError, OmsUnavailableError
from pipelines.outbound.oms import OmsClient, RetryPolicy, connect_oms
from pipelines.outbound.push import check_rule_set, push_rule_set, rollback_rule_set
from pipelines.outbound.rules_endpoint import create_app
from storage.errors import LedgerError
from storage.ledger import Ledger, Push, RuleSetVersion, open_ledger, rule_set_digest
from storage.settings import OmsSettings, Settings

NOW = datetime(2026, 11, 16, 5, tzinfo=UTC)
Reserve = Callable[..., dict[str, Any]]
Serving = Callable[[Any], AbstractContextManager[str]]
FAST = RetryPolicy(attempts=3, first_pause=0.01, longest_pause=0.05, poll_pause=0.01, poll_seconds=20)


def approve(ledger: Ledger, rules: list[dict[str, Any]]) -> RuleSetVersion:
    content = {"effective_from": "2026-11-16T05:00:00Z", "rules": rules}
    version = ledger.propose_rule_set("live", content, created_by="allocate", reason="plan 1", now=NOW).version
    return ledger.approve_version("live", version, by="maria", now=NOW)


def push(ledger: Ledger, client: OmsClient, version: int) -> Push:
    return push_rule_set(ledger, client, rule_set_id="live", version=version, by="maria", now=NOW)


def put_in_force(ledger: Ledger, client: OmsClient, rules: list[dict[str, Any]]) -> Push:
    return push(ledger, client, approve(ledger, rules).version)


def effective(client: OmsClient) -> dict[str, Any]:
    found = httpx.get(f"{client.base_url}/v1/rule-sets/live/effective", params={"at": "2026-12-01T00:00:00Z"}).json()
    return {rule["rule_id"]: rule["value"]["qty"] for rule in found["rules"]}


def test_an_approved_version_is_pushed_read_back_and_active(
    ledger: Ledger, client: OmsClient, reserve: Reserve
) -> None:
    done = put_in_force(ledger, client, [reserve(10)])
    active = ledger.active_version("live")
    head = client.head("live")

    assert (done.status, done.attempts, done.kind) == ("done", 1, "push")
    assert done.acks[0] | {"requested": None} == {
        "rule_id": "reserve-dtc-SKU-1",
        "status": "applied",
        "requested": None,
        "observed": {"mode": "soft", "qty": 10},
        "error": None,
    }
    assert active is not None
    assert head is not None
    assert (active.version, active.digest) == (head.version, head.digest) == (1, active.digest)
    assert check_rule_set(ledger, client, rule_set_id="live").is_in_step


def test_an_unapproved_version_is_not_pushed(ledger: Ledger, client: OmsClient, reserve: Reserve) -> None:
    content = {"effective_from": "2026-11-16T05:00:00Z", "rules": [reserve(1)]}
    ledger.propose_rule_set("live", content, created_by="x", reason="", now=NOW)
    with pytest.raises(LedgerError, match="a named person has to approve it first"):
        push(ledger, client, 1)
    assert client.head("live") is None


def test_pushing_again_changes_nothing(ledger: Ledger, client: OmsClient, reserve: Reserve) -> None:
    done = put_in_force(ledger, client, [reserve(10)])
    assert push(ledger, client, 1) == done
    assert len(events(client)) == 2


def test_a_rollback_restores_the_earlier_rules_exactly(ledger: Ledger, client: OmsClient, reserve: Reserve) -> None:
    first = [reserve(10), reserve(5, channel="ebay")]
    put_in_force(ledger, client, first)
    before = effective(client)
    put_in_force(ledger, client, [reserve(20), reserve(1, channel="amazon")])
    changed = effective(client)

    done = rollback_rule_set(
        ledger, client, rule_set_id="live", to_version=1, by="maria", reason="starves ebay", now=NOW
    )

    assert before == {"reserve-dtc-SKU-1": 10, "reserve-ebay-SKU-1": 5}
    assert changed == {"reserve-dtc-SKU-1": 20, "reserve-amazon-SKU-1": 1}
    assert effective(client) == before
    assert (done.kind, done.status, done.version) == ("rollback", "done", 3)
    document = client.document("live", 3)
    assert document["rules"] == first
    assert rule_set_digest(document) == ledger.get_version("live", 1).digest
    assert [v.state for v in ledger.list_versions("live")] == ["active", "rolled_back", "superseded"]


def test_after_a_rollback_the_next_version_goes_on_from_it(ledger: Ledger, client: OmsClient, reserve: Reserve) -> None:
    put_in_force(ledger, client, [reserve(10)])
    put_in_force(ledger, client, [reserve(20)])
    approve(ledger, [reserve(30)])  # an approved version that is overtaken by the rollback keeps its number
    rollback_rule_set(ledger, client, rule_set_id="live", to_version=1, by="maria", reason="", now=NOW)
    done = put_in_force(ledger, client, [reserve(40)])
    assert (done.version, done.status, effective(client)) == (5, "done", {"reserve-dtc-SKU-1": 40})
    with pytest.raises(LedgerError, match="made on version 2, but version 5 is in force"):
        push(ledger, client, 3)


def test_the_inverse_patch_undoes_the_version(ledger: Ledger, client: OmsClient, reserve: Reserve) -> None:
    put_in_force(ledger, client, [reserve(10), reserve(5, channel="ebay")])
    done = put_in_force(ledger, client, [reserve(20), reserve(1, channel="amazon")])
    inverse = {(change["op"], change["scope"]["channel"]): change["after"] for change in done.inverse}
    assert inverse == {
        ("remove", "amazon"): None,
        ("change", "dtc"): reserve(10),
        ("add", "ebay"): reserve(5, channel="ebay"),
    }


def test_a_clamped_reservation_is_recorded_as_partial(ledger: Ledger, client: OmsClient, reserve: Reserve) -> None:
    levels = [{"sku": "SKU-1", "location": "dc_columbus", "quantity": 4}]
    httpx.put(f"{client.base_url}/v1/stock", json={"levels": levels}).raise_for_status()
    done = put_in_force(ledger, client, [reserve(10)])
    assert (done.status, done.acks[0]["status"], done.acks[0]["observed"]["qty"]) == ("partial", "clamped", 4)


def test_a_version_of_another_ledger_is_explained_with_who_changed_what(
    ledger: Ledger, client: OmsClient, tmp_path: Path, reserve: Reserve
) -> None:
    put_in_force(ledger, client, [reserve(10)])
    with open_ledger(Settings(home=tmp_path / "other")) as other:
        put_in_force_by_hand(other, [reserve(10)])
        content = {"effective_from": "2026-11-16T05:00:00Z", "rules": [reserve(25), reserve(3, channel="ebay")]}
        other.propose_rule_set("live", content, created_by="john", reason="", now=NOW)
        other.approve_version("live", 2, by="john", now=NOW)
        push(other, client, 2)

    approve(ledger, [reserve(11)])
    approve(ledger, [reserve(12)])
    with pytest.raises(OmsConflictError) as caught:
        push(ledger, client, 3)

    words = str(caught.value)
    assert "version 2 by john is in force since" in words
    assert "channel reservation (channel dtc, location dc_columbus, sku SKU-1): 10 → 25" in words
    assert "channel reservation (channel ebay, location dc_columbus, sku SKU-1): none → 3" in words
    (failed,) = ledger.list_pushes("live", version=3)
    assert (failed.status, failed.error) == ("failed", words)
    assert ledger.get_version("live", 3).state == "approved"
    report = check_rule_set(ledger, client, rule_set_id="live")
    assert report.words == ("version 2 by john is in force, expected version 1",)


def test_an_oms_in_use_is_not_overwritten_by_an_empty_ledger(
    ledger: Ledger, client: OmsClient, tmp_path: Path, reserve: Reserve
) -> None:
    put_in_force(ledger, client, [reserve(10)])
    with open_ledger(Settings(home=tmp_path / "other")) as other:
        assert not check_rule_set(other, client, rule_set_id="live").is_in_step
        approve(other, [reserve(99)])
        with pytest.raises(OmsConflictError, match="version 1 by allocate is in force"):
            push(other, client, 1)
    assert effective(client) == {"reserve-dtc-SKU-1": 10}


@pytest.mark.parametrize("_round", range(3))
def test_of_two_concurrent_pushes_exactly_one_wins(
    ledger: Ledger, client: OmsClient, reserve: Reserve, _round: int
) -> None:
    put_in_force(ledger, client, [reserve(1)])
    versions = [approve(ledger, [reserve(quantity)]).version for quantity in (20, 30)]
    barrier = threading.Barrier(2)
    outcomes: dict[int, str] = {}

    def compete(version: int) -> None:
        with OmsClient(client.base_url, retry=FAST) as own:
            barrier.wait()
            try:
                outcomes[version] = push(ledger, own, version).status
            except (OmsConflictError, LedgerError) as error:
                outcomes[version] = type(error).__name__

    threads = [threading.Thread(target=compete, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (winner,) = [version for version, outcome in outcomes.items() if outcome == "done"]
    active, head = ledger.active_version("live"), client.head("live")
    assert active is not None
    assert head is not None
    assert active.version == head.version == winner
    assert effective(client) == {"reserve-dtc-SKU-1": {versions[0]: 20, versions[1]: 30}[winner]}


def test_the_same_version_pushed_by_two_at_once_is_applied_once(
    ledger: Ledger, client: OmsClient, reserve: Reserve
) -> None:
    version = approve(ledger, [reserve(10)]).version
    outcomes: list[str] = []

    def run() -> None:
        with OmsClient(client.base_url, retry=FAST) as own:
            outcomes.append(push(ledger, own, version).status)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["done", "done"]
    assert [event["type"] for event in events(client)] == ["rule_set.accepted", "rule_set.applied"]


def test_an_endpoint_killed_between_hand_over_and_apply_is_continued(
    ledger: Ledger, endpoint_process: Any, reserve: Reserve
) -> None:
    decided = approve(ledger, [reserve(10)])
    with OmsClient(endpoint_process.url, retry=FAST) as client:
        cut = KilledBeforeApply(endpoint_process, client)
        with pytest.raises(OmsUnavailableError, match="it continues"):
            push(ledger, cut, decided.version)
        (broken,) = ledger.list_pushes("live")
        assert (broken.status, broken.attempts) == ("failed", 1)

        endpoint_process.start()
        assert client.head("live") is None
        done = push(ledger, client, decided.version)

        assert (done.push_id, done.status, done.attempts) == (broken.push_id, "done", 2)
        assert effective(client) == {"reserve-dtc-SKU-1": 10}
        assert [event["type"] for event in events(client)] == ["rule_set.accepted", "rule_set.applied"]
        endpoint_process.kill()
        endpoint_process.start()
        assert check_rule_set(ledger, client, rule_set_id="live").is_in_step


@pytest.mark.parametrize("step", ["push", "rollback"])
def test_a_ledger_that_died_before_noting_the_end_catches_up(
    ledger: Ledger, client: OmsClient, reserve: Reserve, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    put_in_force(ledger, client, [reserve(10)])
    put_in_force(ledger, client, [reserve(20)])

    def act() -> Push:
        if step == "push":
            return put_in_force(ledger, client, [reserve(30)]) if not waiting() else push(ledger, client, 3)
        return rollback_rule_set(ledger, client, rule_set_id="live", to_version=1, by="maria", reason="r", now=NOW)

    def waiting() -> bool:
        return any(v.version == 3 for v in ledger.list_versions("live"))

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "finish_push", _die)
        with pytest.raises(KeyboardInterrupt):
            act()
    assert [v.state for v in ledger.list_versions("live")] == ["approved", "active", "superseded"]
    assert not check_rule_set(ledger, client, rule_set_id="live").is_in_step

    done = act()

    assert (done.status, done.version, done.attempts) == ("done", 3, 2)
    assert check_rule_set(ledger, client, rule_set_id="live").is_in_step
    assert len(events(client)) == 6


def test_a_busy_oms_is_tried_again_and_nothing_is_doubled(
    ledger: Ledger, store: Path, serving: Serving, reserve: Reserve
) -> None:
    with serving(Busy(create_app(store, token=""), busy_answers=2)) as url, OmsClient(url, retry=FAST) as client:
        done = put_in_force(ledger, client, [reserve(10)])
        assert done.status == "done"
        assert [event["type"] for event in events(client)] == ["rule_set.accepted", "rule_set.applied"]


def test_an_answer_lost_on_the_way_is_asked_for_again_and_nothing_is_doubled(
    ledger: Ledger, store: Path, serving: Serving, reserve: Reserve
) -> None:
    app = Busy(create_app(store, token=""), busy_answers=2, after=True)
    with serving(app) as url, OmsClient(url, retry=FAST) as client:
        put_in_force(ledger, client, [reserve(10)])
        put_in_force(ledger, client, [reserve(20)])
        rollback_rule_set(ledger, client, rule_set_id="live", to_version=1, by="maria", reason="", now=NOW)
        assert effective(client) == {"reserve-dtc-SKU-1": 10}
        assert len(events(client)) == 6


def test_an_oms_that_stays_busy_leaves_a_failed_push_that_can_be_repeated(
    ledger: Ledger, store: Path, serving: Serving, reserve: Reserve
) -> None:
    decided = approve(ledger, [reserve(10)])
    app = Busy(create_app(store, token=""), busy_answers=99)
    never = pytest.raises(OmsUnavailableError, match=r"status 503 \(3 attempts\)")
    with serving(app) as url, OmsClient(url, retry=FAST) as client, never:
        push(ledger, client, decided.version)
    assert ledger.list_pushes("live")[0].status == "failed"
    assert ledger.get_version("live", 1).state == "approved"


def test_a_refused_document_names_the_rule(ledger: Ledger, client: OmsClient, reserve: Reserve) -> None:
    decided = approve(ledger, [reserve(10) | {"qty": -5}])
    with pytest.raises(OmsRefusedError, match="reserve-dtc-SKU-1: qty: -5, expected a whole number"):
        push(ledger, client, decided.version)
    assert ledger.list_pushes("live")[0].status == "failed"


def test_a_changed_value_at_the_oms_is_reported_as_drift(
    ledger: Ledger, client: OmsClient, store: Path, reserve: Reserve
) -> None:
    put_in_force(ledger, client, [reserve(10)])
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("""update settled_rules set observed = '{"mode": "soft", "qty": 2}'""")
    report = check_rule_set(ledger, client, rule_set_id="live")
    assert not report.is_in_step
    assert [ack.rule_id for ack in report.drifted] == ["reserve-dtc-SKU-1"]
    assert "found {'mode': 'soft', 'qty': 2}" in report.words[0]


def test_a_changed_document_at_the_oms_is_noticed(
    ledger: Ledger, client: OmsClient, store: Path, reserve: Reserve
) -> None:
    put_in_force(ledger, client, [reserve(10)])
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("update versions set document = replace(document, ': 10', ': 99')")
    report = check_rule_set(ledger, client, rule_set_id="live")
    assert report.words == ("the content of version 1 is not the one that was pushed",)


def test_nothing_decided_and_nothing_in_force_is_in_step(ledger: Ledger, client: OmsClient) -> None:
    assert check_rule_set(ledger, client, rule_set_id="live").is_in_step


def test_a_decision_that_the_oms_forgot_is_out_of_step(ledger: Ledger, client: OmsClient, reserve: Reserve) -> None:
    put_in_force_by_hand(ledger, [reserve(10)])
    assert check_rule_set(ledger, client, rule_set_id="live").words == ("nothing is in force at the OMS",)


def test_a_wrong_token_says_which_variable_to_set(
    ledger: Ledger, store: Path, serving: Serving, reserve: Reserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided = approve(ledger, [reserve(10)])
    with serving(create_app(store, token="hidden")) as url:
        monkeypatch.setenv("OTIF_OMS_TOKEN", "wrong")
        with connect_oms(OmsSettings(url=url), retry=FAST) as client:
            with pytest.raises(OmsRefusedError, match=r"401.*Set OTIF_OMS_TOKEN") as caught:
                push(ledger, client, decided.version)
            assert "hidden" not in str(caught.value)
        monkeypatch.setenv("OTIF_OMS_TOKEN", "hidden")
        with connect_oms(OmsSettings(url=url), retry=FAST) as client:
            assert push(ledger, client, decided.version).status == "done"


def test_an_address_that_is_no_rule_service_is_explained(ledger: Ledger, serving: Serving) -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<html>"})

    with serving(page) as url, OmsClient(url, retry=FAST) as client, pytest.raises(OutboundError, match="without JSON"):
        client.capabilities()


def test_a_missing_or_malformed_address_is_explained() -> None:
    with pytest.raises(OutboundError, match="no OMS is set"):
        connect_oms(OmsSettings())
    for url in ("http://a:b:c/", "oms.example", "ftp://oms.example", "http://"):
        with pytest.raises(OutboundError, match="is no address"):
            connect_oms(OmsSettings(url=url))


def test_an_operation_that_does_not_end_is_left_for_later(
    ledger: Ledger, store: Path, serving: Serving, reserve: Reserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided = approve(ledger, [reserve(10)])
    impatient = RetryPolicy(attempts=2, first_pause=0.01, poll_pause=0.01, poll_seconds=0)
    with serving(create_app(store, token="")) as url, monkeypatch.context() as patched:
        patched.setattr("pipelines.outbound.rules_endpoint._carry_out", lambda *_: None)
        with OmsClient(url, retry=impatient) as client, pytest.raises(OmsUnavailableError, match="still applying"):
            push(ledger, client, decided.version)
    with serving(create_app(store, token="")) as url, OmsClient(url, retry=FAST) as client:
        assert push(ledger, client, decided.version).status == "done"


def put_in_force_by_hand(ledger: Ledger, rules: list[dict[str, Any]]) -> None:
    version = approve(ledger, rules).version
    ledger.activate_version("live", version, now=NOW + timedelta(minutes=1))


def events(client: OmsClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{client.base_url}/v1/events").json()["events"]
    return found


def _die(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


class KilledBeforeApply(OmsClient):
    """A client whose endpoint is killed (SIGKILL) right after it took the version."""

    def __init__(self, process: Any, client: OmsClient) -> None:
        super().__init__(client.base_url, retry=FAST)
        self._process = process

    def put_version(self, document: Any, *, parent_digest: str | None, key: str) -> None:
        super().put_version(document, parent_digest=parent_digest, key=key)
        self._process.kill()


class Busy:
    """ASGI app that answers 503 to the first attempts of every request, before or after doing it."""

    def __init__(self, app: Any, *, busy_answers: int, after: bool = False) -> None:
        self.app, self.busy_answers, self.after = app, busy_answers, after
        self.seen: dict[tuple[str, str], int] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].endswith(("events", "effective")):
            await self.app(scope, receive, send)
            return
        request = (scope["method"], scope["path"])
        self.seen[request] = self.seen.get(request, 0) + 1
        if self.seen[request] > self.busy_answers:
            await self.app(scope, receive, send)
            return
        if self.after:
            await self.app(scope, receive, _swallow)
        await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def _swallow(_message: Any) -> None:
    return


def test_stock_that_moves_between_plan_and_apply_is_planned_again(
    ledger: Ledger, endpoint: str, reserve: Reserve
) -> None:
    class Moving(OmsClient):
        plans = 0

        def plan(self, document: Any) -> Any:
            found = super().plan(document)
            self.plans += 1
            if self.plans == 1:
                levels = [{"sku": "SKU-1", "location": "dc_columbus", "quantity": 4}]
                httpx.put(f"{self.base_url}/v1/stock", json={"levels": levels}).raise_for_status()
            return found

    with Moving(endpoint, retry=FAST) as client:
        done = put_in_force(ledger, client, [reserve(10)])
        assert (client.plans, done.status, done.acks[0]["status"]) == (2, "partial", "clamped")


def test_an_application_that_breaks_is_reported_and_can_be_repeated(
    ledger: Ledger, client: OmsClient, reserve: Reserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided = approve(ledger, [reserve(10)])

    def break_down(*_: Any, **__: Any) -> None:
        message = "disk full"
        raise OSError(message)

    with monkeypatch.context() as patched:
        patched.setattr("pipelines.outbound.rules_service._move_head", break_down)
        with pytest.raises(OmsRefusedError, match="could not apply the rules: disk full"):
            push(ledger, client, decided.version)
    assert client.head("live") is None
    assert push(ledger, client, decided.version).status == "done"


def test_a_broken_service_is_worth_another_attempt(ledger: Ledger, serving: Serving, reserve: Reserve) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"oops"})

    decided = approve(ledger, [reserve(10)])
    never = pytest.raises(OmsUnavailableError, match="with 500: Internal Server Error")
    with serving(broken) as url, OmsClient(url, retry=FAST) as client, never:
        push(ledger, client, decided.version)
