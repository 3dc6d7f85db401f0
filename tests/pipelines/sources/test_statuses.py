"""What carriers' status codes mean is data: effective-dated, replaceable, and never guessed."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import pytest

from pipelines.errors import SourceError
from pipelines.sources.base import AdapterContext
from pipelines.sources.statuses import EVENT_TYPES, StatusBook
from storage.settings import Settings

DAY = datetime.fromisoformat("2026-05-01")
HEADER = "system,carrier,code,detail,event_type,is_physical,is_return_leg,effective_from,effective_to,meaning\n"


def workspace(folder: Path, rows: str) -> StatusBook:
    """Return the statuses of a workspace with these rows."""
    (folder / "seeds").mkdir()
    (folder / "seeds" / "carrier_statuses.csv").write_text(HEADER + rows)
    return AdapterContext.from_settings(Settings(home=folder)).statuses


@pytest.mark.parametrize(
    ("system", "code", "detail", "event_type", "physical"),
    [
        ("easypost", "in_transit", "weather_delay", "exception", True),
        ("easypost", "delivered", "weather_delay", "delivered", True),
        ("easypost", "in_transit", "label_created", None, False),
        ("easypost", "in_transit", "never heard of", "in_transit", True),
        ("aftership", "InTransit", "InTransit_002", "carrier.accepted", True),
        ("aftership", "Exception", "Exception_999", "exception", True),
        ("shipengine", "SP", None, "in_transit", True),
        ("carrier", "Out-for delivery", None, "in_transit", True),
    ],
)
def test_a_detail_decides_before_the_code_but_never_against_a_delivery(system, code, detail, event_type, physical):
    status = StatusBook.of_product().find(system, code, detail=detail, at=DAY)
    assert status is not None
    assert (status.event_type, status.is_physical) == (event_type, physical)


def test_a_code_means_what_its_carrier_means_by_it():
    book = StatusBook.of_product()
    assert book.find("carrier", "DE", carrier="fedex", at=DAY).event_type == "exception"
    assert book.find("shipengine", "DE", carrier="fedex", at=DAY).event_type == "delivered"
    assert book.find("carrier", "DE", carrier="ups", at=DAY) is None


def test_an_unknown_code_means_nothing():
    assert StatusBook.of_product().find("easypost", "teleported", at=DAY) is None
    assert StatusBook.of_product().find("easypost", None, at=DAY) is None


def test_a_row_holds_only_in_its_period(tmp_path):
    book = workspace(
        tmp_path,
        "*,acme,77,*,in_transit,true,false,,2026-05-01,old\n*,acme,77,*,delivered,true,false,2026-05-01,,new\n",
    )
    assert (
        book.find("carrier", "77", carrier="ACME", at=datetime.fromisoformat("2026-04-30T23:59")).event_type
        == "in_transit"
    )
    assert book.find("carrier", "77", carrier="ACME", at=DAY).event_type == "delivered"
    assert book.find("easypost", "delivered", at=DAY) is None, "the workspace's file replaces the product's"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("*,acme,77,*,arrived_maybe,true,false,,,x\n", "event_type 'arrived_maybe' is not one of"),
        ("*,acme,77,*,delivered,perhaps,false,,,x\n", "is_physical and is_return_leg are true or false"),
        ("*,acme,77,*,delivered,true,false,soon,,x\n", "row 2"),
        ("*,acme\n", "column code"),
    ],
)
def test_a_wrong_row_is_named_with_file_and_row(tmp_path, row, fault):
    with pytest.raises(SourceError, match=fault) as raised:
        workspace(tmp_path, row)
    assert "carrier_statuses.csv: row 2" in str(raised.value)


def test_the_products_rows_are_unique_and_no_return_leg_delivers(project_root):
    with (project_root / "data" / "seeds" / "carrier_statuses.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    keys = [(row["system"], row["carrier"], row["code"].lower(), row["detail"].lower()) for row in rows]
    assert len(keys) == len(set(keys)) > 100
    assert {row["event_type"] for row in rows} <= EVENT_TYPES
    assert not [row for row in rows if row["is_return_leg"] == "true" and row["event_type"] != "exception"]
    assert not [
        row for row in rows if row["event_type"] in ("delivered", "carrier.accepted") and row["is_physical"] != "true"
    ]
