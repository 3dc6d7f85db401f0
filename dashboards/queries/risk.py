"""Open lines that may miss a lens, and how far the predictions can be trusted."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from dashboards.errors import QuestionError
from dashboards.queries.frames import columns_of, read
from storage.duck import Connection

GROUPS: Final = ("channel", "customer_id", "node_id", "carrier", "lane_zone", "stage", "profile_id", "action")
"""What lines at risk can be added up by."""

NOT_PREDICTED: Final = "this publication holds no predictions of this version; run `otif build` to make them"


def risks_missing(connection: Connection) -> str:
    """Return why the publication has no predictions that can be read; empty = it has a table of them."""
    return "" if "action_note" in columns_of(connection, "marts", "fct_line_risks") else NOT_PREDICTED


def line_risks(connection: Connection, *, lens: str = "headline", limit: int | None = None) -> pl.DataFrame:
    """Return open lines of a lens, the most expected loss first, then the likeliest.

    Args:
        connection: Open publication.
        lens: A service profile, or headline: each line's own.
        limit: Most rows.

    Returns:
        The columns of marts.fct_line_risks; `probability` is null where `unavailable_reason` says why.
    """
    return read(
        connection,
        """
        select * from marts.fct_line_risks
        where case when $lens = 'headline' then is_headline else profile_id = $lens end
        order by expected_loss_amount desc nulls last, probability desc nulls last, order_id, line_id, profile_id
        limit $limit
        """,
        {"lens": _known_lens(connection, lens), "limit": limit if limit is not None else 2**40},
    )


def risk_groups(connection: Connection, *, by: str, lens: str = "headline") -> pl.DataFrame:
    """Add open lines up by a dimension.

    Returns:
        The dimension; lines, lines_predicted, expected_misses (sum of probabilities; null where none is predicted),
        expected_loss_amount, action_value_amount (null where unknown for all).

    Raises:
        QuestionError: Not a dimension.
    """
    if by not in GROUPS:
        message = f"{by} is nothing to add up by; known: {', '.join(GROUPS)}"
        raise QuestionError(message)
    return read(
        connection,
        f"""
        select
            coalesce({by}, '(none)') as {by}, count(*) as lines, count(probability) as lines_predicted,
            sum(probability) as expected_misses, sum(expected_loss_amount) as expected_loss_amount,
            sum(action_value_amount) as action_value_amount
        from marts.fct_line_risks
        where case when $lens = 'headline' then is_headline else profile_id = $lens end
        group by all
        order by expected_loss_amount desc nulls last, expected_misses desc nulls last, {by}
        """,
        {"lens": _known_lens(connection, lens)},
    )


def risks_ahead(connection: Connection, *, date_from: date, date_to: date) -> pl.DataFrame:
    """Return per channel how many lines due in a range of days are expected to miss their own lens.

    Args:
        connection: Open publication.
        date_from: First local day of the deadline (inclusive).
        date_to: Last local day of the deadline (inclusive).

    Returns:
        channel, lines (with a probability), expected_misses, expected_loss_amount (null where no loss is known). Empty
        when the publication holds no predictions.
    """
    if risks_missing(connection):
        columns = {"lines": pl.Int64, "expected_misses": pl.Float64, "expected_loss_amount": pl.Float64}
        return pl.DataFrame(schema={"channel": pl.String, **columns})
    return read(
        connection,
        """
        select
            risks.channel, count(*) as lines, sum(risks.probability) as expected_misses,
            sum(risks.expected_loss_amount) as expected_loss_amount
        from marts.fct_line_risks as risks
        cross join marts.build_info as info
        where risks.is_headline and risks.probability is not null
            and cast(
                timezone(info.company_zone, timezone('UTC', risks.window_end_at - interval 1 microsecond)) as date
            ) between $date_from and $date_to
        group by risks.channel
        order by risks.channel
        """,
        {"date_from": date_from, "date_to": date_to},
    )


def risk_lenses(connection: Connection) -> list[str]:
    """Return the lenses that open lines stand under."""
    found = read(connection, "select distinct profile_id from marts.fct_line_risks order by profile_id")
    return found["profile_id"].to_list()


def risk_scores(connection: Connection, *, lens: str = "") -> pl.DataFrame:
    """Return how the predictions did on held-out weeks, over all horizons and by horizon.

    Args:
        connection: Open publication.
        lens: A service profile; empty = every line under its own.

    Returns:
        horizon ('' = all), weeks, rows, misses, brier, brier_base, brier_channel, skill (1 − brier / brier_base),
        calibration_error, unavailable_reason.
    """
    return read(
        connection,
        """
        select
            horizon, weeks, rows, misses, squared_error / nullif(rows, 0) as brier,
            squared_error_base / nullif(rows, 0) as brier_base,
            squared_error_channel / nullif(rows, 0) as brier_channel,
            1 - squared_error / nullif(squared_error_base, 0) as skill,
            calibration_gap / nullif(rows, 0) as calibration_error, unavailable_reason
        from marts.risk_scores where profile_id = $lens
        order by list_position(['', 'last day', '2 to 3 days', '4 to 7 days', 'later'], horizon)
        """,
        {"lens": lens},
    )


def risk_reliability(connection: Connection, *, lens: str = "") -> pl.DataFrame:
    """Return ten bins of equal size: bin, rows, said (mean probability), happened (share missed)."""
    return read(
        connection,
        """
        select bin, rows, said / rows as said, misses / rows as happened
        from marts.risk_reliability where profile_id = $lens order by bin
        """,
        {"lens": lens},
    )


def _known_lens(connection: Connection, lens: str) -> str:
    known = ["headline", *risk_lenses(connection)]
    if lens not in known and len(known) > 1:
        message = f"no open line stands under lens {lens!r}; known: {', '.join(known)}"
        raise QuestionError(message)
    return lens
