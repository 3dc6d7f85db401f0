"""The whole loop on the sample company, and what follows it: approve, push, roll back against a real endpoint."""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import sys
from email import policy
from pathlib import Path

import pytest

from otif.endpoint import background_endpoint, free_port
from storage.ledger import VersionState, open_ledger
from storage.publish import open_published
from storage.settings import Settings

pytestmark = pytest.mark.slow


def otif(home: Path, *arguments: object) -> str:
    command = [sys.executable, "-m", "otif.cli", "--home", str(home), *map(str, arguments)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "160"})
    assert told.returncode == 0, told.stderr + told.stdout
    return told.stdout


@pytest.fixture
def company(sample_home: Path, tmp_path: Path) -> Path:
    """A copy of the demonstration's workspace that a test may write to."""
    return Path(shutil.copytree(sample_home, tmp_path / "company"))


def test_the_demo_says_what_was_found_and_what_is_proposed(demo_output: str) -> None:
    for part in ("OTIF", "Top exceptions", "Proposal", "more than priority-then-FIFO", "Report", "make serve|serve"):
        assert any(word in demo_output for word in part.split("|")), f"{part!r} is missing in:\n{demo_output}"


def test_everything_landed_and_nothing_was_rejected(sample_home: Path) -> None:
    with open_published(Settings.load(sample_home)) as connection:
        statuses = connection.execute("select status, count(*) from marts.fct_batches group by 1").fetchall()
        rejects = connection.execute("select count(*) from marts.fct_rejects").fetchall()
    assert [status for status, _ in statuses] == ["landed"]
    assert rejects == [(0,)]


def test_landing_the_sample_again_changes_nothing(company: Path, project_root: Path) -> None:
    batches = json.loads(otif(company, "ingest", project_root / "data" / "sample" / "inbox", "--json"))["batches"]
    assert {batch["status"] for batch in batches} == {"unchanged"}
    assert sum(batch["events_landed"] for batch in batches) == 0


def test_the_plan_is_proven_and_better_than_the_rules(sample_home: Path) -> None:
    with open_ledger(Settings.load(sample_home)) as ledger:
        [plan] = ledger.list_plans()
    assert plan.status == "optimal"
    assert plan.objective is not None
    assert plan.baseline_objective is not None
    assert plan.objective > plan.baseline_objective
    assert plan.kpis["plan"]["units_on_time"] > plan.kpis["baseline"]["units_on_time"]


def test_the_snapshot_is_one_self_contained_page_and_a_multipart_mail(sample_home: Path) -> None:
    page = (sample_home / "var" / "reports" / "weekly-2026-W46.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'src="http' not in page
    mails = sorted((sample_home / "var" / "mail").glob("*.eml"))
    assert len(mails) == 2
    message = email.message_from_bytes(mails[0].read_bytes(), policy=policy.default)
    kinds = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert kinds.count("text/plain") == 1
    assert kinds.count("text/html") == 1
    assert "image/png" in kinds
    html = next(part for part in message.walk() if part.get_content_type() == "text/html").get_content()
    ids = {part["Content-ID"].strip("<>") for part in message.walk() if part.get_content_type() == "image/png"}
    assert ids
    assert all(f"cid:{content_id}" in html for content_id in ids)


def test_an_approved_proposal_is_pushed_once_and_rolled_back_exactly(company: Path) -> None:
    settings = Settings.load(company)
    with background_endpoint(settings, port=free_port()) as url:
        toml = company / "otif.toml"
        toml.write_text(toml.read_text().replace(settings.oms.url, url))
        assert "2820" in otif(company, "rules", "diff", "live", 2)
        otif(company, "rules", "approve", "live", 2, "--by", "Dana Planner")
        assert "done" in otif(company, "rules", "push", "live", 2)
        assert "done" in otif(company, "rules", "push", "live", 2)
        assert "in step" in otif(company, "rules", "status")
        otif(company, "rules", "rollback", "live", "--by", "Dana Planner", "--reason", "trial over")
        with pytest.raises(AssertionError, match="rolled_back"):
            otif(company, "rules", "push", "live", 2)
        assert "in step" in otif(company, "rules", "status")
    with open_ledger(Settings.load(company)) as ledger:
        states = {version.version: version.state for version in ledger.list_versions("live")}
        first, third = (ledger.get_version("live", number) for number in (1, 3))
        pushes = ledger.list_pushes("live")
    assert states == {
        1: VersionState.SUPERSEDED, 2: VersionState.ROLLED_BACK, 3: VersionState.ACTIVE,
    }  # fmt: skip
    assert first.digest == third.digest
    assert len(pushes) == 3
    assert {push.status for push in pushes} == {"done"}


def test_a_replay_of_the_same_rules_finds_no_difference(company: Path) -> None:
    told = otif(company, "replay", "--rules", 1, "--against", 1)
    assert "not distinguishable" in told
    assert "better" not in told
    assert "better" in otif(company, "replay", "--rules", 1, "--against", 2)
