"""268 real files from ten public repositories: each is read; what became of the retail ones is written down here."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.edi import parse, read_interchanges, recognises
from pipelines.sources.edi.documents import READERS

TEST = "test interchange"
RETAIL: dict[str, tuple[dict[str, int], list[str]]] = {
    "2011110815164104.txt": ({}, [TEST]),
    "Example1_CaliforniaISO.txt": ({}, [TEST]),
    "Example2_ManualBilling.txt": ({}, [TEST]),
    "Example3_MultiInvoice.txt": ({"invoice.sent": 7, "document.sent": 2}, []),
    "Example4_Adobe.txt": ({}, [TEST]),
    "Example5_Walmart.txt": ({}, [TEST]),
    "Example1_PGWGlass.txt": ({"order.captured": 4, "order.changed": 4, "document.received": 1}, []),
    "Example2_Adobe_TLP.txt": ({"order.captured": 1, "document.received": 1}, []),
    "Example3_Adobe_CLP.txt": ({"order.captured": 2, "document.received": 1}, []),
    "Example4_Adobe_ShrinkWrapped.txt": ({"order.captured": 1, "document.received": 1}, []),
    "From_aojuk.txt": ({"order.captured": 2, "document.received": 1}, []),
    "855SSimmons.txt": ({"order.promised": 3, "document.sent": 2}, []),
    "Example1_Adobe.txt": ({"order.promised": 1, "document.sent": 1}, []),
    "_856/Example1.txt": ({"asn.sent": 3, "document.sent": 1}, []),
    "_856/Example2.txt": ({"document.sent": 1}, ["BSN02 (shipment id) is missing"]),
    "_856/Example3.txt": ({"asn.sent": 3, "document.sent": 1}, []),
    "_856/Example4.txt": ({"asn.sent": 7, "document.sent": 1}, []),
    "FromGregarican.txt": ({"asn.sent": 1, "document.sent": 1}, []),
    "edi1Source.txt": ({"asn.sent": 2, "document.sent": 1}, []),
    "node-x12/850.edi": ({"order.captured": 6, "document.received": 1}, []),
    "850_2.edi": ({"order.captured": 6, "document.received": 1}, []),
    "850_3.edi": ({"order.captured": 1, "document.received": 1}, []),
    "850_fat.edi": ({"order.captured": 12, "document.received": 2}, []),
    "node-x12/856.edi": ({"asn.sent": 2, "document.sent": 1}, []),
    "example_4010_810/sample.txt": ({"invoice.sent": 4, "document.sent": 2}, []),
    "004010_850.edi": ({}, [TEST]),
    "004060_856.edi": ({"asn.sent": 2, "document.sent": 1}, []),
    "5-850.x12": ({"order.captured": 1, "document.received": 1}, []),
    "lfTestCase.edi": ({"order.promised": 4, "order.cancelled": 9, "document.sent": 12}, []),
    "empty997.edi": ({}, [TEST]),
    "extraDelimiter997.edi": ({"document.rejected": 1, "document.received": 1}, []),
    "invalid997.edi": ({"document.rejected": 1, "document.received": 1}, []),
    "invalid997_min.edi": (
        {"document.rejected": 1, "document.received": 1},
        ["control_mismatch: segment 7 GE02 is '<TOO_LONG_AND_NOT_NUMERIC>', expected 000005"],
    ),
    "invoice810_po850_dual.edi": ({}, [TEST] * 3),
    "multi-tx-transaction-type.edi": ({}, [TEST] * 2),
    "optionalInterchangeServices.edi": ({"document.acknowledged": 1, "document.received": 1}, []),
    "simple810.edi": ({}, [TEST] * 2),
    "simple997-multiple-interchanges.edi": ({"document.rejected": 3, "document.received": 3}, []),
    "simple997.edi": ({"document.rejected": 1, "document.received": 1}, []),
    "855/inbound.edi": ({}, [TEST]),
}
"""File (end of its path) → events by type and reasons of rejects."""

NOT_AS_LISTED = "essarsteelalgoma.txt"
"""The list counts an `ST` inside this file's data as a second set."""


@pytest.fixture(scope="module")
def corpus(shared_data: Path) -> list[tuple[Path, str]]:
    folder = shared_data / "x12"
    with (folder / "MANIFEST.csv").open(encoding="utf-8") as handle:
        return [(folder / row["file"], row["transaction_sets"]) for row in csv.DictReader(handle)]


def sets_of(path: Path) -> str:
    found = Counter(document.code for interchange in read_interchanges(path) for document in interchange.sets)
    return " ".join(code if count == 1 else f"{code}x{count}" for code, count in found.items())


def test_every_real_file_gives_the_sets_it_is_known_to_hold(corpus):
    assert len(corpus) == 268
    differing = {path.name: sets_of(path) for path, listed in corpus if sets_of(path) != listed}
    assert set(differing) == {NOT_AS_LISTED}


def test_every_set_of_every_real_file_is_landed_or_rejected(corpus):
    for path, _ in corpus:
        file = SourceFile(path, path.name)
        assert recognises(file), path
        batch = parse([file], AdapterContext())
        filed = 0
        if "document" in batch.events:
            frame = batch.events["document"]
            filed = frame.filter(frame["event_type"].is_in(["document.sent", "document.received"])).height
        refused = set(batch.rejects["source_ref"])
        assert filed + len(refused) >= batch.rows_in[path.name], path


def test_the_retail_files_give_what_is_written_down_here(corpus):
    seen = set()
    for path, listed in corpus:
        if not any(code in listed for code in READERS):
            continue
        name = next(known for known in RETAIL if path.as_posix().endswith(known))
        seen.add(name)
        batch = apply_row_contracts(parse([SourceFile(path, path.name)], AdapterContext()), source="edi")
        events = Counter(kind for frame in batch.events.values() for kind in frame["event_type"])
        assert (dict(events), batch.rejects["reason"].to_list()) == RETAIL[name], path
    assert seen == set(RETAIL)
