"""The job behind `otif map`: from files or addresses to a proposed mapping."""

from __future__ import annotations

import csv
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import SourceError
from pipelines.landing import find_files
from pipelines.sources.base import SourceFile
from pipelines.sources.mapping.look import TableLook, look_at
from pipelines.sources.mapping.propose import Proposal, propose, table_names
from pipelines.sources.mapping.web import fetch_table
from storage.errors import ConfigError
from storage.settings import PROJECT_ROOT, Settings


@dataclass(frozen=True, slots=True)
class MapResult:
    """Tables as they were found, their names, and the mapping proposed for them."""

    looks: tuple[TableLook, ...]
    names: tuple[str, ...]
    proposal: Proposal

    def document(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        return {
            "tables": [
                {
                    "name": name,
                    "files": [file.name for file in look.files],
                    "sheet": look.sheet,
                    "rows": look.rows,
                    "is_whole": look.is_whole,
                    "columns": [
                        asdict(column) | {"taken_for": self.proposal.roles.get((name, column.name))}
                        for column in look.columns
                    ],
                }
                for name, look in zip(self.names, self.looks, strict=True)
            ],
            "notes": list(self.proposal.notes),
            "kpis": [asdict(kpi) for kpi in self.proposal.kpis],
            "is_open": self.proposal.is_open,
            "mapping": self.proposal.yaml,
        }


def map_tables(home: Path | None, sources: list[str], *, name: str | None, zone: str | None) -> MapResult:
    """Look at the tables of one data set and propose a mapping.

    Args:
        home: Workspace, for zone, currency and its own seeds; without one the defaults count.
        sources: Files, folders or http(s) addresses.
        name: Name of the mapping.
        zone: Zone of stamps without offset.

    Raises:
        SourceError: Nothing there is a table.
    """
    try:
        settings = Settings.load(home)
    except ConfigError:
        if home is not None:
            raise
        settings = Settings(home=Path.cwd())
    with tempfile.TemporaryDirectory() as folder:
        files: list[SourceFile] = []
        urls: dict[str, str] = {}
        for source in sources:
            if source.startswith(("https://", "http://")):
                path = Path(folder) / "web" / f"sheet{len(urls) or ''}.csv"
                fetch_table(source, path)
                files.append(SourceFile(path, path.name))
                urls[path.name] = source
            else:
                files += find_files([Path(source)])
        if not files:
            message = f"no files in {', '.join(sources)}"
            raise SourceError(message)
        looks = look_at(files, Path(folder) / "looks", alone=urls)
        proposal = propose(
            looks,
            name=name or _plain(files[0].path.name.split(".")[0]),
            zone=zone or settings.company.zone,
            currency=settings.company.currency,
            requirements=_requirements(settings),
            urls=urls,
        )
    return MapResult(tuple(looks), tuple(table_names(looks)), proposal)


def _requirements(settings: Settings) -> list[tuple[str, str, str]]:
    own = settings.home / "seeds" / "kpi_requirements.csv"
    path = own if own.exists() else PROJECT_ROOT / "data" / "seeds" / "kpi_requirements.csv"
    with path.open(encoding="utf-8", newline="") as rows:
        return [(row["kpi_id"], row["requirement_id"], row["reason_if_missing"]) for row in csv.DictReader(rows)]


def _plain(text: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return words if re.match(r"[a-z]", words) else f"data_{words}".rstrip("_")
