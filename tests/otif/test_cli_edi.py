"""`otif edi`: an analyst sees what a file says and what is wrong with it, and answers it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from otif.cli import app
from pipelines.sources.base import AdapterContext, SourceFile
from pipelines.sources.edi import parse, read_interchanges
from storage.settings import Settings

ORDER = "BEG*00*SA*45001**20260302~PO1*1*5*EA*9**VN*AB~CTT*1~"
OTIF_TOML = """
[company]
zone = "America/New_York"
[edi]
own_ids = ["LARKFIELD"]
[edi.partners]
WMTEDI01 = "walmart"
[edi.profiles.walmart]
change_quantity = "difference"
"""


def received(*sets: str, sender: str = "WMTEDI01", receiver: str = "LARKFIELD", control: int = 7) -> str:
    body = "".join(sets)
    return (
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender:15}*ZZ*{receiver:15}*260302*0930*U*00401*{control:09d}*0*P*>~"
        f"GS*PO*{sender}*{receiver}*20260302*0930*{control}*X*004010~{body}GE*{len(sets)}*{control}~"
        f"IEA*1*{control:09d}~"
    )


SOUND = f"ST*850*0001~{ORDER}SE*5*0001~"
BROKEN = f"ST*850*0002~{ORDER}SE*9*0002~"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "otif.toml").write_text(OTIF_TOML)
    (tmp_path / "in.edi").write_text(received(SOUND, BROKEN))
    return tmp_path


def otif(home: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["--home", str(home), *map(str, arguments)])


def test_show_names_envelopes_documents_events_and_faults(home):
    text = otif(home, "edi", "show", home / "in.edi").stdout
    assert "interchange 1  ISA13 000000007  ZZ/WMTEDI01 → ZZ/LARKFIELD  260302 0930  00401  production" in text
    assert "group PO  GS06 7  WMTEDI01 → LARKFIELD  004010  2 sets" in text
    assert "850  ST02 0001  segments 3-7  45001  in  walmart  walmart-45001" in text
    assert "events  document.received 1, order.captured 1" in text
    assert "reject  segment 8: count_mismatch: segment 12 SE01 is '9', expected 5" in text


def test_show_lists_segments_with_the_numbers_of_the_faults(home):
    text = otif(home, "edi", "show", home / "in.edi", "--segments").stdout
    assert "    12  SE*9*0002" in text
    shown = json.loads(otif(home, "edi", "show", home / "in.edi", "--json").stdout)
    (interchange,) = shown["files"][0]["interchanges"]
    assert [own["events"] for own in interchange["groups"][0]["sets"]] == [
        {"order.captured": 1, "document.received": 1},
        {},
    ]


def test_show_works_outside_a_workspace_and_on_what_is_no_edi(tmp_path):
    path = tmp_path / "x.edi"
    path.write_text("hello")
    result = otif(tmp_path / "nowhere", "edi", "show", path)
    assert result.exit_code == 0
    assert (
        "fault  text_outside_interchange: segment 0 text is 'hello', expected an interchange starting with ISA"
        in result.stdout
    )
    missing = otif(tmp_path, "edi", "show", tmp_path / "missing.edi")
    assert "no such file" in str(missing.exception)


def test_ack_answers_what_was_received_and_says_what_was_not_accepted(home):
    result = otif(home, "edi", "ack", home / "in.edi", "--out", home / "out", "--at", "2026-03-02T11:00:00")
    assert result.exit_code == 3
    assert "1 of 2 sets accepted" in result.stdout
    (written,) = (home / "out").iterdir()
    assert written.name == "997-WMTEDI01-000000001.edi"
    (answer,) = read_interchanges(written)
    assert [segment[0:4] for segment in answer.sets[0].split()][1:-1] == [
        ["AK1", "PO", "7"],
        ["AK2", "850", "0001"],
        ["AK5", "A"],
        ["AK2", "850", "0002"],
        ["AK5", "R", "4"],
        ["AK9", "P", "2", "2"],
    ]


def test_control_numbers_go_on_where_they_stopped(home):
    (home / "in.edi").write_text(received(SOUND) + received(SOUND, control=8))
    for first in (1, 3):
        result = otif(home, "edi", "ack", home / "in.edi", "--out", home / "out", "--at", "2026-03-02T11:00:00")
        assert result.exit_code == 0
        assert f"997-WMTEDI01-{first:09d}.edi" in result.stdout.replace("\n", "")
    assert len(list((home / "out").iterdir())) == 4
    result = otif(home, "edi", "ack", home / "in.edi", "--out", home / "out", "--control", "999999999")
    assert "does not fit ISA13" in str(result.exception)


def test_what_we_sent_and_what_acknowledges_is_not_answered(home):
    (home / "in.edi").write_text(received(SOUND, sender="LARKFIELD", receiver="WMTEDI01"))
    assert "sent by us" in otif(home, "edi", "ack", home / "in.edi", "--out", home / "out").stdout
    assert list((home / "out").iterdir()) == []


def test_our_answer_is_read_back_as_the_status_of_what_we_received(home):
    otif(home, "edi", "ack", home / "in.edi", "--out", home / "out", "--at", "2026-03-02T11:00:00")
    (written,) = (home / "out").iterdir()
    context = AdapterContext.from_settings(Settings.load(home))
    batch = parse([SourceFile(written, written.name)], context)
    answers = batch.events["document"].drop_nulls("status")
    assert answers.select(
        "direction", "partner_id", "document_type", "group_control", "set_control", "status"
    ).rows() == [
        ("in", "walmart", "850", "7", "0001", "A"),
        ("in", "walmart", "850", "7", "0002", "R"),
    ]


def test_the_profile_of_a_partner_is_read_from_the_settings(home):
    assert Settings.load(home).edi.profiles["walmart"].change_quantity == "difference"
