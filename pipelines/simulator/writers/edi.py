"""X12 4010 interchanges: envelopes, control numbers and counts around the bodies of `edi_sets`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.simulator.clock import zone
from pipelines.simulator.company import OWN_EDI_ID, RETAILERS, ZONE
from pipelines.simulator.edi_sets import GROUP_CODES
from pipelines.simulator.journal import Interchange
from pipelines.simulator.writers.files import write_gzip


def write_interchanges(folder: Path, week: str, interchanges: Iterable[Interchange]) -> None:
    """Write a week: one file for each direction and transaction set."""
    files: dict[tuple[bool, str], list[Interchange]] = {}
    for interchange in interchanges:
        files.setdefault((interchange.outbound, interchange.set_type), []).append(interchange)
    for outbound, set_type in sorted(files):
        group = sorted(files[outbound, set_type], key=lambda i: (i.at, i.retailer, i.control))
        path = folder / ("out" if outbound else "in") / f"{set_type}-{week}.edi.gz"
        write_gzip(path, (text for interchange in group for text in interchange_text(interchange)))


def interchange_text(interchange: Interchange) -> Iterator[str]:
    """Yield the segments of an interchange, each with its terminator and a line feed."""
    partner = RETAILERS[interchange.retailer].edi_id
    sender, receiver = (OWN_EDI_ID, partner) if interchange.outbound else (partner, OWN_EDI_ID)
    date, time = zone(ZONE).edi(interchange.at)
    control = interchange.control
    yield (
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender:15}*ZZ*{receiver:15}*{date[2:]}*{time}*U*00401*{control:09d}*0*P*>~\n"
    )
    yield f"GS*{GROUP_CODES[interchange.set_type]}*{sender}*{receiver}*{date}*{time}*{control}*X*004010~\n"
    for position, body in enumerate(interchange.bodies, start=1):
        yield f"ST*{interchange.set_type}*{position:04d}~\n"
        yield "~\n".join(body) + "~\n"
        yield f"SE*{len(body) + 2}*{position:04d}~\n"
    yield f"GE*{len(interchange.bodies)}*{control}~\n"
    yield f"IEA*1*{control:09d}~\n"
