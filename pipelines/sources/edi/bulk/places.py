"""Parties of N1 loops in kernels: where they are, as `edi.lines.Place` tells it."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.sources.edi.bulk.compiled import Array, kernel
from pipelines.sources.edi.bulk.layouts import COUNTRY_AU, COUNTRY_CA, COUNTRY_MX, COUNTRY_US
from pipelines.sources.edi.bulk.page import Page, span_view
from pipelines.sources.edi.bulk.tape import LONGEST, Tape, code, is_in, text, word
from pipelines.sources.edi.lines import US_STATES

AT_SET, AT_ID, AT_REGION, AT_POSTAL, AT_COUNTRY = range(5)
"""What a row of the notes holds of a place: whether there is one, then spans."""

_STATES: Final = np.array([word(name) for name in US_STATES.split()])
_LONGEST_REGION: Final = 3
_COUNTRY_CODES: Final = np.array([word(name) for name in ("USA", "CAN", "MEX", "AUS")])
_COUNTRY_WORDS: Final = np.array([COUNTRY_US, COUNTRY_CA, COUNTRY_MX, COUNTRY_AU])


@kernel
def locate(tape: Tape, segment: int, place: Array) -> bool:
    """Take region, postal code and country from an N4; False if it is not regular."""
    place[AT_REGION] = text(tape, segment, 2)
    place[AT_POSTAL] = text(tape, segment, 3)
    place[AT_COUNTRY] = text(tape, segment, 4)
    return bool(place[AT_REGION] % LONGEST <= _LONGEST_REGION)


@kernel
def country_view(tape: Tape, page: Page, place: Array) -> tuple[int, int]:
    """Return the view of a place's country, which a state of the US tells where it is not given."""
    country, region = place[AT_COUNTRY], place[AT_REGION]
    kind = code(tape, country)
    for i in range(len(_COUNTRY_CODES)):
        if _COUNTRY_CODES[i] == kind:
            return page.words[_COUNTRY_WORDS[i], 0], page.words[_COUNTRY_WORDS[i], 1]
    if not country and is_in(_STATES, code(tape, region)):
        return page.words[COUNTRY_US, 0], page.words[COUNTRY_US, 1]
    return span_view(page, tape, country)
