"""The one way a question reaches DuckDB: SQL and parameters in, a polars frame out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from dashboards.errors import PublicationError
from storage.duck import Connection, DatabaseError


def read(connection: Connection, sql: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """Run a query and return its rows.

    Decimals become doubles: these frames are shown, summed in SQL before, and never booked.

    Raises:
        PublicationError: A table or column is missing, or the file is damaged.
    """
    try:
        result = connection.sql(sql, params=dict(parameters or {}))
        frame = pl.from_arrow(result.to_arrow_table())
    except DatabaseError as error:
        message = (
            f"the publication cannot answer this question: {str(error).splitlines()[0]}. "
            "It was made by another version or is damaged: run `otif build` to publish a new one."
        )
        raise PublicationError(message) from error
    if not isinstance(frame, pl.DataFrame):
        message = f"expected a table, got {type(frame).__name__}"
        raise PublicationError(message)
    decimals = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Decimal)]
    return frame.with_columns(pl.col(decimals).cast(pl.Float64)) if decimals else frame


def has_table(connection: Connection, schema: str, table: str) -> bool:
    """Return whether the publication holds a table."""
    found = read(
        connection,
        "select 1 from information_schema.tables where table_schema = $schema and table_name = $table",
        {"schema": schema, "table": table},
    )
    return not found.is_empty()


def columns_of(connection: Connection, schema: str, table: str) -> frozenset[str]:
    """Return the column names of a published table (empty when it is not there)."""
    found = read(
        connection,
        "select column_name from information_schema.columns where table_schema = $schema and table_name = $table",
        {"schema": schema, "table": table},
    )
    return frozenset(found["column_name"].to_list())
