"""Exceptions from the command line and by mail: worked on, told once."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from otif.cli import app
from otif.exceptions import note_exceptions, send_alerts
from pipelines.outbound.catcher import MailCatcher
from storage.duck import connect
from storage.ledger import open_ledger
from storage.settings import Settings

NOW = datetime(2026, 11, 16, 6, tzinfo=UTC)
AS_OF = datetime(2026, 11, 16, 5, tzinfo=UTC)
COLUMNS = (
    "exception_id varchar, kind varchar, kind_name varchar, severity varchar, order_id varchar, line_id varchar, "
    "sku varchar, node_id varchar, carrier varchar, channel varchar, customer_id varchar, opened_at timestamp, "
    "due_at timestamp, money_at_risk decimal(18,4), title varchar, evidence varchar, suggested_action varchar, "
    "owner_role varchar"
)
RULES = '[mail.exception_recipients]\nfinance = ["ar@x.example"]\n"*" = ["ops@x.example"]\n'


def publish(home: Path, number: int, rows: dict[str, str]) -> None:
    """Publish a build with these exceptions: id → owner."""
    folder = home / "var" / "published"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"2026111{number}.duckdb"
    connection = connect(folder / name)
    connection.execute("create schema marts")
    connection.execute(f"create table marts.fct_exceptions ({COLUMNS})")
    connection.execute("create table marts.fct_orders as select 'o1' as order_id, 'USD' as currency")
    connection.execute(
        "create table marts.build_info (as_of timestamp, company_zone varchar, currency varchar, week_start varchar)"
    )
    stamp = f"{AS_OF + timedelta(days=number):%Y-%m-%d %H:%M:%S}"
    connection.execute(f"insert into marts.build_info values ('{stamp}', 'UTC', 'USD', 'monday')")
    connection.execute(
        "create table marts.fct_exception_events (exception_id varchar, event_id varchar, event_type varchar, "
        "summary varchar, source varchar, source_ref varchar, event_at timestamp)"
    )
    for exception_id, owner in rows.items():
        connection.execute(
            "insert into marts.fct_exceptions values (?, 'late_open', 'Late', 'high', 'o1', null, null, 'dc', null, "
            "'dtc', 'c', '2026-11-15', '2026-11-18', 120, ?, 'seen & known', 'Ship it', ?)",
            [exception_id, f"Order of {exception_id}", owner],
        )
        connection.execute(
            "insert into marts.fct_exception_events values (?, 'e1', 'order.captured', 'order.captured', 'shop', "
            "'orders.json#3', '2026-11-10')",
            [exception_id],
        )
    connection.close()
    (folder / "current").write_text(f"{name}\n", encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "company"
    home.mkdir()
    (home / "otif.toml").write_text(f'[company]\nname = "T"\nzone = "UTC"\n{RULES}', encoding="utf-8")
    publish(home, 0, {"aa11": "finance", "bb22": "fulfilment"})
    return home


def run(home: Path, *words: str) -> str:
    result = CliRunner().invoke(app, ["--home", str(home), "exceptions", *words])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def listed(home: Path, *words: str) -> dict[str, str]:
    return {row["exception_id"]: row["status"] for row in json.loads(run(home, *words, "--format", "json"))}


def test_an_exception_is_shown_with_its_events_and_worked_on_by_the_beginning_of_its_id(home: Path) -> None:
    shown = run(home, "show", "aa")
    assert "Order of aa11" in shown
    assert "orders.json#3" in shown
    assert run(home, "ack", "aa", "--by", "maria", "--note", "mine").strip() == (
        "aa11 is acknowledged, in the hands of maria"
    )
    run(home, "comment", "aa", "--by", "jo", "--text", "called them")
    run(home, "snooze", "bb", "--by", "jo", "--days", "2")
    assert listed(home) == {"aa11": "acknowledged"}, "what is put aside is out of the way"
    assert listed(home, "--status", "snoozed") == {"bb22": "snoozed"}
    run(home, "resolve", "aa", "--by", "maria")
    facts = json.loads(run(home, "show", "aa11", "--json"))
    assert [note["action"] for note in facts["state"]["history"]] == [
        "opened", "acknowledged", "commented", "resolved",
    ]  # fmt: skip
    assert facts["events"][0]["event_id"] == "e1"


def test_an_id_that_fits_none_or_several_is_refused(home: Path) -> None:
    for start in ("zz", ""):
        result = CliRunner().invoke(app, ["--home", str(home), "exceptions", "show", start])
        assert "begins with" in str(result.exception)


def alert(home: Path, now: datetime) -> dict[str, list[str]]:
    """Send the alerts to a local catcher; return the subjects by recipient."""
    settings = Settings.load(home)
    box = home / "var" / "mail"
    shutil.rmtree(box, ignore_errors=True)
    with MailCatcher(box) as catcher:
        deliveries = send_alerts(settings, now=now, mail_settings=catcher.settings("otif@x.example"))
    with open_ledger(settings) as ledger:
        subjects = {mail.send_key: mail.subject for mail in ledger.list_mail()}
    found: dict[str, list[str]] = {}
    for delivery in deliveries:
        assert delivery.status == "sent", delivery
        found.setdefault(delivery.recipient, []).append(subjects[delivery.send_key])
    return found


def test_new_ones_are_told_once_to_their_owner_and_to_those_who_hear_of_all(home: Path) -> None:
    assert listed(home, "--new").keys() == {"aa11", "bb22"}
    assert alert(home, NOW) == {
        "ar@x.example": ["1 new exception: Order of aa11"],
        "ops@x.example": ["2 new exceptions: Order of aa11"],
    }
    assert alert(home, NOW + timedelta(minutes=1)) == {}
    assert listed(home, "--new") == {}
    publish(home, 1, {"aa11": "finance", "cc33": "fulfilment"})
    assert alert(home, NOW + timedelta(days=1)) == {"ops@x.example": ["1 new exception: Order of cc33"]}
    publish(home, 2, {"aa11": "finance", "bb22": "fulfilment", "cc33": "fulfilment"})
    assert alert(home, NOW + timedelta(days=2)) == {"ops@x.example": ["1 new exception: Order of bb22"]}


def test_a_claim_whose_process_died_before_its_mail_went_out_is_sent_the_next_time(home: Path) -> None:
    settings = Settings.load(home)
    note_exceptions(settings, as_of=AS_OF)
    with open_ledger(settings) as ledger:
        ledger.claim_alerts(["aa11"], recipient="ar@x.example", send_key="exceptions/dead/ar@x.example", now=NOW)
    assert alert(home, NOW)["ar@x.example"] == ["1 new exception: Order of aa11"]
    assert alert(home, NOW + timedelta(hours=1)) == {}
