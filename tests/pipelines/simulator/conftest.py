"""A small simulated company, and readers of its files that share no code with the simulator's writers."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from pipelines.simulator.run import simulate

PARTNERS = {"WMTEDI01": "walmart", "TGTEDI01": "target", "KOHLSEDI": "kohls", "KRGREDI1": "kroger"}


@dataclass(frozen=True)
class Files:
    """The files of one simulation."""

    home: Path

    def texts(self, pattern: str) -> Iterator[tuple[Path, str]]:
        """Yield (path, text) of inbox files in the order of their names."""
        for path in sorted((self.home / "inbox").glob(pattern)):
            yield path, gzip.decompress(path.read_bytes()).decode()

    def rows(self, pattern: str) -> Iterator[dict[str, str]]:
        """Yield the rows of CSV files."""
        for _, text in self.texts(pattern):
            yield from csv.DictReader(io.StringIO(text))

    def seed(self, name: str) -> list[dict[str, str]]:
        """Return a seed."""
        return list(csv.DictReader(io.StringIO((self.home / "seeds" / f"{name}.csv").read_text())))

    @cached_property
    def orders(self) -> dict[str, dict[str, Any]]:
        """Shopify orders by number, latest state."""
        found = {}
        for _, text in self.texts("shopify/*.json.gz"):
            for order in json.loads(text)["orders"]:
                found[order["name"].removeprefix("#")] = order
        return found

    @cached_property
    def returns(self) -> dict[str, dict[str, Any]]:
        """Returns by id, latest state."""
        return {case["id"]: case for _, text in self.texts("returns/*.json.gz") for case in json.loads(text)["returns"]}

    @cached_property
    def trackers(self) -> dict[str, dict[str, dict[str, str]]]:
        """Tracking code → status detail → scan."""
        found: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
        for _, text in self.texts("carrier/*.jsonl.gz"):
            for line in text.splitlines():
                result = json.loads(line)["result"]
                for detail in result["tracking_details"]:
                    found[result["tracking_code"]][detail["status_detail"]] = detail
        return found

    @cached_property
    def shipped(self) -> list[dict[str, str]]:
        """WMS rows of what left."""
        return [row for row in self.rows("wms/*-shipments-*.csv.gz") if row["shipped_at"]]

    @cached_property
    def interchanges(self) -> list[list[list[str]]]:
        """X12 interchanges as lists of segments, each a list of elements."""
        found: list[list[list[str]]] = []
        for _, text in self.texts("edi/*/*.edi.gz"):
            for segment in text.split("~"):
                elements = segment.strip("\n").split("*")
                if elements[0] == "ISA":
                    found.append([])
                if elements != [""]:
                    found[-1].append(elements)
        return found

    @cached_property
    def purchase_orders(self) -> dict[str, dict[str, Any]]:
        """Purchase orders: id → DTM dates and lines (line id → sku, units)."""
        found: dict[str, dict[str, Any]] = {}
        for interchange in self.interchanges:
            if interchange[1][1] != "PO":
                continue
            current: dict[str, Any] = {}
            last: list[str] = []
            for segment in interchange:
                if segment[0] == "BEG":
                    current = {"retailer": PARTNERS[interchange[1][2]], "dates": {}, "lines": {}}
                    found[f"{current['retailer']}-{segment[3]}"] = current
                elif segment[0] == "DTM":
                    current["dates"][segment[1]] = segment[2]
                elif segment[0] == "PO1":
                    last = segment
                elif segment[0] == "PO4":
                    units = int(last[2]) * (int(segment[1]) if last[3] == "CA" else 1)
                    current["lines"][last[1].lstrip("0")] = (last[7], units)
        return found

    @cached_property
    def truth(self) -> dict[str, Any]:
        """The truth file."""
        document: dict[str, Any] = json.loads(gzip.decompress((self.home / "truth" / "truth.json.gz").read_bytes()))
        return document


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Twenty-six weeks with few orders."""
    home = tmp_path_factory.mktemp("company")
    simulate(home, orders=2500, seed=11, weeks=26)
    return Files(home)


@pytest.fixture(scope="session")
def sample(project_root: Path) -> Files:
    """The committed sample."""
    return Files(project_root / "data" / "sample")
