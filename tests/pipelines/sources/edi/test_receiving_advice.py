# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""861: what the buyer counted."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

HEAD = "BRA*RA1*20260311*00*1~REF*SI*S1~DTM*050*20260310*1015~PRF*45001~N1*ST*DC*92*6094~"


def told(batch, *columns):
    return batch.events["shipment"].select("event_type", *columns).rows()


def test_each_line_tells_what_was_received_of_which_order(read_document):
    batch = read_document(
        "861",
        HEAD + "RCD*1*58*EA***2*EA*02~LIN*001*VN*AB~MAN*GM*00007121610006156802~"
        "RCD*2*4*CA~LIN*2*VN*CD~PO4*12~PRF*45002~CTT*2*62~",
    )
    assert told(batch, "shipment_id", "order_id", "line_id", "sku", "quantity", "sscc", "reason", "node_id") == [
        ("received", "S1", "walmart-45001", "1", "AB", Decimal(58), "007121610006156802", "short", "6094"),
        ("received", "S1", "walmart-45002", "2", "CD", Decimal(48), None, None, "6094"),
    ]
    assert told(batch, "event_at", "time_quality")[0] == ("received", datetime(2026, 3, 10, 15, 15), "instant")
    assert batch.rejects.is_empty()


def test_a_line_of_which_all_is_in_question_received_nothing(read_document):
    batch = read_document("861", HEAD + "RCD*1*****10*EA*01~LIN*1*VN*AB~")
    assert told(batch, "quantity", "reason") == [("received", Decimal(0), "damaged")]


def test_alike_lines_add_up_and_totals_are_checked(read_document):
    batch = read_document("861", HEAD + "RCD**5*EA~LIN*1*VN*AB~RCD**5*EA~LIN*1*VN*AB~CTT*2*11~")
    assert told(batch, "quantity") == [("received", Decimal(10))]
    assert batch.rejects["reason"].to_list() == ["CTT02 says 11, the lines add up to 10; the lines landed"]


def test_broken_and_cancelled_advices_are_rejects(read_document):
    assert read_document("861", HEAD + "RCD*1*x*EA~").rejects["reason"].to_list() == [
        "RCD02 is 'x': expected the quantity received"
    ]
    assert read_document("861", HEAD.replace("*00*1~", "*01*1~") + "RCD*1*5*EA~").rejects.height == 1
    assert read_document("861", HEAD).rejects["reason"].to_list() == [
        "861 without RCD: it names nothing that was received"
    ]
