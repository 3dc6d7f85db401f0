"""The doors to stored data: settings, DuckDB, publications, the ledger and the event contracts.

Nothing here knows what a number means; that is `models/`. Only this package imports duckdb.
"""
