"""The prose keeps its promises: links lead somewhere, commands and targets exist, no machine leaks into the tree."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from otif.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "models" / "README.md", *(ROOT / "docs").rglob("*.md")]
)


def commands() -> set[str]:
    """Every command the CLI knows, groups with their subcommands."""
    known = set()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        known.add(name)
        known |= {f"{name} {child}" for child in getattr(command, "commands", {})}
    return known


def named_commands(text: str) -> Iterator[str]:
    """Commands that a page names in backticks or at the start of a line of a code block."""
    for found in re.finditer(
        r"(?:`|^\s{0,4}|&& )otif (?:--home \S+ )?([a-z][a-z-]+)(?: ([a-z]+))?", text, re.MULTILINE
    ):
        group, child = found.groups()
        yield f"{group} {child}" if group in ("rules", "report") and child else group


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_on_a_page_exists(page: Path) -> None:
    assert sorted(set(named_commands(page.read_text())) - commands()) == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text())) & {
        "demo", "test", "serve", "help", "check", "bench", "lock",
    }  # fmt: skip
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test", "serve", "help"} <= named
    assert named <= targets


def test_the_readme_opens_with_the_two_commands_and_is_short() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    assert any(line.startswith("make demo") for line in lines[:15])
    assert any(line.startswith("make test") for line in lines[:15])


def test_no_registry_address_or_lock_of_hosts_is_tracked() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    assert "uv.lock" not in tracked
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text, f"{path.name} names an address"
        assert text.count("--hash=sha256:") >= text.count("==")
