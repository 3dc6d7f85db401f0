"""824: what the partner says about the content of a document."""

from __future__ import annotations

import pytest


def verdicts(batch, *columns):
    frame = batch.events["document"]
    return frame.filter(frame["answered_by"].is_not_null()).select("event_type", *columns).rows()


def test_a_rejected_document_is_named_by_its_controls_with_the_reasons(read_document):
    batch = read_document(
        "824",
        "BGN*11*A1*20260306~OTI*TR*SI*S1***20260305*1200*77*0001*856~REF*PO*45001~"
        "TED*024*carton count~NTE**12 told, 10 found~",
    )
    assert verdicts(
        batch, "document_type", "direction", "group_control", "set_control", "document_id", "order_id", "status"
    ) == [("document.rejected", "856", "out", "77", "0001", "S1", "walmart-45001", "R")]
    assert verdicts(batch, "reason", "answered_by") == [
        ("document.rejected", "024 carton count; 12 told, 10 found", "824")
    ]
    assert batch.rejects.is_empty()


@pytest.mark.parametrize(
    ("code", "event", "status"),
    [
        ("TA", "document.acknowledged", "A"),
        ("te", "document.acknowledged", "E"),
        ("TC", "document.acknowledged", "E"),
        ("TP", "document.acknowledged", "P"),
        ("IR", "document.rejected", "R"),
        ("GA", "document.acknowledged", "A"),
    ],
)
def test_each_verdict_has_its_status(read_document, code, event, status):
    batch = read_document("824", f"BGN*11*A1*20260306~OTI*{code}*PO*45001~")
    assert verdicts(batch, "status", "document_type", "order_id") == [(event, status, "unknown", "walmart-45001")]


def test_a_rejected_invoice_is_told_to_finance_too(read_document):
    batch = read_document("824", "BGN*11*A1*20260306~OTI*TR*IV*INV1****7*0001~TED*812*price~")
    assert batch.events["finance"].select("event_type", "document_id", "reason_code").rows() == [
        ("invoice.rejected", "INV1", "812")
    ]
    assert verdicts(batch, "document_type")[0][1] == "810"


def test_an_advice_without_verdict_or_with_an_unknown_one_is_a_reject(read_document):
    assert read_document("824", "BGN*11*A1*20260306~").rejects["reason"].to_list() == [
        "824 without OTI: it names no document that it judges"
    ]
    assert read_document("824", "BGN*11*A1*20260306~OTI*ZZ*IV*1~").rejects["reason"].to_list() == [
        "OTI01 is 'ZZ': expected accept, error, partial or reject, e.g. TA, TE, TP, TR"
    ]
