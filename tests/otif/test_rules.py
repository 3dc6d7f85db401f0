"""Taking over today's rules: where the OMS does not answer, the same command goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from optimizer.rules.kinds import ChannelReservation
from optimizer.rules.model import RuleSet
from otif import rules
from pipelines.errors import OutboundError
from storage.ledger import open_ledger
from storage.settings import Settings


def test_an_adoption_that_the_oms_did_not_answer_goes_on_when_it_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)
    reserve = ChannelReservation(rule_id="r1", channel="dtc", sku="A", location="dc", qty=5)
    today = RuleSet(id="live", effective_from="2026-11-16T05:00:00Z", rules=(reserve,))
    monkeypatch.setattr(rules, "todays_rules", lambda _: today)

    def no_answer(*_: object, **__: object) -> None:
        message = "does not answer"
        raise OutboundError(message)

    pushed = []
    monkeypatch.setattr(rules, "push_rules", no_answer)
    with pytest.raises(OutboundError):
        rules.adopt_rules(settings, by="Dana")
    monkeypatch.setattr(rules, "push_rules", lambda *_, **asked: pushed.append(asked["version"]))
    assert rules.adopt_rules(settings, by="Dana").version == 1
    assert pushed == [1]
    with open_ledger(settings) as ledger:
        assert [version.version for version in ledger.list_versions("live")] == [1]
