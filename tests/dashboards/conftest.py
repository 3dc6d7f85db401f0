"""A small publication with the published columns, so that queries and pages are tested without a build.

Its figures are simple on purpose: every test can recount them by hand. Thirty Monday weeks end on 2026-11-15.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from storage.duck import Connection, connect

AS_OF = "2026-11-16 05:00:00"
LAST_DAY = date(2026, 11, 15)
FIRST_DAY = LAST_DAY - timedelta(days=30 * 7 - 1)

_DIMENSIONS = (
    "channel varchar, channel_type varchar, customer_id varchar, node_id varchar, carrier varchar, region varchar, "
    "category varchar, seller_id varchar"
)

_TABLES = {
    "marts.build_info": "as_of timestamp, company_zone varchar, currency varchar, week_start varchar",
    "marts.dim_service_profiles": "profile_id varchar, week_start varchar",
    "metrics.kpi_catalogue": (
        "kpi_id varchar, kpi_name varchar, definition varchar, spec_id varchar, unit varchar, numerator varchar, "
        "denominator varchar, grain varchar, cohort_date varchar, higher_is_better boolean, display_order bigint, "
        "is_tile boolean"
    ),
    "metrics.kpi_availability": "kpi_id varchar, is_available boolean, reason varchar",
    "metrics.kpi_targets": (
        "kpi_id varchar, channel varchar, target double, effective_from date, effective_to date, source varchar"
    ),
    "metrics.kpi_values": (
        f"kpi_id varchar, profile_id varchar, is_headline boolean, period_date date, {_DIMENSIONS}, currency varchar, "
        "numerator double, denominator double, observations bigint, is_provisional boolean"
    ),
    "metrics.kpi_doubts": (
        f"kpi_id varchar, profile_id varchar, is_headline boolean, period_date date, {_DIMENSIONS}, currency varchar, "
        "met_unproven double, missed_unproven double, left_out double, unpriced bigint, "
        "observations bigint"
    ),
    "metrics.kpi_exclusions": (
        "kpi_id varchar, profile_id varchar, period_date date, channel varchar, customer_id varchar, "
        "exclusion_reason varchar, observations bigint"
    ),
    "metrics.kpi_durations": (
        f"kpi_id varchar, stage_id varchar, subject varchar, {_DIMENSIONS}, display_order bigint, hours double, "
        "censored_hours double, is_valid boolean, cohort_date date, started_at timestamp, ended_at timestamp"
    ),
    "metrics.kpi_facts": (
        "kpi_id varchar, row_kind varchar, row_key varchar, profile_id varchar, order_id varchar, line_id varchar, "
        f"sku varchar, service varchar, {_DIMENSIONS}, currency varchar, exclusion_reason varchar, numerator double, "
        "denominator double, observations bigint, is_headline boolean, is_provisional boolean, period_date date"
    ),
    "metrics.kpi_models": (
        "kpi_id varchar, row_model varchar, definition_version varchar, rules_version varchar, sql varchar"
    ),
    "marts.fct_orderless_events": (
        "row_key varchar, event_id varchar, event_type varchar, source varchar, source_ref varchar, batch_id varchar, "
        "event_at timestamp"
    ),
    "marts.fct_orders": (
        f"order_id varchar, source varchar, order_type varchar, currency varchar, {_DIMENSIONS}, "
        "captured_at timestamp, released_at timestamp, accepted_at timestamp, delivered_at timestamp, "
        "cancelled_at timestamp, order_status varchar, line_count bigint, units_ordered decimal(18,3), "
        "units_shipped decimal(18,3), merchandise_amount decimal(18,4)"
    ),
    "marts.fct_order_lines": (
        "order_id varchar, line_id varchar, sku varchar, line_status varchar, base_original decimal(18,3), "
        "base_revised decimal(18,3), quantity_released decimal(18,3), quantity_shipped decimal(18,3), "
        "quantity_delivered decimal(18,3), open_quantity decimal(18,3), unit_price decimal(18,4), "
        "window_end_at timestamp, promise_first_at timestamp, last_delivered_at timestamp, is_on_hold boolean, "
        "hold_type varchar"
    ),
    "marts.fct_line_assessments": (
        "order_id varchar, line_id varchar, profile_id varchar, is_headline boolean, is_due boolean, due_date date, "
        "base_revised decimal(18,3), unit_price decimal(18,4), is_otif boolean, miss_cause varchar, "
        "miss_evidence varchar, exclusion_reason varchar, window_end_at timestamp"
    ),
    "marts.fct_order_assessments": (
        "order_id varchar, profile_id varchar, is_headline boolean, is_due boolean, due_date date, is_on_time boolean, "
        "is_otif boolean, miss_cause varchar, exclusion_reason varchar"
    ),
    "marts.fct_events": (
        "event_id varchar, order_id varchar, line_id varchar, event_at timestamp, event_type varchar, family varchar, "
        "quantity decimal(18,3), summary varchar, source varchar, source_ref varchar, batch_id varchar"
    ),
    "marts.fct_exceptions": (
        "exception_id varchar, kind varchar, kind_name varchar, severity varchar, order_id varchar, line_id varchar, "
        "sku varchar, node_id varchar, carrier varchar, channel varchar, customer_id varchar, opened_at timestamp, "
        "due_at timestamp, money_at_risk decimal(18,4), title varchar, evidence varchar, suggested_action varchar, "
        "owner_role varchar"
    ),
    "marts.fct_exception_events": (
        "exception_id varchar, event_id varchar, event_type varchar, summary varchar, source varchar, "
        "source_ref varchar, event_at timestamp"
    ),
    "marts.fct_open_lines": (
        "order_id varchar, line_id varchar, sku varchar, channel varchar, channel_type varchar, customer_id varchar, "
        "open_quantity decimal(18,3), unit_price decimal(18,4), unit_cost decimal(18,4), captured_at timestamp, "
        "ship_by_at timestamp, need_at timestamp, cancel_after_at timestamp, is_on_hold boolean, hold_type varchar, "
        "fine_rate double, priority_rank bigint"
    ),
    "marts.fct_inventory": "sku varchar, node_id varchar, on_hand decimal(18,3), available decimal(18,3)",
    "marts.fct_atp": (
        "sku varchar, node_id varchar, week_number integer, opening_quantity decimal(18,3), "
        "receipt_quantity decimal(18,3), committed_quantity decimal(18,3), balance_quantity decimal(18,3), "
        "discrete_quantity decimal(18,3), cumulative_quantity decimal(18,3), unreserved_quantity decimal(18,3), "
        "oversold_quantity decimal(18,3), week_start date"
    ),
    "marts.fct_backorder_recoveries": (
        "order_id varchar, line_id varchar, sku varchar, channel varchar, customer_id varchar, "
        "recovery_status varchar, recovery_rank bigint, short_quantity decimal(18,3), short_amount decimal(18,4), "
        "late_days bigint, need_at timestamp, covered_at timestamp"
    ),
    "marts.fct_deductions": (
        "deduction_id varchar, customer_id varchar, dispute_status varchar, dispute_due_at timestamp, "
        "amount decimal(18,4), currency varchar, document_id varchar, order_id varchar, invoice_id varchar, "
        "violation varchar, reason_code varchar, disputed_amount decimal(18,4), recovered_amount decimal(18,4), "
        "dispute_attempts integer, shipped_date date, taken_at timestamp, disputed_at timestamp, resolved_at timestamp"
    ),
    "marts.fct_deduction_verdicts": (
        "deduction_id varchar, order_id varchar, customer_id varchar, violation varchar, first_broken_link varchar, "
        "verdict varchar, verdict_reason varchar, rule_key varchar, currency varchar, amount decimal(18,4), "
        "supported_amount decimal(18,4), disputable_amount decimal(18,4), has_happened boolean, taken_at timestamp"
    ),
    "marts.fct_dispute_queue": (
        "deduction_id varchar, order_id varchar, customer_id varchar, violation varchar, first_broken_link varchar, "
        "verdict varchar, verdict_reason varchar, queue_state varchar, probability_note varchar, currency varchar, "
        "queue_rank bigint, resolved_disputes bigint, attempts_used integer, attempts_allowed integer, "
        "amount decimal(18,4), disputable_amount decimal(18,4), win_probability double, effort_hours double, "
        "expected_value decimal(18,4), expected_value_per_hour decimal(18,4), days_to_deadline bigint, "
        "taken_at timestamp, dispute_due_at timestamp"
    ),
    "marts.fct_document_chains": (
        "order_id varchar, link varchar, link_name varchar, customer_id varchar, channel varchar, verdict varchar, "
        "note varchar, first_broken_link varchar, document_ids varchar, event_id varchar, source varchar, "
        "source_ref varchar, currency varchar, link_position integer, quantity decimal(18,3), "
        "expected_quantity decimal(18,3), amount decimal(18,4), is_broken boolean, is_first_broken boolean, "
        "happened_at timestamp, deadline_at timestamp"
    ),
    "marts.fct_document_chain_lines": (
        "order_id varchar, line_id varchar, sku varchar, customer_id varchar, channel varchar, currency varchar, "
        "first_broken_link varchar, quantity_ordered decimal(18,3), quantity_revised decimal(18,3), "
        "quantity_confirmed decimal(18,3), quantity_noticed decimal(18,3), quantity_shipped decimal(18,3), "
        "quantity_delivered decimal(18,3), quantity_invoiced decimal(18,3), price_ordered decimal(18,4), "
        "price_invoiced decimal(18,4)"
    ),
    "marts.dim_retailer_rules": (
        "rule_key varchar, customer_id varchar, program varchar, rule_violation varchar, basis varchar, "
        "gate_metric varchar, source varchar, confidence varchar, dispute_days integer, rate decimal(18,6), "
        "flat_amount decimal(18,4), fine_min decimal(18,4), fine_max decimal(18,4), gate_min decimal(18,6), "
        "gate_max decimal(18,6), effective_from date, effective_to date"
    ),
    "marts.fct_batches": (
        "batch_id varchar, source varchar, status varchar, verdict varchar, file_count bigint, rows_in bigint, "
        "events_landed bigint, events_duplicate bigint, rows_rejected bigint, seconds double, landed_at timestamp"
    ),
    "marts.fct_rejects": "batch_id varchar, source varchar, source_ref varchar, reason varchar, raw varchar",
    "marts.data_freshness": (
        "source varchar, last_event_at timestamp, last_observed_at timestamp, events bigint, rejects bigint"
    ),
    "marts.data_quality_issues": "issue_id varchar, issue varchar, order_id varchar, detail varchar",
}

_CATALOGUE = """
insert into metrics.kpi_catalogue values
    ('otif', 'OTIF', 'Orders on time and in full.', 'K1', 'ratio', 'n', 'd', 'order', 'due_date', true, 1, true),
    ('on_time', 'On time', 'Orders on time.', 'K1', 'ratio', 'n', 'd', 'order', 'due_date', true, 2, true),
    ('on_time_ship', 'On-time ship', 'Accepted by the ship-by.', 'K2', 'ratio', 'n', 'd', 'order', 'd', true, 3, true),
    ('unit_fill_revised', 'Unit fill', 'Shipped of ordered.', 'K4', 'ratio', 'n', 'd', 'unit', 'd', true, 4, true),
    ('cycle_time', 'Cycle time', 'Hours per stage.', 'K5', 'hours', '', '', 'order', 'captured', false, 5, true),
    ('return_rate', 'Return rate', 'Units returned of shipped.', 'K8', 'ratio', 'n', 'd', 'unit', 'd', false, 6, true),
    ('backorder_value', 'Backorder value', 'Open past need.', 'K11', 'money', 'n', '', 'line', 'as_of', false, 7, true),
    ('chargeback_rate', 'Chargebacks', 'Deducted of invoiced.', 'K19', 'ratio', 'n', 'd', '$', 'w', false, 8, true);
insert into metrics.kpi_availability
    select kpi_id, kpi_id <> 'return_rate', if(kpi_id = 'return_rate', 'no return events have landed', null)
    from metrics.kpi_catalogue;
insert into metrics.kpi_targets values
    ('otif', '', 0.90, '2020-01-01', null, 'sample'), ('otif', 'dtc', 0.95, '2020-01-01', null, 'sample'),
    ('on_time_ship', '', 0.97, '2020-01-01', null, 'sample'), ('chargeback_rate', '', 0.01, '2020-01-01', null, 's');
"""

# Per day and channel 20 orders are due. dtc meets 19, wholesale 17; in the last week wholesale meets 10.
_VALUES = """
insert into metrics.kpi_values
with days as (
    select cast(day as date) as day, channel, channel_type, customer_id
    from generate_series(timestamp '{first}', timestamp '{last}', interval 1 day) as days(day)
    cross join (
        values ('dtc', 'dtc', '(none)'), ('wholesale', 'wholesale', 'walmart')
    ) as c(channel, channel_type, customer_id)
),
met as (
    select *, case when channel = 'dtc' then 19 when day > date '{last}' - 7 then 10 else 17 end as good from days
)
select kpi, profile, head, day, channel, channel_type, customer_id, 'dc_columbus', 'swiftparcel', 'NY', 'kitchen',
    '(none)', 'USD', num, den, obs, day > date '{last}' - 7
from met, lateral (values
    ('otif', if(channel = 'dtc', 'dtc_std', 'retail'), true, good, 20, 20),
    ('otif', 'promise_first', false, 20, 20, 20),
    ('on_time', if(channel = 'dtc', 'dtc_std', 'retail'), true, good + 1, 20, 20),
    ('on_time_ship', '', false, 18, 20, 20),
    ('unit_fill_revised', '', false, good * 10, 200, 40),
    ('chargeback_rate', '', false, if(channel = 'dtc', 0, 12), 1000, 5)
) as rows(kpi, profile, head, num, den, obs);
insert into metrics.kpi_values
    select 'backorder_value', '', false, date '2026-11-16', 'wholesale', 'wholesale', 'walmart', 'dc_columbus',
        '(none)', 'NY', 'kitchen', '(none)', 'USD', 1500, null, 3, false;
insert into metrics.kpi_facts
    select kpi_id, 'order', concat_ws(' ', channel, period_date, row), profile_id,
        if(channel = 'dtc' and row = 1, '100123', null), null, null, null, channel, channel_type, customer_id, node_id,
        carrier, region, category, seller_id, currency, null, if(row <= numerator, 1, 0), 1, 1, is_headline,
        is_provisional, period_date
    from metrics.kpi_values
    cross join generate_series(1, 20) as rows(row)
    where kpi_id in ('otif', 'on_time') and row <= denominator;
insert into metrics.kpi_facts
    select 'otif', 'order', concat_ws(' ', channel, day, 'left out'), 'dtc_std', null, null, null, null, channel,
        channel, '(none)', 'dc_columbus', 'swiftparcel', 'NY', 'kitchen', '(none)', 'USD', 'customer_cancelled', 0, 1,
        1, true, false, cast(day as date)
    from generate_series(timestamp '{first}', timestamp '{last}', interval 1 day) as days(day)
    cross join (values ('dtc')) as channels(channel);
insert into metrics.kpi_models
    select kpi_id, 'kpi_facts_of_orders_due', 'd1', 'r1', 'select 1' from metrics.kpi_catalogue;
insert into metrics.kpi_doubts
    select 'otif', 'retail', true, date '{last}', 'wholesale', 'wholesale', 'walmart', 'dc_columbus', 'swiftparcel',
        'NY', 'kitchen', '(none)', 'USD', 1, 4, 5, 0, 10;
insert into metrics.kpi_exclusions
    select 'otif', 'dtc_std', cast(day as date), 'dtc', '(none)', 'customer_cancelled', 1
    from generate_series(timestamp '{first}', timestamp '{last}', interval 1 day) as days(day);
"""

_ORDERS = """
insert into metrics.kpi_durations
select 'cycle_time', stage_id, 'o' || n, 'dtc', 'dtc', '(none)', 'dc_columbus', 'swiftparcel', 'NY', 'kitchen',
    '(none)', 1, if(n = 10, null, n * hours), if(n = 10, 100 * hours, null), true, date '{last}', timestamp '{last}',
    if(n = 10, null, timestamp '{last}' + interval 1 hour)
from generate_series(1, 10) as numbers(n)
cross join (values ('capture_to_release', 1.0), ('capture_to_delivered', 10.0)) as stages(stage_id, hours);
insert into marts.fct_orders values
    ('100123', 'shopify', 'standard', 'USD', 'dtc', 'dtc', '(none)', 'dc_columbus', 'swiftparcel', 'NY', 'kitchen',
    '(none)', '2026-11-09 14:00', '2026-11-09 20:00', '2026-11-10 22:00', null, null, 'shipped', 1, 3, 3, 59.70);
insert into marts.fct_order_lines values
    ('100123', '1', 'SKU-1', 'shipped', 3, 3, 3, 3, 0, 0, 19.90, '2026-11-14 05:00', '2026-11-14 05:00',
    null, false, null);
insert into marts.fct_line_assessments values
    ('100123', '1', 'dtc_std', true, true, '2026-11-13', 3, 19.90, false, 'carrier_transit', 'no delivery scan', null,
     null);
insert into marts.fct_order_assessments values
    ('100123', 'dtc_std', true, true, '2026-11-13', false, false, 'carrier_transit', null);
insert into marts.fct_events values
    ('e1', '100123', null, '2026-11-09 14:00', 'order.captured', 'order', 3, 'order.captured', 'shopify', 'f:1', 'b1'),
    ('e2', '100123', '1', '2026-11-10 22:00', 'carrier.accepted', 'shipment', 3, 'carrier.accepted: First scan',
    'carrier', 'g:1', 'b2');
insert into marts.fct_exceptions values
    ('x1', 'late_delivery', 'Late delivery', 'medium', '100123', null, null, 'dc_columbus', 'swiftparcel', 'dtc',
    '(none)', '2026-11-14 05:00', '2026-11-17 05:00', 59.70, 'Order 100123 is late', 'last scan 10 Nov',
    'Ask the carrier for a trace', 'carrier_manager'),
    ('x2', 'stock_out', 'Stock-out', 'high', null, null, 'SKU-1', 'tpl_west', null, 'wholesale', 'walmart',
    '2026-11-12 05:00', '2026-11-18 05:00', 4200, 'SKU-1 is out at tpl_west', '0 free, 120 open',
    'Move 120 units from dc_columbus', 'inventory_planner');
insert into marts.fct_exception_events values
    ('x1', 'e1', 'order.captured', 'order.captured', 'shopify', 'f:1', '2026-11-09 14:00');
insert into marts.fct_open_lines values
    ('100200', '1', 'SKU-1', 'dtc', 'dtc', '(none)', 8, 20, 10, '2026-11-14', '2026-11-17', '2026-11-19',
    null, false, null, 0, 2),
    ('walmart-1', '1', 'SKU-1', 'wholesale', 'wholesale', 'walmart', 10, 15, 10, '2026-11-10', '2026-11-17',
    '2026-11-20', null, false, null, 0.03, 1);
insert into marts.fct_atp values
    ('SKU-1', 'dc_columbus', 0, 12, 0, 8, 4, 4, 4, 4, 0, '2026-11-16'),
    ('SKU-1', 'dc_columbus', 1, 0, 0, 0, 4, 0, 4, 4, 0, '2026-11-23'),
    ('SKU-1', 'tpl_west', 0, 0, 0, 2, -2, 0, 0, 0, 2, '2026-11-16'),
    ('SKU-1', 'tpl_west', 1, 0, 10, 0, 8, 10, 8, 8, 0, '2026-11-23');
insert into marts.fct_backorder_recoveries values
    ('walmart-1', '1', 'SKU-1', 'wholesale', 'walmart', 'late', 1, 2, 30, 0, '2026-11-20', '2026-11-24');
insert into marts.fct_inventory values ('SKU-1', 'dc_columbus', 12, 12), ('SKU-1', 'tpl_west', 0, -2);
insert into marts.fct_deductions values
    ('d1', 'walmart', 'open', '2026-11-20', 250, 'USD', 'd1', 'walmart-1', 'i1', 'short_ship', '59', 250, 0, 1,
    '2026-11-01', '2026-11-05', '2026-11-06', null),
    ('d2', 'target', 'open', '2026-12-20', 90, 'USD', 'd2', null, null, 'late_arrive', '50', 90, 0, 1,
    '2026-11-01', '2026-11-05', '2026-11-06', null),
    ('d3', 'walmart', 'won', '2026-11-18', 80, 'USD', 'd3', null, null, 'late_arrive', '50', 80, 80, 1,
    '2026-11-01', '2026-11-05', '2026-11-06', '2026-11-12'),
    ('d4', 'kohls', 'none', '2027-02-20', 70, 'USD', 'd4', 'kohls-1', 'i4', 'short_ship', 'S2', 0, 0, 0,
    '2026-11-01', '2026-11-05', null, null);
insert into marts.fct_deduction_verdicts values
    ('d1', 'walmart-1', 'walmart', 'short_ship', '(none)', 'unrated', 'No fact.', null, 'USD', 250, null, null, null,
    '2026-11-05'),
    ('d4', 'kohls-1', 'kohls', 'short_ship', '812', 'partly', 'It happened: 2 units short; 30 is supported.',
    'kohls:x:short:2013-08-15', 'USD', 70, 30, 40, true, '2026-11-05');
insert into marts.fct_dispute_queue values
    ('d4', 'kohls-1', 'kohls', 'short_ship', '812', 'partly', 'It happened: 2 units short; 30 is supported.', 'to_file',
    'from 9 resolved disputes of kohls for short_ship', 'USD', 1, 9, 0, 1, 70, 40, 0.6, 2, 24, 12, 96, '2026-11-05',
    '2027-02-20'),
    ('d1', 'walmart-1', 'walmart', 'short_ship', '(none)', 'unrated', 'No fact.', 'waiting',
    'unrated: 1 resolved disputes of walmart for short_ship, at least 5 needed', 'USD', 2, 1, 1, null, 250, 250, null,
    2, null, null, 4, '2026-11-05', '2026-11-20');
insert into marts.fct_document_chains values
    ('kohls-1', '850', 'Purchase order', 'kohls', 'wholesale', 'ok', null, '812', 'kohls-1', 'e9', 'edi', '850.edi#1',
    'USD', 1, 10, null, null, false, false, '2026-10-20', null),
    ('kohls-1', '812', 'Deduction', 'kohls', 'wholesale', 'deducted', null, '812', 'd4', null, null, null, 'USD', 6,
    null, null, 70, true, true, '2026-11-05', null);
insert into marts.fct_document_chain_lines values
    ('kohls-1', '1', 'SKU-1', 'kohls', 'wholesale', 'USD', '(none)', 10, 10, 10, 10, 10, 8, 8, 15, 15);
insert into marts.dim_retailer_rules values
    ('kohls:x:short:2013-08-15', 'kohls', 'x', 'short', 'per_unit', null, 'S31', 'C', 60, 15, null, null, null, null,
    null, '2013-08-15', null),
    ('kohls:x:old:2000-01-01', 'kohls', 'x', 'old', 'per_unit', null, 'S31', 'C', 60, 99, null, null, null, null, null,
    '2000-01-01', '2013-08-14');
insert into marts.fct_batches values
    ('b1', 'shopify', 'landed', 'passed', 1, 10, 9, 0, 1, 0.5, '2026-11-16 02:00');
insert into marts.fct_rejects values ('b1', 'shopify', 'orders.json:/orders/3', 'quantity is negative', '-1');
insert into marts.data_freshness values
    ('shopify', '2026-11-16 04:00', '2026-11-16 04:30', 900, 1),
    ('carrier', '2026-11-12 05:00', '2026-11-12 06:00', 40, 0);
insert into marts.data_quality_issues values
    ('i1', 'negative_stage', '100123', 'packed before picked'),
    ('i2', 'negative_stage', '100124', 'packed before picked');
"""


def fill_publication(path: Path, *, with_rows: bool = True) -> None:
    """Write the publication file; without rows it holds the empty tables of a company with no data yet."""
    connection = connect(path)
    connection.execute("create schema marts")
    connection.execute("create schema metrics")
    for name, columns in _TABLES.items():
        connection.execute(f"create table {name} ({columns})")
    connection.execute(f"insert into marts.build_info values ('{AS_OF}', 'America/New_York', 'USD', 'monday')")
    connection.execute(_CATALOGUE)
    if with_rows:
        for script in (_VALUES, _ORDERS):
            connection.execute(script.format(first=FIRST_DAY, last=LAST_DAY))
    connection.close()


def make_workspace(home: Path, *, with_rows: bool = True) -> Path:
    """Write a workspace whose current publication is the fixture's."""
    published = home / "var" / "published"
    published.mkdir(parents=True)
    (home / "otif.toml").write_text(
        '[company]\nname = "Larkfield Goods"\nzone = "America/New_York"\nas_of = 2026-11-16\n', encoding="utf-8"
    )
    fill_publication(published / "20261116T050000.duckdb", with_rows=with_rows)
    (published / "current").write_text("20261116T050000.duckdb\n", encoding="utf-8")
    return home


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the fixture's publication."""
    return make_workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="session")
def bare_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose publication has tables but no rows."""
    return make_workspace(tmp_path_factory.mktemp("bare"), with_rows=False)


@pytest.fixture
def connection(workspace: Path) -> Iterator[Connection]:
    """The fixture's publication, opened read-only."""
    opened = connect(workspace / "var" / "published" / "20261116T050000.duckdb", read_only=True)
    yield opened
    opened.close()


@pytest.fixture
def bare_connection(bare_workspace: Path) -> Iterator[Connection]:
    """The publication without rows, opened read-only."""
    opened = connect(bare_workspace / "var" / "published" / "20261116T050000.duckdb", read_only=True)
    yield opened
    opened.close()
