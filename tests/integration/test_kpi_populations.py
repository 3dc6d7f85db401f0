"""Nothing drops out of a KPI in silence: every row of its population is counted or left out with a reason.

The populations are asked for here in their own words, from what the sources told, not from the models of KPI rows.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storage.duck import Connection, connect
from storage.settings import PROJECT_ROOT, Settings

pytestmark = pytest.mark.slow

_ORDERS = "select order_id from intermediate.int_orders_consolidated"
_LINES = "select concat_ws(' ', order_id, line_id) from intermediate.int_order_lines_consolidated"
_LINES_THAT_LEFT = """
    select distinct concat_ws(' ', order_id, line_id) from intermediate.int_order_line_pieces_matched
    where is_shipped and line_id <> ''
"""
_OPEN_LINES = """
    select concat_ws(' ', order_id, line_id) from marts.fct_order_lines
    where coalesce(open_quantity, 1) > 0 and line_status <> 'cancelled'
"""
_PARCELS = """
    select distinct concat_ws(' ', order_id, coalesce(tracking_number, '(none)'))
    from intermediate.int_shipment_lines inner join intermediate.int_orders_consolidated using (order_id)
    where is_shipped
"""
_RETURNED = "select concat_ws(' ', rma_id, line_id) from marts.fct_returns"
_DOCUMENTS = "select document_key from marts.fct_documents"
_INVOICES = "select 'invoice ' || invoice_id from marts.fct_invoices"
_DEDUCTIONS = "select 'deduction ' || deduction_id from marts.fct_deductions"
_BY_ORDER = (
    "otif on_time in_full order_fill perfect_order perfect_in_full perfect_on_time perfect_documents perfect_condition "
    "touchless_rate fulfilment_accuracy cancellation_rate cancellation_rate_customer cancellation_rate_seller "
    "cancellation_rate_fraud cancellation_rate_retailer on_time_ship"
)
_BY_LINE = (
    "otif_line otif_case otif_value unit_fill_revised unit_fill_original unit_fill_first_pass value_fill line_fill "
    "backorder_rate oversell_rate promise_slip_rate ship_by_adherence"
)
_BY_LINE_THAT_LEFT = (
    "return_rate return_rate_choice return_rate_fulfilment return_rate_product return_rate_refused "
    "return_rate_unclassified damage_rate over_shipped_rate"
)
POPULATIONS = {
    **dict.fromkeys(_BY_ORDER.split(), _ORDERS),
    **dict.fromkeys(_BY_LINE.split(), _LINES),
    **dict.fromkeys(_BY_LINE_THAT_LEFT.split(), _LINES_THAT_LEFT),
    **dict.fromkeys(("backorder_units", "backorder_value", "backorder_value_over_7d"), _OPEN_LINES),
    **dict.fromkeys(("restock_rate", "resale_rate", "write_off_rate"), _RETURNED),
    "backorder_recovery": """
        select row_key from metrics.kpi_facts
        where kpi_id = 'backorder_rate' and (exclusion_reason is not null or numerator > 0)
    """,
    **dict.fromkeys(
        ("cut_off_adherence", "cut_off_adherence_adjusted"),
        """
        with told as (
            select order_id, line_id, node_id from intermediate.int_order_line_pieces_matched where line_id <> ''
            union
            select order_id, line_id, node_id from intermediate.int_order_events_sequenced
            where event_type = 'order.released' and line_id is not null and node_id is not null
        )
        select distinct concat_ws(' ', order_id, coalesce(told.node_id, lines.node_id, '(none)'))
        from intermediate.int_order_lines_consolidated as lines left join told using (order_id, line_id)
        """,
    ),
    "carrier_on_time": _PARCELS,
    "asn_timeliness": f"{_PARCELS} and channel_type = 'wholesale'",
    "asn_accuracy": """
        select distinct order_id from marts.fct_orders
        inner join (
            select order_id from intermediate.int_asns_judged
            union
            select order_id from intermediate.int_asns_compared
        ) using (order_id)
    """,
    "ack_timeliness": _DOCUMENTS,
    "document_reject_rate": f"{_DOCUMENTS} where direction = 'out'",
    "po_answer_timeliness": """
        select distinct coalesce(orders.order_id, 'order ' || told.order_id, 'document ' || document_key)
        from marts.fct_documents as told left join marts.fct_orders as orders on told.order_id = orders.order_id
        where document_type = '850' and direction = 'in'
    """,
    "invoice_accuracy": f"{_INVOICES} where channel_type in ('wholesale', '(none)')",
    "chargeback_rate": f"{_INVOICES} where channel_type in ('wholesale', '(none)') union all {_DEDUCTIONS}",
    "chargeback_amount": f"""
        {_INVOICES} where channel_type in ('wholesale', '(none)')
        and currency in (select currency from marts.fct_deductions) union all {_DEDUCTIONS}
    """,
    "dispute_recovery": f"{_DEDUCTIONS} where disputed_amount > 0",
    # Stages that began, of every order: open ones, impossible ones and those of cancelled orders are left out by name.
    "cycle_time": """
        with reached as (
            unpivot (
                select
                    order_id, source, channel, not is_excluded and order_type <> 'replacement'
                    and order_status <> 'cancelled' as is_counted, captured_at as captured, approved_at as approved,
                    released_at as released, pick_started_at as pick_started, packed_at as packed,
                    accepted_at as accepted, delivered_at as delivered, invoiced_at as invoiced
                from marts.fct_orders
            ) on captured, approved, released, pick_started, packed, accepted, delivered, invoiced
            into name milestone value reached_at
        ),
        began as (
            select stage_id, order_id from reached inner join seeds.stages on milestone = from_milestone
            where (source, channel, to_milestone) in (
                select (source, channel, milestone) from reached where is_counted
            )
        )
        select concat_ws(' ', stage_id, order_id) from began
        union all
        select concat_ws(' ', 'capture_to_deliver_net', order_id) from began where stage_id = 'capture_to_deliver'
        union all
        select concat_ws(' ', stage_id || '_in_operating_hours', order_id) from began
        where stage_id in ('release_to_pick', 'pick_to_pack', 'pack_to_accept')
            and order_id in (select order_id from marts.fct_orders semi join seeds.nodes using (node_id))
    """,
    "return_cycle_time": """
        with began as (
            unpivot (
                select
                    rma_id, line_id,
                    case when created_at is not null then in_transit_at is not null end as return_request_to_scan,
                    case when in_transit_at is not null then received_at is not null end as return_scan_to_receive,
                    case when received_at is not null then graded_at is not null end as return_receive_to_grade,
                    case when received_at is not null then refunded_at is not null end as return_receive_to_refund,
                    case when received_at is not null
                        then restocked_at is not null and coalesce(disposition, 'restock_a') = 'restock_a'
                    end as return_receive_to_restock
                from marts.fct_returns
            ) on columns(* exclude (rma_id, line_id)) into name stage_id value has_ended
        )
        select concat_ws(' ', stage_id, rma_id, line_id) from began
        where stage_id in (select stage_id from began where has_ended)
    """,
    "dock_to_stock": """
        select concat_ws(' ', 'check_in_to_stock', receipt_id, sku, node_id)
        from intermediate.int_receipts_consolidated where checked_in_at is not null
    """,
    **dict.fromkeys(("dso_count_back", "dso_simple"), "select currency from marts.fct_receivables"),
    "freight_share": """
        select concat_ws(' ', order_id, line_id) from marts.fct_order_lines
        where order_id in (select order_id from marts.fct_order_lines where freight_amount is not null)
        union all
        select order_id from marts.fct_orders
        where order_id not in (select order_id from marts.fct_order_lines where freight_amount is not null)
    """,
}
NOT_ADDED_UP = {"perfect_order_index": "a product of four KPIs, each with a population: no row belongs to it alone"}


@pytest.fixture(scope="module")
def built(sample_home: Path) -> Iterator[Connection]:
    with closing(connect(Settings.load(sample_home).database, read_only=True)) as connection:
        yield connection


def test_every_kpi_of_the_catalogue_has_a_population() -> None:
    with (PROJECT_ROOT / "data" / "seeds" / "kpi_catalogue.csv").open(encoding="utf-8") as handle:
        kpis = {row["kpi_id"] for row in csv.DictReader(handle)}
    assert kpis == POPULATIONS.keys() | NOT_ADDED_UP.keys()


def unaccounted(connection: Connection) -> dict[str, object]:
    """Return per KPI the rows of its population that it does not know and those that it knows beside it, and KPIs whose
    published counts are another number than their rows (those of service profiles are compared by dbt on every build).
    """
    found: dict[str, object] = {}
    connection.execute(
        "create or replace temporary table rows_of_kpis as select kpi_id, row_key, exclusion_reason, observations "
        "from metrics.kpi_facts where is_headline or profile_id = ''"
    )
    for kpi, population in POPULATIONS.items():
        rows = f"select row_key from rows_of_kpis where kpi_id = '{kpi}'"
        lost = connection.execute(f"({population}) except all ({rows})").fetchall()
        strange = connection.execute(f"({rows}) except all ({population})").fetchall()
        if lost or strange:
            found[kpi] = lost[:5], strange[:5]
    published = """
        select kpi_id, rows_counted, observations
        from (
            select kpi_id, sum(case when exclusion_reason is null then observations else 1 end) as rows_counted
            from rows_of_kpis group by kpi_id
        ) full join (
            select kpi_id, sum(observations) as observations from (
                select kpi_id, observations from metrics.kpi_values where profile_id = ''
                union all
                select kpi_id, observations from metrics.kpi_exclusions where profile_id = ''
            ) group by kpi_id
        ) using (kpi_id)
        where observations <> rows_counted
    """
    for kpi, rows, observations in connection.execute(published).fetchall():
        found[f"{kpi} as published"] = rows, observations
    return found


def test_every_row_of_a_population_is_counted_or_left_out_with_a_reason(built: Connection) -> None:
    assert unaccounted(built) == {}


@pytest.mark.exhaustive
def test_nothing_drops_out_of_a_random_company(random_company: Callable[[int], Settings]) -> None:
    with closing(connect(random_company(11).database, read_only=True)) as connection:
        assert unaccounted(connection) == {}
