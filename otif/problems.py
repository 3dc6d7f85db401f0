"""Allocation problems on disk: a folder with instance.yaml and one CSV or Parquet file per table.

The format is optimizer/allocation/INSTANCE.md; here only files are read and written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from optimizer.errors import InvalidDataError

if TYPE_CHECKING:
    import polars as pl

    from optimizer.allocation import AllocationData

DOCUMENT: Final = "instance.yaml"
_SUFFIXES: Final = (".csv", ".parquet")


def read_problem(folder: Path) -> AllocationData:
    """Read a problem from a folder.

    Raises:
        InvalidDataError: The folder is no problem; every fault is listed with file, column and row.
    """
    from optimizer.allocation.instance import problem_from_tables

    return problem_from_tables(_read_tables(folder), _read_document(folder))


def write_problem(
    data: AllocationData, folder: Path, *, name: str = "", kind: Literal["csv", "parquet"] = "parquet"
) -> None:
    """Write a problem to a folder, which is made if need be; files of an earlier problem there are replaced.

    Raises:
        InvalidDataError: The folder holds other files.
    """
    import yaml

    from optimizer.allocation.instance import TABLES, document_of, tables_of

    folder.mkdir(parents=True, exist_ok=True)
    known = {DOCUMENT, *(f"{table}{suffix}" for table in TABLES for suffix in _SUFFIXES)}
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in known)
    if foreign:
        raise InvalidDataError([f"{folder} holds {', '.join(foreign)}; expected an empty folder or an earlier problem"])
    for path in folder.iterdir():
        path.unlink()
    (folder / DOCUMENT).write_text(yaml.safe_dump(document_of(data, name=name), sort_keys=False), encoding="utf-8")
    for table, frame in tables_of(data).items():
        if kind == "csv":
            frame.write_csv(folder / f"{table}.csv", datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")
        else:
            frame.write_parquet(folder / f"{table}.parquet")


def _read_document(folder: Path) -> Mapping[str, Any]:
    import yaml

    path = folder / DOCUMENT
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidDataError([f"{path} is missing; see optimizer/allocation/INSTANCE.md"]) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidDataError([f"{path} cannot be read: {error}"]) from error
    if not isinstance(document, Mapping):
        raise InvalidDataError([f"{path}: expected the keys name, as_of and options"])
    return document


def _read_tables(folder: Path) -> dict[str, pl.DataFrame]:
    import polars as pl

    if not folder.is_dir():
        raise InvalidDataError([f"{folder} is no folder; see optimizer/allocation/INSTANCE.md"])
    tables: dict[str, pl.DataFrame] = {}
    faults = []
    for path in sorted(folder.iterdir()):
        if path.suffix not in _SUFFIXES:
            continue
        if path.stem in tables:
            faults.append(f"{path.stem} is there twice, as CSV and as Parquet; keep one")
            continue
        try:
            # As text: what a column means is known, and guesses would differ with the rows.
            tables[path.stem] = (
                pl.read_csv(path, infer_schema=False) if path.suffix == ".csv" else pl.read_parquet(path)
            )
        except (OSError, pl.exceptions.PolarsError) as error:
            faults.append(f"{path.name} cannot be read: {error}")
    if faults:
        raise InvalidDataError(faults)
    return tables
