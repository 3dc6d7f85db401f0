# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""The adapter: whose document it is, what is filed, what is refused."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.edi import parse, recognises
from storage.settings import EdiSettings

ORDER = "BEG*00*SA*1**20260302~PO1*1*5*EA~"


def documents(batch, *columns: str) -> list[tuple]:
    return batch.events["document"].select(columns).rows()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.edi", b"ISA*00*", True),
        ("a.txt", b"\xef\xbb\xbf\r\nISA~00~", True),
        ("a.edi.gz", gzip.compress(b"ISA*00*", mtime=0), True),
        ("a.x12", b"garbage", True),
        ("a.csv", b"ISABEL,1\n", False),
        ("a.json", b'{"a": 1}', False),
        ("a.edi", b"<xml/>", False),
        ("a.csv", b"", False),
    ],
)
def test_files_are_recognised_by_what_they_hold(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    assert recognises(SourceFile(tmp_path / name, name)) is expected


def test_every_business_document_is_filed_with_its_controls(read_document):
    batch = read_document("850", ORDER, control=31)
    assert documents(batch, "event_type", "document_type", "direction", "partner_id", "document_id", "order_id") == [
        ("document.received", "850", "in", "walmart", "1", "walmart-1")
    ]
    assert documents(batch, "interchange_control", "group_control", "set_control") == [("000000031", "31", "0001")]
    assert batch.rows_in == {"test.edi": 1}


def test_a_sent_document_is_filed_under_its_receiver(read_document):
    batch = read_document("855", "BAK*00*AT*1*20260302~", partner="TGTEDI01")
    assert documents(batch, "event_type", "direction", "partner_id") == [("document.sent", "out", "target")]


def test_sets_of_other_kinds_are_filed_whole(read_document):
    batch = read_document("830", "BFR*00*TRACE9~LIN*1*VN*AB~")
    ((document_id, attributes),) = documents(batch, "document_id", "attributes")
    assert document_id == "TRACE9"
    assert json.loads(attributes)["raw"].startswith("ST*830*0001~BFR*00*TRACE9~LIN")
    assert set(batch.events) == {"document"}


def test_an_unknown_partner_is_its_raw_id_in_lower_case(read_document):
    batch = read_document("850", ORDER, partner="NEWPARTNER")
    assert documents(batch, "partner_id") == [("newpartner",)]
    assert batch.events["order"]["order_id"].to_list() == ["newpartner-1"]


def test_a_group_id_names_the_partner_too(read_text, interchange):
    text = interchange("850", ORDER, partner="WMTEDI01").replace("*ZZ*WMTEDI01 ", "*ZZ*VANBOX99 ")
    assert documents(read_text(text), "partner_id") == [("walmart",)]


@pytest.mark.parametrize(
    ("code", "body", "direction"),
    [("850", ORDER, "in"), ("855", "BAK*00*AT*1~", "out"), ("997", "AK1*IN*1~AK9*A*1*1*1~", "in")],
)
def test_without_own_ids_the_kind_of_document_tells_the_direction(read_text, interchange, code, body, direction):
    batch = read_text(interchange(code, body), AdapterContext())
    assert documents(batch, "direction", "partner_id")[-1] == (direction, "wmtedi01")


def test_partners_alone_tell_the_direction(read_text, interchange):
    context = AdapterContext(edi=EdiSettings(partners={"WMTEDI01": "walmart"}))
    batch = read_text(interchange("997", "AK1*PO*1~AK9*A*1*1*1~", outbound=True), context)
    assert documents(batch, "direction", "partner_id")[-1] == ("out", "walmart")


def test_our_own_purchase_orders_are_no_sales(read_document):
    batch = read_document("850", ORDER, outbound=True)
    assert set(batch.events) == {"document"}
    assert documents(batch, "event_type") == [("document.sent",)]


def test_test_interchanges_are_refused(read_document):
    batch = read_document("850", ORDER, ORDER, usage="T")
    assert batch.events == {}
    assert batch.rejects["reason"].to_list() == ["test interchange"] * 2
    assert batch.rows_in == {"test.edi": 2}


def test_an_empty_test_interchange_is_refused_too(read_text, interchange):
    text = interchange("850", usage="T").replace("GS*PO*WMTEDI01*LARKFIELD*20260302*0930*7*X*004010~GE*0*7~", "")
    batch = read_text(text.replace("IEA*1*", "IEA*0*"))
    assert batch.rejects["reason"].to_list() == ["test interchange"]


def test_an_unsound_set_is_refused_and_the_others_land(read_text, interchange):
    text = interchange("850", ORDER, ORDER.replace("*1**", "*2**"), ORDER.replace("*1**", "*3**"))
    batch = read_text(text.replace("SE*4*0002", "SE*5*0002"))
    assert batch.events["order"]["order_id"].to_list() == ["walmart-1", "walmart-3"]
    (reason,) = batch.rejects["reason"]
    assert "SE01 is '5', expected 4" in reason
    assert batch.rejects["raw"][0].startswith("ST*850*0002~BEG")


def test_a_wrong_group_count_is_reported_and_the_sets_land(read_text, interchange):
    batch = read_text(interchange("850", ORDER).replace("GE*1", "GE*2"))
    assert batch.events["order"].height == 1
    assert batch.rejects.select("source_ref", "raw").rows() == [("test.edi#1:7", "2")]


def test_a_group_stamp_stands_in_for_a_broken_isa_date(read_text, interchange):
    text = interchange("850", ORDER, date="260302").replace("*260302*0930*U", "*269902*0930*U")
    assert read_text(text).events["order"]["event_at"].to_list() == [datetime(2026, 3, 2, 15, 30)]


def test_documents_without_any_date_are_refused(read_text, interchange):
    text = interchange("850", ORDER, date="999999")
    batch = read_text(text)
    assert batch.events == {}
    assert "is not a date and time" in batch.rejects["reason"][0]


def test_received_stamps_are_the_partners_and_sent_ones_ours(read_document):
    received = read_document("850", ORDER, partner="WMTEDI01")
    sent = read_document("855", "BAK*00*AT*1~", partner="WMTEDI01")
    assert documents(received, "event_at") == [(datetime(2026, 3, 2, 15, 30),)]
    assert documents(sent, "event_at") == [(datetime(2026, 3, 2, 14, 30),)]


def test_an_interchange_acknowledgement_is_filed(read_text, interchange):
    text = interchange("850", ORDER).replace("~GS*", "~TA1*000000005*260301*0800*A*000~GS*", 1)
    batch = read_text(text)
    assert documents(batch, "document_type", "document_id") == [("TA1", "000000005"), ("850", "1")]


def test_an_empty_file_is_a_reject(read_text):
    assert read_text(b"").rejects["reason"].to_list() == [
        "the file is empty: expected an interchange starting with ISA"
    ]


def test_a_file_that_is_no_x12_is_a_reject_with_its_beginning(read_text):
    batch = read_text("order_id,quantity\n1,2\n")
    assert batch.rejects["raw"].to_list() == ["order_id,quantity\n1,2\n"]


def test_the_same_file_gives_the_same_events(tmp_path, retail_documents):
    path = tmp_path / "all.edi"
    path.write_bytes(b"".join(retail_documents))
    context = AdapterContext(zone=ZoneInfo("America/New_York"))
    first, second = (parse([SourceFile(path, path.name)], context) for _ in range(2))
    assert set(first.events) == {"order", "shipment", "finance", "document"}
    for family, frame in first.events.items():
        assert frame.equals(second.events[family])
    assert first.rejects.is_empty()
