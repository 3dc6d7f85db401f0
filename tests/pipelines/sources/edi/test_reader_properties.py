"""Properties of the reader: what is written is read back, truncation never lies, noise never raises."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.edi import InterchangeHeader, Separators, parse, read_interchanges, read_parts
from pipelines.sources.edi.writer import GroupDraft, SetDraft, write_interchange

SEPARATORS = "*~>|^<:!#%&+;=?@`{}\x1c\x1d\x1e\x1f¦…"
LETTERS = "ABCdef019 .-/'\"(),Äé漢"
CONTROL_IDS = {"ISA", "IEA", "GS", "GE", "ST", "SE"}

separators = st.lists(st.sampled_from(SEPARATORS), min_size=4, max_size=4, unique=True).flatmap(
    lambda chosen: st.sampled_from([chosen[2], "\n", "\r"]).map(
        lambda terminator: Separators(chosen[0], chosen[1], terminator, chosen[3])
    )
)
elements = st.text(LETTERS, max_size=8).map(str.strip)
segment_ids = st.text("ABCPOT123", min_size=2, max_size=3).filter(lambda name: name not in CONTROL_IDS)
segments = st.tuples(segment_ids, st.lists(elements, max_size=6)).map(lambda pair: [pair[0], *pair[1]])
bodies = st.lists(segments, max_size=5)
groups = st.lists(st.lists(bodies, max_size=3), max_size=3)


def trim(segment: list[str]) -> list[str]:
    while len(segment) > 1 and not segment[-1]:
        segment = segment[:-1]
    return segment


def write(content: list[list[list[list[str]]]], used: Separators, line_break: str = "") -> str:
    header = InterchangeHeader(
        1, "ZZ", "SENDER", "ZZ", "RECEIVER", "260302", "0930", "00501", "000000042", "P", separators=used
    )
    drafts = [
        GroupDraft(
            code="PO",
            sender="SENDER",
            receiver="RECEIVER",
            date="20260302",
            time="0930",
            control=str(number),
            sets=[SetDraft("850", f"{index:04d}", body) for index, body in enumerate(sets, start=1)],
        )
        for number, sets in enumerate(content, start=1)
    ]
    return write_interchange(header, drafts, line_break=line_break)


def sound_sets(data: bytes) -> list[str]:
    return [found.text for interchange in read_interchanges(data) for found in interchange.sets if found.is_sound]


def all_faults(data: bytes) -> list:
    return [fault for interchange in read_interchanges(data) for fault in interchange.all_faults]


@settings(deadline=None, max_examples=100)
@given(
    content=groups,
    used=separators,
    line_break=st.sampled_from(["", "\n", "\r\n"]),
    repeats=st.integers(1, 3),
    before=st.sampled_from(["", "\ufeff", "\ufeff\r\n", " \t\n"]),
)
def test_what_is_written_is_read_back_whatever_the_separators(content, used, line_break, repeats, before):
    text = write(content, used, "" if used.segment in "\r\n" else line_break)
    interchanges = list(read_interchanges((before + text * repeats).encode()))
    expected = [[[trim(segment) for segment in body] for body in sets] for sets in content]
    assert len(interchanges) == repeats
    for interchange in interchanges:
        assert interchange.header.separators == used
        assert interchange.all_faults == ()
        assert [[found.split()[1:-1] for found in group.sets] for group in interchange.groups] == expected


@settings(deadline=None, max_examples=60)
@given(content=groups, used=separators, chunk_bytes=st.integers(1, 600), repeats=st.integers(1, 4))
def test_the_size_of_chunks_changes_nothing(content, used, chunk_bytes, repeats):
    data = (write(content, used, "" if used.segment in "\r\n" else "\n") * repeats).encode()
    assert list(read_parts(data, chunk_bytes=chunk_bytes)) == list(read_parts(data))


SAMPLE = [
    [[["BEG", "00", "SA", "77"], ["PO1", "1", "5", "EA"]], [["BEG", "00", "SA", "78"]]],
    [[["BSN", "00", "S1"], ["HL", "1", "", "S"], ["CTT", "1"]]],
]


@pytest.mark.parametrize("line_break", ["", "\n"])
@pytest.mark.parametrize(
    "used", [Separators(), Separators("|", ">", "\n"), Separators("\x1d", "\x1f", "\x1e"), Separators("*", "¦", "…")]
)
def test_a_truncation_at_any_byte_gives_a_prefix_of_the_sets_and_a_fault(used, line_break):
    data = write(SAMPLE, used, "" if used.segment == "\n" else line_break).encode()
    whole = sound_sets(data)
    assert len(whole) == 3
    content_end = len(data.decode().rstrip("\n").removesuffix(used.segment).encode())
    for size in range(1, len(data)):
        found = sound_sets(data[:size])
        assert found == whole[: len(found)]
        assert all_faults(data[:size]) or size >= content_end, size
    assert all_faults(data[:content_end]) == all_faults(data) == []


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "fuzz.edi"


def read_all(data: bytes, path: Path) -> None:
    """Read bytes in every way there is; whatever they are, each ends and says the same."""
    assert list(read_parts(data, chunk_bytes=64)) == list(read_parts(data))
    list(read_interchanges(data))
    path.write_bytes(data)
    parse([SourceFile(path, path.name)], AdapterContext())


@settings(deadline=None, max_examples=80)
@given(data=st.binary(max_size=400), with_isa=st.booleans())
def test_noise_never_raises(scratch, data, with_isa):
    read_all((write([], Separators()).encode()[:106] if with_isa else b"") + data, scratch)


mutations = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["replace", "insert", "delete", "repeat"]),
        st.sampled_from(
            [b"~", b"*", b">", b"\n", b"", b"0", b"99999999999999999999", b"\xff", b"ISA*", b"HL*1*1*I~", b"-"]
        ),
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=120)
@given(which=st.integers(0, 5), changes=mutations)
def test_mutated_documents_never_raise(scratch, retail_documents, which, changes):
    data = retail_documents[which]
    for place, kind, piece in changes:
        at = int(place * len(data))
        if kind == "replace":
            data = data[:at] + piece + data[at + len(piece) :]
        elif kind == "insert":
            data = data[:at] + piece + data[at:]
        elif kind == "delete":
            data = data[:at] + data[at + 9 :]
        else:
            data = data[:at] + data[at : at + 40] + data[at:]
    read_all(data, scratch)


def test_a_large_file_is_streamed(tmp_path):
    body = [["BEG", "00", "SA", "77"], *([["PO1", "1", "5", "EA", "9.25", "", "VN", "AB-4711"]] * 40)]
    one = write([[body] * 500], Separators(), "\n").encode()
    path = tmp_path / "large.edi"
    path.write_bytes(one * 12)
    size = path.stat().st_size
    tracemalloc.start()
    count = sum(1 for part in read_parts(path, chunk_bytes=1 << 16))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 12 * 502
    assert size > 7 * peak
