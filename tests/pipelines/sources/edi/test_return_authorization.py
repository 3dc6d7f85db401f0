"""180: what a retailer returns."""

from __future__ import annotations

from decimal import Decimal


def told(batch, *columns):
    return batch.events["return"].select("event_type", *columns).rows()


def test_a_consumer_return_and_a_vendor_return_are_told_apart(read_document):
    batch = read_document(
        "180",
        "BGN*00*R7*20260310~PRF*45001~BLI*VN*AB*1*EA**25.75~RDR*CR*DR~BLI*VN*CD*2*CA**60~PO4*12~RDR*RA*EI~N9*RZ*RGA2~",
    )
    assert told(batch, "rma_id", "order_id", "sku", "quantity", "reason") == [
        ("rma.created", "R7", "walmart-45001", "AB", Decimal(1), "DR"),
        ("rma.created", "RGA2", "walmart-45001", "CD", Decimal(24), "EI"),
    ]
    kinds = ['"kind":"consumer"' in text for text in batch.events["return"]["attributes"]]
    assert kinds == [True, False]


def test_goods_kept_or_destroyed_do_not_come_back(read_document):
    batch = read_document("180", "BGN*00*R7*20260310~BLI*VN*AB*1*EA~RDR*KA*DA~BLI*VN*CD*1*EA~RDR*DI*DA~")
    assert told(batch, "disposition") == [("rma.created", None), ("rma.created", "destroy")]
    assert ['"is_kept":true' in text for text in batch.events["return"]["attributes"]] == [True, True]


def test_a_return_without_items_is_about_the_order(read_document):
    batch = read_document("180", "BGN*00*R7*20260310~RDR*CR*DR~PRF*45001~")
    assert told(batch, "rma_id", "order_id", "sku", "quantity", "reason") == [
        ("rma.created", "R7", "walmart-45001", None, None, "DR")
    ]


def test_cancelled_and_nameless_returns_are_rejects(read_document):
    assert read_document("180", "BGN*01*R7*20260310~BLI*VN*AB*1*EA~").rejects["reason"].to_list() == [
        "BGN01 is '01': the return is cancelled"
    ]
    assert read_document("180", "BGN*00~BLI*VN*AB*1*EA~").rejects["reason"].to_list() == [
        "BGN02 (return number) is missing"
    ]
