"""How figures are written."""

from __future__ import annotations

import doctest
from datetime import datetime

import pytest

from dashboards import formats, signals
from dashboards.formats import change_text, instant_text, money_text, value_text
from dashboards.queries import periods


@pytest.mark.parametrize("module", [formats, signals, periods])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_no_figure_is_a_dash_never_a_zero() -> None:
    assert {value_text(None, unit) for unit in ("ratio", "money", "hours", "units")} == {"–"}
    assert change_text(None, "ratio") == money_text(None) == instant_text(None, "UTC") == "–"


def test_rounding_never_shows_a_signed_zero() -> None:
    assert change_text(-0.0001, "ratio") == "±0.0 pp"
    assert change_text(0.0, "money") == "±$0"


def test_money_shortens_without_a_gap_between_thousands_and_millions() -> None:
    assert [money_text(amount) for amount in (9_999.4, 10_000, 999_949, 999_950, 1_000_000)] == [
        "$9,999", "$10.0k", "$999.9k", "$1.00M", "$1.00M",
    ]  # fmt: skip


def test_other_currencies_are_named() -> None:
    assert money_text(1234, currency="BRL") == "R$1,234"
    assert money_text(1234, currency="SEK") == "SEK 1,234"


def test_instants_are_shown_on_the_companys_clock() -> None:
    naive_utc = datetime.fromisoformat("2026-07-01T03:30")
    assert instant_text(naive_utc, "America/New_York") == "Tue 30 Jun 23:30"
