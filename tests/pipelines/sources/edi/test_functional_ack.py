# ruff: noqa: DTZ001 - instants are naive UTC by contract
"""997 both ways: what we are told about our documents, what we answer to others'."""

from __future__ import annotations

from datetime import datetime

import pytest

from pipelines.sources.edi import read_interchanges
from pipelines.sources.edi.acknowledge import acknowledge

SENT = datetime(2026, 3, 2, 11, 0)


def answers(batch) -> list[tuple]:
    frame = batch.events["document"].filter(batch.events["document"]["status"].is_not_null())
    return frame.select(
        "event_type", "document_type", "direction", "partner_id", "group_control", "set_control", "status"
    ).rows()


def test_each_set_named_gets_its_answer(read_document):
    batch = read_document("997", "AK1*SH*31~AK2*856*0001~AK5*A~AK2*856*0002~AK3*HL*4**8~AK5*R*5~AK9*P*2*2*1~")
    assert answers(batch) == [
        ("document.acknowledged", "856", "out", "walmart", "31", "0001", "A"),
        ("document.rejected", "856", "out", "walmart", "31", "0002", "R"),
    ]
    assert batch.events["document"]["reason"].to_list()[1] == "HL at 4: 8; AK5 5"
    assert batch.events["document"]["document_type"].to_list()[-1] == "997"


def test_a_group_answer_without_sets_stands_for_all(read_document):
    batch = read_document("997", "AK1*IN*31~AK9*E*3*3*3~")
    assert answers(batch) == [("document.acknowledged", "810", "out", "walmart", "31", None, "E")]


def test_a_partial_answer_accepts_the_sets_it_does_not_name(read_document):
    batch = read_document("997", "AK1*IN*31~AK2*810*0002~AK5*R*5~AK9*P*3*3*2~")
    assert answers(batch) == [
        ("document.rejected", "810", "out", "walmart", "31", "0002", "R"),
        ("document.acknowledged", "810", "out", "walmart", "31", None, "A"),
    ]


@pytest.mark.parametrize("code", ["M", "W", "X"])
def test_rejections_for_security_are_rejections(read_document, code):
    assert answers(read_document("997", f"AK1*IN*31~AK2*810*1~AK5*{code}~AK9*R*1*1*0~"))[0][-1] == "R"


def test_an_acknowledgement_we_sent_is_about_what_we_received(read_document):
    batch = read_document("997", "AK1*PO*31~AK2*850*0001~AK5*A~AK9*A*1*1*1~", outbound=True)
    assert answers(batch) == [("document.acknowledged", "850", "in", "walmart", "31", "0001", "A")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [("AK9*A*1*1*1~", "997 without AK1"), ("AK1*IN*31~AK2*810*1~AK5*?~AK9*A*1*1*1~", "AK501 is '?'")],
)
def test_answers_that_say_nothing_are_rejected(read_document, body, reason):
    batch = read_document("997", body)
    assert answers(batch) == []
    assert reason in batch.rejects["reason"][0]


def reply(text: str) -> list[list[str]]:
    (interchange,) = read_interchanges(text.encode())
    written = acknowledge(interchange, control=99, sent_at=SENT)
    assert written is not None
    (answer,) = read_interchanges(written.encode())
    assert answer.all_faults == ()
    return answer.sets[0].split()


def test_our_997_accepts_what_lands(interchange):
    assert reply(interchange("850", "BEG*00*SA*1**20260302~PO1*1*5*EA~"))[1:-1] == [
        ["AK1", "PO", "7"],
        ["AK2", "850", "0001"],
        ["AK5", "A"],
        ["AK9", "A", "1", "1", "1"],
    ]


def test_our_997_goes_back_to_the_sender(interchange):
    (received,) = read_interchanges(interchange("850", "BEG*00*SA*1~").encode())
    (answer,) = read_interchanges((acknowledge(received, control=99, sent_at=SENT) or "").encode())
    header, group = answer.header, answer.groups[0].header
    assert (header.sender, header.receiver, header.control) == ("LARKFIELD", "WMTEDI01", "000000099")
    assert (header.date, header.time) == ("260302", "1100")
    assert (group.code, group.sender, group.receiver) == ("FA", "LARKFIELD", "WMTEDI01")


@pytest.mark.parametrize(
    ("old", "new", "set_answer", "group_answer"),
    [
        ("SE*3*0002", "SE*9*0002", ["AK5", "R", "4"], ["AK9", "P", "2", "2", "1"]),
        ("SE*3*0002", "SE*3*0009", ["AK5", "R", "3"], ["AK9", "P", "2", "2", "1"]),
        ("SE*3*0002~", "", ["AK5", "R", "2"], ["AK9", "P", "2", "2", "1"]),
        ("GE*2*7", "GE*3*7", ["AK5", "A"], ["AK9", "E", "3", "2", "2", "5"]),
        ("GE*2*7", "GE*2*8", ["AK5", "A"], ["AK9", "E", "2", "2", "2", "4"]),
        ("GE*2*7~", "", ["AK5", "A"], ["AK9", "E", "2", "2", "2", "3"]),
    ],
)
def test_our_997_names_the_faults(interchange, old, new, set_answer, group_answer):
    segments = reply(interchange("850", "BEG*00*SA*1~", "BEG*00*SA*2~").replace(old, new))
    assert segments[5] == set_answer
    assert segments[6] == group_answer


def test_our_997_speaks_with_the_partners_separators(interchange):
    text = interchange("850", "BEG*00*SA*1~").translate(str.maketrans({"*": "|", "~": "\n"}))
    (received,) = read_interchanges(text.encode())
    written = acknowledge(received, control=99, sent_at=SENT) or ""
    assert written.startswith("ISA|00|")
    assert "\nAK2|850|0001\nAK5|A\n" in written


def test_our_997_is_of_the_partners_release(interchange):
    text = interchange("850", "BEG*00*SA*1**20260302~PO1*1*5*EA~", version="005010").replace("*U*00401*", "*^*00501*")
    (received,) = read_interchanges(text.encode())
    answer = acknowledge(received, control=1, sent_at=SENT)
    (sent,) = read_interchanges(answer.encode())
    assert (sent.header.version, sent.header.separators.repetition) == ("00501", "^")
    assert sent.groups[0].header.version == "005010"
    assert not sent.all_faults


def test_a_group_without_a_sound_set_is_rejected(interchange):
    segments = reply(interchange("850", "BEG*00*SA*1~").replace("SE*3", "SE*4"))
    assert segments[-2] == ["AK9", "R", "1", "1", "0"]


def test_acknowledgements_are_not_acknowledged(interchange):
    (received,) = read_interchanges(interchange("997", "AK1*PO*1~AK9*A*1*1*1~").encode())
    assert acknowledge(received, control=1, sent_at=SENT) is None


def test_a_damaged_isa_gets_no_answer():
    (received,) = read_interchanges(b"ISA*00*oops")
    assert acknowledge(received, control=1, sent_at=SENT) is None
