"""The generic mapping source: a YAML file says which columns of which tables become which canonical events.

    model    what a mapping file may say, validated
    load     YAML text → `MappingSpec`, with errors that name file, key and what was expected
    tables   CSV/TSV files → text tables with a reference per row; malformed rows become rejects
    values   text → typed values: dates in a zone, decimals, booleans
    express  one column expression → polars expressions for its value and its fault
    events   tables and expressions → events and rejects

docs/mapping.md is the tutorial and the reference of the file format.
"""

from __future__ import annotations

from pipelines.sources.mapping.events import Mapping, claim_files, load_mapping

__all__ = ["Mapping", "claim_files", "load_mapping"]
