# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""855: promises per ACK, cuts as the seller's cancellations."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

HEAD = "BAK*00*AC*4500012345*20260227~"
LINE = "PO1*1*100*EA*5**UP*012345678905~"


def rows(batch, *columns: str) -> list[tuple]:
    return batch.events["order"].select(columns).rows()


def test_a_split_acknowledgement_promises_each_part(read_document):
    batch = read_document("855", HEAD + LINE + "ACK*IA*60*EA*068*20260310~ACK*IB*40*EA*068*20260324~")
    assert rows(batch, "event_type", "line_id", "quantity", "promise_at", "reason") == [
        ("order.promised", "1", Decimal(60), datetime(2026, 3, 11, 5), "IA"),
        ("order.promised", "1", Decimal(40), datetime(2026, 3, 25, 5), "IB"),
    ]
    assert rows(batch, "order_id", "sku", "customer_id")[0] == ("walmart-4500012345", "012345678905", "walmart")


def test_promises_carry_the_time_of_sending_by_our_own_clock(read_document):
    batch = read_document("855", HEAD + LINE + "ACK*IA*100*EA~", date="260302", time="0930")
    assert rows(batch, "event_at") == [(datetime(2026, 3, 2, 14, 30),)]  # 09:30 in New York, where we are


def test_alike_acknowledgements_are_summed(read_document):
    batch = read_document("855", HEAD + LINE + "ACK*IA*60*EA*068*20260310~ACK*IA*40*EA*068*20260310~")
    assert rows(batch, "quantity") == [(Decimal(100),)]


@pytest.mark.parametrize(
    ("acks", "expected"),
    [
        ("ACK*IQ*80*EA*068*20260310~", [("order.promised", 80, None), ("order.cancelled", 20, "seller_oos")]),
        ("ACK*ID*100*EA~", [("order.cancelled", 100, "seller_oos")]),
        ("ACK*IR~", [("order.cancelled", 100, "seller_oos")]),
        ("ACK*IQ*60*EA~ACK*IR*40*EA~", [("order.promised", 60, None), ("order.cancelled", 40, "seller_oos")]),
        ("ACK*IQ*50*EA~ACK*IB*30*EA~", [("order.promised", 50, None), ("order.promised", 30, None),
                                        ("order.cancelled", 20, "seller_oos")]),
        ("ACK*IQ*120*EA~", [("order.promised", 120, None)]),
        ("ACK*R4*100*EA~", [("order.cancelled", 100, "seller_other")]),
        ("ACK*IA*60*EA~", [("order.promised", 60, None)]),
        ("ACK*IP*100*EA~", [("order.promised", 100, None)]),
        ("ACK*BP*40*EA~ACK*IB*60*EA~", [("order.promised", 40, None), ("order.promised", 60, None)]),
    ],
)  # fmt: skip
def test_cuts_are_the_sellers_cancellations_never_changes(read_document, acks, expected):
    batch = read_document("855", HEAD + LINE + acks)
    assert rows(batch, "event_type", "quantity", "actor") == expected


def test_a_line_without_ack_is_promised_whole_for_the_headers_date(read_document):
    batch = read_document("855", "BAK*00*AD*1*20260227~DTM*017*20260312~PO1*1*7*EA~")
    assert rows(batch, "event_type", "quantity", "promise_at") == [
        ("order.promised", Decimal(7), datetime(2026, 3, 13, 5))
    ]


def test_a_rejection_cancels_lines_or_the_whole_order(read_document):
    lines = read_document("855", "BAK*00*RD*1*20260227~PO1*1*7*EA~")
    assert rows(lines, "event_type", "line_id", "quantity", "actor") == [
        ("order.cancelled", "1", Decimal(7), "seller_oos")
    ]
    whole = read_document("855", "BAK*00*RJ*1*20260227~")
    assert rows(whole, "event_type", "line_id", "quantity", "actor") == [("order.cancelled", None, None, "seller_oos")]


def test_an_acceptance_without_lines_promises_the_order(read_document):
    batch = read_document("855", "BAK*00*AT*1*20260227~")
    assert rows(batch, "event_type", "order_id", "line_id") == [("order.promised", "walmart-1", None)]


def test_cases_are_counted_in_eaches(read_document):
    batch = read_document("855", HEAD + "PO1*1*10*CA*60**VN*A~PO4*12~ACK*IQ*96*EA~")
    assert rows(batch, "event_type", "quantity") == [
        ("order.promised", Decimal(96)),
        ("order.cancelled", Decimal(24)),
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("BAK*00*AD**20260227~PO1*1*7*EA~", "BAK03"),
        ("BAK*07*AD*1*20260227~PO1*1*7*EA~", "BAK01 is '07'"),
        (HEAD + LINE + "ACK*IA*all*EA~", "quantity 'all' is not a number"),
    ],
)
def test_what_promises_nothing_is_rejected(read_document, body, reason):
    batch = read_document("855", body)
    assert "order" not in batch.events or batch.events["order"].is_empty()
    assert reason in batch.rejects["reason"][0]
