"""Fines, verdicts and chances of the sample company again, in plain Python from the seeds and the published facts."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboards.queries import kpi_table
from storage.duck import Connection
from storage.publish import open_published
from storage.settings import Settings

CENT = Decimal("0.01")
DAY = timedelta(days=1)


def rule_fine(rule: dict[str, str], base: Decimal, score: Decimal | None) -> Decimal | None:
    """What a rule of the book costs: gate, then flat and rate, then least and most; None = cannot be known."""
    if not rule["rate"] or (rule["gate_metric"] and score is None):
        return None
    if rule["gate_metric"] and score is not None:
        low = Decimal(rule["gate_min"]) if rule["gate_min"] else score
        if score < low or (rule["gate_max"] and score >= Decimal(rule["gate_max"])):
            return Decimal(0)
    fine = Decimal(rule["flat"] or 0) + Decimal(rule["rate"]) * base
    fine = max(fine, Decimal(rule["min"] or 0))
    return min(fine, Decimal(rule["max"])) if rule["max"] else fine


def book(root: Path) -> dict[str, dict[str, str]]:
    with (root / "data" / "seeds" / "retailer_rules.csv").open(encoding="utf-8", newline="") as handle:
        return {
            ":".join((row["retailer"], row["program"], row["violation"], row["effective_from"] or "always")): row
            for row in csv.DictReader(handle)
        }


GOLDEN = [
    ("walmart:otif:on_time_prepaid_early_or_late:2024-02-01", "40000", "0.88", "1200"),
    ("walmart:otif:on_time_prepaid_early_or_late:2024-02-01", "40000", "0.91", "0"),
    ("walmart:otif:on_time_prepaid_early_or_late:2024-02-01", "40000", "0.90", "0"),
    ("walmart:sqep_p1:po_accuracy_overage_wrong_item_cancelled_po:2021-02-01", "30", None, "230"),
    ("target:edi:asn_late_over_1h_after_in_yard:2025-05-04", "80", None, "100"),
    ("target:perfect_order:asn_accuracy_shipment:2025-05-04", "80", None, "100"),
    ("lids:compliance:asn_missing:always", "12", None, "210"),
    ("amazon_vendor:po_on_time:not_on_time:2026-02-25", "1000", "0.9499", "30"),
    ("amazon_vendor:po_on_time:not_on_time:2026-02-25", "1000", "0.95", "0"),
    ("amazon_vendor:po_on_time:not_filled_auto_cancelled:2025-07-01", "1000", None, "50"),
    ("amazon_vendor:po:overage_tier1_to_40pct:2018-09-21", "100", "0.3333", "10"),
    ("amazon_vendor:po:overage_tier2_41_90pct:2018-09-21", "100", "0.3333", "0"),
]


@pytest.mark.parametrize(("key", "base", "score", "fine"), GOLDEN)
def test_the_rule_book_gives_the_golden_money(
    project_root: Path, key: str, base: str, score: str | None, fine: str
) -> None:
    rule = book(project_root)[key]
    assert rule_fine(rule, Decimal(base), Decimal(score) if score else None) == Decimal(fine)


@pytest.fixture
def published(sample_home: Path) -> Iterator[Connection]:
    with open_published(Settings.load(sample_home)) as connection:
        yield connection


def rows(connection: Connection, sql: str) -> list[dict[str, Any]]:
    result = connection.execute(sql)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.mark.slow
def test_every_accrued_fine_follows_from_its_rule(project_root: Path, published: Connection) -> None:
    rules = book(project_root)
    found = rows(published, "select * from marts.fct_expected_fines")
    assert found
    for row in found:
        rule = rules[row["rule_key"]]
        # The gate's outcome is told by the row; its score only in words.
        score = None
        if rule["gate_metric"]:
            fired = Decimal(rule["gate_min"] or 0)
            missed = Decimal(rule["gate_max"]) if rule["gate_max"] else fired - 1
            score = missed if row["is_gated"] else fired
        expected = rule_fine(rule, row["base_amount"], score)
        if row["fine_amount"] is None:
            assert expected is None or row["is_gated"] or row["base_amount"] == 0
        else:
            assert abs(expected - row["fine_amount"]) < CENT, row  # type: ignore[operator]


@pytest.mark.slow
def test_accrued_fines_that_nobody_billed_are_what_chargebacks_may_come_to(published: Connection) -> None:
    kinds = {
        "late_arrive": "arrival", "late_ship": "arrival", "early_arrive": "arrival", "early_ship": "arrival",
        "asn_late": "notice", "asn_missing": "notice", "over_ship": "over", "short_ship": "short",
    }  # fmt: skip
    billed = {
        (row["order_id"], kinds.get(row["violation"])) for row in rows(published, "select * from marts.fct_deductions")
    }
    [info] = rows(published, "select as_of, company_zone from marts.build_info")
    zone = ZoneInfo(info["company_zone"])

    def local(moment: datetime) -> date:
        return moment.replace(tzinfo=UTC).astimezone(zone).date()

    left = {row["order_id"]: row["accepted_at"] for row in rows(published, "select * from marts.fct_orders")}
    accrued: dict[str, Decimal] = defaultdict(Decimal)
    unpriced = 0
    may_come = "fine_amount > 0 or fine_amount is null"
    for fine in rows(published, f"select * from marts.fct_expected_fines where {may_come}"):
        day = local(left[fine["order_id"]]) if left[fine["order_id"]] else fine["ship_week"]
        if (fine["order_id"], kinds[fine["violation"]]) not in billed and local(info["as_of"]) - day < 66 * DAY:
            accrued[fine["currency"]] += fine["fine_amount"] or 0
            unpriced += fine["fine_amount"] is None
    assert accrued
    for kpi in ("chargeback_rate", "chargeback_amount"):
        found = rows(
            published,
            "select currency, sum(missed_unproven) as amount from metrics.kpi_doubts "
            f"where kpi_id = '{kpi}' group by 1 having amount > 0",
        )
        assert {row["currency"]: row["amount"] for row in found} == {
            currency: pytest.approx(float(amount)) for currency, amount in accrued.items()
        }
    amount = kpi_table(published, kpis=["chargeback_amount"]).row(0, named=True)
    assert amount["unpriced"] == unpriced
    assert amount["worst"] == pytest.approx(amount["value"] + float(sum(accrued.values())))


@pytest.mark.slow
def test_every_chance_follows_from_the_resolved_disputes_and_the_prior(
    project_root: Path, published: Connection
) -> None:
    with (project_root / "data" / "seeds" / "dispute_priors.csv").open(encoding="utf-8", newline="") as handle:
        prior = next(csv.DictReader(handle))
    wins, losses = float(prior["prior_wins"]), float(prior["prior_losses"])
    links = {
        row["order_id"]: row["first_broken_link"]
        for row in rows(published, "select distinct order_id, first_broken_link from marts.fct_document_chains")
    }
    shares: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row in rows(published, "select * from marts.fct_deductions where resolved_at is not null"):
        if row["disputed_amount"] > 0:
            cell = (row["customer_id"], row["violation"], links.get(row["order_id"], "(none)"))
            won = min(float(row["recovered_amount"]) / float(row["disputed_amount"]), 1.0)
            for depth in range(4):
                shares[cell[:depth]].append(won)
    assert shares[()], "the sample has resolved disputes"
    queue = rows(published, "select * from marts.fct_dispute_queue")
    for row in queue:
        cell = (row["customer_id"], row["violation"], row["first_broken_link"])
        chance = wins / (wins + losses)
        for depth in range(4):
            told = shares[cell[:depth]]
            chance = ((wins + losses) * chance + sum(told)) / (wins + losses + len(told))
        is_rated = len(shares[cell[:2]]) >= int(prior["min_resolved"])
        assert (row["win_probability"] is not None) == is_rated, cell
        if is_rated:
            assert row["win_probability"] == pytest.approx(chance, abs=1e-6)
            if row["queue_state"] != "waiting":
                worth = 0.0 if row["verdict"] == "valid" else chance * float(row["disputable_amount"])
                assert float(row["expected_value"]) == pytest.approx(worth, abs=1e-3)
                assert float(row["expected_value_per_hour"]) == pytest.approx(worth / row["effort_hours"], abs=1e-3)
    assert [row["queue_rank"] for row in sorted(queue, key=lambda row: row["queue_rank"])] == [
        *range(1, len(queue) + 1)
    ]


@pytest.mark.slow
def test_what_supports_deductions_of_an_order_is_used_up_once(published: Connection) -> None:
    """Late arrivals: the fines of an order support its deductions in the order they were taken, together no more."""
    fines: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows(
        published, "select * from marts.fct_expected_fines where violation in ('late_arrive', 'early_arrive')"
    ):
        fines[row["order_id"]] += row["fine_amount"] or 0
    left = {order: amount.quantize(CENT, ROUND_HALF_UP) for order, amount in fines.items()}
    judged = rows(
        published,
        "select * from marts.fct_deduction_verdicts where violation in ('late_arrive', 'late_ship') "
        "and verdict <> 'unrated' order by taken_at, deduction_id",
    )
    assert judged
    for row in judged:
        happened = left.get(row["order_id"], Decimal(0)) if row["has_happened"] else Decimal(0)
        supported = min(happened, row["amount"])
        assert abs(row["supported_amount"] - supported) < CENT, row["deduction_id"]
        assert row["supported_amount"] + row["disputable_amount"] == row["amount"]
        if row["has_happened"]:
            left[row["order_id"]] = happened - supported
