"""How far a feed has come, in a folder that survives a kill at any instant.

`state.json` names the next request; the pages beside it are what was answered. Both are written to a new file, synced
and renamed. A page is written before the state moves past it: a kill between the two asks for the same page again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.errors import PullError
from pipelines.pull.client import Request


@dataclass(frozen=True, slots=True)
class Run:
    """A pull under way.

    Attributes:
        started_at: When it began (UTC).
        request: What to ask next; None when everything is read and only landing is left.
        pages: Pages answered so far.
        rows: Rows seen for the first time in this run.
        passes: Passes begun over the pages.
        pass_pages: Pages answered in the current pass.
        pass_is_fresh: Whether the current pass brought a row that no earlier one had.
        newest: Newest stamp seen.
    """

    started_at: datetime
    request: Request | None
    pages: int = 0
    rows: int = 0
    passes: int = 1
    pass_pages: int = 0
    pass_is_fresh: bool = False
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Where a feed stands.

    Attributes:
        watermark: Newest stamp that has landed; the next pull starts a little before it.
        run: The pull under way, if one was cut off.
    """

    watermark: datetime | None = None
    run: Run | None = None


class Store:
    """The folder of a feed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.pages = folder / "pages"
        self.pages.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other pulls of the feed out.

        Raises:
            PullError: One is running.
        """
        with (self._folder / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = f"feed {self._folder.name}: another pull is running"
                raise PullError(message) from error
            yield

    def load(self) -> State:
        """Return the state; a feed that was never pulled has an empty one."""
        try:
            document = json.loads((self._folder / "state.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return State()
        run = document["run"]
        return State(
            _instant(document["watermark"]),
            run
            and Run(
                **{
                    **run,
                    "started_at": datetime.fromisoformat(run["started_at"]),
                    "request": run["request"] and Request.from_json(run["request"]),
                    "newest": _instant(run["newest"]),
                }
            ),
        )

    def save(self, state: State) -> None:
        """Make a state durable."""
        run = state.run
        document: dict[str, Any] = {"watermark": _text(state.watermark), "run": None}
        if run is not None:
            document["run"] = {
                "started_at": _text(run.started_at),
                "request": run.request.to_json() if run.request else None,
                "pages": run.pages,
                "rows": run.rows,
                "passes": run.passes,
                "pass_pages": run.pass_pages,
                "pass_is_fresh": run.pass_is_fresh,
                "newest": _text(run.newest),
            }
        write_durably(self._folder / "state.json", json.dumps(document, indent=1).encode())

    def page_files(self) -> list[Path]:
        """Return the pages, in the order in which they came."""
        return sorted(self.pages.glob("*.json"))

    def drop_pages(self) -> None:
        """Remove the pages: they have landed."""
        shutil.rmtree(self.pages)
        self.pages.mkdir()


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that after a crash it is there whole, or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None
