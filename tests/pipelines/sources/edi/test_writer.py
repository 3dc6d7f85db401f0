"""The writer: what it refuses, and that its counts are right."""

from __future__ import annotations

import pytest

from pipelines.sources.edi import InterchangeHeader, Separators
from pipelines.sources.edi.errors import X12WriteError
from pipelines.sources.edi.writer import GroupDraft, SetDraft, write_interchange


def header(**changes: object) -> InterchangeHeader:
    fields = {
        "ordinal": 1,
        "sender_qualifier": "ZZ",
        "sender": "LARKFIELD",
        "receiver_qualifier": "12",
        "receiver": "4405197800",
        "date": "260302",
        "time": "0930",
        "version": "00401",
        "control": "000000042",
        "usage": "P",
    }
    return InterchangeHeader(**{**fields, **changes})  # type: ignore[arg-type]


def group(*segments: list[str]) -> GroupDraft:
    return GroupDraft("SH", "LARKFIELD", "4405197800", "20260302", "0930", "42", [SetDraft("856", "0001", segments)])


def test_the_isa_is_padded_and_everything_counted():
    text = write_interchange(header(), [group(["BSN", "00", "S1", "", ""])], line_break="\n")
    assert text.splitlines() == [
        "ISA*00*          *00*          *ZZ*LARKFIELD      *12*4405197800     *260302*0930*U*00401*000000042*0*P*>~",
        "GS*SH*LARKFIELD*4405197800*20260302*0930*42*X*004010~",
        "ST*856*0001~",
        "BSN*00*S1~",
        "SE*3*0001~",
        "GE*1*42~",
        "IEA*1*000000042~",
    ]
    assert len(text.splitlines()[0]) == 106


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "AN-ID-LONGER-THAN-15"},
        {"date": "20260302"},
        {"control": "42"},
        {"sender": "A*B"},
        {"separators": Separators("*", "*", "~")},
        {"separators": Separators("A", ">", "~")},
        {"separators": Separators("*", "", "~")},
        {"separators": Separators("**", ">", "~")},
    ],
)
def test_headers_that_could_not_be_read_back_are_refused(changes):
    with pytest.raises(X12WriteError):
        write_interchange(header(**changes), [])


@pytest.mark.parametrize("segment", [["N1", "A*B"], ["N1", "A~"], ["N1", "A\nB"], ["N1", "A "], [], [""]])
def test_segments_that_could_not_be_read_back_are_refused(segment):
    with pytest.raises(X12WriteError):
        write_interchange(header(), [group(segment)])
