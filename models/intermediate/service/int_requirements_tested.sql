{#- What has landed, as facts that KPIs may require (seed kpi_requirements). -#}
{% set facts = {
    "has_orders": "select count(*) as rows_seen from " ~ ref('int_orders_consolidated') ~ " where exclusion_reason is null",
    "has_order_lines": "select count(*) as rows_seen from " ~ ref('int_order_lines_consolidated'),
    "has_promise_or_window": "select count(*) as rows_seen from " ~ ref('int_service_units')
        ~ " where coalesce(promise_first_at, requested_at, window_end_at) is not null",
    "has_shipped_quantity": "select count(*) as rows_seen from " ~ ref('int_order_sources_covered') ~ " where has_quantity",
    "has_delivered": "select count(*) as rows_seen from " ~ ref('int_order_sources_covered') ~ " where has_delivered",
    "has_accepted": "select count(*) as rows_seen from " ~ ref('int_order_sources_covered') ~ " where has_accepted",
    "has_movement": "select count(*) as rows_seen from " ~ ref('int_order_sources_covered')
        ~ " where has_accepted or has_delivered",
    "has_unit_cost": "select count(unit_cost) as rows_seen from " ~ ref('int_order_lines_consolidated'),
    "has_unit_price": "select count(unit_price) as rows_seen from " ~ ref('int_order_lines_consolidated'),
    "has_ship_by": "select count(ship_by_at) as rows_seen from " ~ ref('int_order_lines_consolidated'),
    "has_ship_by_or_cut_off": "select count(ship_due_at) as rows_seen from " ~ ref('int_order_lines_ship_due'),
    "has_freight": "select count(freight_amount) as rows_seen from " ~ ref('int_order_events_sequenced'),
    "has_cancellations": "select count(*) as rows_seen from " ~ ref('int_order_events_sequenced')
        ~ " where event_type = 'order.cancelled'",
    "has_cancel_actor": "select case when sum(case when actor = 'unknown' then 1 else 0 end) > 0.1 * count(*) then 0 else 1 end"
        ~ " as rows_seen from " ~ ref('int_order_events_sequenced') ~ " where event_type = 'order.cancelled'",
    "has_returns": "select count(*) as rows_seen from " ~ ref('stg_landing__return_events'),
    "has_invoices": "select count(*) as rows_seen from " ~ ref('stg_landing__finance_events')
        ~ " where event_type = 'invoice.sent'",
    "has_deductions": "select count(*) as rows_seen from " ~ ref('stg_landing__finance_events')
        ~ " where event_type = 'deduction.taken'",
    "has_promise": "select count(promise_first_at) as rows_seen from " ~ ref('int_order_lines_consolidated'),
    "has_released": "select count(*) as rows_seen from " ~ ref('fct_orders') ~ " where released_at is not null",
    "has_cut_off": "select count(cut_off_time) as rows_seen from " ~ ref('nodes'),
    "has_estimate": "select count(estimated_delivery_first_at) as rows_seen from " ~ ref('fct_shipment_lines'),
    "has_asn": "select count(*) as rows_seen from " ~ ref('int_shipment_events_identified')
        ~ " where event_type = 'asn.sent'",
    "has_received": "select count(*) as rows_seen from " ~ ref('int_shipment_events_identified')
        ~ " where event_type = 'received'",
    "has_acknowledgement": "select count(acknowledged_at) as rows_seen from " ~ ref('fct_documents'),
    "has_855": "select count(*) as rows_seen from " ~ ref('fct_documents') ~ " where document_type = '855'",
    "has_cash": "select count(*) as rows_seen from " ~ ref('stg_landing__finance_events')
        ~ " where event_type = 'cash.applied'",
    "has_graded": "select count(graded_at) as rows_seen from " ~ ref('fct_returns'),
    "has_return_reason": "select count(reason) as rows_seen from " ~ ref('fct_returns'),
    "has_check_in": "select count(checked_in_at) as rows_seen from " ~ ref('int_receipts_consolidated'),
    "has_disputes": "select count(resolved_at) as rows_seen from " ~ ref('fct_deductions'),
} %}
{%- for requirement, query in facts.items() %}
    select
        '{{ requirement }}' as requirement_id,
        rows_seen > 0 as is_met
    from ({{ query }}) as {{ requirement }}
    {{ "union all" if not loop.last }}
{%- endfor %}
