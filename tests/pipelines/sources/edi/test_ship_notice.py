# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""856: the HL tree, cartons and what a ship notice says about a shipment."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

import pytest

from pipelines.sources.edi.hierarchy import read_tree
from pipelines.sources.edi.sscc import check_digit, has_valid_check_digit, normalise_sscc

HEAD = (
    "BSN*00*S1*20260305*1200*0001~HL*1**S~TD5*B*2*IRRD*M~REF*BM*BOL1~REF*CN*PRO1~"
    "DTM*011*20260305*1000~DTM*017*20260309~N1*SF*US*91*DC~N4*X*OH*43201~N1*ST*DC*92*6094~N4*Y*AR*72201~"
)
SSCC_A, SSCC_B = "007121610006156802", "008500770000000003"


def rows(batch, *columns: str) -> list[tuple]:
    return batch.events["shipment"].select(columns).rows()


def test_items_carry_carton_order_and_shipment(read_document):
    body = (
        HEAD + "HL*2*1*O~PRF*4500012345~HL*3*2*P~MAN*GM*00" + SSCC_A + "~HL*4*3*I~LIN*01*VN*AB~SN1*01*60*EA~CTT*4*60~"
    )
    batch = read_document("856", body, date="260305", time="1215")
    assert batch.rejects.is_empty()
    (row,) = batch.events["shipment"].to_dicts()
    assert (row["event_type"], row["shipment_id"], row["order_id"], row["line_id"]) == (
        "asn.sent",
        "S1",
        "walmart-4500012345",
        "1",
    )
    assert (row["sku"], row["quantity"], row["sscc"]) == ("AB", Decimal(60), SSCC_A)
    assert (row["carrier"], row["tracking_number"]) == ("irrd", "PRO1")
    assert (row["origin_region"], row["ship_to_region"]) == ("OH", "AR")
    assert row["event_at"] == datetime(2026, 3, 5, 17, 15)
    assert row["estimated_delivery_at"] == datetime(2026, 3, 10, 5)
    kept = json.loads(row["attributes"])
    assert (kept["shipped"], kept["bill_of_lading"], kept["structure"]) == ("202603051000", "BOL1", "0001")


def test_parents_decide_not_the_order_in_the_file(read_document):
    body = (
        HEAD
        + "HL*2*1*O~PRF*PO-A~HL*3*1*O~PRF*PO-B~HL*4*2*P~MAN*AA*"
        + SSCC_A
        + "~HL*5*3*P~MAN*AA*"
        + SSCC_B
        + "~HL*6*5*I~LIN*1*VN*B~SN1**2*EA~HL*7*4*I~LIN*1*VN*A~SN1**1*EA~CTT*7~"
    )
    assert rows(read_document("856", body), "order_id", "sku", "quantity", "sscc") == [
        ("walmart-PO-B", "B", Decimal(2), SSCC_B),
        ("walmart-PO-A", "A", Decimal(1), SSCC_A),
    ]


@pytest.mark.parametrize(
    ("name", "loops", "expected"),
    [
        ("S-O-I", "HL*2*1*O~PRF*7~HL*3*2*I~LIN*1*VN*A~SN1**5*EA~", [(5, None)]),
        (
            "S-O-T-P-I",
            f"HL*2*1*O~PRF*7~HL*3*2*T~MAN*GM*00{SSCC_A}~HL*4*3*P~HL*5*4*I~LIN*1*VN*A~SN1**5*EA~",
            [(5, SSCC_A)],
        ),
        (
            "S-O-I-P, one carton",
            f"HL*2*1*O~PRF*7~HL*3*2*I~LIN*1*VN*A~SN1**5*EA~HL*4*3*P~MAN*GM*00{SSCC_A}~",
            [(5, SSCC_A)],
        ),
        (
            "S-O-I-P, cartons with quantities",
            "HL*2*1*O~PRF*7~HL*3*2*I~LIN*1*VN*A~SN1**5*EA~"
            f"HL*4*3*P~MAN*GM*00{SSCC_A}~SN1**2*EA~HL*5*3*P~MAN*GM*00{SSCC_B}~SN1**3*EA~",
            [(2, SSCC_A), (3, SSCC_B)],
        ),
        (
            "S-O-I-P, cartons without quantities",
            f"HL*2*1*O~PRF*7~HL*3*2*I~LIN*1*VN*A~SN1**5*EA~HL*4*3*P~MAN*GM*00{SSCC_A}~HL*5*3*P~MAN*GM*00{SSCC_B}~",
            [(5, None)],
        ),
        ("no parents given", "HL*2**O~PRF*7~HL*3**I~LIN*1*VN*A~SN1**5*EA~HL*4**I~LIN*2*VN*B~SN1**6*EA~",
         [(5, None), (6, None)]),
        ("order at the item", "HL*2*1*I~LIN*1*VN*A~SN1**5*EA~PRF*7~", [(5, None)]),
    ],
)  # fmt: skip
def test_every_nesting_gives_each_unit_once(read_document, name, loops, expected):
    batch = read_document("856", HEAD + loops)
    assert rows(batch, "quantity", "sscc") == [(Decimal(quantity), sscc) for quantity, sscc in expected]
    assert {order for (order,) in rows(batch, "order_id")} == {"walmart-7"}


def test_the_same_line_twice_in_a_carton_is_summed(read_document):
    item = "*I~LIN*1*VN*A~SN1**5*EA~"
    batch = read_document("856", HEAD + f"HL*2*1*O~PRF*7~HL*3*2{item}HL*4*2{item}")
    assert rows(batch, "quantity") == [(Decimal(10),)]


def test_a_carrier_package_id_is_the_tracking_number_of_its_carton(read_document):
    loops = f"HL*2*1*O~PRF*7~HL*3*2*P~MAN*GM*00{SSCC_A}*CP~MAN*CP*1Z999~HL*4*3*I~LIN*1*VN*A~SN1**5*EA~"
    assert rows(read_document("856", HEAD + loops), "tracking_number", "sscc") == [("1Z999", SSCC_A)]


def test_without_a_line_number_the_sku_has_to_do(read_document):
    batch = read_document("856", HEAD + "HL*2*1*O~PRF*7~HL*3*2*I~LIN**VN*A~SN1**5*EA~")
    assert rows(batch, "line_id", "sku") == [(None, "A")]


def test_cases_are_counted_in_eaches(read_document):
    batch = read_document("856", HEAD + "HL*2*1*O~PRF*7~HL*3*2*I~LIN*1*VN*A~SN1**5*CA~PO4*12~CTT*3*5~")
    assert rows(batch, "quantity", "uom") == [(Decimal(60), "CA")]
    assert batch.rejects.is_empty()


def test_an_sscc_with_a_wrong_check_digit_is_kept_and_marked(read_document):
    wrong = SSCC_A[:-1] + "3"
    batch = read_document("856", HEAD + f"HL*2*1*O~PRF*7~HL*3*2*I~MAN*AA*{wrong}~LIN*1*VN*A~SN1**5*EA~")
    assert rows(batch, "sscc") == [(wrong,)]
    assert json.loads(rows(batch, "attributes")[0][0])["is_sscc_check_digit_wrong"] is True


def test_a_cancelled_notice_voids_its_shipment(read_document):
    batch = read_document("856", HEAD.replace("*00*S1", "*01*S1"))
    assert rows(batch, "event_type", "shipment_id", "order_id", "tracking_number") == [
        ("label.voided", "S1", None, None)
    ]


@pytest.mark.parametrize("purpose", ["05", "07"])
def test_a_notice_sent_anew_says_so(read_document, purpose):
    body = HEAD.replace("*00*S1", f"*{purpose}*S1") + "HL*2*1*O~PRF*7~HL*3*2*I~LIN*1*VN*A~SN1**5*EA~"
    batch = read_document("856", body)
    assert rows(batch, "event_type", "shipment_id", "quantity") == [("asn.sent", "S1", 5)]
    assert json.loads(batch.events["shipment"]["attributes"][0])["purpose"] == purpose
    assert batch.rejects.is_empty()


def test_the_document_names_its_order_or_all_of_them(read_document):
    one = read_document("856", HEAD + "HL*2*1*O~PRF*7~").events["document"].to_dicts()[0]
    assert (one["document_id"], one["order_id"]) == ("S1", "walmart-7")
    two = read_document("856", HEAD + "HL*2*1*O~PRF*7~HL*3*1*O~PRF*8~").events["document"].to_dicts()[0]
    assert two["order_id"] is None
    assert json.loads(two["attributes"]) == {"orders": ["7", "8"]}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("BSN*00**20260305*1200~HL*1**S~", "BSN02"),
        ("BSN*00*S1*20260305*1200~", "without HL loops"),
        (HEAD + "HL*2*1*I~LIN*1*VN*A~SN1**5*EA~", "no PRF or REF PO above this item"),
        (HEAD + "HL*2*1*O~PRF*7~HL*3*2*I~LIN*1*VN*A~SN1**five*EA~", "quantity 'five' is not a number"),
    ],
)
def test_what_is_no_shipment_is_rejected(read_document, body, reason):
    batch = read_document("856", body)
    assert "shipment" not in batch.events or batch.events["shipment"].is_empty()
    assert reason in batch.rejects["reason"][0]


def test_totals_that_do_not_fit_are_reported_and_the_items_land(read_document):
    batch = read_document("856", HEAD + "HL*2*1*O~PRF*7~HL*3*2*I~LIN*1*VN*A~SN1**5*EA~CTT*4*6~")
    assert len(rows(batch, "quantity")) == 1
    assert [reason.split(";")[0] for reason in batch.rejects["reason"]] == [
        "CTT01 says 4 HL loops, 3 came",
        "CTT02 says 6 units, the items add up to 5",
    ]


def test_parents_may_come_behind_their_loops(read_document):
    body = (
        "BSN*00*S1*20260305*1200*0002~HL*5*3*P~MAN*GM*00007121610006156802~HL*3*2*I~LIN*1*VN*A~SN1**5*EA~"
        "HL*2*1*O~PRF*7~HL*1**S~REF*CN*PRO1~CTT*4~"
    )
    batch = read_document("856", body)
    assert rows(batch, "order_id", "quantity", "sscc", "tracking_number") == [
        ("walmart-7", 5, "007121610006156802", "PRO1")
    ]
    assert batch.rejects.is_empty()


def test_loops_that_are_each_others_parents_make_no_circle():
    _, nodes = read_tree(
        [segment.split("*") for segment in ("HL*1*2*O", "HL*2*1*O", "HL*3*4*I", "HL*4*3*I", "HL*5*5*S")]
    )
    assert [[above.offset for above in node.line_up()] for node in nodes] == [[0], [1, 0], [2], [3, 2], [4]]


def test_a_loop_that_names_itself_or_an_unknown_parent_stands_alone():
    _, nodes = read_tree([["HL", "1", "1", "S"], ["HL", "2", "9", "O"], ["HL", "3", "2", "I"]])
    assert [node.parent is None for node in nodes] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00" + SSCC_A, SSCC_A),
        (SSCC_A, SSCC_A),
        (f"(00) {SSCC_A}", SSCC_A),
        ("12345", ""),
        ("11" + SSCC_A, ""),
        ("", ""),
    ],
)
def test_sscc_are_brought_to_eighteen_digits(text, expected):
    assert normalise_sscc(text) == expected


def test_check_digits_follow_gs1():
    assert check_digit("00712161000615680") == 2
    assert has_valid_check_digit(SSCC_B)
    assert not has_valid_check_digit(SSCC_B[:-1] + "7")
    assert not has_valid_check_digit("")


def test_a_reference_to_the_order_stands_in_for_its_prf(read_document):
    item = "LIN*1*VN*A~SN1**5*EA~"
    batch = read_document("856", f"{HEAD}HL*2*1*O~REF*PO*7~HL*3*2*I~{item}HL*4*1*O~REF*PO*8~HL*5*4*I~{item}CTT*2~")
    assert batch.rejects.is_empty()  # CTT01 may also count the items
    assert [row[0] for row in rows(batch, "order_id")] == ["walmart-7", "walmart-8"]


def test_a_carrier_behind_something_that_is_no_qualifier_is_not_believed(read_document):
    body = HEAD.replace("TD5*B*2*IRRD*M", "TD5*2*FEDEX*M") + "HL*2*1*O~PRF*7~HL*3*2*I~LIN*1*VN*A~SN1**5*EA~"
    assert rows(read_document("856", body), "carrier") == [(None,)]
