"""The weekly leadership snapshot: one page in a fixed order, as HTML to keep and as mail to send.

Same publication, week and proposals → the same bytes. Nothing is sent or written here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import jinja2

from dashboards.formats import counted, day_text, words
from dashboards.queries import BuildInfo, Week, build_info, freshness, week_containing, week_named
from dashboards.reports import narrative
from dashboards.reports.facts import DefinitionFacts, Header, Proposal, TrendFacts, WeeklyFacts
from dashboards.reports.moves import moved_facts
from dashboards.reports.pictures import ReportImage, cause_chart, page_ink, png, svg, trend_chart
from dashboards.reports.tiles import build_tile, build_trend, tile_catalogue
from storage.duck import Connection

_MAIL_TRENDS: Final = 3
_PAGE_TRENDS: Final = 8
_TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class WeeklyReport:
    """A finished snapshot.

    Attributes:
        week: Week name.
        subject: Mail subject.
        html: Self-contained page (styles and charts inside).
        mail_html: Mail body, below 100 KB, charts by content id.
        text: Mail body for readers without HTML.
        images: Pictures that `mail_html` refers to.
        data_hash: sha256 over the facts shown; the same hash means nothing changed.
    """

    week: str
    subject: str
    html: str
    mail_html: str
    text: str
    images: tuple[ReportImage, ...]
    data_hash: str


def build_weekly(
    connection: Connection, week: str = "", *, proposals: Sequence[Proposal] = (), company: str = ""
) -> WeeklyReport:
    """Build the snapshot of a week.

    Args:
        connection: Open publication.
        week: Week such as 2026-W46; empty = the last complete week before the as-of instant.
        proposals: Open decisions from the ledger.
        company: Name in the header.

    Raises:
        QuestionError: Not a week.
        PublicationError: The publication cannot answer.
    """
    info = build_info(connection)
    chosen = week_named(week, week_start=info.week_start) if week else last_week(info)
    facts = collect_facts(connection, chosen, info, proposals=proposals, company=company)
    return render(facts)


def last_week(info: BuildInfo) -> Week:
    """Return the last week that was complete at the as-of instant."""
    return week_containing(info.as_of_date, week_start=info.week_start).back(1)


def collect_facts(
    connection: Connection, week: Week, info: BuildInfo, *, proposals: Sequence[Proposal] = (), company: str = ""
) -> WeeklyFacts:
    """Ask the publication everything that the page states."""
    catalogue = list(tile_catalogue(connection).iter_rows(named=True))
    tiles = tuple(build_tile(connection, kpi, week, info)[0] for kpi in catalogue)
    trends = [trend for kpi in catalogue if (trend := build_trend(connection, kpi, week, info))]
    groups, total = narrative.exception_groups(connection, info)
    risk_rows, risk_days = narrative.risks(connection, info)
    due_disputes = narrative.disputes(connection, info)
    restated, restated_total = narrative.restated_weeks(connection, info, [kpi["kpi_id"] for kpi in catalogue])
    lead = narrative.lead_tile(tiles)
    return WeeklyFacts(
        header=_header(
            connection, week, info, company=company, is_provisional=any("provisional" in t.note for t in tiles)
        ),
        headline=narrative.headline(tiles),
        lead=lead,
        tiles=tiles,
        trends=tuple(trends[:_PAGE_TRENDS]),
        bridge=narrative.bridge(connection, lead.kpi_id, week) if lead else (),
        exceptions=groups,
        exceptions_total=total,
        causes=narrative.causes(connection, week, info),
        risks=risk_rows,
        risk_days=risk_days,
        disputes=due_disputes,
        actions=narrative.actions(groups, due_disputes, info),
        decisions=tuple(proposals),
        definitions=tuple(DefinitionFacts(name=kpi["kpi_name"], text=kpi["definition"] or "") for kpi in catalogue),
        restatements=restated,
        restatements_total=restated_total,
        without_causes=narrative.without_causes(tiles),
        moved=moved_facts(connection, kpi_id=lead.kpi_id, week=week.name) if lead else None,
    )


def _header(connection: Connection, week: Week, info: BuildInfo, *, company: str, is_provisional: bool) -> Header:
    feeds = freshness(connection)
    late = narrative.late_feeds(connection)
    return Header(
        company=company,
        week=week.name,
        days=f"{week.start:%a} {week.start.day} {week.start:%b} to {week.end:%a} {week.end.day} {week.end:%b %Y}",
        as_of=f"{day_text(info.local_as_of)} {info.local_as_of:%Y, %H:%M} {info.zone}",
        is_provisional=is_provisional,
        late_feeds=late,
        freshest=f"{counted(feeds.height, 'feed')}, all within {narrative.LATE_HOURS:.0f} h"
        if feeds.height and not late
        else "",
    )


def render(facts: WeeklyFacts) -> WeeklyReport:
    """Lay the facts out as page, mail and text."""
    data_hash = hashlib.sha256(
        json.dumps(asdict(facts), sort_keys=True, ensure_ascii=False, default=str).encode()
    ).hexdigest()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": words, "counted": counted}
    images = _mail_images(facts)
    shared = {"facts": facts, "data_hash": data_hash}
    pictures = {trend.kpi_id: svg(trend_chart(trend, page_ink()), trend.kpi_id) for trend in facts.trends}
    cause_picture = svg(cause_chart(facts.causes, page_ink()), "causes") if facts.causes else ""
    return WeeklyReport(
        week=facts.header.week,
        subject=_subject(facts),
        html=environment.get_template("weekly.html.j2").render(
            **shared, pictures=pictures, cause_picture=cause_picture
        ),
        mail_html=environment.get_template("weekly_mail.html.j2").render(**shared, images=images),
        text=environment.get_template("weekly.txt.j2").render(**shared),
        images=images,
        data_hash=data_hash,
    )


def _mail_images(facts: WeeklyFacts) -> tuple[ReportImage, ...]:
    found = [
        ReportImage(content_id=f"trend-{_slug(trend)}", alt_text=trend.alt_text, png=png(trend_chart(trend)))
        for trend in facts.trends[:_MAIL_TRENDS]
    ]
    if facts.causes:
        first = facts.causes[0]
        found.append(
            ReportImage(
                content_id="miss-causes",
                alt_text=f"Causes of missed orders: {words(first.cause)} leads with {first.orders}",
                png=png(cause_chart(facts.causes)),
            )
        )
    return tuple(found)


def _slug(trend: TrendFacts) -> str:
    return trend.kpi_id.replace("_", "-")


def _subject(facts: WeeklyFacts) -> str:
    who = f"{facts.header.company}: " if facts.header.company else ""
    first = facts.lead
    if first is None:
        return f"{who}week {facts.header.week}"
    moved = f", {first.change}" if first.change else ""
    flag = ", signal" if first.state == "signal" else ""
    return f"{who}week {facts.header.week}: {first.name} {first.value}{moved}{flag}"
