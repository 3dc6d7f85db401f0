"""Serial shipping container codes in kernels: see `edi.sscc`, which says what they mean."""

from __future__ import annotations

from typing import Final

from pipelines.sources.edi.bulk.compiled import kernel
from pipelines.sources.edi.bulk.tape import LONGEST, Tape, word
from pipelines.sources.edi.bulk.values import ODD

SSCC_KINDS: Final = (word("GM"), word("AA"))
PARCEL_KIND: Final = word("CP")
_ZERO: Final = ord("0")


@kernel
def plain_sscc(tape: Tape, span: int) -> int:
    """Return the span of 18 digits, empty where there are not as many; `ODD` where other characters stand between."""
    start, length = span // LONGEST, span % LONGEST
    for i in range(start, start + length):
        if tape.data[i] < _ZERO or tape.data[i] > _ZERO + 9:
            return ODD
    if length == 20 and tape.data[start] == _ZERO and tape.data[start + 1] == _ZERO:
        start, length = start + 2, 18
    return start * LONGEST + length if length == 18 else 0


@kernel
def has_valid_digit(tape: Tape, sscc: int) -> bool:
    """Check the last digit of an SSCC (GS1 modulo 10)."""
    start, total = sscc // LONGEST, 0
    for i in range(17):
        digit = tape.data[start + i] - _ZERO
        total += digit * 3 if i % 2 == 0 else digit
    return bool((10 - total % 10) % 10 == tape.data[start + 17] - _ZERO)
