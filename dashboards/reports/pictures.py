"""Charts of the snapshot as still pictures: PNG for mail, SVG for the page. Same facts, same bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import polars as pl
import vl_convert
from altair.typing import ChartType

from dashboards.charts import Ink, causes, trend
from dashboards.reports.facts import CauseFacts, TrendFacts

# Stand-ins that the page's stylesheet replaces, so that one SVG serves light and dark readers.
_PAGE_INK: Final = Ink(text="#010101", muted="#020202", grid="#030303", ground="#040404")
_VARIABLES: Final = {"#010101": "ink", "#020202": "muted", "#030303": "line", "#040404": "card"}
_CLIP: Final = re.compile(r"\bclip\d+\b")
_SERIES: Final = {"label": pl.String, "value": pl.Float64, "is_hollow": pl.Boolean}


@dataclass(frozen=True, slots=True)
class ReportImage:
    """A picture that a mail refers to.

    Attributes:
        content_id: Without angle brackets; the HTML says `cid:<content_id>`.
        alt_text: What the picture shows, for those who cannot see it.
        png: The picture.
    """

    content_id: str
    alt_text: str
    png: bytes


def trend_chart(facts: TrendFacts, ink: Ink | None = None) -> ChartType:
    """Return the chart of one KPI."""
    weeks = pl.DataFrame(list(facts.weeks), schema=_SERIES, orient="row")
    months = pl.DataFrame(list(facts.months), schema=_SERIES, orient="row")
    return trend(weeks, months, unit=facts.unit, target=facts.target, ink=ink)


def cause_chart(facts: tuple[CauseFacts, ...], ink: Ink | None = None) -> ChartType:
    """Return the chart of miss causes."""
    rows = [(fact.cause, fact.orders, fact.usual) for fact in facts]
    return causes(
        pl.DataFrame(rows, schema={"cause": pl.String, "orders": pl.Int64, "usual": pl.Float64}, orient="row"), ink=ink
    )


def png(chart: ChartType) -> bytes:
    """Render for mail: white paper, twice the size for sharp screens."""
    return bytes(vl_convert.vegalite_to_png(chart.to_dict(), scale=2))


def svg(chart: ChartType, name: str) -> str:
    """Render for the page: colours follow the page's variables, ids carry the chart's name.

    Args:
        chart: Chart drawn with page ink.
        name: Prefix of the ids inside, unique on the page.
    """
    text = str(vl_convert.vegalite_to_svg(chart.to_dict()))
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(f'"{stand_in}"', f'"var(--{variable})"')
    # The renderer counts its ids through the whole process; a report must not depend on what was drawn before.
    numbers: dict[str, str] = {}
    text = _CLIP.sub(lambda found: numbers.setdefault(found[0], f"{name}-clip{len(numbers)}"), text)
    return re.sub(r'(<svg[^>]*?) width="\d+" height="\d+"', r"\1", text, count=1)


def page_ink() -> Ink:
    """Return the ink whose colours the page's stylesheet decides."""
    return _PAGE_INK
