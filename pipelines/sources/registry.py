"""Which adapter reads which file."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final, Protocol, cast

from pipelines.errors import SourceError
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile


class Source(Protocol):
    """The two functions of an adapter module."""

    def recognises(self, file: SourceFile) -> bool:
        """Say whether the file is this source's."""

    def parse(self, files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
        """Read the files into canonical events."""


SOURCES: Final[dict[str, str]] = {
    "canonical": "pipelines.sources.canonical",
    "edi": "pipelines.sources.edi",
    "shopify": "pipelines.sources.shopify",
    "shopify_csv": "pipelines.sources.shopify_csv",
    "woocommerce": "pipelines.sources.woocommerce",
    "bigcommerce": "pipelines.sources.bigcommerce",
    "amazon": "pipelines.sources.amazon",
    "amazon_report": "pipelines.sources.amazon_report",
    "netsuite": "pipelines.sources.netsuite",
    "salesforce": "pipelines.sources.salesforce",
    "shipstation": "pipelines.sources.shipstation",
    "wms": "pipelines.sources.wms",
    "carrier": "pipelines.sources.carrier",
    "easypost": "pipelines.sources.easypost",
    "aftership": "pipelines.sources.aftership",
    "shipengine": "pipelines.sources.shipengine",
    "returns": "pipelines.sources.returns",
    "inventory": "pipelines.sources.inventory",
    "signifyd": "pipelines.sources.signifyd",
    "kount": "pipelines.sources.kount",
    "hold_log": "pipelines.sources.hold_log",
}
"""Source name → module, in the order in which they are asked. The name is the events' `source`."""


READS_DAMAGED: Final = frozenset({"edi"})
"""Sources that read a damaged file as far as it goes and report the rest; of the others it is refused whole."""


def load_source(name: str) -> Source:
    """Return an adapter by name.

    Raises:
        SourceError: No such source.
    """
    if name not in SOURCES:
        message = f"no source named {name!r}; known: {', '.join(SOURCES)} (or give --mapping FILE)"
        raise SourceError(message)
    return cast("Source", import_module(SOURCES[name]))


def recognise(file: SourceFile) -> str | None:
    """Return the name of the source that recognises the file, or None."""
    return next((name for name in SOURCES if load_source(name).recognises(file)), None)
