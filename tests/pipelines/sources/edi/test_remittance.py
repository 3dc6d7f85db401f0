# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""820: every payment ties out, or it is said why not."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from pipelines.sources.edi.documents.remittance import reduces_by_sign


def finance(batch, *columns):
    return batch.events["finance"].select("event_type", *columns).rows()


def bpr(total: str) -> str:
    return f"BPR*C*{total}*C*ACH*CTX*****1234567890******20260320~TRN*1*TRACE9~"


def test_a_payment_that_ties_out_is_cash_and_a_deduction(read_document):
    batch = read_document("820", bpr("9500") + "ENT*1~RMR*IV*INV1**9500*10000*200~REF*PO*45001~ADX*-300*50*ZZ*OTIF~")
    assert finance(batch, "document_id", "reference_id", "order_id", "amount", "reason_code", "event_at") == [
        ("cash.applied", "TRACE9", "INV1", "walmart-45001", Decimal(9500), None, datetime(2026, 3, 20, 5)),
        ("deduction.taken", "TRACE9", "INV1", "walmart-45001", Decimal(300), "OTIF", datetime(2026, 3, 20, 5)),
    ]
    assert batch.events["finance"]["time_quality"].unique().to_list() == ["date"]
    assert batch.rejects.is_empty()


def test_the_wrong_sign_fails_the_tie_out_and_still_lands(read_document):
    batch = read_document("820", bpr("9500") + "ENT*1~RMR*IV*INV1**9500*10000*200~ADX*300*50*ZZ*OTIF~")
    assert batch.rejects["reason"].to_list() == [
        "tie-out: RMR04 is 9500, but gross, discount and adjustments give 10100 (10000 - 200 + 300); the payment landed"
    ]
    assert finance(batch, "amount") == [("cash.applied", Decimal(9500)), ("deduction.taken", Decimal(-300))]


def test_before_release_3050_a_positive_adjustment_reduces(read_document):
    body = bpr("9500") + "RMR*IV*INV1**9500*10000*200~ADX*300*50*ZZ*OTIF~"
    batch = read_document("820", body, version="003030")
    assert batch.rejects.is_empty()
    assert finance(batch, "amount")[1] == ("deduction.taken", Decimal(300))


@pytest.mark.parametrize(
    ("release", "sign"), [("003030", -1), ("003040", -1), ("003050", 1), ("004010VICS", 1), ("005010X306", 1), ("", 1)]
)
def test_the_release_decides_what_the_sign_means(release, sign):
    assert reduces_by_sign(release) == sign


def test_adjustments_before_any_payment_stand_for_themselves(read_document):
    batch = read_document(
        "820",
        bpr("800") + "ENT*1~ADX*-150*ZZ*CM*D77~REF*PO*45001~NTE**late~ADX*-50*ZZ*CM*D78~RMR*IV*INV1**1000*1000~",
    )
    assert finance(batch, "document_id", "reference_id", "amount") == [
        ("cash.applied", "TRACE9", "INV1", Decimal(1000)),
        ("deduction.taken", "D77", None, Decimal(150)),
        ("deduction.taken", "D78", None, Decimal(50)),
    ]
    assert batch.events["finance"]["order_id"].to_list() == [None, "walmart-45001", None]
    assert batch.rejects.is_empty()


def test_an_adjustment_behind_a_payment_that_ties_out_alone_stands_for_itself(read_document):
    batch = read_document("820", bpr("700") + "RMR*IV*INV1**1000*1000~ADX*-300*50*CM*D1~")
    assert batch.rejects.is_empty()
    assert '"is_stand_alone":true' in batch.events["finance"]["attributes"][1]


def test_a_negative_payment_is_a_credit_the_partner_takes(read_document):
    batch = read_document("820", bpr("800") + "RMR*IV*INV1**1000*1000~RMR*CM*CR9**-200*-200~REF*ZZ*A030~")
    assert finance(batch, "document_id", "amount", "reason_code") == [
        ("cash.applied", "TRACE9", Decimal(1000), None),
        ("deduction.taken", "CR9", Decimal(200), "A030"),
    ]
    assert batch.rejects.is_empty()


def test_what_is_paid_beyond_the_invoices_goes_into_suspense(read_document):
    batch = read_document("820", bpr("1200") + "RMR*IV*INV1**1000*1000~")
    assert finance(batch, "reference_id", "amount", "reason_code") == [
        ("cash.applied", "INV1", Decimal(1000), None),
        ("cash.applied", None, Decimal(200), "suspense"),
    ]
    assert batch.rejects["reason"].to_list() == [
        "tie-out: BPR02 is 1200, but the payments and adjustments add up to 1000; 200 is in suspense"
    ]


def test_less_money_than_announced_is_reported(read_document):
    batch = read_document("820", bpr("900") + "RMR*IV*INV1**1000*1000~")
    assert batch.rejects["reason"].to_list() == [
        "tie-out: BPR02 is 900, but the payments and adjustments add up to 1000; 100 more is said to be paid than was"
    ]


def test_a_payment_without_details_is_all_in_suspense(read_document):
    batch = read_document("820", bpr("55.25"))
    assert finance(batch, "amount", "reason_code") == [("cash.applied", Decimal("55.25"), "suspense")]


def test_a_payment_without_gross_or_net_is_judged_by_what_is_there(read_document):
    batch = read_document("820", bpr("1470") + "RMR*IV*INV1**1000~RMR*IV*INV2***500*20~ADX*-10*46~")
    assert finance(batch, "reference_id", "amount") == [
        ("cash.applied", "INV1", Decimal(1000)),
        ("cash.applied", "INV2", Decimal(470)),
        ("deduction.taken", "INV2", Decimal(10)),
    ]
    assert batch.rejects.is_empty()


def test_an_adjustment_inside_the_payment_segment_counts(read_document):
    batch = read_document("820", bpr("950") + "RMR*IV*INV1**950*1000**59*-50~")
    assert finance(batch, "amount", "reason_code")[1] == ("deduction.taken", Decimal(50), "59")
    assert batch.rejects.is_empty()


def test_amounts_that_are_none_are_rejects_of_their_own(read_document):
    batch = read_document("820", bpr("1000") + "RMR*IV*INV1**NET*GROSS~ADX*x*01~RMR*IV*INV2**1000~RMR*IV*INV3~")
    assert batch.rejects["reason"].to_list() == [
        "ADX01 is 'x': expected an amount",
        "RMR04 'NET', RMR05 'GROSS': expected an amount",
        "RMR04 (paid) and RMR05 (gross) are both missing",
    ]
    assert finance(batch, "reference_id") == [("cash.applied", "INV2")]


def test_alike_adjustments_of_one_payment_are_summed_not_lost(read_document):
    batch = read_document("820", bpr("400") + "RMR*IV*INV1**400*500~ADX*-50*01~ADX*-50*01~")
    assert finance(batch, "amount") == [("cash.applied", Decimal(400)), ("deduction.taken", Decimal(100))]


def test_a_payment_without_trace_is_known_by_its_check_or_its_controls(read_document):
    head = "BPR*C*10*C*CHK~"
    assert finance(read_document("820", head + "REF*CK*4711~RMR*IV*I1**10~"), "document_id")[0][1] == "4711"
    assert finance(read_document("820", head + "RMR*IV*I1**10~"), "document_id")[0][1] == "000000007-0001"


def test_a_remittance_without_payment_order_is_a_reject(read_document):
    batch = read_document("820", "TRN*1*T~RMR*IV*I1**10~")
    assert batch.rejects["reason"].to_list() == ["820 without BPR: it says neither what was paid nor when"]
