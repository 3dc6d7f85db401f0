"""Whose clock a delivery follows: the zone of the state it goes to."""

from __future__ import annotations

import csv
from functools import cache
from typing import Final

import polars as pl

from storage.settings import PROJECT_ROOT

_SEED: Final = PROJECT_ROOT / "data" / "seeds" / "regions.csv"


def zone_of(region: str | None, country: str | None) -> str | None:
    """Return the IANA zone of a state (seed regions), or None where it is not known. No country means US."""
    return _zones().get((country or "US", region)) if region else None


@cache
def _zones() -> dict[tuple[str, str], str]:
    with _SEED.open(encoding="utf-8", newline="") as handle:
        return {(row["ship_to_country"], row["ship_to_region"]): row["zone"] for row in csv.DictReader(handle)}


def region_code(name: str | None) -> str | None:
    """Return the code of a state that is written out (seed regions); anything else as it is."""
    return _codes().get(name.lower(), name) if name else None


@cache
def _codes() -> dict[str, str]:
    with _SEED.open(encoding="utf-8", newline="") as handle:
        return {row["region_name"].lower(): row["ship_to_region"] for row in csv.DictReader(handle)}


def zone_expr(region: pl.Expr, country: pl.Expr, default: str) -> pl.Expr:
    """Return `zone_of` for columns, with a default."""
    known = {f"{country}|{region}": zone for (country, region), zone in _zones().items()}
    place = pl.concat_str([country.fill_null("US"), region], separator="|")
    return place.replace_strict(list(known), list(known.values()), default=default).fill_null(default)


def region_expr(name: pl.Expr) -> pl.Expr:
    """Return `region_code` for a column."""
    return name.str.to_lowercase().replace_strict(list(_codes()), list(_codes().values()), default=name)
