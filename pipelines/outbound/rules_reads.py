"""The reading half of the reference rule service: head, versions, acks, what is in force, operations, feed.

Also what both halves share: the refusal that becomes a problem document and the public shape of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pipelines.outbound.rules_store import Row, RulesStore, StoreTransaction


class ServiceRefusal(Exception):  # noqa: N818 - an answer, not a fault of the service
    """The service says no; carries what a problem document needs."""

    def __init__(
        self, status: int, kind: str, detail: str, *, errors: Sequence[Mapping[str, str]] = (), **facts: object
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)
        self.facts = facts


class RulesReader:
    """Questions to one store."""

    def __init__(self, store: Path | str, *, clock: Callable[[], datetime]) -> None:
        self._store = RulesStore(store)
        self._clock = clock

    def head(self, rule_set_id: str) -> Row:
        """Return the version in force: number, digest, effective_from, author."""
        with self._store.transaction() as store:
            head = store.head(rule_set_id)
        if head is None:
            raise ServiceRefusal(404, "no-head", f"no version of {rule_set_id} was applied yet")
        return public_head(head)

    def version(self, rule_set_id: str, version: int) -> Row:
        """Return a stored version with its document."""
        with self._store.transaction() as store:
            row = known_version(store, rule_set_id, version)
        return public_version(row) | {"document": row["document"]}

    def acks(self, rule_set_id: str, version: int, *, after: int, limit: int) -> list[Row]:
        """Return what became of each rule, read back now; a value changed by other hands shows as drifted."""
        with self._store.transaction() as store:
            known_version(store, rule_set_id, version)
            rows = store.settled(rule_set_id, version)
        return [_ack(row) for row in rows if row["position"] > after][:limit]

    def effective(self, rule_set_id: str, at: datetime | None) -> Row:
        """Return what is in force at an instant: of the latest applied version whose time has come."""
        moment = at or self._clock()
        with self._store.transaction() as store:
            applied = store.all(
                "select * from versions where rule_set_id = ? "
                "and state in ('active', 'partially_active', 'superseded', 'rolled_back') order by version desc",
                rule_set_id,
            )
            chosen = next((row for row in applied if _starts(row) <= moment), None)
            rows = store.settled(rule_set_id, chosen["version"]) if chosen else []
        rules = [
            {"rule_id": row["rule_id"], "kind": row["kind"], "scope": row["scope"], "value": row["observed"]}
            for row in rows
            if row["observed"] is not None and not _is_expired(row, moment)
        ]
        return {"version": chosen["version"] if chosen else None, "at": moment.isoformat(), "rules": rules}

    def operation(self, operation_id: str) -> Row:
        """Return how far an application is."""
        with self._store.transaction() as store:
            return operation_row(store, operation_id)

    def events(self, *, after: int, limit: int) -> list[Row]:
        """Return the feed after a position."""
        with self._store.transaction() as store:
            return store.all("select * from events where position > ? order by position limit ?", after, limit)


def known_version(store: StoreTransaction, rule_set_id: str, version: int) -> Row:
    """Return a stored version or refuse with 404."""
    row = store.version(rule_set_id, version)
    if row is None:
        raise ServiceRefusal(404, "unknown-version", f"no version {version} of {rule_set_id}")
    return row


def operation_row(store: StoreTransaction, operation_id: str) -> Row:
    """Return an operation or refuse with 404."""
    row = store.one("select * from operations where operation_id = ?", operation_id)
    if row is None:
        raise ServiceRefusal(404, "unknown-operation", f"no operation {operation_id}")
    return row


def public_version(row: Row) -> Row:
    """Return what callers see of a version."""
    names = ("rule_set_id", "version", "parent_version", "digest", "state", "accepted_at")
    return {name: row[name] for name in names}


def public_head(row: Row) -> Row:
    """Return what callers see of the head."""
    document = row["document"]
    return public_version(row) | {
        "effective_from": document["effective_from"],
        "created_by": document.get("created_by"),
    }


def _ack(row: Row) -> Row:
    drifted = row["observed"] != row["applied"]
    return {
        "rule_id": row["rule_id"],
        "status": "drifted" if drifted else row["status"],
        "requested": row["requested"],
        "observed": row["observed"],
        "peer_ref": f"{row['rule_set_id']}/{row['version']}/{row['rule_id']}",
        "attempt": 1,
        "at": row["at"],
        "error": "changed by other hands since it was applied" if drifted else row["error"],
        "position": row["position"],
    }


def _starts(row: Row) -> datetime:
    return datetime.fromisoformat(row["document"]["effective_from"])


def _is_expired(row: Row, moment: datetime) -> bool:
    return row["expires_at"] is not None and datetime.fromisoformat(row["expires_at"]) <= moment
