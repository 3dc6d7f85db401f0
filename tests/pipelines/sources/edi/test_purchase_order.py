# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""850: what a purchase order says about demand, windows, units and places."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

import pytest

HEAD = "BEG*00*SA*4500012345**20260227~"


def orders(batch) -> list[dict]:
    return batch.events["order"].to_dicts()


def test_a_line_becomes_a_captured_order_of_the_retailer(read_document):
    batch = read_document(
        "850",
        HEAD
        + "REF*DP*0074~N1*ST*WALMART DC 6094*92*6094~N4*LITTLE ROCK*AR*72201*US~"
        + "PO1*001*120*EA*9.25**VN*LK-STO-122*UP*850077001116~PID*F****BASKET~CTT*1~",
    )
    (order,) = orders(batch)
    assert batch.rejects.is_empty()
    assert (order["event_type"], order["source"], order["source_ref"]) == ("order.captured", "edi", "test.edi#1:8")
    assert (order["order_id"], order["line_id"], order["sku"]) == ("walmart-4500012345", "1", "LK-STO-122")
    assert (order["channel"], order["customer_id"], order["clock_zone"]) == ("wholesale", "walmart", "America/Chicago")
    assert (order["quantity"], order["uom"], order["unit_price"]) == (Decimal(120), "EA", Decimal("9.25"))
    assert (order["ship_to_id"], order["ship_to_region"], order["ship_to_postal_code"]) == ("6094", "AR", "72201")
    assert order["ship_to_country"] == "US"
    kept = json.loads(order["attributes"])
    assert kept["po_date"] == "20260227"
    assert kept["references"] == {"DP": "0074"}
    assert kept["product_ids"]["UP"] == "850077001116"


def test_capture_is_when_the_interchange_came_not_the_buyers_date(read_document):
    (order,) = orders(read_document("850", HEAD + "PO1*1*5*EA**~", date="260302", time="0930"))
    assert order["event_at"] == datetime(2026, 3, 2, 15, 30)  # 09:30 in Chicago
    assert order["time_quality"] == "instant"


def test_063_ends_and_064_starts_the_window_as_whole_local_days(read_document):
    (order,) = orders(read_document("850", HEAD + "DTM*064*20260309~DTM*063*20260311~PO1*1*5*EA~"))
    assert order["window_start_at"] == datetime(2026, 3, 9, 5)
    assert order["window_end_at"] == datetime(2026, 3, 12, 5)
    assert order["requested_at"] == order["window_end_at"]


@pytest.mark.parametrize(
    ("dates", "column", "expected"),
    [
        ("DTM*002*20260311~", "requested_at", datetime(2026, 3, 12, 5)),
        ("DTM*002*20260310~DTM*063*20260311~", "requested_at", datetime(2026, 3, 11, 5)),
        ("DTM*037*20260305~", "ship_window_start_at", datetime(2026, 3, 5, 6)),
        ("DTM*038*20260306~", "ship_by_at", datetime(2026, 3, 7, 6)),
        ("DTM*010*20260305~DTM*038*20260306~", "ship_by_at", datetime(2026, 3, 7, 6)),
        ("DTM*010*20260305~", "ship_by_at", datetime(2026, 3, 6, 6)),
        ("DTM*001*20260315~", "cancel_after_at", datetime(2026, 3, 16, 5)),
        ("DTM*061*20260314~", "cancel_after_at", datetime(2026, 3, 15, 5)),
        ("DTM*063*260311~", "window_end_at", datetime(2026, 3, 12, 5)),
        ("DTM*063*20260311*1100~", "window_end_at", datetime(2026, 3, 11, 16, 1)),
        ("DTM*064*20260311*1100*ET~", "window_start_at", datetime(2026, 3, 11, 15)),
        ("DTM*063****RD8*20260309-20260311~", "window_end_at", datetime(2026, 3, 12, 5)),
        ("DTM*064****RD8*20260309-20260311~", "window_start_at", datetime(2026, 3, 9, 5)),
        ("DTM*063*20260301~DTM*063*20260311~", "window_end_at", datetime(2026, 3, 12, 5)),
    ],
)
def test_each_date_goes_to_its_deadline(read_document, dates, column, expected):
    (order,) = orders(read_document("850", HEAD + dates + "PO1*1*5*EA~"))
    assert order[column] == expected


def test_a_window_of_one_moment_is_one_minute_long(read_document):
    body = HEAD + "DTM*064*20260311*1100~DTM*063*20260311*1100~PO1*1*5*EA~"
    (order,) = orders(read_document("850", body))
    assert (order["window_end_at"] - order["window_start_at"]).total_seconds() == 60


def test_the_spring_clock_change_shortens_the_local_day(read_document):
    (order,) = orders(read_document("850", HEAD + "DTM*064*20260308~DTM*063*20260308~PO1*1*5*EA~"))
    assert (order["window_end_at"] - order["window_start_at"]).total_seconds() == 23 * 3600


def test_a_line_date_wins_over_the_header(read_document):
    body = HEAD + "DTM*063*20260311~PO1*1*5*EA~DTM*063*20260320~PO1*2*5*EA~"
    first, second = orders(read_document("850", body))
    assert first["window_end_at"] == datetime(2026, 3, 21, 5)
    assert second["window_end_at"] == datetime(2026, 3, 12, 5)


def test_an_unreadable_date_is_a_reject_and_the_line_lands_without_it(read_document):
    batch = read_document("850", HEAD + "DTM*063*20260231~PO1*1*5*EA~")
    (order,) = orders(batch)
    assert order["window_end_at"] is None
    assert batch.rejects["reason"].to_list() == ["DTM063 '20260231' is not a date"]
    assert batch.rejects["raw"].to_list() == ["DTM*063*20260231"]


@pytest.mark.parametrize(
    ("line", "quantity", "price", "pack"),
    [
        ("PO1*1*10*CA*60**VN*A~PO4*12~", "120", "5", "12"),
        ("PO1*1*10*CA*60*PE*VN*A~PO4*12~", "120", "60", "12"),
        ("PO1*1*10*CA*60**VN*A~PO4*4*************6~", "240", "2.5", "24"),
        ("PO1*1*10*EA*60**VN*A~PO4*12~", "10", "60", "12"),
        ("PO1*1*10*DZ*24**VN*A~", "120", "2", None),
        ("PO1*1*10*EA*500*HP*VN*A~", "10", "5", None),
    ],
)
def test_cases_and_price_bases_become_eaches(read_document, line, quantity, price, pack):
    (order,) = orders(read_document("850", HEAD + line))
    assert order["quantity"] == Decimal(quantity)
    assert order["unit_price"] == Decimal(price)
    assert order["pack_quantity"] == (Decimal(pack) if pack else None)


def test_a_case_of_unknown_content_stays_a_case_and_says_so(read_document):
    (order,) = orders(read_document("850", HEAD + "PO1*1*10*CA*60**VN*A~"))
    assert (order["quantity"], order["uom"], order["pack_quantity"]) == (Decimal(10), "CA", None)
    assert json.loads(order["attributes"])["is_unconverted"] is True


def test_stores_of_an_sdq_add_up_and_are_kept(read_document):
    body = HEAD + "PO1*1*10*EA**~SDQ*EA*92*0010*4*0012*5~SDQ*EA*92*0015*1~"
    (order,) = orders(read_document("850", body))
    assert order["quantity"] == 10
    assert json.loads(order["attributes"])["stores"] == {"0010": "4", "0012": "5", "0015": "1"}


def test_an_sdq_gives_the_quantity_where_the_line_has_none(read_document):
    (order,) = orders(read_document("850", HEAD + "PO1*1**EA**~SDQ*EA*92*0010*4*0012*5~"))
    assert order["quantity"] == 9


def test_stores_may_be_told_in_another_unit_than_the_line(read_document):
    (order,) = orders(read_document("850", HEAD + "PO1*1*2*CA*24**VN*A~PO4*6~SDQ*EA*92*0010*3*0012*9~"))
    assert (order["quantity"], json.loads(order["attributes"])["stores"]) == (12, {"0010": "0.5", "0012": "1.5"})


@pytest.mark.parametrize("sdq", ["SDQ*EA*92*0010*4*0012*x~", "SDQ*EA*92*0010*4*0012~"])
def test_a_store_without_a_quantity_is_rejected_even_where_the_line_names_no_total(read_document, sdq):
    batch = read_document("850", HEAD + "PO1*1**EA*9**VN*A~" + sdq)
    assert "order" not in batch.events
    assert "expected the quantity of store 0012" in batch.rejects["reason"][0]


def test_an_sdq_that_contradicts_the_line_rejects_the_line_only(read_document):
    batch = read_document("850", HEAD + "PO1*1*10*EA**~SDQ*EA*92*0010*4*0012*5~PO1*2*3*EA~")
    assert [order["line_id"] for order in orders(batch)] == ["2"]
    assert "add up to 9" in batch.rejects["reason"][0]


def test_the_date_all_schedules_of_a_line_agree_on_is_the_lines(read_document):
    schedules = "SCH*4*EA***002*20260310~SCH*6*EA***002*20260310**037*20260301~"
    (order,) = orders(read_document("850", HEAD + "PO1*1*10*EA*9**VN*A~" + schedules))
    assert order["requested_at"] == datetime(2026, 3, 11, 5)
    assert order["ship_window_start_at"] == datetime(2026, 3, 1, 6)


def test_a_line_wanted_in_pieces_says_how_many_when_and_has_no_date_of_its_own(read_document):
    schedules = "SCH*4*EA***002*20260310~SCH*6*EA***002*20260317~"
    (order,) = orders(read_document("850", HEAD + "PO1*1*10*EA*9**VN*A~" + schedules))
    assert (order["quantity"], order["requested_at"]) == (10, None)
    assert json.loads(order["attributes"])["schedule"] == [["4", "002", "20260310"], ["6", "002", "20260317"]]


def test_a_schedule_without_a_readable_date_is_reported_and_the_line_lands(read_document):
    batch = read_document("850", HEAD + "PO1*1*10*EA*9**VN*A~SCH*10*EA***002*20261332~")
    assert len(orders(batch)) == 1
    assert "SCH06 '20261332' is not a date" in batch.rejects["reason"][0]


def test_line_numbers_are_text_without_padding_and_never_collide(read_document):
    body = HEAD + "PO1*003*1*EA~PO1**2*EA~PO1*003*3*EA~PO1*A-1*4*EA~"
    assert [order["line_id"] for order in orders(read_document("850", body))] == ["3", "2", "3-2", "A-1"]


@pytest.mark.parametrize(
    ("ids", "sku"),
    [
        ("UP*1*VN*2*SK*3", "2"),
        ("UP*1*SK*3", "3"),
        ("UP*1*BP*4", "4"),
        ("UP*1*EN*5", "1"),
        ("XX*9", "9"),
        ("VN**UP*1", "1"),
    ],
)
def test_the_vendors_number_is_the_sku_before_all_others(read_document, ids, sku):
    (order,) = orders(read_document("850", f"{HEAD}PO1*1*5*EA*1**{ids}~"))
    assert order["sku"] == sku


def test_a_ship_to_inside_a_line_belongs_to_the_line(read_document):
    body = (
        HEAD
        + "N1*ST*DC*92*6094~N4*X*AR*72201~N1*BT*HQ*92*1~N4*Y*TX*75000~"
        + "PO1*1*5*EA~N1*ST*JANE*92*7~N4*Z*ON*M5V*CAN~PO1*2*5*EA~"
    )
    first, second = orders(read_document("850", body))
    assert (first["ship_to_id"], first["ship_to_region"], first["ship_to_country"]) == ("7", "ON", "CA")
    assert (second["ship_to_id"], second["ship_to_region"], second["ship_to_country"]) == ("6094", "AR", "US")


def test_a_duplicate_is_rejected_but_filed_as_received(read_document):
    batch = read_document("850", HEAD.replace("*00*", "*07*") + "PO1*1*5*EA~")
    assert "order" not in batch.events
    assert batch.events["document"]["event_type"].to_list() == ["document.received"]
    assert "duplicate (BEG01 = 07)" in batch.rejects["reason"][0]
    assert batch.rejects["raw"][0].startswith("ST*850*0001~BEG*07")


def test_a_cancellation_cancels_the_whole_order_by_the_customer(read_document):
    (order,) = orders(read_document("850", HEAD.replace("*00*", "*01*") + "PO1*1*5*EA~"))
    assert (order["event_type"], order["actor"], order["line_id"], order["quantity"]) == (
        "order.cancelled",
        "customer",
        None,
        None,
    )


def test_a_replacement_captures_and_states_the_new_total(read_document):
    events = orders(read_document("850", HEAD.replace("*00*", "*05*") + "PO1*1*5*EA~"))
    assert [(event["event_type"], event["actor"], event["quantity"]) for event in events] == [
        ("order.captured", None, 5),
        ("order.changed", "customer", 5),
    ]


def test_a_blanket_order_is_a_draft(read_document):
    (order,) = orders(read_document("850", HEAD.replace("*SA*", "*BK*") + "PO1*1*5*EA~"))
    assert order["order_type"] == "draft"


def test_the_currency_of_the_document_counts(read_document):
    (order,) = orders(read_document("850", HEAD + "CUR*BY*CAD~PO1*1*5*EA~"))
    assert order["currency"] == "CAD"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("PO1*1*5*EA~", "850 without BEG"),
        ("BEG*00*SA***20260227~PO1*1*5*EA~", "BEG03"),
        ("BEG*22*SA*1**20260227~PO1*1*5*EA~", "BEG01 is '22'"),
        (HEAD + "PO1*1**EA~", "PO102 (quantity) is missing"),
        (HEAD + "PO1*1*many*EA~", "quantity 'many' is not a number"),
        (HEAD + "PO1*1*-5*EA~", "quantity is below 0"),
        (HEAD + "PO1*1*5*EA*cheap~", "unit_price 'cheap' is not a number"),
    ],
)
def test_what_cannot_be_an_order_is_rejected_with_its_reason(read_document, body, reason):
    batch = read_document("850", body)
    assert "order" not in batch.events or batch.events["order"].is_empty()
    assert reason in batch.rejects["reason"][0]


def test_a_wrong_line_count_is_reported_and_the_lines_land(read_document):
    batch = read_document("850", HEAD + "PO1*1*5*EA~CTT*2~")
    assert len(orders(batch)) == 1
    assert batch.rejects["reason"].to_list() == ["CTT01 says 2 lines, 1 came; the lines landed"]
    assert batch.rejects["raw"].to_list() == ["CTT*2"]


@pytest.mark.parametrize(
    ("fob", "incoterm"),
    [("FOB*CC*OR*PLANT*01*DAP", "DAP"), ("FOB*PP****fca", "FCA"), ("FOB*CC*OR*PLANT", None), ("FOB*CC***02*DAP", None)],
)
def test_the_incoterm_is_that_of_the_fob(read_document, fob, incoterm):
    batch = read_document("850", f"BEG*00*SA*45001**20260302~{fob}~PO1*1*1*EA~")
    assert json.loads(batch.events["order"]["attributes"][0]).get("incoterm") == incoterm


def test_an_id_where_its_qualifier_should_be_is_no_sku(read_document):
    batch = read_document("850", "BEG*00*SA*45001**20260302~PO1*1*1*EA*20*UP*893647*VP*EXP-1~PO1*2*1*EA*20**893647*VP~")
    assert batch.events["order"]["sku"].to_list() == ["EXP-1", None]
