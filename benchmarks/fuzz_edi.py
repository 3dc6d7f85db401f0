"""Fuzzes the X12 reader with atheris: `python -m benchmarks.fuzz_edi FOLDER -max_total_time=600`.

FOLDER keeps the inputs that reached new code; libFuzzer's options may follow. Whatever the bytes are, the reader must
end without an exception, say the same for any size of chunks, and the kernels must say what the ordinary reader says,
about interchanges and about events.
The first argument that names a file instead replays that input.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import atheris

with atheris.instrument_imports(include=["pipelines.sources.edi"]):
    from pipelines.sources.edi import adapter, parse, parse_stream, read_interchanges, read_parts, reader
    from pipelines.sources.edi.acknowledge import acknowledge
    from pipelines.sources.edi.errors import X12WriteError

from polars.testing import assert_frame_equal

from benchmarks.x12_traffic import traffic
from pipelines.sources.base import AdapterContext, SourceFile, merge_batches
from storage.settings import EdiSettings

SEEDS = 150
LONGEST = 6_000
CHUNKS = (97, 1_000, 1 << 22)
TOKENS = (
    *(
        "ISA*",
        "GS*PO*",
        "ST*850*0001~",
        "SE*2*0001~",
        "GE*1*1~",
        "IEA*1*",
        "\\x1d",
        "\\x1e",
        "\\xff\\xfe",
        "\\xef\\xbb\\xbf",
    ),
    *(
        "BEG*00*",
        "PO1*",
        "SDQ*EA*92*",
        "PO4*12~",
        "HL*1**S~",
        "MAN*GM*",
        "LIN*",
        "SN1*",
        "CTT*1~",
        "ACK*IQ*",
        "DTM*063*",
    ),
    *("TDS*", "SAC*A*", "AK1*PO*", "AK2*850*", "AK5*A~", "AK9*P*", "W06*F*", "W12*CC*", "BPR*C*", "N1*ST*", "20260302"),
    *(
        "W05*N*",
        "LX*1~",
        "W01*",
        "N9*LI*",
        "G62*10*",
        "W76*",
        "W03*",
        "BCH*04*",
        "POC*1*QD*",
        "BIA*00*",
        "QTY*33*",
        "RMR*IV*",
    ),
    *("99999999999999999999", "NaN", "1e5", "-0", ".5", "\\x0d\\x0a", "~~", " ~", "**", "TA1*", "BDS*", "T*:~", "P*>~"),
)
CONTEXT = AdapterContext(
    zone=ZoneInfo("America/New_York"),
    edi=EdiSettings(own_ids=("LARKFIELD",), partners={"WMTEDI01": "walmart"}, zones={"walmart": "America/Chicago"}),
)


class Target:
    """Reads one input every way there is."""

    def __init__(self, folder: Path) -> None:
        self._file = SourceFile(folder / "input.edi", "input.edi")

    def __call__(self, data: bytes) -> None:
        """Read an input; raises where something is wrong."""
        parts = list(read_parts(data))
        assert list(read_parts(data, chunk_bytes=97)) == parts
        reader.KERNEL_BYTES = 1 << 60
        interchanges = list(read_interchanges(data))
        reader.KERNEL_BYTES = 0
        reader.CHUNK_BYTES = adapter._RUN_BYTES = CHUNKS[len(data) % len(CHUNKS)]
        assert list(read_interchanges(data)) == interchanges
        for interchange in interchanges:
            for document in interchange.sets:
                assert len(list(document.segments())) == document.segment_count
            with contextlib.suppress(X12WriteError):  # an id or control number of theirs may not fit an answer
                answer = acknowledge(interchange, control=7, sent_at=datetime(2026, 3, 2, 9, 30))  # noqa: DTZ001 - local
                assert answer is None or all(sent.all_faults == () for sent in read_interchanges(answer.encode()))
        self._file.path.write_bytes(data)
        adapter.BULK_BYTES = 1 << 60
        ordinary = parse([self._file], CONTEXT)
        adapter.BULK_BYTES = adapter.COMPILING_BYTES = 0
        express = merge_batches(list(parse_stream([self._file], CONTEXT)))
        assert express.rows_in == ordinary.rows_in
        assert list(express.events) == list(ordinary.events)
        for family, frame in ordinary.events.items():
            assert_frame_equal(express.events[family], frame)
        assert_frame_equal(express.rejects, ordinary.rejects)


def main() -> None:
    """Write the seeds and hand over to libFuzzer."""
    arguments = sys.argv[1:]
    if not arguments:
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        target = Target(Path(scratch))
        given = Path(arguments[0])
        if given.is_file():
            target(given.read_bytes())
            return
        given.mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(itertools.islice(traffic(seed=7), SEEDS)):
            (given / f"seed-{number}").write_text(text[:LONGEST], newline="")
            target(text[:LONGEST].encode())  # also compiles the kernels before the clock of a single input runs
        dictionary = Path(scratch, "tokens.dict")
        dictionary.write_text("".join(f'"{token}"\n' for token in TOKENS))
        atheris.Setup([sys.argv[0], *arguments, f"-dict={dictionary}", f"-max_len={LONGEST}", "-timeout=60"], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
