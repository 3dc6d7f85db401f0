"""The mail that tells of new exceptions: subject, text and HTML; nothing is sent here."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import polars as pl

from dashboards.formats import counted, instant_text, money_text, words


@dataclass(frozen=True, slots=True)
class Alert:
    """A finished mail.

    Attributes:
        subject: How many and the most expensive one.
        text: One paragraph per exception.
        html: The same as a list.
    """

    subject: str
    text: str
    html: str


def build_alert(exceptions: pl.DataFrame, *, zone: str) -> Alert:
    """Build the mail on exceptions, in the order given.

    Args:
        exceptions: Rows of `exceptions_list`; those that are over since they were claimed are simply not there.
        zone: IANA zone that instants are written in.
    """
    if exceptions.is_empty():
        gone = "The exceptions of this mail are over: the data shows them no more."
        return Alert("Exceptions that are over", gone, f"<p>{gone}</p>")
    rows = list(exceptions.iter_rows(named=True))
    subject = f"{counted(len(rows), 'new exception')}: {rows[0]['title']}"
    texts, items = [], []
    for row in rows:
        facts = " · ".join(
            part
            for part in (
                row["severity"],
                f"{money_text(row['money_at_risk'], currency=row['currency'])} at risk" if row["money_at_risk"] else "",
                f"due {instant_text(row['due_at'], zone)}" if row["due_at"] else "",
                words(row["owner_role"]),
                row["exception_id"][:8],
            )
            if part
        )
        texts.append(f"{row['title']}\n  {facts}\n  {row['evidence']}\n  To do: {row['suggested_action']}")
        items.append(
            f"<li style='margin:0 0 12px'><b>{escape(row['title'])}</b><br>"
            f"<span style='color:#5f6773'>{escape(facts)}</span><br>{escape(row['evidence'])}<br>"
            f"To do: {escape(row['suggested_action'])}</li>"
        )
    return Alert(subject, "\n\n".join(texts) + "\n", f"<ul style='padding-left:18px'>{''.join(items)}</ul>")
