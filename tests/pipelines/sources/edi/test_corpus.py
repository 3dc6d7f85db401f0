"""268 real files from ten public repositories: each is read; what becomes of each stands in corpus.tsv.

`python -m tests.pipelines.sources.edi.test_corpus` writes the table anew, for a reviewer to read.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.edi import parse, read_interchanges, recognises
from pipelines.sources.edi.documents import READERS

EXPECTED = Path(__file__).with_name("corpus.tsv")
COLUMNS = ("file", "sets", "documents", "events", "rejects")

NOT_AS_LISTED = "essarsteelalgoma.txt"
"""The list counts an `ST` inside this file's data as a second set."""

FILED = frozenset({"document.sent", "document.received"})


def listed_files(shared: Path) -> Iterator[tuple[str, Path, str]]:
    """Yield the name, the path and the transaction sets that the manifest lists."""
    folder = shared / "x12"
    with (folder / "MANIFEST.csv").open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            yield row["file"], folder / row["file"], row["transaction_sets"]


def masked(reason: str) -> str:
    """Return a reason without what the file says: the table keeps no content."""
    reason = re.sub(r"'[^']*'", "…", reason)
    if re.match(r"[a-z]+_[a-z_]+: ", reason):  # a structural fault
        reason = re.sub(r"expected .*", "expected …", reason)
    return re.sub(r"(?<![A-Za-z0-9])\d[\d.]*", "n", reason)


def outcome(name: str, path: Path) -> dict[str, str]:
    """Read a file and return its row of the table."""
    batch = read(path)
    events = Counter(kind for frame in batch.events.values() for kind in frame["event_type"])
    documents = sum(count for kind, count in events.items() if kind in FILED)
    business = {kind: count for kind, count in sorted(events.items()) if kind not in FILED}
    rejects = Counter(masked(reason) for reason in batch.rejects["reason"])
    return {
        "file": name,
        "sets": str(sum(batch.rows_in.values())),
        "documents": str(documents),
        "events": "; ".join(f"{kind} {count}" for kind, count in business.items()),
        "rejects": " | ".join(f"{count}x {reason}" for reason, count in rejects.items()),
    }


def read(path: Path) -> ParsedBatch:
    return apply_row_contracts(parse([SourceFile(path, path.name)], AdapterContext()), source="edi")


def expected_rows() -> Mapping[str, dict[str, str]]:
    with EXPECTED.open(encoding="utf-8", newline="") as handle:
        return {row["file"]: row for row in csv.DictReader(handle, delimiter="\t")}


@pytest.fixture(scope="module")
def corpus(shared_data: Path) -> list[tuple[str, Path, str]]:
    return list(listed_files(shared_data))


def sets_of(path: Path) -> str:
    found = Counter(document.code for interchange in read_interchanges(path) for document in interchange.sets)
    return " ".join(code if count == 1 else f"{code}x{count}" for code, count in found.items())


def test_every_real_file_gives_the_sets_it_is_known_to_hold(corpus):
    assert len(corpus) == 268
    differing = {path.name: sets_of(path) for _, path, listed in corpus if sets_of(path) != listed}
    assert set(differing) == {NOT_AS_LISTED}


def test_every_real_file_becomes_what_the_table_says(corpus):
    expected = expected_rows()
    found = {name: outcome(name, path) for name, path, _ in corpus}
    assert found == expected


def test_every_set_of_every_real_file_is_landed_or_rejected(corpus):
    for _, path, _ in corpus:
        assert recognises(SourceFile(path, path.name)), path
        batch = read(path)
        filed = 0
        if "document" in batch.events:
            filed = batch.events["document"]["event_type"].is_in(list(FILED)).sum()
        refused = set(batch.rejects["source_ref"])
        assert filed + len(refused) >= batch.rows_in[path.name], path


def test_a_landed_document_of_a_read_kind_says_something_or_why_not(corpus):
    """Nothing is lost in silence: there are business events, or a reject of the document says why there are none."""
    for name, path, listed in corpus:
        codes = {code.split("x")[0] for code in listed.split()}
        if not codes or not codes <= READERS.keys():
            continue
        row = outcome(name, path)
        assert row["events"] or row["rejects"], name


if __name__ == "__main__":
    writer = csv.DictWriter(sys.stdout, COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(outcome(name, path) for name, path, _ in listed_files(Path(sys.argv[1])))
