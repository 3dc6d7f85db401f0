"""The client of the rule contract: push a version, roll back, read back. Knows the contract, not the ledger.

Every request may be repeated without doubling its effect (reads, keyed writes, absolute applications), so
a time-out or a busy answer is retried with growing pauses. A push that died half way is pushed again with
the same key and continues where it stopped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote
from uuid import UUID, uuid5

import httpx

from pipelines.errors import OutboundError
from pipelines.outbound.documents import TOKEN_VARIABLE, diff_rules
from pipelines.outbound.errors import OmsConflictError, OmsRefusedError, OmsUnavailableError
from pipelines.outbound.oms_http import OmsTransport, RetryPolicy
from storage.ledger import rule_set_digest
from storage.settings import OmsSettings

_REPLANS: Final = 3
_SHOWN_CHANGES: Final = 5


@dataclass(frozen=True, slots=True)
class Head:
    """The version that is in force at the OMS."""

    version: int
    digest: str
    effective_from: str
    created_by: str
    accepted_at: str


@dataclass(frozen=True, slots=True)
class Ack:
    """What became of one rule at the OMS."""

    rule_id: str
    status: Literal["applied", "clamped", "skipped", "rejected", "pending", "drifted"]
    requested: Any
    observed: Any
    error: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the ack as a plain object."""
        return {
            "rule_id": self.rule_id,
            "status": self.status,
            "requested": self.requested,
            "observed": self.observed,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class RulePlan:
    """What a push would change, as the OMS sees it."""

    changes: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]
    state_digest: str


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """A push that ended: the version is the head and was read back."""

    version: int
    digest: str
    operation_id: str
    acks: tuple[Ack, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Whether the OMS still does what was decided.

    Attributes:
        is_in_step: The expected content is in force and no rule was changed by other hands.
        head: What is in force; None when nothing is.
        drifted: Rules whose value is not the one applied.
        words: What was found, one sentence each.
    """

    is_in_step: bool
    head: Head | None
    drifted: tuple[Ack, ...]
    words: tuple[str, ...]


class OmsClient(OmsTransport):
    """One OMS rule service; a context manager that closes its connections."""

    def capabilities(self) -> dict[str, Any]:
        """Return what the service can do, per kind of rule."""
        return self.call("GET", "/v1/capabilities")

    def head(self, rule_set_id: str) -> Head | None:
        """Return the version in force, None when nothing was applied yet."""
        try:
            found = self.call("GET", f"{_set_path(rule_set_id)}/head")
        except OmsRefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise
        return Head(
            version=int(found["version"]),
            digest=str(found["digest"]),
            effective_from=str(found["effective_from"]),
            created_by=str(found.get("created_by") or "somebody"),
            accepted_at=str(found.get("accepted_at") or "an unknown time"),
        )

    def document(self, rule_set_id: str, version: int) -> dict[str, Any]:
        """Return the document of a version that the OMS holds."""
        document: dict[str, Any] = self.call("GET", _version_path(rule_set_id, version))["document"]
        return document

    def plan(self, document: Mapping[str, Any]) -> RulePlan:
        """Return what pushing a document would change; nothing is written."""
        found = self.call("POST", f"{_path_of(document)}:plan", body=document)
        return RulePlan(tuple(found["changes"]), tuple(found["warnings"]), str(found["state_digest"]))

    def put_version(self, document: Mapping[str, Any], *, parent_digest: str | None, key: str) -> None:
        """Hand a version over; it is stored, not yet in force.

        Args:
            document: The whole document.
            parent_digest: Digest of the version it was built on; None when there was none.
            key: Idempotency key, the same on every attempt.
        """
        precondition = {"If-None-Match": "*"} if parent_digest is None else {"If-Match": f'"{parent_digest}"'}
        self.call("PUT", _path_of(document), body=document, headers={"Idempotency-Key": key} | precondition)

    def push(self, document: Mapping[str, Any], *, parent_digest: str | None, key: str) -> PushOutcome:
        """Put a version in force: plan, hand over, apply, wait, read back.

        Raises:
            OmsConflictError: Another version is in force than the one this was built on; says who changed what.
            OmsRefusedError: The OMS does not take the document.
            OmsUnavailableError: It does not answer; push again with the same key to continue.
        """
        rule_set_id, version = str(document["id"]), int(document["version"])
        try:
            plan = self.plan(document)
            self.put_version(document, parent_digest=parent_digest, key=key)
            operation = self._apply(document, plan)
        except OmsRefusedError as error:
            raise self._explained(error, rule_set_id, version, document.get("parent_version")) from error
        self._wait(operation)
        return self._read_back(rule_set_id, version, str(document["digest"]), operation, warnings=plan.warnings)

    def rollback(
        self,
        rule_set_id: str,
        *,
        to_version: int,
        version: int,
        head_digest: str,
        digest: str,
        by: str,
        reason: str,
        key: str,
    ) -> PushOutcome:
        """Restore the content of an earlier version as a new version.

        Args:
            rule_set_id: The rule set.
            to_version: Version whose content comes back.
            version: Number of the new version.
            head_digest: Digest of the version to be replaced.
            digest: Digest that the restored content must have.
            by: Who asks for it.
            reason: Why.
            key: Idempotency key, the same on every attempt.

        Raises:
            OmsConflictError: Another version is in force than the one to be replaced.
            OmsRefusedError: The OMS cannot restore that version.
            OmsUnavailableError: It does not answer; ask again with the same key to continue.
        """
        body = {"to_version": to_version, "version": version, "by": by, "reason": reason}
        headers = {"Idempotency-Key": key, "If-Match": f'"{head_digest}"'}
        try:
            found = self.call("POST", f"{_set_path(rule_set_id)}:rollback", body=body, headers=headers)
        except OmsRefusedError as error:
            raise self._explained(error, rule_set_id, version, None) from error
        operation = str(found["operation_id"])
        self._wait(operation)
        return self._read_back(rule_set_id, version, digest, operation)

    def acks(self, rule_set_id: str, version: int) -> tuple[Ack, ...]:
        """Return what became of each rule of a version, read back now."""
        acks: list[Ack] = []
        cursor: str | None = ""
        while cursor is not None:
            path = f"{_version_path(rule_set_id, version)}/acks?after={quote(cursor)}"
            page = self.call("GET", path)
            acks.extend(
                Ack(str(ack["rule_id"]), ack["status"], ack["requested"], ack["observed"], ack.get("error"))
                for ack in page["acks"]
            )
            cursor = page["next"]
        return tuple(acks)

    def check(self, rule_set_id: str, *, version: int, digest: str) -> DriftReport:
        """Compare what is in force with what should be: head, content as read back, every rule's value."""
        head = self.head(rule_set_id)
        if head is None:
            return DriftReport(is_in_step=False, head=None, drifted=(), words=("nothing is in force at the OMS",))
        words = []
        if (head.version, head.digest) != (version, digest):
            words.append(f"version {head.version} by {head.created_by} is in force, expected version {version}")
        elif rule_set_digest(self.document(rule_set_id, head.version)) != digest:
            words.append(f"the content of version {version} is not the one that was pushed")
        drifted = tuple(ack for ack in self.acks(rule_set_id, head.version) if ack.status == "drifted")
        words += [f"{ack.rule_id}: asked for {ack.requested}, found {ack.observed}" for ack in drifted]
        return DriftReport(is_in_step=not words, head=head, drifted=drifted, words=tuple(words))

    def _apply(self, document: Mapping[str, Any], plan: RulePlan) -> str:
        for attempt in range(1, _REPLANS + 1):
            body = {"expect_state_digest": plan.state_digest, "on_unsupported": "reject"}
            try:
                return str(self.call("POST", f"{_path_of(document)}:apply", body=body)["operation_id"])
            except OmsRefusedError as error:
                if error.kind != "state-moved" or attempt == _REPLANS:
                    raise
            plan = self.plan(document)
        message = "unreachable: the last attempt returns or raises"
        raise OutboundError(message)

    def _wait(self, operation_id: str) -> None:
        deadline = time.monotonic() + self._retry.poll_seconds
        while True:
            found = self.call("GET", f"/v1/operations/{quote(operation_id, safe='')}")
            if found["status"] == "done":
                return
            if found["status"] == "failed":
                message = f"{self.base_url} could not apply the rules: {found.get('error')}. Push again to retry."
                raise OmsRefusedError(message, status=200, kind="operation-failed")
            if time.monotonic() > deadline:
                message = f"{self.base_url} is still applying (operation {operation_id}). Push again to continue."
                raise OmsUnavailableError(message)
            time.sleep(self._retry.poll_pause)

    def _read_back(
        self, rule_set_id: str, version: int, digest: str, operation: str, *, warnings: tuple[str, ...] = ()
    ) -> PushOutcome:
        report = self.check(rule_set_id, version=version, digest=digest)
        if report.head is None or (report.head.version, report.head.digest) != (version, digest):
            message = f"{self.base_url} reported version {version} as applied, but {'; '.join(report.words)}."
            raise OmsConflictError(message, status=200, kind="read-back", changes=report.words)
        return PushOutcome(version, digest, operation, self.acks(rule_set_id, version), warnings)

    def _explained(self, error: OmsRefusedError, rule_set_id: str, version: int, parent: int | None) -> OmsRefusedError:
        if error.kind not in ("stale-head", "version-exists", "version-too-low", "apply-running"):
            return error
        head = self.head(rule_set_id)
        if head is None:
            return OmsConflictError(str(error), status=error.status, kind=error.kind)
        changes = self._changes_since(rule_set_id, parent, head)
        shown = "; ".join(changes[:_SHOWN_CHANGES]) or "the same rules"
        more = f" and {len(changes) - _SHOWN_CHANGES} more" if len(changes) > _SHOWN_CHANGES else ""
        built_on = "no version" if parent is None else f"version {parent}"
        message = (
            f"{self.base_url} refused version {version} of {rule_set_id}: version {head.version} by {head.created_by} "
            f"is in force since {head.accepted_at}, and {version} was built on {built_on}. "
            f"In force against that: {shown}{more}. Look at it and propose again."
        )
        return OmsConflictError(message, status=error.status, kind=error.kind, changes=changes)

    def _changes_since(self, rule_set_id: str, parent: int | None, head: Head) -> tuple[str, ...]:
        before = [] if parent is None else self._rules_of(rule_set_id, parent)
        return tuple(change.words() for change in diff_rules(before, self._rules_of(rule_set_id, head.version)))

    def _rules_of(self, rule_set_id: str, version: int) -> list[dict[str, Any]]:
        try:
            rules: list[dict[str, Any]] = self.document(rule_set_id, version)["rules"]
        except OmsRefusedError:
            return []
        return rules


def connect_oms(settings: OmsSettings, *, retry: RetryPolicy | None = None) -> OmsClient:
    """Return the client of the workspace's OMS; the token comes from the environment.

    Raises:
        OutboundError: No OMS is set.
    """
    if not settings.url:
        message = "no OMS is set: write [oms] url = … into otif.toml. `otif rules-endpoint` serves one for trying out."
        raise OutboundError(message)
    return OmsClient(settings.url, token=os.environ.get(TOKEN_VARIABLE, ""), retry=retry)


def derive_key(namespace: UUID, *parts: str) -> str:
    """Return the idempotency key of an effect: the same parts always give the same key."""
    return str(uuid5(namespace, "|".join(parts)))


def _set_path(rule_set_id: str) -> str:
    return f"/v1/rule-sets/{quote(rule_set_id, safe='')}"


def _version_path(rule_set_id: str, version: int) -> str:
    return f"{_set_path(rule_set_id)}/versions/{version}"


def _path_of(document: Mapping[str, Any]) -> str:
    return _version_path(str(document["id"]), int(document["version"]))
