"""The generic mapping source: a YAML file says which columns of which tables become which canonical events.

    model    what a mapping file may say, validated
    load     YAML text → `MappingSpec`, with errors that name file, key and what was expected
    tables   CSV/TSV files → text tables with a reference per row; malformed rows become rejects
    values   text → typed values: dates in a zone, decimals, booleans
    express  one column expression → polars expressions for its value and its fault
    rules    one event rule → expressions for its events and faults
    events   tables and rules → events and rejects
    claims   a mapping file as a source: the files it wants, its result

docs/mapping.md is the tutorial and the reference of the file format.
"""

from __future__ import annotations

from pipelines.sources.mapping.claims import Mapping, claim_files, load_mapping

__all__ = ["Mapping", "claim_files", "load_mapping"]
