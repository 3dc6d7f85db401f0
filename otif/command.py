"""What all command modules share: options given before the command, common options, exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from storage.settings import Settings

EXIT_FAILED: Final = 1
EXIT_BAD_INPUT: Final = 2
EXIT_WARNINGS: Final = 3

JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON document; remarks go to stderr")]
RuleSetArgument = Annotated[str, typer.Argument(help="rule set, e.g. live")]
VersionArgument = Annotated[int, typer.Argument(help="version number")]


class CommandState:
    """Options given before the command."""

    home: Path | None = None


def load_settings() -> Settings:
    """Read the settings of the chosen workspace."""
    from storage.settings import Settings

    return Settings.load(CommandState.home)
