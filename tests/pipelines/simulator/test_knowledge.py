"""A file of a week holds what was known at its end: nothing from later weeks, nothing after the as-of."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
AS_OF = datetime(2026, 11, 16, tzinfo=NEW_YORK)
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)")
FORECAST = re.compile(r'"est_delivery_date":"[^"]*"')
WEEK = re.compile(r"-(2026-W\d\d)\.")


def week_end(name: str) -> datetime:
    found = WEEK.search(name)
    assert found, name
    year, week = found.group(1).split("-W")
    monday = datetime.fromisocalendar(int(year), int(week), 1)
    return (monday + timedelta(days=7)).replace(tzinfo=NEW_YORK)


def test_no_stamp_lies_after_the_end_of_its_files_week(company):
    checked = 0
    for path, text in company.texts("*/*.gz"):
        if path.parent.name == "inventory" and path.name.startswith("receipts"):
            continue
        end = week_end(path.name)
        stamps = [datetime.fromisoformat(stamp) for stamp in STAMP.findall(FORECAST.sub("", text))]
        assert not [stamp for stamp in stamps if stamp >= end], path.name
        checked += len(stamps)
    assert checked > 50_000


def test_receipts_tell_only_their_expected_date_ahead(company):
    rows = list(company.rows("inventory/receipts-*.csv.gz"))
    past = ("noted_at", "checked_in_at", "received_at")
    assert all(datetime.fromisoformat(row[key]) < AS_OF for row in rows for key in past if row[key])
    assert any(datetime.fromisoformat(row["expected_at"]) > AS_OF for row in rows)


def test_interchanges_are_sent_in_the_week_of_their_file(company):
    for path, text in company.texts("edi/*/*.edi.gz"):
        end = week_end(path.name)
        for line in text.splitlines():
            if line.startswith("ISA"):
                elements = line.split("*")
                sent = datetime.fromisoformat(f"20{elements[9]}T{elements[10]}00").replace(tzinfo=NEW_YORK)
                assert end - timedelta(days=7) <= sent < end, path.name


def test_an_order_comes_again_when_it_changed(company):
    seen: dict[str, list[str]] = {}
    for _, text in company.texts("shopify/*.json.gz"):
        for name, updated in re.findall(r'"name":"(#\d+)".*?"updated_at":"([^"]+)"', text):
            seen.setdefault(name, []).append(updated)
    again = [stamps for stamps in seen.values() if len(stamps) > 1]
    assert len(again) > 100
    instants = [[datetime.fromisoformat(stamp).astimezone(UTC) for stamp in stamps] for stamps in again]
    assert all(stamps == sorted(set(stamps)) for stamps in instants)
