"""The quick way through large files says what the ordinary one says: the same rows, rejects and counts, in order."""

from __future__ import annotations

import ast
import fcntl
import io
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.landing import find_files
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.edi import Interchange, TransactionSet, adapter, parse, parse_stream, read_interchanges, reader
from pipelines.sources.edi.bulk import cache
from pipelines.sources.edi.feed import Feed
from storage.settings import EdiSettings, PartnerProfile, Settings

NEVER = 1 << 60
CONTEXT = AdapterContext(
    zone=ZoneInfo("America/New_York"),
    edi=EdiSettings(
        own_ids=("LARKFIELD",),
        partners={"WMTEDI01": "walmart", "TGTEDI01": "target"},
        zones={"walmart": "America/Chicago"},
    ),
)


class Readers:
    """Reads files both ways and compares.

    Attributes:
        sets: Transaction sets in runs so far.
        refused: Those of them that the kernels left to the ordinary reader.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from pipelines.sources.edi.bulk.express import Express

        self.sets = self.refused = 0
        take = Express.take

        def counted(express, run, envelopes, place):
            self.sets += run.set_count
            for index in take(express, run, envelopes, place):
                self.refused += 1
                yield index

        monkeypatch.setattr(Express, "take", counted)
        self._patch = monkeypatch

    def ordinary(self, files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
        self._patch.setattr(adapter, "BULK_BYTES", NEVER)
        return parse(files, context)

    def express(self, files: Sequence[SourceFile], context: AdapterContext) -> ParsedBatch:
        self._patch.setattr(adapter, "BULK_BYTES", 0)
        self._patch.setattr(adapter, "COMPILING_BYTES", 0)
        return parse(files, context)

    def compare(self, files: Sequence[SourceFile], context: AdapterContext = CONTEXT) -> ParsedBatch:
        expected, found = self.ordinary(files, context), self.express(files, context)
        assert list(found.events) == list(expected.events)
        for family, frame in expected.events.items():
            assert_frame_equal(found.events[family], frame)
        assert_frame_equal(found.rejects, expected.rejects)
        assert found.rows_in == expected.rows_in
        for file in files:
            assert self.interchanges(file, 0) == self.interchanges(file, NEVER)
        return expected

    def interchanges(self, file: SourceFile, kernel_bytes: int) -> list[Interchange]:
        self._patch.setattr(reader, "KERNEL_BYTES", kernel_bytes)
        return list(read_interchanges(file.path))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> SourceFile:
    return SourceFile(tmp_path_factory.mktemp("bulk") / "bulk.edi", "bulk.edi")


@pytest.fixture(scope="module")
def readers(sample_files: list[SourceFile]) -> Iterator[Readers]:
    """Both ways of reading; the kernels are compiled once per machine, whatever the number of test processes."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        readers = Readers(monkeypatch)
        with Path(tempfile.gettempdir(), "otif-kernels.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            readers.express(sample_files[:1], CONTEXT)
        yield readers


@pytest.fixture
def many(interchange: Callable[..., str]) -> Callable[[int], str]:
    """Returns a number of interchanges of each kind of document."""

    def write(count: int) -> str:
        return "".join(
            interchange(code, *[body.replace("45001", f"{number}{index}") for index in range(3)], control=number)
            for number in range(1, count + 1)
            for code, body in DOCUMENTS
        )

    return write


@pytest.fixture(scope="module")
def sample_files(project_root: Path) -> list[SourceFile]:
    return find_files([project_root / "data" / "sample" / "inbox" / "edi"])


def test_the_sample_company_reads_the_same_and_hardly_any_set_is_irregular(readers, sample_files, project_root):
    context = AdapterContext.from_settings(Settings.load(project_root / "data" / "sample"))
    sets, refused = readers.sets, readers.refused
    batch = readers.compare(sample_files, context)
    assert batch.rejects.is_empty()
    assert readers.sets - sets > 2000
    assert (readers.refused - refused) < 0.05 * (readers.sets - sets)


def test_every_real_file_reads_the_same(readers, shared_data):
    files = [SourceFile(path, path.name) for path in sorted((shared_data / "x12").rglob("*")) if path.is_file()]
    assert len(files) > 268
    for file in files:
        readers.compare([file], AdapterContext())


def test_real_files_cut_and_damaged_anywhere_read_the_same(readers, scratch, shared_data, sample_files):
    paths = [path for path in sorted((shared_data / "x12").rglob("*")) if path.is_file()]
    texts = [path.read_bytes() for path in paths] + [file.read_bytes() for file in sample_files[::9]]
    dice = random.Random(41)
    for number in range(150):
        data = bytearray(dice.choice(texts)[:30_000])
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(data) + 1)
            change = dice.choice((b"", b"~", b"*", b"\n", b"\xe9", b"0", b"SE*", b"ST*850*1~", b'"', b"-", b"  "))
            data[at : at + dice.randrange(3)] = change
        scratch.path.write_bytes(data[: dice.randrange(len(data) + 1)] if number % 3 == 0 else data)
        readers.compare([scratch])


DOCUMENTS = (
    (
        "850",
        "BEG*00*SA*45001*R1*20260302~CUR*BY*CAD~FOB*CC*OR*PLANT*01*DAP~"
        "REF*DP*007~REF*IA*88 1~TD5**2*UPSN**Ground~DTM*064*20260309*0800~"
        "DTM*063*20260311~DTM*037*20260305~DTM*038*20260307~DTM*001*20260320~N1*BT*Shop*92*1~N4*TROY*NY~"
        "N1*ST*DC 12*92* 6094 ~N3*1 Road~N4*LITTLE ROCK*AR*72201~PO1*001*10*CA*60.25*PE*VN*AB-1*UP*012345678905~"
        "PID*F****Mug, \xe9 blue~PO4*12*1*EA**********6~DTM*002*20260310*1430~PO1*002*3*EA*7.5**UP*0012~"
        "N1*ST*Store*92*44~N4*TORONTO*ON*M5V*CAN~PO1*3*2*DZ*24~CTT*3*15~",
    ),
    ("850", "BEG*05*BK*45002**20260302~DTM*002*20260308~PO1**4*EA*1.005*HP*VN*A~PO1**5*EA***VN*B~CTT*2~"),
    ("850", "BEG*01*SA*45003**20260302~REF*DP*7~"),
    ("850", "BEG*00*SA*45004**20260302~PO1*1**EA*9.25**VN*A~SDQ*EA*92*001*4*002*6~CTT*1~"),
    ("850", "BEG*00*SA*45005**20260302~PO1*1*10*EA*9.25**VN*A~SCH*4*EA***002*20260310~SCH*6*EA***002*20260310~CTT*1~"),
    (
        "855",
        "BAK*00*AC*45001*20260302~DTM*067*20260311~PO1*1*100*EA*5**VN*AB~ACK*IA*60*EA*068*20260310~"
        "ACK*IA*10*EA*068*20260310~ACK*IQ*20*EA*068*20260324~PO1*2*10*CA*5**VN*C~PO4*12~ACK*IB*10*CA~"
        "PO1*3*7*EA*1**VN*D~ACK*ID*7*EA~PO1*4*7*EA*1**VN*E~ACK*R2*7~PO1*5*8*EA~DTM*069*20260401*1200~CTT*5~",
    ),
    ("855", "BAK*00*RD*45002*20260302~PO1*1*5*EA~PO1*2*6*EA~CTT*2~"),
    (
        "856",
        "BSN*00*S1*20260305*1200*0001~DTM*011*20260305*1130~HL*1**S~TD1*CTN25*4****G*120*LB~TD5*B*2*FDEG*M*Ground~"
        "REF*BM*B1~REF*CN*1Z99~DTM*017*20260309~N1*SF*W*92*1~N4*RENO*NV*89501~N1*ST*S*92*6094~N4*LITTLE ROCK*AR~"
        "HL*2*1*O~PRF*45001~HL*3*2*P~MAN*GM*00007121610006156802~HL*4*3*I~LIN*001*VN*AB~SN1**24*EA~PO4*12~"
        "HL*5*3*I~LIN*2*UP*012~SN1**2*CA~PO4*6~HL*6*1*O~PRF*45009~HL*7*6*P~MAN*AA*007121610006156803*CP*CP*1Z01~"
        "HL*8*7*I~LIN*1*VN*Z~SN1**5*EA~CTT*8*31~",
    ),
    (
        "856",
        "BSN*00*S2*20260305*1200*0004~HL*1**S~HL*2*1*O~PRF*45001~HL*3*2*I~LIN*1*VN*AB~SN1**30*EA~HL*4*3*P~"
        "MAN*GM*00007121610006156802~SN1**18*EA~HL*5*3*P~MAN*GM*00007121610006156819~SN1**12*EA~"
        "HL*6*2*I~LIN*2*VN*C~SN1**4*EA~HL*7*6*P~MAN*CP*1Z77~CTT*7~",
    ),
    (
        "810",
        "BIG*20260305*INV1*20260302*45001*R9**DI~CUR*SE*EUR~N1*ST*S*92*6094~ITD*05*3*****30~IT1*1*60*EA*5**VN*AB~"
        "IT1*2*2*CA*31.99**VN*C*UP*012~PO4*12~IT1*3*1*DZ*10.01~IT1*4*3*EA*7*HP~TDS*44098~SAC*A*D240***1250~"
        "SAC*C*G821***399~CTT*4~",
    ),
    ("810", "BIG*20261030*INV2**45001***CR~ITD*01*3****20261101~IT1**1*EA*.5**VN*AB~TDS*50~"),
    ("810", "BIG*20261030*INV3~REF*PO*45001~IT1*1*1*EA*.5**VN*AB~TDS*50~"),
    ("997", "AK1*SH*7~AK2*856*0001~AK5*A~AK2*856*0002~AK5*E~AK9*E*2*2*2~"),
    ("997", "AK1*IN*9~AK2*810*0001~AK3*IT1*4**8~AK4*2*358*1~AK5*R*5~AK9*P*3*3*2~"),
    ("997", "AK1*PO*9~AK9*A*3*3*3~"),
    (
        "997",
        "AK1*SH*7~AK2*856*0001~AK3*HL*4**8~AK4*2*358*1*BAD~AK4*3**7~AK5*R*5*I5~AK2*856*0002~AK5*A~AK9*P*3*3*2*4**1~",
    ),
    ("812", "BCD*20260320*D1**9402*D*20260305*INV1**20260302*45001~CDD*59*D**9402~N9*ZZ*A030*SHORT~"),
    ("820", "BPR*C*1500*C*ACH*CCP~TRN*1*77~ENT*1~RMR*IV*INV1**1500~"),
    (
        "820",
        "BPR*C*1492.75*C*ACH*CCP*01*021000021*DA*1234567*1234567890**01*021000089*DA*7654321*20260312~TRN*1*CK 88~"
        "CUR*PR*CAD~REF*CK*9~N1*PR*Shop~ENT*1~RMR*IV*INV1**980*1000*20~DTM*003*20260301~RMR*PO*45001**12.75*12.75~"
        "ENT*2~RMR*IV*INV2***500*0~",
    ),
    (
        "820",
        "BPR*C*90*C*ACH*CCP************20260312~TRN*1*99~ENT*1~RMR*IV*INV1**90*100~ADX*-10*59*ZZ*A030~NTE*ADD*short~"
        "RMR*IV*INV3**0*0~REF*PO*45001~",
    ),
    (
        "846",
        "BIA*00*SI*STK1*20260301*0600~DTM*007*20260302*0415~REF*IA*5~N1*VN*Seller*92*1~N1*WH*Depot*91*DC 1~"
        "LIN*1*VN*AB-1*UP*012345678905*LT*L7~PO4*12~REF*BT*77~QTY*17*40*CA~QTY*33*30*CA~QTY*29*9.50*EA~"
        "LIN*2*VN*C~QTY*33*7*EA~QTY*QH*2*EA~QTY*20*1.5*EA~QTY*27*3~LIN*3*UP*44~REF*LOT*A1~REF*LOT*A2~QTY*17*5*CA~CTT*3~",
    ),
    ("846", "BIA*00*SI*STK2*20260301~LIN**VN*A~QTY*26*10~UIT*EA~LIN**VN*B~QTY*33*1~N1*WH*D*91*DC2~QTY*33*4~CTT*2~"),
    ("846", "BIA*25*SI*STK3~LIN*1*VN*A~DTM*036*20270301~QTY*33*0*EA~LIN*2*VN*B~QTY*33*00*EA~QTY*63*4*EA~"),
    (
        "860",
        "BCH*04*BK*45001*R9*7*20260301*****20260302~CUR*BY*CAD~DTM*002*20260311~N1*ST*S*92*6094~N4*TROY*NY*12180~"
        "POC*1*QD*4*2*CA*60.25*PE*VN*AB-1*UP*012~PO4*12~DTM*063*20260312~POC*2*AI*5**DZ*12**VN*C~POC*3*DI******VN*D~"
        "POC*4*PC*0**EA*7.5**VN*E~POC*5*CT*9**EA***VN*F~N1*ST*T*92*7~N4*TORONTO*ON*M5V*CAN~POC*6*QI*3*8*CA***VN*G~CTT*6~",
    ),
    ("860", "BCH*01*SA*45001***20260301~"),
    ("860", "BCH*04**45001*****20260301~DTM*002*20260311~"),
    ("860", "BCH*04*SA*45001*****20260301~POC*1*QI*3*8>2>>10*EA***VN*G~POC*2*QI*3*8*EA>1***VN*G~"),
    (
        "940",
        "W05*N*SO1*45001~N1*ST*DC 12*92* 6094 ~N4*LITTLE ROCK*AR*72201~N1*SF*Depot*91*DC 1~N4*RENO*NV*89501*USA~"
        "N9*CO*77~L11*88*VN~REF*VN*89~G62*10*20260304~G62*38*20260305*8*1200~G62*02*20260308~G62*53*20260306*8*0930~"
        "G62*54*20260307~G62*37*20260303~G62*01*20260320~W66*CC*M***UPSN*****ROUTE 6~LX*1~N9*ZZ*1~"
        "W01*10*CA*00012345*VN*AB-1*UP*012~N9*LI*001~W20*12~MAN*GM*1~LX*2~W01*3*EA**VN*C~L11*2*PL~LX*3~W01*4*CA*77~W76*17~",
    ),
    ("940", "W05*N**45001~LX*1~W01*1.5*DZ**UA*7~LX*2~G62*10*20260304~W01*2*EA**VN*B~"),
    ("940", "W05*F*SO1*45001~LX*1~W01*1*EA**VN*A~W76*1~"),
    ("940", "W05*N*SO1~W01*1*EA**VN*A~W01*2*EA**VN*B~W76*3~"),
    (
        "945",
        "W06*F*SO1*20260302*SH1**45001~N1*ST*S*92*6094~N4*LITTLE ROCK*AR*72201~N1*SF*D*91*DC 1~N9*BM*BOL1~N9*CN*1Z9~"
        "G62*11*20260302~W27*M*FDEG*GROUND*CC~LX*1~MAN*GM*00007121610006156802*CP*CP*1Z01~W12*CC*10*10*0*CA*0001*VN*AB~"
        "W20*12~N9*LI*1~LX*2~MAN*GM*00007121610006156803~W12*CP*4*3*1*EA**VN*C*L9*******S1**S2~MAN*CP*1Z02~N9*LI*02~LX*3~"
        "W12*BP*4*0*4*EA**VN*D~N9*LI*3~LX*4~W12*CC**5**EA**VN*E~LX*5~W12*CC*2*6**EA**UP*77~W03*24*80*LB~",
    ),
    ("945", "W06*F*SO1*20260301~REF*PO*45001~LX*1~W12*CC*1*1**EA**VN*A~LX*2~W12*CC*1*1**EA**VN*A~W03*2~"),
    ("945", "W06*F*SO1~G62*10*20260301*8*1544~LX*1~W12*CC*1.5*1.5**EA**VN*A~LX*2~W12*CC*1*1**EA**VN*B~W12*CC*1*2~"),
)
VALUES = (
    *("", " ", "0", "00", "01", "1", "2", "9", "007", " 7 ", "1.5", ".5", "5.", "-3", "1e3", "+4", "0.00005", "0.3333"),
    *("2.0005", "1.00005", "99999999", "999999999.99", "123456789012345678", "NaN", "Infinity", "1_0", "\u0663"),
    *("CA", "EA", "DZ", "GS", "BX", "PE", "HP", "TP", "PD", "VN", "UP", "IN", "XX", "ST", "SF", "BM", "CN", "92"),
    *("S", "O", "P", "T", "I", "GM", "AA", "CP", "00007121610006156802", "007121610006156803", "0071 2161-0006156802"),
    *("20260308", "20261101", "20260230", "20240229", "20491231", "20500101", "19990101", "260308", "2026-03-08"),
    *("0230", "0130", "2359", "235959", "2400", "24", "1430", "12345678", "ET", "UT", "D8", "RD8", "20260301-20260308"),
    *("002", "063", "064", "037", "010", "038", "061", "067", "068", "011", "017", "IA", "IQ", "IR", "R8", "R9", "BP"),
    *("A", "E", "R", "M", "P", "a", "X ", "C", "CR", "CN", "04", "05", "06", "15", "BK", "RJ", "N" * 20, "45001", "AR"),
    *("ca", "dz", "vn", "pe", "st", "iq", "s", "o", "i", "gm", "cr", "nv", "usd", "bk", "abcd", "eA", "aC1"),
    *("QI", "QD", "AI", "DI", "PC", "LI", "PL", "N9", "WH", "17", "33", "QH", "UA", "LT", "PO", "IV", "54", "8>2>>9"),
    *("01", "FCA", "ddp"),
    *("USA", "CAN", "DE", "ON", "caf\u00e9", 'a "b"', "back\\slash", "tab\tbed", "{}", "\u2028", "x" * 300),
)
edits = st.tuples(
    st.sampled_from(["element", "element", "element", "element", "drop", "repeat", "swap"]),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(VALUES),
)
changed_documents = st.tuples(st.sampled_from(DOCUMENTS), st.lists(edits, max_size=4))


def edited(body: str, changes: Sequence[tuple[str, float, float, str]]) -> str:
    """Return a document's body with elements and whole segments changed, so that its counts still agree."""
    segments = [segment.split("*") for segment in body.split("~")[:-1]]
    for kind, place, part, value in changes:
        at = int(place * len(segments))
        if kind == "element":
            segment = [*segments[at], *[""] * 2]
            segment[1 + int(part * (len(segment) - 1))] = value
            segments[at] = segment
        elif kind == "drop" and len(segments) > 1:
            del segments[at]
        elif kind == "repeat":
            segments.insert(int(part * len(segments)), segments[at])
        else:
            segments[at], segments[-1] = segments[-1], segments[at]
    return "".join("*".join(segment).rstrip("*") + "~" for segment in segments)


@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(changed_documents, min_size=1, max_size=6),
    partner=st.sampled_from(["WMTEDI01", "TGTEDI01", "UNKNOWN", "caf\u00e9"]),
    outbound=st.sampled_from([None, None, None, True, False]),
    usage=st.sampled_from("PPPPPT"),
    ending=st.sampled_from(["", "\n", "\r\n"]),
    date=st.sampled_from(["260302", "260308", "261101", "269999"]),
    change_quantity=st.sampled_from(["total", "difference", "before"]),
    inventory=st.sampled_from(["full", "changes"]),
)
def test_documents_changed_anywhere_read_the_same(
    readers, scratch, interchange, documents, partner, outbound, usage, ending, date, change_quantity, inventory
):
    text = "".join(
        interchange(code, edited(body, changes), partner=partner, outbound=outbound, usage=usage, date=date)
        for (code, body), changes in documents
    )
    scratch.path.write_text(text.replace("~", "~" + ending))
    profile = PartnerProfile(change_quantity=change_quantity, inventory=inventory)
    edi = CONTEXT.edi.model_copy(update={"profiles": {"walmart": profile}})
    readers.compare([scratch], replace(CONTEXT, edi=edi))


@pytest.mark.parametrize("code", ["820", "846", "860", "940", "945"])
def test_regular_documents_of_warehouses_and_payers_are_read_by_kernels(readers, scratch, interchange, code):
    body = next(body for kind, body in DOCUMENTS if kind == code and len(body) > 100)
    scratch.path.write_text(interchange(code, *[body.replace("45001", f"4500{number}") for number in range(9)]))
    sets, refused = readers.sets, readers.refused
    readers.compare([scratch])
    assert readers.sets - sets > 5
    assert readers.refused == refused


def test_acknowledgements_that_give_reasons_are_read_by_kernels(readers, scratch, interchange):
    bodies = [body for kind, body in DOCUMENTS if kind == "997"]
    scratch.path.write_text(interchange("997", *bodies))
    refused = readers.refused
    found = readers.compare([scratch]).events["document"]
    assert "HL at 4: 8; element 2: 1 BAD; element 3: 7; AK5 5; AK5 I5" in found["reason"].to_list()
    assert "AK9 4; AK9 1" in found["reason"].to_list()
    assert readers.refused == refused


@pytest.mark.parametrize("meaning", ["total", "difference", "before"])
def test_changes_are_read_as_the_partner_means_them(readers, scratch, interchange, meaning):
    body = next(body for kind, body in DOCUMENTS if kind == "860")
    scratch.path.write_text(interchange("860", *[body.replace("AI*5**", "AI*5*1*")] * 5))
    edi = CONTEXT.edi.model_copy(update={"profiles": {"walmart": PartnerProfile(change_quantity=meaning)}})
    refused = readers.refused
    readers.compare([scratch], replace(CONTEXT, edi=edi))
    assert readers.refused == refused


def test_full_pages_are_turned_over_and_a_document_beyond_a_page_is_read_the_ordinary_way(
    readers, scratch, monkeypatch, many, interchange
):
    from pipelines.sources.edi.bulk import express

    lines = "".join(f"PO1*{number}*5*EA*9.25**VN*AB-{number}-{'x' * 20}~" for number in range(1, 200))
    scratch.path.write_text(many(6) + interchange("850", f"BEG*00*SA*1**20260302~{lines}") + many(2))
    monkeypatch.setattr(express, "PAGE_ROWS", 40)
    readers.compare([scratch])
    monkeypatch.setattr(express, "PAGE_ROWS", 1 << 14)
    monkeypatch.setattr(express, "ARENA_BYTES", 1 << 14)
    readers.compare([scratch])


def test_parts_of_a_parse_add_up_to_the_whole_in_either_way(readers, scratch, monkeypatch, many, interchange):
    scratch.path.write_text(many(8) + "no interchange" + interchange("850", "BEG*00*SA*7~PO1*1*x*EA~") + many(3))
    whole = readers.ordinary([scratch], CONTEXT)
    monkeypatch.setattr(adapter, "PART_BYTES", 20_000)
    monkeypatch.setattr(adapter, "_RUN_BYTES", 20_000)
    assert_frame_equal(readers.compare([scratch]).rejects, whole.rejects)
    assert len(list(parse_stream([scratch], CONTEXT))) > 5


@pytest.mark.parametrize("chunk_bytes", [1, 97, 1000, 5000])
def test_the_size_of_chunks_changes_nothing(readers, scratch, monkeypatch, many, chunk_bytes):
    scratch.path.write_text(many(2) + many(1).replace("SE*5*0002", "SE*6*0002") + many(2).replace("~", "~\n"))
    monkeypatch.setattr(adapter, "_RUN_BYTES", chunk_bytes)
    monkeypatch.setattr(reader, "CHUNK_BYTES", chunk_bytes)
    readers.compare([scratch])


def test_whole_interchanges_are_read_together_and_their_sets_made_when_asked_for(readers, scratch, monkeypatch, many):
    from pipelines.sources.edi.bulk import scan

    scratch.path.write_text(many(3))
    expected = readers.interchanges(scratch, NEVER)
    made: list[str] = []
    monkeypatch.setattr(scan, "TransactionSet", lambda *values: made.append(values[3]) or TransactionSet(*values))
    found = readers.interchanges(scratch, 0)
    assert [len(group.sets) for each in found for group in each.groups] == [3] * len(expected)
    assert made == []
    assert found[1].sets == expected[1].sets
    assert made == ["0001", "0002", "0003"]
    assert found == expected
    assert repr(found) == repr(expected)
    assert [hash(each) for each in found] == [hash(each) for each in expected]


CHANGES = {
    "nothing": lambda text: text,
    "other separators": lambda text: text.translate(str.maketrans("*>~", "|:\n")),
    "line breaks behind segments": lambda text: text.replace("~", "~\r\n"),
    "blanks around segments": lambda text: re.sub("(?<!>)~(?!$)", " ~\n   ", text),
    "line breaks anywhere behind the ISA": lambda text: re.sub("(?s)(?<=~GS)(.*?)(?=ISA|$)", broken, text),
    "accents": lambda text: text.replace("Mug", "Tass\xe9 \u20ac"),
    "the letters of an ISA in a text": lambda text: text.replace("Mug", "VISA*ISA *ISAAC"),
}


def broken(found: re.Match[str]) -> str:
    return "\n".join(re.findall("(?s).{1,80}", found[0]))


@pytest.mark.parametrize("change", CHANGES)
def test_whole_interchanges_are_found_at_once_in_spite_of(readers, scratch, many, change):
    from pipelines.sources.edi.bulk.scan import Scanner

    text = CHANGES[change](many(2))
    scratch.path.write_text(text)
    readers.compare([scratch])
    feed = Feed(io.BytesIO(text.encode()), 1 << 20)
    while feed.fill():
        pass
    found = Scanner().find_whole(feed, 1)
    assert found is not None
    assert found[1] == 2 * len(DOCUMENTS)
    assert feed.at == len(text)


ENVELOPES = (
    *("ISA", "GS*", "GE*", "IEA*", "ST*", "SE*", "~", "*", "~ISA*00*", "*00*", "*ZZ*", "*U*", "*00401*", "*P*>~"),
    *("~GS*", "~GE*1*", "~IEA*1*", "000000001", "*0*"),
)


def test_envelopes_damaged_in_one_of_many_interchanges_read_the_same(readers, scratch, many, interchange):
    looks_like_an_isa = f"ISA*92*{'*' * 13}~"
    dice, text = random.Random(7), many(1) + interchange("850", f"BEG*00*SA*1**20260302~N1*ST*{looks_like_an_isa}")
    changes = (
        "",
        " ",
        "\n",
        "\t",
        "\ufeff",
        "\ufffd",
        "\x1a",
        "a",
        "0",
        "~",
        "*",
        "T",
        "\xe9",
        "  ",
        "*1~",
        "ISA*",
        "ST*997*1~",
    )
    for _ in range(40):
        found = [place.start() for place in re.finditer(re.escape(dice.choice(ENVELOPES)), text)]
        at = dice.choice(found) + dice.randrange(-2, 5) if found else 0
        scratch.path.write_text(text[: max(at, 0)] + dice.choice(changes) + text[max(at, 0) + dice.randrange(3) :])
        readers.compare([scratch])


def test_many_faulty_sets_between_sound_ones_read_the_same(readers, scratch, many):
    text = many(4)
    for old, new in (("SE*5*0002", "SE*6*0002"), ("~ST*997*0003", "~XX*1~ST*997*0003"), ("SE*18*0001~", "")):
        assert old in text
        text = text.replace(old, new)
    scratch.path.write_text(text)
    assert readers.compare([scratch]).rejects.height > 8


def test_what_fuzzing_found_reads_the_same(readers, scratch, interchange):
    body = "BEG*00*SA*45001**20260302~PO1*1*5*EA*1**VN*A~"
    for old, new in (("SE*4", "SE\0\0*4"), ("PO1*", "PO1\0*"), ("ST*850", "ST\0*850"), ("*EA", "*EA\0")):
        scratch.path.write_text(interchange("850", body, body).replace(old, new, 1))
        readers.compare([scratch])


def test_small_inputs_take_the_ordinary_way_and_large_ones_the_quick_one_once_it_is_compiled(
    scratch, monkeypatch, many
):
    scratch.path.write_text(many(1))
    size = scratch.path.stat().st_size
    made: list[str] = []
    monkeypatch.setattr(adapter, "_new_express", lambda: made.append("express"))
    for bulk, compiling, is_compiled, expected in (
        (size + 1, 0, True, []),
        (size, size + 1, False, []),
        (size, size + 1, True, ["express"]),
        (size, size, False, ["express"]),
    ):
        made.clear()
        monkeypatch.setattr(adapter, "BULK_BYTES", bulk)
        monkeypatch.setattr(adapter, "COMPILING_BYTES", compiling)
        monkeypatch.setattr(adapter, "has_kernels", lambda is_compiled=is_compiled: is_compiled)
        parse([scratch], CONTEXT)
        assert made == expected


def test_machine_code_is_named_after_every_module_it_was_made_of():
    package = Path(cache.__file__).parent
    outside = {
        node.module.removeprefix("pipelines.sources.edi.").replace(".", "/") + ".py"
        for path in package.glob("*.py")
        if path.name not in ("express.py", "cache.py")  # these compile nothing
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module
        and node.module.startswith("pipelines.sources.edi.")
        and not node.module.startswith("pipelines.sources.edi.bulk")
    }
    assert outside - {"envelope.py", "feed.py", "isa.py", "rows.py"} == set(cache.CONSTANTS)


def test_warming_leaves_compiled_kernels_behind(readers):
    from pipelines.sources.edi.warm import warm

    assert warm() > 0
    assert cache.has_kernels()


def test_a_cache_that_cannot_be_written_to_is_done_without(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked))
    cache.folder.cache_clear()
    try:
        assert cache.folder() is None
        assert not cache.has_kernels()
    finally:
        cache.folder.cache_clear()
