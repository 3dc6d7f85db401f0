"""Composition root: the command line and one function per job. No logic lives here."""

from typing import Final

__version__: Final = "0.1.0"
