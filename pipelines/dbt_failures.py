"""Says in words why dbt failed: which rule of which seed or model broke, and the first rows that break it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from storage.duck import Connection

_ROWS_SHOWN: Final = 3


def failure_in_words(result: Mapping[str, Any], node: Mapping[str, Any], connection: Connection) -> str:
    """Describe one failed node.

    Args:
        result: Its row in dbt's run_results.json, status error or fail.
        node: The same node in dbt's manifest.json; empty where it is not there.
        connection: Database that dbt built; the rows that break a data test are read from it.

    Returns:
        `seeds/sla_terms.csv: expected target between 0 and 1; found clock hand_over, target 1.5`, say.
    """
    name, message = result["unique_id"], (result.get("message") or "").strip()
    if name.startswith("seed."):
        # The first line names dbt's copy of the file; after an empty line DuckDB's reader lists its options.
        told = message.partition("\n  \n")[0].splitlines()[1:]
        return f"{_place(name)}: {'; '.join(line.strip() for line in told) or message}"
    if not name.startswith("test.") or result["status"] != "fail" or not result.get("compiled_code"):
        return f"{name}: {message}"
    found = connection.sql(f"select * from ({result['compiled_code']}) limit {_ROWS_SHOWN}")
    rows = [dict(zip(found.columns, values, strict=True)) for values in found.fetchall()]
    rules = list(dict.fromkeys(row.pop("broken_rule") for row in rows if "broken_rule" in row))
    expected = " and ".join(rules) or _rule(node) or node.get("name", name)
    examples = "; ".join(", ".join(f"{key} {value}" for key, value in row.items() if value is not None) for row in rows)
    more = "" if result["failures"] <= len(rows) else f" and {result['failures'] - len(rows):,} more"
    return f"{_place(node.get('attached_node') or name)}: expected {expected}; found {examples}{more}"


def _place(unique_id: str) -> str:
    kind, _, name = unique_id.split(".")[:3]
    return f"seeds/{name}.csv" if kind == "seed" else name


def _rule(node: Mapping[str, Any]) -> str:
    """Write a generic test as its name, column and arguments: accepted values of basis: raw, adjusted."""
    test = node.get("test_metadata")
    if not test:
        return ""
    arguments = {key: value for key, value in test["kwargs"].items() if key != "model"}
    column = arguments.pop("column_name", None)
    words = f"{test['name'].replace('_', ' ')}{f' of {column}' if column else ''}"
    listed = [", ".join(map(str, value)) if isinstance(value, list) else str(value) for value in arguments.values()]
    return f"{words}: {'; '.join(listed)}" if listed else words
