"""The reader: separators of each interchange, odd files, and what it says about broken ones."""

from __future__ import annotations

import gzip

import pytest

from pipelines.sources.edi import FaultCode, InterchangeHeader, read_interchanges, read_parts

ISA = "ISA*00*          *00*          *ZZ*WMTEDI01       *ZZ*LARKFIELD      *260302*0930*U*00401*000000007*0*P*>~"
SET = "ST*850*0001~BEG*00*SA*4500012345**20260302~PO1*1*5*EA*9.25**VN*AB~SE*4*0001~"
GROUP = f"GS*PO*WMTEDI01*LARKFIELD*20260302*0930*7*X*004010~{SET}GE*1*7~"
WHOLE = f"{ISA}{GROUP}IEA*1*000000007~"


def read(text: str | bytes) -> list:
    return list(read_interchanges(text.encode() if isinstance(text, str) else text))


def faults(text: str | bytes) -> list:
    return [fault for interchange in read(text) for fault in interchange.all_faults]


def test_a_sound_interchange_gives_its_envelopes_and_no_fault():
    (interchange,) = read(WHOLE)
    (document,) = interchange.sets
    header, group = interchange.header, interchange.groups[0].header
    assert (header.sender, header.receiver, header.control, header.is_test) == (
        "WMTEDI01",
        "LARKFIELD",
        "000000007",
        False,
    )
    assert (group.code, group.control, group.version) == ("PO", "7", "004010")
    assert (document.code, document.control, document.segment_count, document.is_sound) == ("850", "0001", 4, True)
    assert document.split()[1] == ["BEG", "00", "SA", "4500012345", "", "20260302"]
    assert interchange.all_faults == ()


def test_typed_segments_number_from_the_isa_and_forgive_short_segments():
    segments = list(read(WHOLE)[0].sets[0].segments())
    assert [(segment.number, segment.id) for segment in segments] == [(3, "ST"), (4, "BEG"), (5, "PO1"), (6, "SE")]
    assert segments[1][3] == "4500012345"
    assert segments[1][9] == ""


@pytest.mark.parametrize(
    ("element", "component", "terminator"),
    [("|", "<", "\n"), ("\x1d", "\x1f", "\x1c"), ("~", "`", "*"), ("^", ">", "!"), ("*", "¦", "…"), ("*", ">", "\r")],
)
def test_separators_come_from_the_isa(element, component, terminator):
    swap = str.maketrans({"*": element, ">": component, "~": terminator})
    (interchange,) = read(WHOLE.translate(swap))
    separators = interchange.header.separators
    assert (separators.element, separators.component, separators.segment) == (element, component, terminator)
    assert interchange.sets[0].split()[2][7] == "AB"
    assert interchange.all_faults == ()


@pytest.mark.parametrize("ending", ["~\n", "~\r\n", "~\n\n  ", " ~\r\n\t"])
def test_line_breaks_and_indentation_are_no_content(ending):
    (interchange,) = read(WHOLE.replace("~", ending))
    assert interchange.sets[0].text == SET.removesuffix("~")
    assert interchange.all_faults == ()


def test_lines_wrapped_at_eighty_columns_are_joined():
    wrapped = "\n".join(WHOLE[start : start + 80] for start in range(0, len(WHOLE), 80))
    (interchange,) = read(wrapped)
    assert interchange.header.time == "0930"
    assert interchange.sets[0].text == SET.removesuffix("~")


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\r\n \r\n", b"\x00\x00"])
def test_marks_and_blanks_before_the_isa_are_no_fault(mark):
    assert faults(mark + WHOLE.encode()) == []


def test_an_end_of_file_mark_after_the_iea_is_no_fault():
    assert faults(WHOLE + "\r\n\x1a") == []


def test_a_missing_last_terminator_is_no_fault():
    assert faults(WHOLE.removesuffix("~")) == []


def test_utf16_and_latin1_files_are_read():
    text = WHOLE.replace("AB", "KÄSE")
    assert read(text.encode("utf-16"))[0].sets[0].split()[2][7] == "KÄSE"
    assert read(text.encode("latin-1"))[0].sets[0].split()[2][7] == "KÄSE"


def test_a_wrongly_padded_isa_is_read_and_reported():
    text = WHOLE.replace("WMTEDI01       ", "WMTEDI01")
    (interchange,) = read(text)
    (fault,) = interchange.all_faults
    assert (fault.code, fault.element, fault.value) == (FaultCode.ISA_WIDTH, 6, "WMTEDI01")
    assert interchange.header.sender == "WMTEDI01"
    assert interchange.sets[0].is_sound


def test_an_isa_without_component_separator_still_names_its_terminator():
    (interchange,) = read(WHOLE.replace("*P*>~", "*P*~"))
    assert interchange.header.separators.segment == "~"
    assert interchange.sets[0].is_sound


def test_blanks_between_component_separator_and_line_break_are_skipped():
    (interchange,) = read(WHOLE.replace("~", " \r\n"))
    assert interchange.header.separators.segment == "\r"
    assert interchange.sets[0].is_sound


@pytest.mark.parametrize(
    ("version", "eleventh", "expected"),
    [("00401", "U", ""), ("00501", "^", "^"), ("00401", "^", ""), ("00501", "U", "")],
)
def test_the_repetition_separator_exists_from_release_00402_on(version, eleventh, expected):
    text = WHOLE.replace("*U*00401*", f"*{eleventh}*{version}*")
    assert read(text)[0].header.separators.repetition == expected


def test_interchanges_of_one_file_may_differ_in_separators():
    second = WHOLE.translate(str.maketrans({"*": "|", "~": "\n"})).replace("000000007", "000000008")
    first, other = read(WHOLE + "\n" + second)
    assert (first.header.control, other.header.control) == ("000000007", "000000008")
    assert first.sets[0].split() == other.sets[0].split()
    assert first.all_faults == other.all_faults == ()


def test_a_file_of_several_groups_and_sets_keeps_their_order():
    sets = SET + SET.replace("0001", "0002")
    text = f"{ISA}{GROUP.replace(SET, sets).replace('GE*1', 'GE*2')}{GROUP.replace('*7', '*8')}IEA*2*7~"
    (interchange,) = read(text)
    assert [[document.control for document in group.sets] for group in interchange.groups] == [
        ["0001", "0002"],
        ["0001"],
    ]
    assert interchange.all_faults == ()


def test_isa_inside_data_is_no_interchange():
    (interchange,) = read(WHOLE.replace("AB", "VISA*ISA CARD*ISA"))
    assert interchange.sets[0].is_sound


def test_a_ta1_outside_groups_is_kept():
    (interchange,) = read(f"{ISA}TA1*000000005*260301*0800*A*000~IEA*0*000000007~")
    assert interchange.control_segments[0].elements == ("TA1", "000000005", "260301", "0800", "A", "000")
    assert interchange.all_faults == ()


@pytest.mark.parametrize(
    ("wrong", "right", "code", "place", "level", "expected"),
    [
        ("SE*5*0001", "SE*4*0001", FaultCode.COUNT_MISMATCH, "SE01", "set", "4"),
        ("SE*4*0002", "SE*4*0001", FaultCode.CONTROL_MISMATCH, "SE02", "set", "0001"),
        ("GE*2*7", "GE*1*7", FaultCode.COUNT_MISMATCH, "GE01", "group", "1"),
        ("GE*1*8", "GE*1*7", FaultCode.CONTROL_MISMATCH, "GE02", "group", "7"),
        ("IEA*x*", "IEA*1*", FaultCode.COUNT_MISMATCH, "IEA01", "interchange", "1"),
        ("IEA*1*000000009", "IEA*1*000000007", FaultCode.CONTROL_MISMATCH, "IEA02", "interchange", "000000007"),
    ],
)
def test_trailers_that_contradict_are_reported_with_place_value_and_expectation(
    wrong, right, code, place, level, expected
):
    (fault,) = faults(WHOLE.replace(right, wrong))
    assert (fault.code, f"{fault.segment_id}{fault.element:02d}", fault.level) == (code, place, level)
    assert fault.expected == expected
    assert place in fault.sentence


def test_only_faults_of_the_set_itself_cost_the_set():
    assert not read(WHOLE.replace("SE*4", "SE*5"))[0].sets[0].is_sound
    assert read(WHOLE.replace("GE*1*7", "GE*9*9"))[0].sets[0].is_sound


def test_padding_of_control_numbers_does_not_matter():
    assert faults(WHOLE.replace("SE*4*0001", "SE*04*1").replace("IEA*1*000000007", "IEA*1*7")) == []


def test_a_set_without_se_is_unsound_and_the_next_one_is_read():
    broken = SET.replace("SE*4*0001~", "")
    (interchange,) = read(WHOLE.replace(SET, broken + SET.replace("0001", "0002")).replace("GE*1", "GE*2"))
    assert [document.is_sound for document in interchange.sets] == [False, True]
    assert interchange.sets[0].faults[0].code is FaultCode.MISSING_TRAILER
    assert interchange.sets[0].text == broken.removesuffix("~")


def test_missing_ge_and_iea_are_reported():
    codes = [(fault.code, fault.level) for fault in faults(WHOLE.replace("GE*1*7~IEA*1*000000007~", ""))]
    assert codes == [(FaultCode.MISSING_TRAILER, "group"), (FaultCode.MISSING_TRAILER, "interchange")]


def test_a_set_outside_a_group_is_unsound():
    (interchange,) = read(f"{ISA}{SET}IEA*0*000000007~")
    assert interchange.sets[0].faults[0].code is FaultCode.UNEXPECTED_SEGMENT


def test_a_run_of_stray_segments_is_one_fault():
    (fault,) = faults(WHOLE.replace("GE*1", "XX*1~YY*2~ZZ*3~GE*1"))
    assert (fault.code, fault.segment_id, fault.segment_number, fault.level) == (
        FaultCode.UNEXPECTED_SEGMENT,
        "XX",
        7,
        "group",
    )


def test_set_identifiers_are_required():
    missing = [fault.element for fault in faults(WHOLE.replace("ST*850*0001", "ST*").replace("SE*4*0001", "SE*4"))]
    assert missing == [1, 2]


def test_text_after_the_iea_and_before_the_isa_is_reported():
    (after,) = faults(WHOLE + "Regards, the EDI team")
    assert (after.code, after.value) == (FaultCode.TEXT_OUTSIDE, "Regards, the EDI team")
    unreadable, interchange = read("Subject: orders\n\n" + WHOLE)
    assert not unreadable.header.is_readable
    assert unreadable.faults[0].code is FaultCode.TEXT_OUTSIDE
    assert interchange.sets[0].is_sound


def test_a_broken_isa_does_not_hide_the_next_interchange():
    broken = WHOLE.replace("*ZZ*WMTEDI01       *ZZ*LARKFIELD      ", "*WMTEDI01")
    unreadable, interchange = read(broken + WHOLE)
    assert unreadable.faults[0].code is FaultCode.MALFORMED_ISA
    assert not unreadable.header.is_readable
    assert interchange.sets[0].is_sound


def test_a_broken_isa_inside_a_file_ends_what_can_be_trusted():
    broken = WHOLE.replace("*ZZ*WMTEDI01       *ZZ*LARKFIELD      ", "*WMTEDI01")
    (interchange,) = read(WHOLE + broken)
    assert len(interchange.sets) == 1
    assert interchange.all_faults[0].code is FaultCode.TEXT_OUTSIDE


@pytest.mark.parametrize("blank", [b"", b"\n\n", b"\xef\xbb\xbf", b" \x1a"])
def test_blank_content_gives_nothing(blank):
    assert read(blank) == []


def test_a_damaged_gzip_file_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "cut.edi.gz"
    path.write_bytes(gzip.compress((WHOLE * 400).encode(), compresslevel=0)[:40_000])
    interchanges = list(read_interchanges(path))
    assert interchanges[0].sets[0].is_sound
    assert interchanges[-1].all_faults[-1].code is FaultCode.DAMAGED_FILE


def test_the_stream_yields_parts_in_file_order():
    names = [type(part).__name__ for part in read_parts(WHOLE.replace("GE*1", "GE*2").encode())]
    assert names == ["InterchangeHeader", "GroupHeader", "TransactionSet", "Fault"]
    assert isinstance(next(read_parts(WHOLE.encode())), InterchangeHeader)
