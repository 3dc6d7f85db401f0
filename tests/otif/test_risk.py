"""The at-risk step: what it writes, what it says where it cannot predict, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from dashboards.errors import QuestionError
from dashboards.queries import line_risks, risk_groups, risk_lenses, risk_reliability, risk_scores, risks_missing
from optimizer.risk import History
from optimizer.risk.history import DEADLINES, MILESTONES
from optimizer.risk.services import ATP, RATES
from otif.cli import app
from otif.cli_risk import _next, how_good
from otif.risk import _write, predict
from storage.duck import Connection, connect
from storage.publish import open_published
from storage.settings import Settings

START = datetime(2026, 3, 2, tzinfo=UTC).replace(tzinfo=None)
DAYS = 84
NOW = START + timedelta(days=DAYS - 4)
NO_RATES, NO_STOCK = pl.DataFrame(schema=RATES), pl.DataFrame(schema=ATP)


def company() -> History:
    """One channel under two lenses; the hand-over lens has decided only a few lines."""
    draw = np.random.default_rng(8)
    stones, deadlines = [], []
    for number in range(DAYS * 8):
        order, captured = str(number), START + timedelta(days=number // 8, hours=float(draw.uniform(8, 18)))
        accepted = captured + timedelta(hours=float(draw.exponential(30)))
        delivered = accepted + timedelta(hours=float(draw.gamma(6, 10)))
        end = captured + timedelta(days=5)
        for milestone, reached in (("captured", captured), ("accepted", accepted), ("delivered", delivered)):
            stones.append((order, "1", "p", milestone, "n", "c", "s", "", 1.0, reached, reached))
        row = (order, "1", "promise", "delivered", "A", "dtc", "dtc", "(none)", "z", None, 1.0, delivered >= end)
        dates = (captured, captured, None, None, end)
        deadlines.append((*row, *dates, True))
        if number % 40 == 0 or number >= (DAYS - 6) * 8:
            hand_over = (order, "1", "hand_over", "accepted", *row[4:11], accepted >= end)
            deadlines.append((*hand_over, *dates, False))
    return History.from_frames(
        pl.DataFrame(stones, schema=MILESTONES, orient="row"), pl.DataFrame(deadlines, schema=DEADLINES, orient="row")
    )


def worth(history: History) -> pl.DataFrame:
    """A miss costs $ 10 under the promise, and nobody knows what under the other lens."""
    rows = history.units.join(history.lenses, on="unit").select("order_id", "line_id", "profile_id", "is_headline")
    return rows.with_columns(
        pl.lit("USD").alias("currency"),
        pl.when("is_headline").then(1_000).cast(pl.Int64).alias("loss_cents"),
        pl.lit("by agreement").alias("loss_basis"),
    )


def publication(history: History) -> Connection:
    connection = connect()
    connection.execute("create schema marts")
    for name, frame in predict(history, NOW, worth(history), NO_RATES, NO_STOCK).items():
        _write(connection, name, frame)
    return connection


@pytest.fixture(scope="module")
def published() -> Iterator[Connection]:
    connection = publication(company())
    yield connection
    connection.close()


def test_every_open_line_has_a_chance_a_reason_and_an_expected_loss(published: Connection) -> None:
    lines = line_risks(published)
    assert len(lines) > 20
    assert lines["probability"].is_between(0, 1).all()
    assert lines["reason"].is_not_null().all()
    assert (lines["expected_loss_amount"] - 10 * lines["probability"]).abs().max() < 0.006
    assert lines["expected_loss_amount"].is_sorted(descending=True)
    worth_of_step = lines.drop_nulls("action_value_amount")
    gained = 10 * (worth_of_step["probability"] - worth_of_step["probability_after"])
    assert (worth_of_step["action_value_amount"] - gained).abs().max() < 0.006


def test_a_lens_with_few_outcomes_has_no_chance_and_says_why(published: Connection) -> None:
    lines = line_risks(published, lens="hand_over")
    assert len(lines) > 5
    assert lines["probability"].is_null().all()
    assert lines["expected_loss_amount"].is_null().all()
    assert all(
        "lines of this lens have been decided; a probability needs 30" in why for why in lines["unavailable_reason"]
    )


def test_groups_add_up_to_the_lines(published: Connection) -> None:
    lines, groups = line_risks(published), risk_groups(published, by="stage")
    assert groups["lines"].sum() == len(lines)
    assert groups["expected_misses"].sum() == pytest.approx(lines["probability"].sum())
    none = risk_groups(published, by="stage", lens="hand_over")
    assert none["expected_misses"].is_null().all()


def test_what_is_unknown_is_refused_with_what_is_known(published: Connection) -> None:
    with pytest.raises(QuestionError, match="lens 'nope'; known: headline, hand_over, promise"):
        line_risks(published, lens="nope")
    with pytest.raises(QuestionError, match="sku is nothing to add up by"):
        risk_groups(published, by="sku")


def test_the_scores_of_held_out_weeks_are_published_as_sums(published: Connection) -> None:
    scores = risk_scores(published)
    whole, parts = scores.row(0, named=True), scores.tail(-1)
    assert whole["horizon"] == ""
    assert parts["rows"].sum() == whole["rows"]
    assert whole["skill"] > 0.2
    bins = risk_reliability(published)
    assert bins["rows"].sum() == whole["rows"]
    assert "less error than always saying the usual share" in how_good(scores)
    assert risk_lenses(published) == ["hand_over", "promise"]


def test_too_little_history_gives_reasons_instead_of_numbers() -> None:
    history = company().known(START + timedelta(days=12))
    connection = connect()
    connection.execute("create schema marts")
    moment = START + timedelta(days=12)
    for name, frame in predict(history, moment, worth(history), NO_RATES, NO_STOCK).items():
        _write(connection, name, frame)
    lines = line_risks(connection)
    assert len(lines) > 10
    assert lines["probability"].is_null().all()
    assert all(reason.startswith("too little history: ") for reason in lines["unavailable_reason"])
    judged = risk_scores(connection)
    assert judged["brier"].to_list() == [None]
    assert how_good(judged).startswith("Not judged: too little history")
    connection.close()


def test_a_publication_of_before_says_how_to_get_predictions() -> None:
    with connect() as connection:
        assert "otif build" in risks_missing(connection)
        connection.execute("create schema marts")
        connection.execute("create table marts.fct_line_risks as select 0.5 as probability, 'Release it' as action")
        assert "otif build" in risks_missing(connection)


def test_the_command_tells_the_next_step_and_a_surer_service_with_what_it_costs() -> None:
    step = {
        "action": "Release it to a node now", "probability_after": 0.5, "action_cost_amount": None,
        "action_value_amount": 3.0, "currency": "USD", "other_carrier": "fast", "other_service": "express",
        "other_probability": 0.1, "other_cost_amount": 10.0, "other_note": "its freight costs more than it saves",
    }  # fmt: skip
    step |= {"action_note": None}
    surer = "Or by fast express: 10.0%, $10 more freight; its freight costs more than it saves."
    assert _next(step) == f"→ Release it to a node now: then 50%, worth $ 3. {surer}"
    assert _next(step | {"probability_after": None}) == f"→ Release it to a node now. {surer}"
    assert _next(step | {"other_probability": 0.6}) == "→ Release it to a node now: then 50%, worth $ 3."
    taken = {
        "action": "Ship it by fast express", "probability_after": 0.1, "action_cost_amount": 3.0,
        "action_value_amount": 4.0, "other_note": None,
    }  # fmt: skip
    assert _next(step | taken) == "→ Ship it by fast express: then 10%, $ 3 more freight, worth $ 4."


def test_lines_that_one_carrier_brings_have_no_other_service_and_say_so(published: Connection) -> None:
    lines = line_risks(published)
    assert lines["other_carrier"].is_null().all()
    told = {"no other service has carried such lines from its node", "it is under way"}
    assert set(lines["other_note"].unique()) == told
    assert lines["action_cost_amount"].is_null().all()


def test_the_sample_company_is_foretold_better_than_by_its_usual_share(sample_home: Path) -> None:
    told = CliRunner().invoke(app, ["--home", str(sample_home), "at-risk", "--format", "json", "--limit", "5"])
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout)
    assert len(document["rows"]) == 5
    assert document["judged"][0]["skill"] > 0.3
    assert document["judged"][0]["calibration_error"] < 0.06


def test_the_command_adds_up_and_shows_scores(sample_home: Path) -> None:
    runner = CliRunner()
    by = runner.invoke(app, ["--home", str(sample_home), "at-risk", "--by", "channel", "--format", "csv"])
    assert by.exit_code == 0, by.output
    with open_published(Settings.load(sample_home)) as connection:
        lines = connection.execute("select count(*) from marts.fct_line_risks where is_headline").fetchall()[0][0]
    assert sum(int(row.split(",")[1]) for row in by.stdout.splitlines()[1:]) == lines
    for arguments in (["--scores"], [], ["--by", "stage"]):
        shown = runner.invoke(app, ["--home", str(sample_home), "at-risk", *arguments])
        assert shown.exit_code == 0, shown.output
        assert "Judged on 6 held-out weeks" in " ".join(shown.stdout.split())
    assert runner.invoke(app, ["--home", str(sample_home), "at-risk", "--format", "xml"]).exit_code == 2
