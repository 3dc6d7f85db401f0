"""Every page runs without a browser: with data, without rows, with nothing published, with a damaged file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from storage.ledger import open_ledger
from storage.settings import Settings

APP = Path(__file__).resolve().parents[2] / "dashboards" / "app.py"
PAGES = (
    "snapshot",
    "exceptions",
    "at_risk",
    "scorecards",
    "stock",
    "order",
    "passport",
    "scenarios",
    "disputes",
    "data_health",
)


@pytest.fixture
def home(workspace: Path, tmp_path: Path) -> Path:
    """A workspace of its own, because pages write to the ledger."""
    return Path(shutil.copytree(workspace, tmp_path / "home"))


def open_page(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch, *, query: dict[str, str] | None = None
) -> AppTest:
    monkeypatch.setenv("OTIF_HOME", str(home))
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    if name != "snapshot":
        app.switch_page(f"app_pages/{name}.py")
    for key, value in (query or {}).items():
        app.query_params[key] = value
    return app if name == "snapshot" and not query else app.run()


def markup(app: AppTest) -> str:
    return " ".join(str(element.proto.body) for element in app.get("html"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_without_exception(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(name, home, monkeypatch)
    assert not app.exception
    assert not app.error
    assert app.title


@pytest.mark.parametrize("name", PAGES)
def test_a_page_without_rows_is_calm(
    name: str, bare_workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = open_page(name, Path(shutil.copytree(bare_workspace, tmp_path / "bare")), monkeypatch)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("name", PAGES)
def test_nothing_published_says_what_to_do(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "otif.toml").write_text("")
    app = open_page(name, tmp_path, monkeypatch)
    assert not app.exception
    assert app.title[0].value == "Nothing is published yet"
    assert "otif build" in app.code[0].value


def test_scarce_stock_comes_first_and_the_line_that_waits_for_it_leads_to_its_order(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("stock", home, monkeypatch)
    cells, lines = (element.value for element in app.dataframe)
    assert cells[["sku", "node_id", "oversold_quantity", "16 Nov", "23 Nov"]].to_numpy().tolist() == [
        ["SKU-1", "tpl_west", 2, 0, 8]
    ]
    assert lines["order_id"].tolist() == ["walmart-1"]
    app.toggle(key="stock_scarce").set_value(False).run()
    assert app.dataframe[0].value["node_id"].tolist() == ["tpl_west", "dc_columbus"]


def test_no_workspace_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("snapshot", tmp_path / "nowhere", monkeypatch)
    assert app.title[0].value == "No workspace here"
    assert "otif init" in app.code[0].value


@pytest.mark.parametrize("damage", ["garbage", "missing"])
def test_a_damaged_publication_is_a_sentence_not_a_traceback(
    damage: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = home / "var" / "published" / "20261116T050000.duckdb"
    if damage == "garbage":
        published.write_bytes(b"not a database" * 1000)
    else:
        published.unlink()
    app = open_page("snapshot", home, monkeypatch)
    assert not app.exception
    assert app.title[0].value == "This page cannot be shown"
    assert app.error


def test_choosing_a_week_changes_the_tiles(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("snapshot", home, monkeypatch)
    assert "72.5%" in markup(app)
    app.selectbox(key="snapshot_week").set_value("2026-W45").run()
    assert not app.exception
    assert "90.0%" in markup(app)


def test_every_kpi_can_be_looked_at(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("snapshot", home, monkeypatch)
    for kpi in app.pills(key="snapshot_kpi").options:
        app.pills(key="snapshot_kpi").set_value(kpi).run()
        assert not app.exception
        assert not app.error


def test_filters_narrow_the_exceptions_down_to_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("exceptions", home, monkeypatch)
    assert "2 exceptions" in markup(app)
    app.multiselect(key="exceptions_channel").set_value(["dtc"]).run()
    assert "1 exception<" in markup(app)
    assert "$60" in markup(app)
    app.multiselect(key="exceptions_severity").set_value(["low"]).run()
    assert not app.exception
    assert app.main.caption[-1].value == "No exception matches these filters."


def test_acknowledging_is_kept_in_the_ledger(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("exceptions", home, monkeypatch)
    app.text_input(key="exceptions_person").set_value("Dana")
    app.button[0].click().run()
    assert not app.error
    with open_ledger(Settings.load(home)) as book:
        state = book.exception_states(["x2"])["x2"]
    assert (state.status, state.owner) == ("acknowledged", "Dana")
    assert "Dana" in markup(app)


def test_nobody_cannot_acknowledge(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("exceptions", home, monkeypatch)
    app.button[0].click().run()
    assert not app.exception
    assert "name" in app.error[0].value.lower()
    assert "exceptions_table" in app.session_state


def test_an_order_shows_its_timeline_and_an_unknown_one_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("order", home, monkeypatch)
    app.text_input[0].set_value("#100123").run()
    assert "Order captured (3 units)" in markup(app)
    assert "Carrier accepted: First scan (line 1, 3 units)" in markup(app)
    app.text_input[0].set_value("nobody").run()
    assert "no order nobody" in app.warning[0].value


def test_a_passport_recounts_and_lists_what_was_left_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("passport", home, monkeypatch)
    app.selectbox(key="passport_kpi").set_value("otif").run()
    assert not app.exception
    assert "72.5%" in markup(app)
    assert any("exactly this number" in line.value for line in app.markdown)
    assert "Left out · 7" in app.segmented_control(key="passport_part").options


def test_a_link_to_a_place_opens_the_passport_of_its_rows(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"kpi": "otif", "week": "2026-W46", "channel": "wholesale", "node_id": "dc_columbus", "carrier": "nobody"}
    app = open_page("passport", home, monkeypatch, query=asked)
    assert app.multiselect(key="passport_dimensions").value == ["channel", "node_id"]
    # 70 of 140 wholesale orders of the week; a carrier that nobody knows is left aside.
    assert "In the numerator · 70" in app.segmented_control(key="passport_part").options
    third = open_page("passport", home, monkeypatch, query=asked | {"carrier": "swiftparcel"})
    assert len(third.multiselect(key="passport_dimensions").value) == 2
    assert not third.exception
    app.multiselect(key="passport_dimensions").set_value([]).run()
    assert "In the numerator · 203" in app.segmented_control(key="passport_part").options


def test_a_passport_that_does_not_recount_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("passport", home, monkeypatch)
    app.selectbox(key="passport_kpi").set_value("on_time_ship").run()
    assert not app.exception
    assert "The rows give" in app.error[0].value


def test_the_passport_of_an_unavailable_kpi_gives_the_reason(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("passport", home, monkeypatch)
    app.selectbox(key="passport_kpi").set_value("return_rate").run()
    assert any("no return events have landed" in line.value for line in app.main.caption)
