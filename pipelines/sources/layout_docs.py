"""Writes docs/sources/columns.md: every table layout with the names by which its columns are known.

Run as `python -m pipelines.sources.layout_docs > docs/sources/columns.md`; a test keeps the page in step.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from pipelines.sources import hold_log, inventory, rma, scans, shipstation, wms
from pipelines.sources.layouts import Layout

LAYOUTS: Final[dict[str, tuple[Layout, ...]]] = {
    "wms": wms.LAYOUTS,
    "inventory": inventory.LAYOUTS,
    "returns": (rma.RMAS,),
    "carrier": (scans.SCANS,),
    "hold_log": (hold_log.HOLDS,),
    "shipstation": (shipstation.EXPORT,),
}
"""Source → its tables."""

_HEAD: Final = """# Columns of tables

Generated from the layouts of the adapters; write it anew with
`python -m pipelines.sources.layout_docs > docs/sources/columns.md`.

Names are compared in lower case, with one underscore for blanks and signs: `Qty. On Hand` is `qty_on_hand`. A column
of the first name or of one of the others is read; columns that no row names are kept in `attributes`. A table is
recognised when it has a column for everything that is needed and none that only other tables have. What is not
recognised needs a [mapping](../mapping.md).

Dates are ISO 8601. Dates with slashes are read month first where the workspace is in a zone of the United States (and
always in ShipStation's exports), unless the file shows days first; elsewhere they are rejected, since 05/06 could be
either: a mapping says which.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_tables()])


def _tables() -> Iterator[str]:
    for source, layouts in LAYOUTS.items():
        for layout in layouts:
            yield f"## {source} – {layout.name}\n"
            yield "| column | needed | also read as |"
            yield "|---|---|---|"
            for name, others in layout.columns.items():
                needed = "yes" if name in layout.required else ""
                yield f"| `{name}` | {needed} | {', '.join(f'`{other}`' for other in others) or '–'} |"
            yield ""
            if layout.foreign:
                names = ", ".join(f"`{name}`" for name in sorted(layout.foreign))
                yield f"Not this table if it has one of {names}.\n"


if __name__ == "__main__":
    sys.stdout.write(page())
