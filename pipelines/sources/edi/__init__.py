"""X12 (ANSI ASC X12 4010/5010): read interchanges, turn documents into canonical events, acknowledge them."""

from pipelines.sources.edi.adapter import parse, parse_stream, recognises
from pipelines.sources.edi.envelope import (
    Fault,
    FaultCode,
    Group,
    GroupHeader,
    Interchange,
    InterchangeHeader,
    Segment,
    Separators,
    TransactionSet,
)
from pipelines.sources.edi.reader import read_interchanges, read_parts

__all__ = [
    "Fault",
    "FaultCode",
    "Group",
    "GroupHeader",
    "Interchange",
    "InterchangeHeader",
    "Segment",
    "Separators",
    "TransactionSet",
    "parse",
    "parse_stream",
    "read_interchanges",
    "read_parts",
    "recognises",
]
