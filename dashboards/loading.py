"""How pages reach data: one publication per run, answers cached by its id, the ledger opened for each use.

A page run resolves the publication once, so that no screen mixes two builds; a new build shows with the next click.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import streamlit as st

from storage.duck import connect
from storage.ledger import Ledger, open_ledger
from storage.publish import current_publication
from storage.settings import Settings

Answer = TypeVar("Answer")

_PUBLICATION: Final = "run_publication"
_SETTINGS: Final = "run_settings"
_ANSWERS: Final = 256


def begin_run() -> None:
    """Read the settings and resolve the publication for this run.

    Raises:
        ConfigError: There is no workspace.
        NotPublishedError: Nothing has been published.
    """
    settings = Settings.load()
    st.session_state[_SETTINGS] = settings
    st.session_state[_PUBLICATION] = str(current_publication(settings))


def settings_of_run() -> Settings:
    """Return the workspace of this run."""
    settings: Settings = st.session_state[_SETTINGS]
    return settings


def publication_id() -> str:
    """Return the id of the publication that this run reads."""
    return Path(st.session_state[_PUBLICATION]).stem


def ask(question: Callable[..., Answer], **arguments: Any) -> Answer:  # noqa: ANN401 - the question's own arguments
    """Ask the publication of this run; the same question of the same publication is answered from memory.

    Args:
        question: A function of `dashboards.queries` or a report builder; its first argument is the connection.
        arguments: Its keyword arguments.

    Raises:
        OtifError: The publication cannot be opened or cannot answer.
    """
    return later(question, **arguments)()


def later(question: Callable[..., Answer], **arguments: Any) -> Callable[[], Answer]:  # noqa: ANN401
    """Return a call that asks this run's publication when it is made, from any thread (a download, for one)."""
    publication = st.session_state[_PUBLICATION]
    name = f"{question.__module__}.{question.__qualname__}"

    def answer() -> Answer:
        found: Answer = _answer(publication, name, arguments, _question=question)
        return found

    return answer


@st.cache_data(max_entries=_ANSWERS, show_spinner=False)
def _answer(publication: str, name: str, arguments: dict[str, Any], *, _question: Callable[..., Any]) -> Any:  # noqa: ANN401
    del name  # part of the cache key only
    connection = connect(Path(publication), read_only=True)
    try:
        return _question(connection, **arguments)
    finally:
        connection.close()


def ledger() -> Ledger:
    """Open the ledger of this run's workspace; use it as a context manager.

    Raises:
        LedgerError: It cannot be opened.
    """
    return open_ledger(settings_of_run())
