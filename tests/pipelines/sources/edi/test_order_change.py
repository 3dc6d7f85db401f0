# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""860: what the buyer changes. 865: what the seller changes or answers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from pipelines.sources.base import AdapterContext
from storage.settings import PartnerProfile
from tests.pipelines.sources.edi.conftest import CONTEXT

HEAD = "BCH*04*SA*45001***20260302*****20260305~"


def changes(batch, *columns):
    return batch.events["order"].select("event_type", *columns).rows()


def agreed(meaning: str) -> AdapterContext:
    """A context in which walmart fills POC03 in one way."""
    edi = CONTEXT.edi.model_copy(update={"profiles": {"walmart": PartnerProfile(change_quantity=meaning)}})
    return AdapterContext(zone=CONTEXT.zone, edi=edi)


@pytest.fixture
def read_change(read_text, interchange):
    def read(body: str, meaning: str = "total", **options: object):
        return read_text(interchange("860", body, **options), agreed(meaning))

    return read


def test_a_change_states_the_new_total_of_its_line_by_the_buyer(read_change):
    batch = read_change(HEAD + "POC*001*QD*80*80*EA*5**VN*AB~CTT*1~")
    assert changes(batch, "order_id", "line_id", "quantity", "quantity_change", "actor", "reason", "unit_price") == [
        ("order.changed", "walmart-45001", "1", Decimal(80), None, "customer", "QD", Decimal(5))
    ]
    assert batch.rejects.is_empty()


@pytest.mark.parametrize(
    ("meaning", "poc", "total", "difference"),
    [
        ("total", "QD*80*80*EA", 80, None),
        ("total", "CA*120**EA", 120, None),
        ("difference", "QD*20*80*EA", None, -20),
        ("difference", "QI*20**EA", None, 20),
        ("difference", "CA*-20**EA", None, -20),
        ("difference", "AI*30**EA", 30, None),
        ("before", "QD*100*80*EA", 80, None),
        ("before", "AI*30**EA", 30, None),
        ("total", "QC*100*100>20>>120*EA", 120, None),
        ("total", "QC*100*100>>15*EA", 85, None),
        ("total", "QC**>>15*EA", None, -15),
    ],
)
def test_what_the_quantity_means_is_agreed_with_the_partner(read_change, meaning, poc, total, difference):
    batch = read_change(HEAD + f"POC*1*{poc}~", meaning)
    expected = (None if total is None else Decimal(total), None if difference is None else Decimal(difference))
    assert changes(batch, "quantity", "quantity_change") == [("order.changed", *expected)]


@pytest.mark.parametrize(
    ("meaning", "poc", "reason"),
    [
        ("total", "QI***EA", "POC03 (quantity) is missing in a change of kind QI"),
        ("total", "QI*many**EA", "POC03 is 'many': expected a quantity"),
        ("before", "QD*100**EA", "POC03 is the quantity before the change and POC04 is '': no new one is given"),
    ],
)
def test_a_change_without_a_new_quantity_is_a_reject(read_change, meaning, poc, reason):
    batch = read_change(HEAD + f"POC*1*{poc}~POC*2*QD*5*5*EA~", meaning)
    assert batch.rejects["reason"].to_list() == [reason]
    assert batch.events["order"]["line_id"].to_list() == ["2"]


def test_a_deleted_line_is_cancelled_by_the_buyer(read_change):
    batch = read_change(HEAD + "POC*1*DI******IN*59123*VN*018~POC*2*DI******IN*86111~CTT*2~")
    assert changes(batch, "line_id", "sku", "quantity", "actor", "reason") == [
        ("order.cancelled", "1", "018", None, "customer", "DI"),
        ("order.cancelled", "2", "86111", None, "customer", "DI"),
    ]


@pytest.mark.parametrize("purpose", ["01", "03"])
def test_a_cancelled_order_is_one_event_without_line(read_change, purpose):
    batch = read_change(HEAD.replace("*04*", f"*{purpose}*") + "POC*1*DI*5~")
    assert changes(batch, "line_id", "actor", "reason") == [("order.cancelled", None, "customer", f"BCH01={purpose}")]


def test_dates_of_a_change_move_the_window_and_leave_the_quantity(read_change):
    batch = read_change(HEAD + "DTM*064*20260316~DTM*063*20260318~POC*1*CT***EA*****VN*AB~")
    assert changes(batch, "quantity", "window_start_at", "window_end_at") == [
        ("order.changed", None, datetime(2026, 3, 16, 5), datetime(2026, 3, 19, 5))
    ]


def test_a_change_of_the_header_alone_holds_for_the_whole_order(read_change):
    batch = read_change(HEAD + "DTM*001*20260320~")
    assert changes(batch, "line_id", "quantity", "cancel_after_at") == [
        ("order.changed", None, None, datetime(2026, 3, 21, 5))
    ]


def test_a_change_that_changes_nothing_is_a_reject(read_change):
    batch = read_change(HEAD + "REF*DP*012~")
    assert batch.rejects["reason"].to_list() == ["860 without POC lines, dates or ship-to: it changes nothing"]


@pytest.mark.parametrize("purpose", ["07", "22", "77"])
def test_duplicates_and_copies_change_nothing(read_change, purpose):
    batch = read_change(HEAD.replace("*04*", f"*{purpose}*") + "POC*1*QD*5~")
    assert batch.rejects["reason"].to_list() == [f"BCH01 is '{purpose}': such a change is not to be carried out"]
    assert set(batch.events) == {"document"}


def test_cases_become_eaches_and_stores_must_add_up(read_change):
    batch = read_change(
        HEAD + "POC*1*QD*10**CA*60**VN*AB~PO4*12~SDQ*CA*92*001*4*002*6~POC*2*QD*10**CA*60**VN*CD~SDQ*CA*92*001*4~"
    )
    assert changes(batch, "line_id", "quantity", "unit_price") == [("order.changed", "1", Decimal(120), Decimal(5))]
    assert batch.rejects["reason"].to_list() == ["the new quantity is 10, but the stores of the SDQ add up to 4"]


def test_a_wrong_line_count_is_reported_and_the_lines_land(read_change):
    batch = read_change(HEAD + "POC*1*QD*80~CTT*3~")
    assert batch.rejects["reason"].to_list() == ["CTT01 says 3 lines, 1 came; the lines landed"]
    assert batch.events["order"].height == 1


def test_codes_in_lower_case_are_read(read_change):
    batch = read_change(HEAD + "POC*1*qd*20**EA~", "difference")
    assert changes(batch, "quantity_change", "reason") == [("order.changed", Decimal(-20), "QD")]


def test_a_change_without_number_is_a_reject(read_change):
    batch = read_change("BCH*04*SA~POC*1*QD*80~")
    assert batch.rejects["reason"].to_list() == ["BCH03 (PO number) is missing"]


def test_the_seller_changes_under_his_own_name(read_document):
    batch = read_document(
        "865",
        "BCA*04*AC*45001***20260302~POC*1*QD*60*60*EA*5**VN*AB~DTM*068*20260312~POC*2*DI*50*0*EA***VN*CD~"
        "POC*3*PC*70*70*EA*4**VN*EF~CTT*3~",
    )
    assert set(changes(batch, "line_id", "quantity", "actor", "reason", "promise_at")) == {
        ("order.promised", "1", Decimal(60), None, "QD", datetime(2026, 3, 13, 5)),
        ("order.changed", "1", Decimal(60), "seller_oos", "QD", None),
        ("order.cancelled", "2", None, "seller_oos", "DI", None),
        ("order.promised", "3", Decimal(70), None, "PC", None),
    }
    assert batch.rejects.is_empty()


def test_an_answer_that_accepts_only_promises(read_document):
    batch = read_document("865", "BCA*06*AT*45001~DTM*067*20260312~POC*1*QD*80*80*EA***VN*AB~")
    assert changes(batch, "quantity", "promise_at") == [("order.promised", Decimal(80), datetime(2026, 3, 13, 5))]


def test_an_answer_that_refuses_promises_nothing(read_document):
    batch = read_document("865", "BCA*06*RJ*45001~POC*1*QD*80*80*EA***VN*AB~")
    assert set(batch.events) == {"document"}


def test_acknowledgements_inside_a_change_are_summed_by_kind(read_document):
    batch = read_document(
        "865",
        "BCA*06*AC*45001~POC*1*RS*100*100*EA***VN*AB~ACK*IA*60*EA*068*20260310~ACK*IB*40*EA*068*20260324~",
    )
    assert changes(batch, "quantity", "reason") == [
        ("order.promised", Decimal(60), "IA"),
        ("order.promised", Decimal(40), "IB"),
    ]


def test_a_change_from_us_to_a_supplier_is_only_filed(read_document):
    batch = read_document("860", HEAD + "POC*1*QD*80~", outbound=True)
    assert set(batch.events) == {"document"}
