"""Real orders, twice: through landing, dbt and the KPI query, and counted by hand from the CSV files.

The recount below shares no code with the product. It reads the Olist files with polars, applies the written definitions
and must agree with what `otif kpis` says on every numerator, denominator and percentile, whole and by dimension.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from dashboards.queries.kpis import kpi_table
from pipelines.checks.verdict import Verdict
from pipelines.landing import ingest
from pipelines.transform import build
from storage.duck import Connection
from storage.publish import open_published
from storage.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

ZONE = ZoneInfo("America/Sao_Paulo")
AS_OF = datetime(2018, 9, 1, tzinfo=ZONE).astimezone(UTC).replace(tzinfo=None)
SAMPLES = ("simonnc_20k", "techbyhemant_4k", "albuquerques_3k")
BREAKDOWNS = ((), ("week",), ("region",), ("seller_id",), ("category",))
STAGES = {
    "capture_to_approve": ("captured", "approved"),
    "approve_to_accept": ("approved", "accepted"),
    "accept_to_deliver": ("accepted", "delivered"),
    "capture_to_deliver": ("captured", "delivered"),
}
WITHOUT_SHIPPED_QUANTITY = "the source gives no shipped quantity per line"
UNAVAILABLE = {
    **dict.fromkeys(
        (
            "otif", "in_full", "otif_line", "otif_case", "unit_fill_revised", "unit_fill_original",
            "unit_fill_first_pass", "line_fill", "order_fill", "value_fill", "backorder_units", "backorder_value",
            "backorder_rate", "backorder_recovery", "backorder_value_over_7d", "return_rate", "otif_value",
            "over_shipped_rate", "perfect_order", "perfect_in_full", "perfect_on_time", "perfect_documents",
            "perfect_condition", "perfect_order_index",
        ),
        WITHOUT_SHIPPED_QUANTITY,
    ),
    **dict.fromkeys(
        (
            "return_rate_choice", "return_rate_fulfilment", "return_rate_product", "return_rate_refused",
            "return_rate_unclassified", "return_cycle_time", "restock_rate", "resale_rate", "write_off_rate",
            "damage_rate",
        ),
        "no return has landed",
    ),
    **dict.fromkeys(
        (
            "cancellation_rate_customer", "cancellation_rate_seller", "cancellation_rate_fraud",
            "cancellation_rate_retailer", "oversell_rate",
        ),
        "the source does not say who cancelled",
    ),
    **dict.fromkeys(
        ("touchless_rate", "cut_off_adherence", "cut_off_adherence_adjusted"),
        "the source gives no release to a node",
    ),
    **dict.fromkeys(("chargeback_rate", "chargeback_amount", "dispute_recovery"), "no deduction has landed"),
    **dict.fromkeys(("invoice_accuracy", "dso_count_back", "dso_simple"), "no invoice has landed"),
    **dict.fromkeys(("asn_timeliness", "asn_accuracy"), "no ship notice has landed"),
    **dict.fromkeys(("ack_timeliness", "document_reject_rate"), "no 997 has landed"),
    "fulfilment_accuracy": "the source gives no return reason",
    "dock_to_stock": "no check-in of inbound goods has landed",
    "carrier_on_time": "the source gives no delivery estimate of the carrier",
    "po_answer_timeliness": "no purchase order acknowledgement (855) has landed",
}  # fmt: skip


@pytest.fixture(scope="module")
def connection(shared_data: Path, project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    home = tmp_path_factory.mktemp("olist")
    (home / "otif.toml").write_text(
        '[company]\nname = "Olist"\nzone = "America/Sao_Paulo"\ncurrency = "BRL"\n', encoding="utf-8"
    )
    settings = Settings.load(home)
    for sample in SAMPLES:
        ingest(
            settings,
            [shared_data / "olist" / sample],
            mapping=project_root / "mappings" / "olist.yml",
            judge=lambda *_: Verdict(),
        )
    build(settings, settings.resolve_as_of("2018-09-01"))
    with open_published(settings) as published:
        yield published


def _read(shared_data: Path, table: str) -> pl.DataFrame:
    return pl.concat(
        [
            pl.read_csv(shared_data / "olist" / sample / f"olist_{table}_dataset.csv", infer_schema=False)
            for sample in SAMPLES
        ],
        how="diagonal",
    )


def _utc(text: str | None) -> datetime | None:
    if not text:
        return None
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC).replace(tzinfo=None)


def _seen(text: str | None) -> datetime | None:
    moment = _utc(text)
    return moment if moment is not None and moment < AS_OF else None


def _local_day(moment: datetime) -> date:
    return moment.replace(tzinfo=UTC).astimezone(ZONE).date()


def _one_of(values: list[str]) -> str:
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else "(multiple)" if distinct else "(none)"


@pytest.fixture(scope="module")
def orders(shared_data: Path) -> list[dict[str, object]]:
    """Orders captured before the as-of, with what was known of them then."""
    states = dict(_read(shared_data, "customers").select("customer_id", "customer_state").iter_rows())
    categories = dict(_read(shared_data, "products").select("product_id", "product_category_name").iter_rows())
    items: dict[str, dict[str, dict[str, object]]] = {}
    for row in _read(shared_data, "order_items").iter_rows(named=True):
        items.setdefault(row["order_id"], {})[row["order_item_id"]] = {
            "seller_id": row["seller_id"],
            "category": categories[row["product_id"]] or "(none)",
            "ship_by": _utc(row["shipping_limit_date"]),
            "price": row["price"],
            "freight": row["freight_value"],
        }
    found: dict[str, dict[str, object]] = {}
    for row in _read(shared_data, "orders").iter_rows(named=True):
        captured = _seen(row["order_purchase_timestamp"])
        if captured is None:
            continue
        stamps = [
            _utc(row[name])
            for name in (
                "order_purchase_timestamp", "order_approved_at", "order_delivered_carrier_date",
                "order_delivered_customer_date",
            )
        ]  # fmt: skip
        gave_up = row["order_status"] in ("canceled", "unavailable") and max(s for s in stamps if s) < AS_OF
        lines = list(items.get(row["order_id"], {}).values())
        found[row["order_id"]] = {
            "region": states[row["customer_id"]],
            "seller_id": _one_of([line["seller_id"] for line in lines]),
            "category": _one_of([line["category"] for line in lines]),
            "captured": captured,
            "approved": _seen(row["order_approved_at"]),
            "accepted": _seen(row["order_delivered_carrier_date"]),
            "delivered": _seen(row["order_delivered_customer_date"]),
            "promised_day": date.fromisoformat(row["order_estimated_delivery_date"][:10]),
            "is_cancelled": gave_up,
            "is_excused": gave_up and row["order_status"] == "canceled",
            "lines": lines,
        }
    return list(found.values())


def _counted(orders: list[dict[str, object]], kpi: str) -> Iterator[tuple[dict[str, object], date, float, float]]:
    """Yield what is counted: dimensions, cohort day, numerator, denominator."""
    for order in orders:
        if kpi == "on_time":
            promised_until = _utc(f"{order['promised_day'] + timedelta(days=1)} 00:00:00")
            if promised_until <= AS_OF and not order["is_excused"]:
                on_time = order["delivered"] is not None and order["delivered"] < promised_until
                yield order, order["promised_day"], on_time, 1
        elif kpi == "cancellation_rate":
            yield order, _local_day(order["captured"]), order["is_cancelled"], 1
        for line in order["lines"]:
            dimensions = line | {"region": order["region"]}
            if kpi == "ship_by_adherence" and line["ship_by"] <= AS_OF and not order["is_excused"]:
                handed_over = order["accepted"] is not None and order["accepted"] < line["ship_by"]
                yield dimensions, _local_day(line["ship_by"] - timedelta(microseconds=1)), handed_over, 1
            elif kpi == "freight_share" and not order["is_cancelled"]:
                freight, price = float(line["freight"]), float(line["price"])
                yield dimensions, _local_day(order["captured"]), freight, freight + price


def _key(dimensions: dict[str, object], day: date, by: tuple[str, ...]) -> tuple[object, ...]:
    return tuple(day - timedelta(days=day.weekday()) if name == "week" else dimensions[name] for name in by)


def _recounted(orders: list[dict[str, object]], kpi: str, by: tuple[str, ...]) -> dict[tuple[object, ...], list[float]]:
    sums: dict[tuple[object, ...], list[list[float]]] = {}
    for dimensions, day, numerator, denominator in _counted(orders, kpi):
        parts = sums.setdefault(_key(dimensions, day, by), [[], []])
        parts[0].append(numerator)
        parts[1].append(denominator)
    return {key: [round(math.fsum(part), 4) for part in parts] for key, parts in sums.items()}


def _published(connection: Connection, kpi: str, by: tuple[str, ...]) -> pl.DataFrame:
    names = [name for name in by if name != "week"]
    return kpi_table(connection, kpis=[kpi], by=names, grain="week" if "week" in by else None)


@pytest.mark.parametrize("by", BREAKDOWNS, ids=lambda by: "-".join(by) or "whole")
@pytest.mark.parametrize("kpi", ["on_time", "cancellation_rate", "ship_by_adherence", "freight_share"])
def test_shares_agree_with_the_files_to_the_last_digit(
    connection: Connection, orders: list[dict[str, object]], kpi: str, by: tuple[str, ...]
) -> None:
    columns = ["period" if name == "week" else name for name in by]
    published = {
        tuple(row[name] for name in columns): [round(row["numerator"], 4), round(row["denominator"], 4)]
        for row in _published(connection, kpi, by).iter_rows(named=True)
    }
    recounted = _recounted(orders, kpi, by)
    assert len(recounted) >= (2 if by else 1)
    assert published == recounted


def _percentile(hours: list[float], share: float) -> float:
    position = (len(hours) - 1) * share
    low = math.floor(position)
    high = min(low + 1, len(hours) - 1)
    return hours[low] + (hours[high] - hours[low]) * (position - low)


def _stage_hours(
    orders: list[dict[str, object]], by: tuple[str, ...]
) -> dict[tuple[object, ...], tuple[list[float], int]]:
    """Return (group, stage) → sorted hours of finished stages, and how many are open, impossible or cancelled."""
    hours: dict[tuple[object, ...], list[float]] = {}
    left_out: dict[tuple[object, ...], int] = {}
    for order in orders:
        for stage, (start, end) in STAGES.items():
            if order[start] is None:
                continue
            key = (*_key(order, _local_day(order["captured"]), by), stage)
            hours.setdefault(key, [])
            left_out.setdefault(key, 0)
            if order["is_cancelled"] or order[end] is None or order[end] < order[start]:
                left_out[key] += 1
            else:
                hours[key].append((order[end] - order[start]) / timedelta(hours=1))
    return {key: (sorted(hours[key]), left_out[key]) for key in hours}


@pytest.mark.parametrize("by", BREAKDOWNS, ids=lambda by: "-".join(by) or "whole")
def test_cycle_time_percentiles_agree_with_the_files(
    connection: Connection, orders: list[dict[str, object]], by: tuple[str, ...]
) -> None:
    columns = ["period" if name == "week" else name for name in by]
    published = {
        (*(row[name] for name in columns), row["stage_id"]): row
        for row in _published(connection, "cycle_time", by).iter_rows(named=True)
        if row["stage_id"] in STAGES
    }
    recounted = _stage_hours(orders, by)
    assert published.keys() == recounted.keys()
    for key, (hours, left_out) in recounted.items():
        row = published[key]
        assert (row["observations"], row["excluded"]) == (len(hours), left_out), key
        if hours:
            expected = [_percentile(hours, share) for share in (0.5, 0.9, 0.95)]
            assert [row["value"], row["p90"], row["p95"]] == pytest.approx(expected, rel=1e-14, abs=0), key


def test_what_the_files_cannot_say_is_unavailable_with_its_reason(connection: Connection) -> None:
    rows = {row["kpi_id"]: row for row in kpi_table(connection).iter_rows(named=True)}
    silent = {kpi: row["reason"] for kpi, row in rows.items() if not row["is_available"]}
    assert silent.keys() == UNAVAILABLE.keys()
    named = {kpi: reason.removeprefix("the source gives ") for kpi, reason in UNAVAILABLE.items()}
    assert [kpi for kpi, reason in named.items() if reason not in silent[kpi]] == []
    assert all(rows[kpi]["value"] is None for kpi in UNAVAILABLE)


def test_cancellations_without_a_known_time_are_counted_as_excluded(
    connection: Connection, orders: list[dict[str, object]]
) -> None:
    counted: Callable[[str], int] = lambda reason: connection.execute(  # noqa: E731
        "select coalesce(sum(observations), 0) from metrics.kpi_exclusions "
        "where kpi_id = 'on_time' and exclusion_reason = ?",
        [reason],
    ).fetchone()[0]
    assert counted("cancel_time_unknown") == sum(bool(order["is_excused"]) for order in orders) > 0
