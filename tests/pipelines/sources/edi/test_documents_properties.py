"""Whatever stands in a document of any kind: reading never raises, and nothing of it is lost in silence."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources.base import ParsedBatch, SourceFile
from pipelines.sources.edi import parse
from pipelines.sources.edi.documents import READERS
from tests.pipelines.sources.edi.conftest import CONTEXT, make_interchange

BODIES = {
    "180": "BGN*00*R7*20260310~PRF*45001~BLI*VN*AB*1*EA**25.75~RDR*CR*DR~N9*RZ*RGA2~CTT*1~",
    "214": "B10*PRO77*BOL5*ABCD~L11*45001*PO~LX*1~AT7*D1*NS***20260310*0815*LT~MS1*X*FL*US~AT7***AB*NA*20260311*09~",
    "753": "BGN*00*RR1*20260303~N1*SF*LARK~LX*1~N1*ST*DC*92*6094~G62*10*20260306~OID*SO1*45001**CT*12*L*340*E*55~",
    "754": "BGN*00*RI1*20260304~LX*1~L11*LOAD9*LO~BLR*ABCD~OID*SO1*45001~G62*69*20260306*U*1400*CT~",
    "810": "BIG*20260305*INV1*20260302*45001~IT1*1*60*EA*5**VN*AB~ITD*05*3*****30~SAC*C*D240***900~TDS*30900~CTT*1~",
    "812": "BCD*20260320*D1**9402*D*20260305*INV1**20260302*45001~CDD*59*D**9402~N9*ZZ*A030*SHORT~",
    "820": "BPR*C*9500*C*ACH************20260320~TRN*1*T9~ENT*1~ADX*-5*01~RMR*IV*I1**9500*10000*200~ADX*-300*50*ZZ*X~",
    "824": "BGN*11*A1*20260306~OTI*TR*SI*S1***20260305*1200*77*0001*856~REF*PO*45001~TED*024*count~NTE**12~",
    "846": "BIA*00*DD*R1*20260302*0600~N1*WH*DC*92*EAST~LIN*1*VN*AB~QTY*17*100*CA~UIT*EA~DTM*036*20270131~CTT*1~",
    "850": "BEG*00*SA*45001**20260302~DTM*064*20260309~PO1*1*10*CA*60**VN*AB~PO4*12~SDQ*CA*92*001*4*002*6~CTT*1~",
    "855": "BAK*00*AC*45001*20260302~PO1*1*100*EA*5**VN*AB~ACK*IA*60*EA*068*20260310~ACK*IB*40*EA*068*20260324~",
    "856": "BSN*00*S1*20260305*1200*0001~HL*1**S~HL*2*1*O~PRF*45001~HL*3*2*I~LIN*1*VN*AB~SN1*1*60*EA~CTT*3*60~",
    "860": "BCH*04*SA*45001***20260302~DTM*063*20260311~POC*1*QC*80*80>5>>85*EA*5**VN*AB~PO4*12~SDQ*EA*92*1*85~CTT*1~",
    "861": "BRA*RA1*20260311*00*1~DTM*050*20260310*1015~PRF*45001~RCD*1*58*EA***2*EA*02~LIN*001*VN*AB~CTT*1*58~",
    "865": "BCA*04*AC*45001~DTM*067*20260312~POC*1*QD*60*60*EA*5**VN*AB~ACK*IA*60*EA*068*20260310~CTT*1~",
    "940": "W05*N*SO1*45001~N1*WH*DC*92*EAST~G62*10*20260306~LX*1~W01*24*CA**VN*AB~W20*12~N9*LI*003~W76*24~",
    "945": "W06*N*SO1*20260305*SH9**45001~G62*11*20260305*8*1430*CT~LX*1~MAN*GM*007~W12*CC*60*50*9*EA**VN*AB~W03*50~",
    "997": "AK1*SH*7~AK2*856*0001~AK3*HL*4**8~AK4*1*628*1~AK5*R*5~AK9*R*1*1*0~",
    "999": "AK1*SH*7~AK2*856*0001~IK3*HL*4**8~IK4*1*628*1~IK5*R*5~AK9*R*1*1*0~",
}
NOISE = st.sampled_from(
    ["", " ", "0", "-1", "1e9", "9" * 40, "NaN", "20261332", "2460", "zz", "ZZ", "é", ">", "a>b>c", "01"]
)


def test_there_is_a_document_of_every_kind_that_is_read():
    assert BODIES.keys() == READERS.keys()


def read(code: str, body: str, version: str = "004010") -> ParsedBatch:
    text = make_interchange(code, body, version=version)
    if version >= "005010":
        text = text.replace("*U*00401*", "*^*00501*")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.edi"
        path.write_text(text, encoding="utf-8")
        return apply_row_contracts(parse([SourceFile(path, "test.edi")], CONTEXT), source="edi")


@pytest.mark.parametrize("code", sorted(BODIES))
def test_the_document_itself_gives_events(code):
    assert len(read(code, BODIES[code]).events) >= 1


@pytest.mark.parametrize("code", sorted(BODIES))
def test_a_document_cut_short_says_something_or_why_it_does_not(code):
    segments = BODIES[code].rstrip("~").split("~")
    cut = [segments[:end] for end in range(1, len(segments))]
    without = [segments[:index] + segments[index + 1 :] for index in range(len(segments))]
    for kept in (*cut, *without):
        batch = read(code, "".join(f"{segment}~" for segment in kept))
        events = sum(frame.height for frame in batch.events.values()) - 1  # the document's own
        assert events > 0 or batch.rejects.height, kept


IDS = {"AB", "X"}


@pytest.mark.parametrize("code", sorted(BODIES))
def test_codes_in_lower_case_mean_the_same_and_ids_stay_as_they_are(code):
    segments = [segment.split("*") for segment in BODIES[code].split("~")]
    lower = [
        [name, *(text.lower() if text.isalpha() and len(text) <= 3 and text not in IDS else text for text in rest)]
        for name, *rest in segments
    ]
    expected, found = read(code, BODIES[code]), read(code, "~".join("*".join(segment) for segment in lower))
    assert lower != segments
    assert found.events.keys() == expected.events.keys()
    for family, frame in expected.events.items():
        assert found.events[family].equals(frame)
    assert found.rejects["reason"].equals(expected.rejects["reason"])


@pytest.mark.parametrize("code", sorted(BODIES))
def test_release_5010_is_read_like_4010(code):
    old = read(code, BODIES[code])
    new = read(code, BODIES[code], version="005010")
    assert old.events.keys() == new.events.keys()
    for family, frame in old.events.items():
        assert frame.equals(new.events[family])
    assert old.rejects.equals(new.rejects)


@st.composite
def mutilated(draw, code: str) -> str:
    """A document with segments dropped, repeated or swapped and elements cut or replaced."""
    segments = BODIES[code].rstrip("~").split("~")
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, len(segments) - 1))
        action = draw(st.sampled_from(["drop", "repeat", "swap", "cut", "noise", "noise", "noise"]))
        if action == "drop" and len(segments) > 1:
            del segments[index]
        elif action == "repeat":
            segments.insert(index, segments[index])
        elif action == "swap":
            segments[index], segments[0] = segments[0], segments[index]
        else:
            elements = segments[index].split("*")
            place = draw(st.integers(1, len(elements) + 1))
            if action == "cut":
                segments[index] = "*".join(elements[:place])
            else:
                elements += [""] * (place + 1 - len(elements))
                elements[place] = draw(NOISE)
                segments[index] = "*".join(elements)
    return "".join(f"{segment}~" for segment in segments)


@pytest.mark.parametrize("code", sorted(BODIES))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_mutilated_document_is_filed_or_rejected_and_never_raises(code, data):
    batch = read(code, data.draw(mutilated(code)))
    filed = batch.events["document"]["event_type"].is_in(["document.sent", "document.received"]).sum()
    assert filed == 1 or batch.rejects.height
    for frame in batch.events.values():
        assert frame["event_at"].null_count() == 0
