"""The feeds of a workspace: a definition (its own in `feeds/`, or one that comes with otif), parameters, a secret."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from pipelines.errors import PullError
from pipelines.pull.definition import Definition, filled, load_definition
from storage.settings import PROJECT_ROOT, Settings

READY: Final = PROJECT_ROOT / "data" / "feeds"
"""Definitions that come with otif."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed of a workspace.

    Attributes:
        name: Its name in otif.toml.
        definition: What it is.
        parameters: Values of the definition's parameters.
        since: First day of the very first pull.
        every_minutes: How often a schedule pulls it.
    """

    name: str
    definition: Definition
    parameters: Mapping[str, Any]
    since: date | None
    every_minutes: int

    @property
    def secret_name(self) -> str:
        """Environment variable of its secret."""
        return "OTIF_FEED_" + re.sub(r"\W", "_", self.name).upper()

    def secret(self) -> str:
        """Return the secret.

        Raises:
            PullError: It is not set.
        """
        value = os.environ.get(self.secret_name, "")
        kind = self.definition.auth.kind
        if kind == "basic" and value and ":" not in value:
            message = f"feed {self.name}: {self.secret_name} must be user:password"
            raise PullError(message)
        if not value and kind != "none":
            message = f"feed {self.name}: set the environment variable {self.secret_name} to its secret"
            raise PullError(message)
        return value

    @property
    def address(self) -> str:
        """The definition's URL with its parameters.

        Raises:
            PullError: A parameter is missing.
        """
        where = f"[feeds.{self.name}] in otif.toml"
        return filled(self.definition.url, dict(self.parameters), where=where)


def ready_definitions() -> list[str]:
    """Return the names of the definitions that come with otif."""
    return sorted(path.stem for path in READY.glob("*.yml"))


def feeds_of(settings: Settings) -> list[Feed]:
    """Return the feeds that `[feeds.<name>]` in otif.toml sets up, in their order.

    Raises:
        PullError: A definition is missing or malformed.
    """
    return [
        Feed(
            name=name,
            definition=load_definition(_definition_file(settings, name, section.use or name)),
            parameters=section.model_extra or {},
            since=section.since,
            every_minutes=section.every_minutes,
        )
        for name, section in settings.feeds.items()
    ]


def _definition_file(settings: Settings, feed: str, name: str) -> Path:
    for folder in (settings.home / "feeds", READY):
        path = folder / f"{name}.yml"
        if path.is_file():
            return path
    message = (
        f"feed {feed}: no definition {name!r}; expected {settings.home / 'feeds' / name}.yml or one of "
        f"{', '.join(ready_definitions())}"
    )
    raise PullError(message)
