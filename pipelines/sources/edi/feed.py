"""Text for the reader: decodes the source chunk by chunk and cuts it into the bodies of interchanges.

Line breaks, indentation and empty segments are taken out here, once per piece of text, so that the walk over
segments never meets them.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

import numpy as np

from pipelines.sources.edi.envelope import Fault, FaultCode, Separators
from pipelines.sources.edi.isa import BLANK, ISA_WINDOW, find_isa

Source = bytes | Path
Normaliser = Callable[[str, str], str]
"""Takes out of a text, given its segment terminator, what `normalise` takes out."""

SHOWN: Final = 40
"""How much of an offending text a fault shows."""

_SPACE: Final = ord(" ")
_PAD: Final = " \t\x00\x1a\ufeff"


def opened(source: Source) -> io.BufferedIOBase:
    """Open a source for reading."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if source.suffix == ".gz":
        return cast("io.BufferedIOBase", gzip.open(source, "rb"))
    return source.open("rb")


class Feed:
    """Decoded text of the source, filled on demand, consumed from `at`."""

    def __init__(self, handle: io.BufferedIOBase, chunk_bytes: int) -> None:
        self.text = ""
        self.at = 0
        self.is_exhausted = False
        self.at_isa = False
        self.damage = ""
        self._handle = handle
        self._chunk_bytes = chunk_bytes
        self._decoder: codecs.IncrementalDecoder | None = None

    def fill(self) -> bool:
        """Append the next chunk; False at the end of the source."""
        if self.is_exhausted:
            return False
        data = self._read()
        self.is_exhausted = not data
        self.text = self.text[self.at :] + self._decode(data)
        self.at = 0
        return not self.is_exhausted

    def _read(self) -> bytes:
        pieces: list[bytes] = []
        wanted = self._chunk_bytes
        try:
            while wanted > 0 and (piece := self._handle.read1(wanted)):
                pieces.append(piece)
                wanted -= len(piece)
        except (OSError, EOFError, zlib.error) as error:  # a damaged gzip stream ends where it breaks
            self.damage = str(error)
        return b"".join(pieces)

    def _decode(self, data: bytes) -> str:
        """Decode as UTF-8 (or UTF-16 by its mark); from the first byte that is not UTF-8 on, as Latin-1."""
        if self._decoder is None:
            encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
            self._decoder = codecs.getincrementaldecoder(encoding)()
        pending = self._decoder.getstate()[0]
        try:
            return self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            self._decoder = codecs.getincrementaldecoder("latin-1")()
            rest = pending + data
            sound = rest[: error.start].decode(error.encoding)
            return sound + self._decoder.decode(rest[error.start :])

    def seek_interchange(self) -> bool:
        """Move to the next text that is not blank; False if there is none. `at_isa` says whether it is an ISA."""
        while True:
            rest = self.text[self.at : self.at + ISA_WINDOW]
            stripped = rest.lstrip(BLANK)
            self.at += len(rest) - len(stripped)
            is_whole = len(stripped) > 0 and self.at + ISA_WINDOW <= len(self.text)
            if not is_whole and (stripped or self.at >= len(self.text)) and self.fill():
                continue
            if stripped or self.at >= len(self.text):
                self.at_isa = find_isa(stripped, 0) == 0
                return bool(stripped)

    def skip_to_interchange(self) -> Fault:
        """Pass over text that is no interchange and say so."""
        shown = self.text[self.at : self.at + SHOWN]
        is_isa = shown.startswith("ISA")
        while (found := find_isa(self.text, self.at + 1)) < 0:
            # A candidate near the end may be cut off, so the last window stays for the next look.
            self.at = max(self.at, len(self.text) - ISA_WINDOW)
            if not self.fill():
                found = len(self.text)
                break
        self.at = found
        if is_isa:
            return Fault(FaultCode.MALFORMED_ISA, "interchange", 1, "ISA", 0, shown, "a complete ISA segment")
        return Fault(FaultCode.TEXT_OUTSIDE, "interchange", 0, "", 0, shown, "an interchange starting with ISA")

    def take(self, terminator: str) -> tuple[str, bool]:
        """Cut off the next piece of the current interchange, whole segments only, and say if it is the last."""
        while True:
            next_isa = find_isa(self.text, self.at)
            if next_isa >= 0:
                return self._cut(next_isa), True
            if self.is_exhausted:
                return self._cut(len(self.text)), True
            end = self.text.rfind(terminator, self.at, max(self.at, len(self.text) - ISA_WINDOW)) + 1
            if end > 0:
                return self._cut(end), False
            self.fill()

    def _cut(self, end: int) -> str:
        piece = self.text[self.at : end]
        self.at = end
        return piece


class Body:
    """Text of one interchange behind its ISA: no line breaks, no indentation, no empty segments."""

    def __init__(self, feed: Feed, separators: Separators, normalise: Normaliser) -> None:
        self.text = ""
        self.at = 0
        self.separators = separators
        self._feed = feed
        self._normalise = normalise
        self._is_complete = False

    def more(self) -> bool:
        """Append the next piece; False if there is none."""
        if self._is_complete:
            return False
        piece, self._is_complete = self._feed.take(self.separators.segment)
        self.text = self.text[self.at :] + self._normalise(piece, self.separators.segment)
        self.at = 0
        return True

    def find(self, pattern: str, start: int) -> int:
        """Find a pattern at or behind an offset from `at`, reading on as needed; the result counts from `at`."""
        while True:
            found = self.text.find(pattern, self.at + start)
            if found >= 0:
                return found - self.at
            start = max(start, len(self.text) - self.at - len(pattern))
            if not self.more():
                return -1

    def is_at_end(self) -> bool:
        """Nothing is left of the interchange."""
        while self.at >= len(self.text):
            if not self.more():
                return True
        return False

    def take(self, length: int) -> str:
        """Return the next characters and move on."""
        taken = self.text[self.at : self.at + length]
        self.at += length
        return taken


def normalise(piece: str, terminator: str) -> str:
    """Take line breaks, blanks around segments and empty segments out of a text of whole segments."""
    for line_break in "\r\n":
        if line_break != terminator and line_break in piece:
            piece = piece.replace(line_break, "")
    if (
        piece[:1] in _PAD
        or piece.startswith(terminator)
        or any(pad in piece for pad in _PAD[1:])
        or _has_blank_ends(piece, terminator)
    ):
        *segments, tail = [segment.strip(_PAD) for segment in piece.split(terminator)]
        piece = "".join([segment + terminator for segment in segments if segment]) + tail
    return piece


def _has_blank_ends(piece: str, terminator: str) -> bool:
    """Say whether a blank or another terminator may stand beside a terminator."""
    if not piece.isascii() or not terminator.isascii():
        return any(pair in piece for pair in (terminator + " ", " " + terminator, terminator + terminator))
    data = np.frombuffer(piece.encode(), np.uint8)  # one look at all bytes is quicker than three searches
    is_end = data == ord(terminator)
    is_blank = is_end | (data <= _SPACE)
    return bool((is_blank[1:] & is_blank[:-1] & (is_end[1:] | is_end[:-1])).any())
