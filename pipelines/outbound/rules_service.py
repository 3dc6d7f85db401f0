"""What the rule contract means: accepting versions, planning, applying, rolling back.

No HTTP here: `rules_endpoint` turns requests into these calls and `ServiceRefusal` into problem documents.
A version is accepted once and never changes; the head moves only when an application has ended; an
application that was accepted is carried out even when the process dies in between (`resume`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from pipelines.outbound.documents import canonical_digest, find_faults
from pipelines.outbound.rules_planner import plan_changes, settle_rules, warn_about
from pipelines.outbound.rules_reads import (
    RulesReader,
    ServiceRefusal,
    known_version,
    operation_row,
    public_head,
    public_version,
)
from pipelines.outbound.rules_store import Row, StoreTransaction, effective_rules
from storage.errors import LedgerError
from storage.ledger import rule_set_digest

MISSING: Final = "*"
"""Precondition "there is no head yet" (`If-None-Match: *`)."""


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request that must have its effect once, however often it arrives."""

    key: str
    method: str
    path: str
    body_digest: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a keyed request came to; `replayed` when it had its effect before."""

    body: Row
    created: bool
    replayed: bool


class RulesService(RulesReader):
    """The contract on one store."""

    def accept_version(
        self,
        request: KeyedRequest,
        rule_set_id: str,
        version: int,
        document: Mapping[str, Any],
        *,
        expected_head: str | None,
    ) -> Answer:
        """Store a version.

        Args:
            request: What the effect is bound to.
            rule_set_id: The rule set.
            version: Its number.
            document: The whole document.
            expected_head: Digest of the head it was built on, `MISSING` for none, None when the caller did not say.
        """

        def act(store: StoreTransaction) -> tuple[Row, bool]:
            digest = _checked_digest(rule_set_id, version, document)
            known = store.version(rule_set_id, version)
            if known is not None:
                _check_same(known, digest)
                return public_version(known), False
            head = _check_base(store, rule_set_id, document.get("parent_version"), expected_head)
            if head is not None and version <= head["version"]:
                detail = f"version {version} is not above the head {head['version']}: numbers never go back"
                raise ServiceRefusal(409, "version-too-low", detail)
            return public_version(self._add_version(store, rule_set_id, version, document, digest=digest)), True

        return self._once(request, act)

    def plan(self, rule_set_id: str, version: int, document: Mapping[str, Any] | None) -> Row:
        """Return what applying a version (stored, or given as a document) would change; write nothing."""
        with self._store.transaction() as store:
            if document is None:
                document = known_version(store, rule_set_id, version)["document"]
            else:
                _checked_digest(rule_set_id, version, document)
            settled = settle_rules(document["rules"], store.stock())
            changes = plan_changes(settled, effective_rules(_head_rules(store, rule_set_id)))
            return {
                "changes": [change.as_json() for change in changes],
                "warnings": warn_about(settled),
                "observed_at": self._now(),
                "state_digest": _state_digest(store, rule_set_id),
            }

    def start_apply(self, rule_set_id: str, version: int, *, expect_state_digest: str | None) -> Row:
        """Accept the application of a version; asked again, the same operation is returned."""
        with self._store.transaction() as store:
            row = known_version(store, rule_set_id, version)
            known = store.one(
                "select * from operations where rule_set_id = ? and version = ? and status <> 'failed'",
                rule_set_id,
                version,
            )
            if known is not None:
                return known
            _check_idle(store, rule_set_id)
            head = store.head(rule_set_id)
            if row["parent_version"] != (head["version"] if head else None):
                raise _stale(rule_set_id, head, status=409)
            if expect_state_digest not in (None, _state_digest(store, rule_set_id)):
                detail = "what is in force has moved since the plan was made: plan again"
                raise ServiceRefusal(409, "state-moved", detail)
            return self._queue(store, rule_set_id, version)

    def run_operation(self, operation_id: str) -> None:
        """Carry out an accepted application; carried out again it changes nothing."""
        with self._store.transaction() as store:
            operation = operation_row(store, operation_id)
            if operation["status"] != "queued":
                return
            rule_set_id, version = operation["rule_set_id"], operation["version"]
            row = known_version(store, rule_set_id, version)
            settled = settle_rules(row["document"]["rules"], store.stock())
            store.write_settled(rule_set_id, version, settled, at=self._now())
            counts = dict(Counter(rule.status for rule in settled))
            _move_head(store, row, partial=bool(counts.keys() - {"applied"}))
            self._end_operation(store, operation, status="done", counts=counts)
            store.add_event("rule_set.applied", rule_set_id, version, at=self._now(), payload={"counts": counts})

    def fail_operation(self, operation_id: str, *, error: str) -> None:
        """Note that an application broke; it can be asked for again."""
        with self._store.transaction() as store:
            operation = operation_row(store, operation_id)
            self._end_operation(store, operation, status="failed", error=error)
            _set_state(store, operation["rule_set_id"], operation["version"], "failed")

    def resume(self) -> None:
        """Carry out what was accepted before the process ended."""
        with self._store.transaction() as store:
            waiting = store.all("select operation_id from operations where status = 'queued'")
        for row in waiting:
            self.run_operation(row["operation_id"])

    def start_rollback(
        self, request: KeyedRequest, rule_set_id: str, body: Mapping[str, Any], *, expected_head: str | None
    ) -> Answer:
        """Make a new version with an earlier content and accept its application."""
        to_version = body.get("to_version")
        if not isinstance(to_version, int):
            raise ServiceRefusal(422, "invalid-request", "to_version: expected the number of an earlier version")

        def act(store: StoreTransaction) -> tuple[Row, bool]:
            target = known_version(store, rule_set_id, to_version)
            head = store.head(rule_set_id)
            base = head["version"] if head else None
            _check_base(store, rule_set_id, base, expected_head)
            _check_restorable(target)
            version = _rollback_number(store, rule_set_id, body.get("version"))
            document = target["document"] | {
                "version": version,
                "parent_version": base,
                "created_by": str(body.get("by") or target["document"].get("created_by")),
                "restores": to_version,
                "reason": str(body.get("reason") or ""),
            }
            self._add_version(store, rule_set_id, version, document, digest=target["digest"])
            return self._queue(store, rule_set_id, version) | {"digest": target["digest"]}, True

        return self._once(request, act)

    def tell_stock(self, levels: Sequence[Mapping[str, Any]]) -> None:
        """Take stock levels (absolute) that reservations are held against from the next application on."""
        with self._store.transaction() as store:
            for level in levels:
                store.insert("stock", dict(level) | {"at": self._now()}, replace=True)

    def _once(self, request: KeyedRequest, act: Callable[[StoreTransaction], tuple[Row, bool]]) -> Answer:
        # The effect and its remembered answer are one transaction: a crash leaves both or neither.
        bound = {"method": request.method, "path": request.path, "body_digest": request.body_digest}
        with self._store.transaction() as store:
            known = store.one("select * from answers where idempotency_key = ?", request.key)
            if known is not None:
                if any(known[name] != value for name, value in bound.items()):
                    detail = f"Idempotency-Key {request.key} was used for another request"
                    raise ServiceRefusal(422, "key-reused", detail)
                return Answer(known["answer"], created=False, replayed=True)
            body, created = act(store)
            store.insert("answers", bound | {"idempotency_key": request.key, "answer": body, "at": self._now()})
            return Answer(body, created=created, replayed=False)

    def _add_version(
        self, store: StoreTransaction, rule_set_id: str, version: int, document: Mapping[str, Any], *, digest: str
    ) -> Row:
        row: Row = {
            "rule_set_id": rule_set_id,
            "version": version,
            "parent_version": document.get("parent_version"),
            "digest": digest,
            "document": {name: value for name, value in document.items() if name != "state"} | {"digest": digest},
            "state": "validated",
            "accepted_at": self._now(),
        }
        store.insert("versions", row)
        store.add_event("rule_set.accepted", rule_set_id, version, at=self._now(), payload={"digest": digest})
        return row

    def _queue(self, store: StoreTransaction, rule_set_id: str, version: int) -> Row:
        _set_state(store, rule_set_id, version, "applying")
        operation: Row = {
            "operation_id": uuid4().hex,
            "rule_set_id": rule_set_id,
            "version": version,
            "status": "queued",
            "counts": {},
            "error": None,
            "created_at": self._now(),
            "finished_at": None,
        }
        store.insert("operations", operation)
        return operation

    def _end_operation(self, store: StoreTransaction, operation: Row, **outcome: object) -> None:
        store.insert("operations", operation | outcome | {"finished_at": self._now()}, replace=True)

    def _now(self) -> str:
        return self._clock().isoformat()


def _head_rules(store: StoreTransaction, rule_set_id: str) -> list[Row]:
    head = store.head(rule_set_id)
    return [] if head is None else store.settled(rule_set_id, head["version"])


def _state_digest(store: StoreTransaction, rule_set_id: str) -> str:
    head = store.head(rule_set_id)
    rules = [[row["kind"], row["scope"], row["observed"]] for row in _head_rules(store, rule_set_id)]
    stock = sorted([sku, location, quantity] for (sku, location), quantity in store.stock().items())
    return canonical_digest({"head": head["version"] if head else None, "rules": rules, "stock": stock})


def _move_head(store: StoreTransaction, row: Row, *, partial: bool) -> None:
    head = store.head(row["rule_set_id"])
    if head is not None:
        state = "rolled_back" if "restores" in row["document"] else "superseded"
        _set_state(store, head["rule_set_id"], head["version"], state)
    _set_state(store, row["rule_set_id"], row["version"], "partially_active" if partial else "active")


def _set_state(store: StoreTransaction, rule_set_id: str, version: int, state: str) -> None:
    store.execute("update versions set state = ? where rule_set_id = ? and version = ?", state, rule_set_id, version)


def _rollback_number(store: StoreTransaction, rule_set_id: str, asked: object) -> int:
    latest = store.one("select max(version) as version from versions where rule_set_id = ?", rule_set_id)
    following = (latest["version"] if latest else 0) + 1
    if asked is None:
        return int(following)
    if not isinstance(asked, int) or asked < following:
        detail = f"version {asked!r} is taken or below the head: expected {following} or more"
        raise ServiceRefusal(409, "version-exists", detail)
    return asked


def _checked_digest(rule_set_id: str, version: int, document: Mapping[str, Any]) -> str:
    errors = [{"rule_id": fault.rule_id, "detail": fault.detail} for fault in find_faults(document)]
    for name, expected in (("id", rule_set_id), ("version", version)):
        if document.get(name, expected) != expected:
            errors.append({"rule_id": "", "detail": f"{name}: {document[name]!r}, but the address says {expected!r}"})
    digest = ""
    try:
        digest = rule_set_digest(document)
    except LedgerError as error:
        errors.append({"rule_id": "", "detail": str(error)})
    if digest and document.get("digest", digest) != digest:
        errors.append({"rule_id": "", "detail": f"digest: stated {document['digest']!r}, the content has {digest!r}"})
    if errors:
        raise ServiceRefusal(422, "invalid-rules", f"{len(errors)} fault(s) in the document", errors=errors)
    return digest


def _check_base(store: StoreTransaction, rule_set_id: str, parent: object, expected_head: str | None) -> Row | None:
    if expected_head is None:
        detail = 'say what you build on: If-Match: "<digest of the head>", or If-None-Match: * for the first version'
        raise ServiceRefusal(428, "precondition-required", detail)
    _check_idle(store, rule_set_id)
    head = store.head(rule_set_id)
    found = MISSING if head is None else head["digest"]
    if expected_head != found or parent != (head["version"] if head else None):
        raise _stale(rule_set_id, head, status=412)
    return head


def _check_same(known: Row, digest: str) -> None:
    if known["digest"] != digest:
        detail = f"version {known['version']} of {known['rule_set_id']} exists with another content"
        raise ServiceRefusal(409, "version-exists", detail, digest=known["digest"])


def _check_restorable(target: Row) -> None:
    if target["state"] not in ("superseded", "rolled_back"):
        detail = f"version {target['version']} is {target['state']}: expected one that was in force and no longer is"
        raise ServiceRefusal(409, "not-restorable", detail)


def _check_idle(store: StoreTransaction, rule_set_id: str) -> None:
    busy = store.one("select version from operations where rule_set_id = ? and status = 'queued'", rule_set_id)
    if busy is not None:
        raise ServiceRefusal(409, "apply-running", f"version {busy['version']} is being applied, wait for its end")


def _stale(rule_set_id: str, head: Row | None, *, status: int) -> ServiceRefusal:
    found = "nothing is" if head is None else f"version {head['version']} is"
    detail = f"{found} in force for {rule_set_id}, not what this version was built on"
    return ServiceRefusal(status, "stale-head", detail, head=public_head(head) if head else None)
