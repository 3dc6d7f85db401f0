# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""810 and 812: implied cents, signs, totals and reasons."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

import pytest

from pipelines.sources.base import AdapterContext
from pipelines.sources.edi.lines import cents_of
from storage.settings import PartnerProfile
from tests.pipelines.sources.edi.conftest import CONTEXT

INVOICE = "BIG*20260305*INV1*20260227*4500012345***DI~"
DEBIT = "BCD*20260320*D1**9402*D*20260305*INV1**20260227*4500012345~"


def rows(batch, *columns: str) -> list[tuple]:
    return batch.events["finance"].select(columns).rows()


def test_an_invoice_has_one_row_for_the_whole_and_one_per_line(read_document):
    batch = read_document("810", INVOICE + "IT1*01*60*EA*6.58**VN*AB~IT1*2*2*EA*1.005**VN*CD~TDS*39681~CTT*2~")
    assert batch.rejects.is_empty()
    assert rows(batch, "event_type", "document_id", "order_id", "customer_id")[0] == (
        "invoice.sent",
        "INV1",
        "walmart-4500012345",
        "walmart",
    )
    assert rows(batch, "line_id", "sku", "quantity", "unit_price", "amount") == [
        (None, None, None, None, Decimal("396.81")),
        ("1", "AB", Decimal(60), Decimal("6.58"), Decimal("394.80")),
        ("2", "CD", Decimal(2), Decimal("1.005"), Decimal("2.01")),
    ]


def test_a_credit_memo_lowers_what_was_invoiced(read_document):
    batch = read_document("810", INVOICE.replace("DI", "CR") + "IT1*1*2*EA*5**VN*AB~TDS*1000~")
    assert rows(batch, "amount") == [(Decimal(-10),), (Decimal(-10),)]


def test_an_invoice_in_cases_counts_eaches_and_keeps_the_amount(read_document):
    batch = read_document("810", INVOICE + "IT1*1*2*CA*60**VN*AB~PO4*12~TDS*12000~")
    assert rows(batch, "quantity", "unit_price", "amount")[1] == (Decimal(24), Decimal(5), Decimal(120))


@pytest.mark.parametrize(
    ("terms", "due"),
    [
        ("ITD*05*3*****60~", datetime(2026, 5, 5, 5)),
        ("ITD*05*3****20260401~", datetime(2026, 4, 2, 5)),
        ("ITD*05*3~", None),
        ("", None),
    ],
)
def test_payment_is_due_at_the_end_of_a_local_day(read_document, terms, due):
    assert rows(read_document("810", INVOICE + terms + "TDS*100~"), "due_at") == [(due,)]


def test_allowances_and_charges_are_kept(read_document):
    batch = read_document("810", INVOICE + "SAC*A*C310***500~SAC*C*D240***1250~TDS*100~")
    kept = json.loads(rows(batch, "attributes")[0][0])
    assert (kept["allowances"], kept["charges"]) == ("5.00", "12.50")


def test_an_invoice_may_name_its_order_in_a_reference_of_its_head(read_document):
    named = read_document("810", "BIG*20260305*INV1~REF*PO*45001~IT1*1*2*EA*5**VN*A~TDS*1000~")
    assert set(named.events["finance"]["order_id"]) == {"walmart-45001"}
    below = read_document("810", "BIG*20260305*INV1~IT1*1*2*EA*5**VN*A~REF*PO*45001~TDS*1000~")
    assert "BIG04 (PO number) is missing" in below.rejects["reason"][0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("BIG*20260305*INV1~TDS*100~", "BIG04 (PO number) is missing"),
        ("BIG*20260305**20260227*1~TDS*100~", "BIG02 (invoice number) is missing"),
        (INVOICE + "IT1*1*1*EA*5~", "810 without TDS"),
        (INVOICE + "TDS*1e~", "amount '1e' is not a number"),
    ],
)
def test_invoices_that_cannot_be_used_are_rejected(read_document, body, reason):
    assert reason in read_document("810", body).rejects["reason"][0]


@pytest.mark.parametrize("huge", ["9" * 30, "1e999", "Infinity", "-" + "9" * 40])
def test_numbers_beyond_all_amounts_are_rejected_not_raised(read_document, huge):
    batch = read_document("810", INVOICE + f"IT1*1*{huge}*CA*{huge}**VN*AB~PO4*{huge}~TDS*100~")
    assert rows(batch, "amount") == [(Decimal(1),)]
    assert batch.rejects.height == 1
    assert "is not a number that fits" in batch.rejects["reason"][0]


def test_a_deduction_is_positive_and_carries_the_retailers_code(read_document):
    batch = read_document("812", DEBIT + "CUR*BY*USD~CDD*59*D**9402~N9*ZZ*A030*CARTON SHORTAGE CLAIM~")
    (row,) = batch.events["finance"].to_dicts()
    assert batch.rejects.is_empty()
    assert (row["event_type"], row["document_id"], row["reference_id"], row["order_id"]) == (
        "deduction.taken",
        "D1",
        "INV1",
        "walmart-4500012345",
    )
    assert (row["amount"], row["reason_code"], row["violation"], row["customer_id"]) == (
        Decimal("94.02"),
        "A030",
        None,
        "walmart",
    )
    kept = json.loads(row["attributes"])
    assert (kept["standard_reason"], kept["reason_text"]) == ("59", "CARTON SHORTAGE CLAIM")


def test_the_standard_reason_stands_where_the_retailer_has_no_own(read_document):
    batch = read_document("812", DEBIT + "CDD*04*D**9402~NTE*ADD*CRUSHED~")
    assert rows(batch, "reason_code") == [("04",)]
    assert json.loads(rows(batch, "attributes")[0][0])["reason_text"] == "CRUSHED"


@pytest.mark.parametrize(
    ("flags", "amount"), [(("D", "D"), 50), (("C", "C"), -50), (("D", "C"), -50), (("D", ""), 50), (("C", ""), -50)]
)
def test_credits_give_back_what_debits_take(read_document, flags, amount):
    body = DEBIT.replace("*9402*D*", f"*5000*{flags[0]}*") + f"CDD*59*{flags[1]}**5000~"
    assert rows(read_document("812", body), "amount") == [(Decimal(amount),)]


def test_adjustments_of_one_reason_are_summed_and_reasons_kept_apart(read_document):
    body = DEBIT + "CDD*59*D**1000~CDD*59*D**1000~CDD*04*D**7402~"
    assert rows(read_document("812", body), "reason_code", "amount") == [
        ("59", Decimal(20)),
        ("04", Decimal("74.02")),
    ]


def test_an_adjustment_without_detail_takes_the_documents_amount(read_document):
    assert rows(read_document("812", DEBIT), "amount", "reason_code") == [(Decimal("94.02"), None)]


@pytest.mark.parametrize(
    "header",
    [
        "BCD*20260320*D1**9402*D********PO*77~",
        "BCD*20260320*D1**9402*D~N9*PO*77~N9*IV*INV9~",
        "BCD*20260320*D1**9402*D~REF*PO*77~REF*IV*INV9~",
    ],
)
def test_the_order_may_stand_in_a_reference(read_document, header):
    assert rows(read_document("812", header), "order_id") == [("walmart-77",)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("BCD*20260320***9402*D~", "BCD02 is ''"),
        ("BCD*20260320*D1**lots*D~", "BCD04 'lots'"),
        ("BCD*20260320*D1**9402*D******07~", "duplicate (BCD11 = 07)"),
        (DEBIT + "CDD*59*D**x~", "CDD04 is 'x'"),
    ],
)
def test_adjustments_that_cannot_be_used_are_rejected(read_document, body, reason):
    assert reason in read_document("812", body).rejects["reason"][0]


@pytest.mark.parametrize(
    ("text", "amount"), [("39681", "396.81"), ("5", "0.05"), ("-100", "-1.00"), ("150.75", "150.75"), ("NaN", None)]
)
def test_n2_amounts_have_two_implied_decimals_unless_the_point_is_written(text, amount):
    assert cents_of(text) == (Decimal(amount) if amount else None)


def test_a_partner_may_mean_the_flags_from_our_side(read_text, interchange):
    edi = CONTEXT.edi.model_copy(update={"profiles": {"walmart": PartnerProfile(adjustment_flag="seller")}})
    context = AdapterContext(zone=CONTEXT.zone, edi=edi)
    for body, amount in (
        (DEBIT, "-94.02"),
        (DEBIT.replace("*D*", "*C*"), "94.02"),
        (DEBIT + "CDD*59***9402~", "-94.02"),
    ):
        assert rows(read_text(interchange("812", body), context), "amount") == [(Decimal(amount),)]
