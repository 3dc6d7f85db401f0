"""Recognising CSV and TSV files by their header row, for adapters with fixed layouts."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence

from pipelines.sources.base import SourceFile


def header(file: SourceFile) -> frozenset[str]:
    """Return the column names of a CSV or TSV file; empty for anything else."""
    if file.kind not in (".csv", ".tsv", ".txt"):
        return frozenset()
    line = file.head.decode("utf-8", errors="replace").removeprefix("\ufeff").split("\n", 1)[0].rstrip("\r")
    separator = "\t" if file.kind == ".tsv" else ","
    try:
        cells = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return frozenset()
    return frozenset(cell.strip() for cell in cells)


def has_header(file: SourceFile, columns: frozenset[str]) -> bool:
    """Say whether a file's header holds all the columns."""
    return columns <= header(file)


def group_by_header(files: Sequence[SourceFile], layouts: Mapping[str, frozenset[str]]) -> dict[str, list[SourceFile]]:
    """Sort files into the layout of which they have the most columns, so that a defective one is judged there."""
    groups: dict[str, list[SourceFile]] = {name: [] for name in layouts}
    for file in files:
        names = header(file)
        best = max(layouts, key=lambda layout: len(layouts[layout] & names) / len(layouts[layout]))
        groups[best].append(file)
    return groups
