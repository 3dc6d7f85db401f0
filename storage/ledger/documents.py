"""Rule-set documents as the ledger keeps them: completed, canonical, with a digest that is always recomputed.

The digest is the sha256 of the RFC 8785 canonical JSON of `rules` and `effective_from`: the same content
has the same digest whoever wrote it, whatever its version number. What a rule means is not known here.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import rfc8785

from storage.errors import LedgerError

Document = dict[str, Any]


def rule_set_digest(document: Mapping[str, Any]) -> str:
    """Return the hex digest of a document's content.

    Raises:
        LedgerError: `rules` or `effective_from` is missing or is not plain JSON.
    """
    rules = document.get("rules")
    if not isinstance(rules, list):
        message = f"rule set document: `rules` is {type(rules).__name__}, expected a list of rules."
        raise LedgerError(message)
    content = {"rules": rules, "effective_from": _effective_from(document)}
    try:
        return hashlib.sha256(rfc8785.dumps(content)).hexdigest()
    except (rfc8785.CanonicalizationError, TypeError, ValueError) as error:
        message = f"rule set document is not plain JSON (text, whole numbers, lists, objects): {error}"
        raise LedgerError(message) from error


def complete_document(
    content: Mapping[str, Any], *, rule_set_id: str, version: int, parent_version: int | None, created_by: str
) -> Document:
    """Return the document as it will be pushed: content plus identity, parent and digest.

    Raises:
        LedgerError: The content is malformed, belongs to another rule set, or carries a digest that is not its own.
    """
    document = copy.deepcopy(dict(content))
    named = document.get("id")
    if named not in (None, "", rule_set_id):
        message = f"the document belongs to rule set {named!r}, not to {rule_set_id!r}. Propose it under its own id."
        raise LedgerError(message)
    digest = rule_set_digest(document)
    check_digest("the proposed document", stated=document.get("digest"), actual=digest)
    document.pop("state", None)
    return document | {
        "id": rule_set_id,
        "version": version,
        "parent_version": parent_version,
        "created_by": created_by,
        "digest": digest,
    }


def check_digest(name: str, *, stated: str | None, actual: str) -> None:
    """Compare a stated digest with the recomputed one; nothing stated is nothing to compare.

    Raises:
        LedgerError: They differ.
    """
    if stated and stated != actual:
        message = (
            f"{name} has digest {actual[:12]}…, but {stated[:12]}… was stated: the content is not the one that was "
            "looked at. Show it again (`otif rules show`) and decide on that."
        )
        raise LedgerError(message)


def _effective_from(document: Mapping[str, Any]) -> str:
    value = document.get("effective_from")
    try:
        stamp = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        stamp = None
    if not isinstance(value, str) or stamp is None or stamp.tzinfo is None:
        message = (
            f"rule set document: `effective_from` is {value!r}, "
            "expected an ISO timestamp with offset, e.g. 2026-11-16T05:00:00Z."
        )
        raise LedgerError(message)
    return value
