"""Renders the event contracts as docs/events.md, so that prose and code cannot part (a test compares them)."""

from __future__ import annotations

from storage.contracts import EVENT_TABLES, Column, EventTable

_INTRODUCTION = """\
# Canonical events

Generated from `storage/contracts.py`; write it anew with `python -m storage.contract_docs > docs/events.md`.

Six append-only families. Instants are UTC; a date-only deadline is the exclusive end of that local day. Quantities are
units (`DECIMAL(18,3)`), money is `DECIMAL(18,4)` in the row's currency. `event_id` is the md5 of all columns but
`event_id`, `batch_id`, `observed_at`, `source_ref` and `attributes`: the same fact delivered twice is the same event.
"""


def render() -> str:
    """Return the document."""
    return _INTRODUCTION + "".join(_section(table) for table in EVENT_TABLES.values())


def _section(table: EventTable) -> str:
    lines = [
        f"\n## {table.family}\n",
        f"{table.description} Landing table `{table.table}`.\n",
        f"Event types: {', '.join(f'`{name}`' for name in table.event_types)}.\n",
        "| column | type | meaning |",
        "|---|---|---|",
        *(_row(column) for column in table.columns),
    ]
    if table.required_by_type:
        needs = "; ".join(f"`{kind}` needs {', '.join(names)}" for kind, names in table.required_by_type.items())
        lines.append(f"\n{needs[0].upper()}{needs[1:]}." if needs[0] != "`" else f"\n{needs}.")
    for kind, names in table.one_of_by_type.items():
        lines.append(f"\n`{kind}` needs at least one of {', '.join(names)}.")
    return "\n".join(lines) + "\n"


def _row(column: Column) -> str:
    meaning = column.description
    if column.allowed and column.name != "event_type":
        meaning += f" One of {', '.join(column.allowed)}."
    if column.required:
        meaning += " **Required.**"
    return f"| `{column.name}` | {column.type} | {meaning} |"


if __name__ == "__main__":
    import sys

    sys.stdout.write(render())
