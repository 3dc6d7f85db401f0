"""Nothing published, a damaged publication, a publication swapped while someone looks: sentences, never tracebacks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def no_traceback(page: Page) -> None:
    assert page.locator('[data-testid="stException"]').count() == 0
    assert "Traceback" not in page.inner_text("body")


@pytest.mark.parametrize(
    ("width", "scheme"), [pytest.param(1440, "light", marks=pytest.mark.exhaustive), (390, "dark")]
)
def test_an_empty_workspace_says_which_commands_to_run(
    width: int,
    scheme: str,
    tmp_path: Path,
    served: Callable[[Path], str],
    open_page: Callable[..., Page],
    keep_picture: Callable[[Page, str], None],
) -> None:
    (tmp_path / "otif.toml").write_text('[company]\nname = "New company"\n', encoding="utf-8")
    page = open_page(served(tmp_path), width=width, scheme=scheme)
    expect(page.get_by_role("heading", name="Nothing is published yet")).to_be_visible()
    expect(page.get_by_text("otif build").first).to_be_visible()
    no_traceback(page)
    keep_picture(page, f"empty-{width}-{scheme}")


def test_a_damaged_publication_is_explained_and_a_good_one_heals_the_page(
    sample_home: Path,
    tmp_path: Path,
    served: Callable[[Path], str],
    open_page: Callable[..., Page],
    keep_picture: Callable[[Page, str], None],
) -> None:
    home = tmp_path / "home"
    published = home / "var" / "published"
    published.mkdir(parents=True)
    shutil.copy(sample_home / "otif.toml", home / "otif.toml")
    (published / "1.duckdb").write_bytes(b"half a file" * 500)
    (published / "current").write_text("1.duckdb\n", encoding="utf-8")
    page = open_page(served(home))
    expect(page.get_by_role("heading", name="This page cannot be shown")).to_be_visible()
    expect(page.get_by_text("otif doctor").first).to_be_visible()
    no_traceback(page)
    keep_picture(page, "damaged-1440-light")

    good = (sample_home / "var" / "published" / "current").read_text(encoding="utf-8").strip()
    shutil.copy(sample_home / "var" / "published" / good, published / "2.duckdb")
    (published / "current").write_text("2.duckdb\n", encoding="utf-8")
    page.reload()
    expect(page.get_by_role("heading", name="Snapshot")).to_be_visible()
    expect(page.locator('[data-kpi="otif"]')).to_be_visible()
