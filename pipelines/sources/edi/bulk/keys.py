"""Tells whether a document says the same thing twice, by the hash of what it says."""

from __future__ import annotations

from typing import Final

from pipelines.sources.edi.bulk.compiled import Array, kernel
from pipelines.sources.edi.bulk.page import Page
from pipelines.sources.edi.bulk.tape import LONGEST, Tape

KEYS: Final = 13
"""Row of the notes with the hashes."""

MOST_KEYS: Final = 8192
"""Things that a regular document says."""

NO_HASH: Final = 14_695_981_039_346_656
_PRIME, _MASK = 1_099_511_628_211, (1 << 62) - 1
_FEWEST_SLOTS: Final = 16


@kernel
def hashed_with(tape: Tape, hashed: int, span: int) -> int:
    """Return a hash (at first `NO_HASH`) with a text added."""
    for i in range(span // LONGEST, span // LONGEST + span % LONGEST):
        hashed = ((hashed ^ tape.data[i]) * _PRIME) & _MASK
    return ((hashed ^ 256) * _PRIME) & _MASK


@kernel
def clear_keys(page: Page, count: int) -> int:
    """Forget all keys and return how many slots a number of keys needs."""
    slots = _FEWEST_SLOTS
    while slots < 2 * count:
        slots *= 2
    page.notes[KEYS, :slots] = 0
    return slots


@kernel
def is_new(keys: Array, slots: int, hashed: int) -> bool:
    """Remember a key; False if one like it was seen (or may have been)."""
    hashed |= 1
    slot = (hashed >> 20) % slots
    while keys[slot]:
        if keys[slot] == hashed:
            return False
        slot = (slot + 1) % slots
    keys[slot] = hashed
    return True
