"""Compiles the kernels for large files: `python -m pipelines.sources.edi.warm`.

The installation does not do it, because it takes minutes and most inboxes never need it: without it, the first input of
`adapter.COMPILING_BYTES` does. Whoever gets files between that and `adapter.BULK_BYTES` runs it once per version.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.edi.adapter import read_with_kernels

_SMALLEST: Final = (
    f"ISA*00*{'':10}*00*{'':10}*ZZ*{'A':15}*ZZ*{'B':15}*260302*0930*U*00401*000000001*0*P*>~"
    "GS*PO*A*B*20260302*0930*1*X*004010~ST*850*0001~BEG*00*SA*1**20260302~PO1*1*1*EA~SE*4*0001~GE*1*1~IEA*1*000000001~"
)


def warm() -> float:
    """Read one order with the kernels, whatever its size; return the seconds it took."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "order.edi")
        path.write_text(_SMALLEST)
        read_with_kernels(SourceFile(path, path.name), AdapterContext())
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.stdout.write(f"X12 kernels ready after {warm():.0f} s\n")
