from pathlib import Path

from storage.contract_docs import render


def test_the_event_reference_says_what_the_contracts_say(project_root: Path) -> None:
    assert (project_root / "docs" / "events.md").read_text() == render(), (
        "docs/events.md is out of date: python -m storage.contract_docs > docs/events.md"
    )
