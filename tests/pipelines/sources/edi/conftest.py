"""Builds interchanges from the body of a document and reads them through the adapter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipelines.checks.contracts import apply_row_contracts
from pipelines.sources.base import AdapterContext, ParsedBatch, SourceFile
from pipelines.sources.edi import parse
from storage.settings import EdiSettings

GROUPS = {
    "850": "PO",
    "855": "PR",
    "856": "SH",
    "810": "IN",
    "812": "CD",
    "997": "FA",
    "820": "RA",
    "824": "AG",
    "860": "PC",
    "865": "CA",
    "846": "IB",
    "861": "RC",
    "940": "OW",
    "945": "SW",
    "180": "AN",
    "214": "QM",
    "753": "RF",
    "754": "RG",
    "999": "FA",
    "830": "PS",
}
FROM_US = {"855", "856", "810", "865", "753", "940"}
CONTEXT = AdapterContext(
    zone=ZoneInfo("America/New_York"),
    edi=EdiSettings(
        own_ids=("LARKFIELD",),
        partners={"WMTEDI01": "walmart", "TGTEDI01": "target"},
        zones={"walmart": "America/Chicago"},
    ),
)


def make_interchange(
    code: str,
    *bodies: str,
    partner: str = "WMTEDI01",
    outbound: bool | None = None,
    date: str = "260302",
    time: str = "0930",
    usage: str = "P",
    control: int = 7,
    version: str = "004010",
) -> str:
    """Return an interchange with one group of sets; bodies are the segments between ST and SE, each ended by `~`."""
    is_outbound = code in FROM_US if outbound is None else outbound
    sender, receiver = ("LARKFIELD", partner) if is_outbound else (partner, "LARKFIELD")
    sets = "".join(
        f"ST*{code}*{number:04d}~{body}SE*{body.count('~') + 2}*{number:04d}~"
        for number, body in enumerate(bodies, start=1)
    )
    return (
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender:15}*ZZ*{receiver:15}*{date}*{time}*U*00401*{control:09d}*0*{usage}*>~"
        f"GS*{GROUPS[code]}*{sender}*{receiver}*20{date}*{time}*{control}*X*{version}~"
        f"{sets}GE*{len(bodies)}*{control}~IEA*1*{control:09d}~"
    )


@pytest.fixture
def interchange() -> Callable[..., str]:
    """The builder of interchanges."""
    return make_interchange


@pytest.fixture
def read_text(tmp_path: Path) -> Callable[..., ParsedBatch]:
    """Reads text (or bytes) through the adapter and the row contracts."""

    def read(content: str | bytes, context: AdapterContext = CONTEXT, name: str = "test.edi") -> ParsedBatch:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return apply_row_contracts(parse([SourceFile(path, name)], context), source="edi")

    return read


@pytest.fixture
def read_document(read_text: Callable[..., ParsedBatch]) -> Callable[..., ParsedBatch]:
    """Reads documents of one kind: the code, then the bodies."""

    def read(code: str, *bodies: str, **options: object) -> ParsedBatch:
        return read_text(make_interchange(code, *bodies, **options))  # type: ignore[arg-type]

    return read


@pytest.fixture(scope="session")
def retail_documents() -> list[bytes]:
    """One interchange of each retail set."""
    bodies = {
        "850": (
            "BEG*00*SA*45001**20260302~DTM*064*20260309~DTM*063*20260311~N1*ST*DC*92*6094~N4*LITTLE ROCK*AR*72201~"
            "PO1*1*10*CA*60**VN*AB~PO4*12~SDQ*CA*92*001*4*002*6~CTT*1~"
        ),
        "855": "BAK*00*AC*45001*20260302~PO1*1*100*EA*5**VN*AB~ACK*IA*60*EA*068*20260310~ACK*IB*40*EA*068*20260324~",
        "856": (
            "BSN*00*S1*20260305*1200*0001~HL*1**S~TD5**2*IRRD~REF*BM*B1~DTM*011*20260305~HL*2*1*O~PRF*45001~"
            "HL*3*2*P~MAN*GM*00007121610006156802~HL*4*3*I~LIN*1*VN*AB~SN1*1*60*EA~CTT*4*60~"
        ),
        "810": "BIG*20260305*INV1*20260302*45001~IT1*1*60*EA*5**VN*AB~ITD*05*3*****30~TDS*30000~CTT*1~",
        "812": "BCD*20260320*D1**9402*D*20260305*INV1**20260302*45001~CDD*59*D**9402~N9*ZZ*A030*SHORT~",
        "997": "AK1*SH*7~AK2*856*0001~AK3*HL*4**8~AK4*1*628*1~AK5*R*5~AK9*R*1*1*0~",
    }
    return [make_interchange(code, body).encode() for code, body in bodies.items()]
