"""Gzipped files with the same bytes for the same text: no name and no time in the header."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

CHUNK = 1 << 18


def write_gzip(path: Path, pieces: Iterable[str]) -> None:
    """Write text pieces to a gzipped file, a chunk at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed:
        held: list[str] = []
        size = 0
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= CHUNK:
                packed.write("".join(held).encode())
                held, size = [], 0
        packed.write("".join(held).encode())


def write_text(path: Path, text: str) -> None:
    """Write a plain text file with Unix line ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
