"""What `otif edi` does: show an X12 file as an analyst reads it, answer received files with 997s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.edi import Interchange, TransactionSet, parse, read_interchanges
from pipelines.sources.edi.acknowledge import acknowledge
from pipelines.sources.edi.errors import X12WriteError
from storage.errors import ConfigError
from storage.settings import Settings

if TYPE_CHECKING:
    from pipelines.sources.base import ParsedBatch

_LAST_CONTROL: Final = 999_999_999


@dataclass(slots=True)
class _Set:
    """A transaction set with what became of it."""

    code: str
    control: str
    first_segment: int
    last_segment: int
    document_id: str = ""
    order_id: str = ""
    partner: str = ""
    direction: str = ""
    events: dict[str, int] = field(default_factory=dict)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one received interchange.

    Attributes:
        file: The file it came in.
        control: ISA13 of the interchange.
        path: The 997 written for it; None where it gets none.
        note: How many sets were accepted, or why there is no answer.
        is_complete: No set was rejected.
    """

    file: str
    control: str
    path: Path | None
    note: str
    is_complete: bool = True


def show_file(path: Path, context: AdapterContext, *, with_segments: bool = False) -> dict[str, Any]:
    """Return a file as nested records: interchanges, groups, sets with their events, faults and rejects.

    Args:
        path: An X12 file.
        context: Names and zones; the workspace's, or the default.
        with_segments: List the segments of each set, numbered as the faults number them.

    Raises:
        ConfigError: There is no such file.
    """
    _must_exist(path)
    file = SourceFile(path, path.name)
    batch = apply_row_contracts(parse([file], context), source="edi")
    interchanges = [_interchange(found, with_segments=with_segments) for found in read_interchanges(path)]
    _assign(interchanges, batch)
    return {"file": str(path), "interchanges": [shown for shown, _ in interchanges]}


def _must_exist(path: Path) -> None:
    if not path.is_file():
        message = f"{path}: no such file. Name an X12 file."
        raise ConfigError(message)


def _interchange(found: Interchange, *, with_segments: bool) -> tuple[dict[str, Any], list[_Set]]:
    header, sets = found.header, []
    groups = []
    for group in found.groups:
        own = [_set(document, with_segments=with_segments) for document in group.sets]
        sets += own
        head = group.header
        groups.append({
            "code": head.code if head else "",
            "control": head.control if head else "",
            "version": head.version if head else "",
            "sender": head.sender if head else "",
            "receiver": head.receiver if head else "",
            "sets": own,
        })  # fmt: skip
    shown = {
        "ordinal": header.ordinal,
        "control": header.control,
        "sender": f"{header.sender_qualifier}/{header.sender}",
        "receiver": f"{header.receiver_qualifier}/{header.receiver}",
        "stamp": f"{header.date} {header.time}",
        "version": header.version,
        "usage": {"P": "production", "T": "test", "I": "information"}.get(header.usage, header.usage),
        "is_readable": header.is_readable,
        "separators": {
            "element": header.separators.element,
            "component": header.separators.component,
            "segment": header.separators.segment,
            "repetition": header.separators.repetition,
        },
        "control_segments": [header.separators.element.join(segment.elements) for segment in found.control_segments],
        "groups": groups,
        "faults": [fault.sentence for fault in found.all_faults],
        "rejects": [],
    }
    return shown, sets


def _set(document: TransactionSet, *, with_segments: bool) -> _Set:
    last = document.number + document.segment_count - 1
    segments = document.text.split(document.interchange.separators.segment) if with_segments else []
    return _Set(document.code, document.control, document.number, last, segments=segments)


def _assign(interchanges: list[tuple[dict[str, Any], list[_Set]]], batch: ParsedBatch) -> None:
    """Put events and rejects where they come from: `source_ref` is file#interchange:segment."""
    for frame in batch.events.values():
        for row in frame.iter_rows(named=True):
            _, found = _locate(interchanges, row["source_ref"])
            if found is None:
                continue
            found.events[row["event_type"]] = found.events.get(row["event_type"], 0) + 1
            if row["event_type"] in ("document.sent", "document.received"):
                found.document_id, found.order_id = row["document_id"] or "", row["order_id"] or ""
                found.partner, found.direction = row["partner_id"], row["direction"]
    for reject in batch.rejects.iter_rows(named=True):
        shown, found = _locate(interchanges, reject["source_ref"])
        record = {"segment": _place(reject["source_ref"])[1], "reason": reject["reason"]}
        if found is not None:
            found.rejects.append(record)
        elif shown is not None:
            shown["rejects"].append(record)


def _place(source_ref: str) -> tuple[int, int]:
    interchange, _, segment = source_ref.rpartition("#")[2].partition(":")
    return int(interchange or 0), int(segment or 0)


def _locate(
    interchanges: list[tuple[dict[str, Any], list[_Set]]], source_ref: str
) -> tuple[dict[str, Any] | None, _Set | None]:
    ordinal, segment = _place(source_ref)
    for shown, sets in interchanges:
        if shown["ordinal"] == ordinal:
            return shown, next((own for own in sets if own.first_segment <= segment <= own.last_segment), None)
    return None, None


def lines_of(shown: dict[str, Any]) -> Iterator[str]:
    """Yield a shown file as indented lines."""
    yield shown["file"]
    if not shown["interchanges"]:
        yield "  empty: expected an interchange starting with ISA"
    for interchange in shown["interchanges"]:
        yield from _interchange_lines(interchange)


def _interchange_lines(interchange: dict[str, Any]) -> Iterator[str]:
    if not interchange["is_readable"]:
        yield f"  interchange {interchange['ordinal']}: the ISA is not readable"
    else:
        signs = " ".join(f"{name} {sign!r}" for name, sign in interchange["separators"].items() if sign)
        yield (
            f"  interchange {interchange['ordinal']}  ISA13 {interchange['control']}  {interchange['sender']} → "
            f"{interchange['receiver']}  {interchange['stamp']}  {interchange['version']}  {interchange['usage']}"
        )
        yield f"    separators: {signs}"
    for segment in interchange["control_segments"]:
        yield f"    {segment}"
    for group in interchange["groups"]:
        yield (
            f"    group {group['code']}  GS06 {group['control']}  {group['sender']} → {group['receiver']}  "
            f"{group['version']}  {len(group['sets'])} {'set' if len(group['sets']) == 1 else 'sets'}"
        )
        for own in group["sets"]:
            yield from _set_lines(own)
    for fault in interchange["faults"]:
        yield f"    fault  {fault}"
    known = set(interchange["faults"])
    for reject in interchange["rejects"]:
        if reject["reason"] not in known:
            yield f"    reject  segment {reject['segment']}: {reject['reason']}"


def _set_lines(own: _Set) -> Iterator[str]:
    about = "  ".join(part for part in (own.document_id, own.direction, own.partner, own.order_id) if part)
    yield f"      {own.code}  ST02 {own.control}  segments {own.first_segment}-{own.last_segment}  {about}".rstrip()
    told = ", ".join(f"{kind} {count}" for kind, count in sorted(own.events.items()))
    yield f"        events  {told or 'none'}"
    for reject in own.rejects:
        yield f"        reject  segment {reject['segment']}: {reject['reason']}"
    for number, segment in enumerate(own.segments, start=own.first_segment):
        yield f"        {number:>5}  {segment}"


def write_acknowledgements(
    settings: Settings, paths: Sequence[Path], out: Path, *, sent_at: datetime, control: int | None = None
) -> list[Answer]:
    """Write one file of 997s for every interchange we received.

    Args:
        settings: The workspace; its own ids tell what we sent ourselves, its counter the next control number.
        paths: X12 files.
        out: Folder the answers go to; made where it does not exist.
        sent_at: Local time of sending.
        control: First control number; by default the workspace's next one.

    Raises:
        ConfigError: A file does not exist, or the control numbers are used up.
    """
    for path in paths:
        _must_exist(path)
    out.mkdir(parents=True, exist_ok=True)
    counter = settings.var / "edi" / "next_control"
    number = control if control is not None else int(counter.read_text()) if counter.is_file() else 1
    answers = []
    for path in paths:
        for received in read_interchanges(path):
            answer = _answer(settings, path, received, out, control=number, sent_at=sent_at)
            answers.append(answer)
            number += answer.path is not None
    if control is None:
        counter.parent.mkdir(parents=True, exist_ok=True)
        counter.write_text(str(number))
    return answers


def _answer(
    settings: Settings, path: Path, received: Interchange, out: Path, *, control: int, sent_at: datetime
) -> Answer:
    header = received.header
    if header.is_readable and header.sender in settings.edi.own_ids:
        return Answer(path.name, header.control, None, "sent by us: nothing to answer")
    if not 0 < control <= _LAST_CONTROL:
        message = f"control number {control} does not fit ISA13: start again with --control 1"
        raise ConfigError(message)
    try:
        text = acknowledge(received, control=control, sent_at=sent_at)
    except X12WriteError as error:
        return Answer(path.name, header.control, None, f"no answer: {error}")
    if text is None:
        reason = (
            "acknowledgements are not acknowledged" if header.is_readable else "the ISA does not say whom to answer"
        )
        return Answer(path.name, header.control, None, reason)
    name = "".join(sign if sign.isalnum() else "_" for sign in header.sender) or "unknown"
    target = out / f"997-{name}-{control:09d}.edi"
    target.write_text(text, encoding="utf-8", newline="")
    accepted = sum(document.is_sound for document in received.sets)
    note = f"{accepted} of {len(received.sets)} sets accepted"
    return Answer(path.name, header.control, target, note, is_complete=accepted == len(received.sets))
