"""Where the kernels' machine code is kept. Knows nothing of numba, so asking costs nothing.

Numba keeps machine code per source file and looks only at the file of the function that is called. What is compiled
here spans modules, so the folder is named after all of them: no change leaves old code behind.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

CONSTANTS: Final = (
    "codes.py",
    "document.py",
    "documents/functional_ack.py",
    "documents/inventory_advice.py",
    "documents/order_change.py",
    "documents/purchase_order.py",
    "documents/warehouse_order.py",
    "lines.py",
)
"""Modules of `edi` whose constants are compiled into the kernels."""


@cache
def folder() -> Path | None:
    """Return a folder of the user's for machine code, None where none can be written to.

    It lies in `NUMBA_CACHE_DIR` if that is set, else in `XDG_CACHE_HOME`, else in `~/.cache`.
    """
    package = Path(__file__).parent
    sources = [*sorted(package.glob("*.py")), *(package.parent / name for name in CONSTANTS)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    try:
        given = os.environ.get("NUMBA_CACHE_DIR")
        home = given or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "otif", "kernels")
        found = Path(home, digest)
        found.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=found).close()
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return None
    return found


def has_kernels() -> bool:
    """Say whether the kernels were compiled before."""
    found = folder()
    return found is not None and any(found.glob("*/sets.read_sets-*.nbi"))
