from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.errors import ConfigError
from storage.settings import Settings


def load(folder: Path, text: str) -> Settings:
    (folder / "otif.toml").write_text(text)
    return Settings.load(folder)


def test_a_folder_without_otif_toml_says_how_to_make_a_workspace(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="otif init"):
        Settings.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[company]\nzone = 'Mars/Olympus'", "Mars/Olympus"),
        ("[company]\nzones = 'UTC'", "company.zones"),
        ("[checks]\non_failure = 'shrug'", "checks.on_failure"),
        ("keep_publications = 0", "keep_publications"),
        ("[company", "not valid TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load(tmp_path, text)


def test_a_date_as_of_is_the_start_of_that_local_day(tmp_path: Path) -> None:
    settings = load(tmp_path, "[company]\nzone = 'America/New_York'\nas_of = 2026-11-16")
    assert settings.resolve_as_of() == datetime(2026, 11, 16, 5, tzinfo=UTC)
    assert settings.resolve_as_of("2026-07-01") == datetime(2026, 7, 1, 4, tzinfo=UTC)
    assert settings.resolve_as_of("2026-07-01T10:00+02:00") == datetime(2026, 7, 1, 8, tzinfo=UTC)


def test_an_as_of_that_is_no_date_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a date"):
        load(tmp_path, "").resolve_as_of("last Tuesday")
