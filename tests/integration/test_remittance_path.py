"""From a retailer's remittance (820) to the dispute queue and what was won back, through landing and the models."""

from __future__ import annotations

import gzip
import re
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.checks.verdict import Verdict
from pipelines.landing import ingest
from pipelines.simulator.company import AS_OF
from pipelines.simulator.run import simulate
from pipelines.transform import make_models
from storage.duck import connect
from storage.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

ENVELOPE = (
    "ISA*00*          *00*          *ZZ*TGTEDI01       *ZZ*LARKFIELD      *261114*0930*U*00401*000000007*0*P*>~"
    "GS*RA*TGTEDI01*LARKFIELD*20261114*0930*7*X*004010~{}GE*1*7~IEA*1*000000007~"
)


def remittance(invoices: list[str], announced: tuple[str, str]) -> str:
    """Two invoices paid short, and the debit memo that was announced taken from the payment."""
    memo, amount = announced
    body = [
        "ST*820*0001",
        f"BPR*C*{1700 - Decimal(amount)}*C*ACH*CTX*****1234567890******20261114",
        "TRN*1*REM4711",
        "ENT*1",
        f"RMR*IV*{invoices[0]}**950*1000",
        "ADX*-50*50*CM*DTR900",
        f"RMR*IV*{invoices[1]}**{750 - Decimal(amount)}*800",
        "ADX*-50*50*CM*DTR901",
        f"ADX*-{amount}*06*CM*{memo}",
    ]
    return ENVELOPE.format("~".join([*body, f"SE*{len(body) + 1}*0001", ""]))


def told(home: Path, way: str, code: str) -> str:
    """Return all sets of a kind that were exchanged."""
    files = sorted((home / "inbox" / "edi" / way).glob(f"{code}*"))
    return "".join(gzip.decompress(path.read_bytes()).decode() for path in files)


def test_a_remittance_reaches_the_queue_and_the_recovery_and_takes_no_memo_twice(tmp_path: Path) -> None:
    home = tmp_path / "company"
    simulate(home, orders=150, seed=5, weeks=12)
    to_target = [text for text in told(home, "out", "810").split("ISA*") if "TGTEDI01" in text]
    invoices = re.findall(r"BIG\*\d+\*(\w+)", "".join(to_target))[:2]
    [memo, *_] = re.findall(r"BCD\*\d+\*(\w+)", told(home, "in", "812"))
    settings = Settings.load(home)
    ingest(settings, [home / "inbox"], judge=lambda *_: Verdict())
    with closing(connect(settings.database, read_only=True)) as connection:
        [(amount,)] = connection.execute(
            "select cast(sum(amount) as decimal(18, 2)) from landing.finance_events "
            "where event_type = 'deduction.taken' and document_id = ?",
            [memo],
        ).fetchall()
    paper = tmp_path / "820.edi"
    paper.write_text(remittance(invoices, (memo, str(amount))), encoding="utf-8")
    answers = tmp_path / "answers.csv"
    answers.write_text(
        "event_type,event_at,document_id,reference_id,customer_id,amount,currency,outcome\n"
        "dispute.filed,2026-11-15T10:00:00Z,D-1,DTR901,target,50,USD,\n"
        "dispute.resolved,2026-11-15T20:00:00Z,D-1,DTR901,target,30,USD,partial\n",
        encoding="utf-8",
    )
    [paid, answered] = ingest(settings, [paper, answers], judge=lambda *_: Verdict())
    assert (paid.rows_rejected, answered.rows_rejected) == (0, 0)

    make_models(settings, datetime.fromisoformat(AS_OF).replace(tzinfo=UTC), "+fct_dispute_queue", "+kpi_values")

    with closing(connect(settings.database, read_only=True)) as connection:
        taken = dict(
            connection.execute(
                "select deduction_id, (invoice_id, violation, amount) from marts.fct_deductions "
                "where document_id in ('DTR900', 'DTR901', ?)",
                [memo],
            ).fetchall()
        )
        queue = connection.execute(
            "select deduction_id, queue_state from marts.fct_dispute_queue where deduction_id like 'DTR%'"
        ).fetchall()
        figures = connection.execute(
            "select kpi_id, sum(numerator), sum(denominator) from metrics.kpi_values "
            "where kpi_id in ('dispute_recovery', 'dso_simple') group by 1 order by 1"
        ).fetchall()
    assert taken["DTR900"] == (invoices[0], "late_arrive", 50)
    assert taken["DTR901"] == (invoices[1], "late_arrive", 50)
    assert taken[memo][2] == amount
    assert len(taken) == 3
    assert ("DTR900", "to_file") in queue
    assert figures[0] == ("dispute_recovery", 30, 50)
    assert [kpi for kpi, *_ in figures] == ["dispute_recovery", "dso_simple"]
