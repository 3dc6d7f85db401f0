{{ config(schema='intermediate', materialized='view', contract={'enforced': false}) }}
{#- Numerators and denominators of the KPIs of 3PLs, carriers and trading partners: K14, K15, K16, K21. -#}
with cut_off as (
    {%- for kpi, condition in {
        "cut_off_adherence": "true",
        "cut_off_adherence_adjusted": "excuse is null",
    }.items() %}
        select
            '{{ kpi }}' as kpi_id,
            due_date as period_date,
            {{ kpi_dimensions() }},
            currency,
            case when is_adhered then 1 else 0 end as numerator,
            1 as denominator,
            false as is_provisional
        from {{ ref('int_node_orders_cut_off') }}
        where is_due and {{ condition }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

carriers as (
    select
        'carrier_on_time' as kpi_id,
        estimated_date as period_date,
        {{ kpi_dimensions() }},
        currency,
        case when is_on_time then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional
    from {{ ref('int_parcels_estimated') }}
    where is_due
),

notices as (
    select
        'asn_timeliness' as kpi_id,
        {{ company_date('asns.shipped_at') }} as period_date,
        {{ kpi_dimensions("orders.") }},
        asns.currency,
        case when asns.is_asn_timely then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional
    from {{ ref('int_asns_judged') }} as asns
    inner join {{ ref('fct_orders') }} as orders on asns.order_id = orders.order_id
    where asns.is_asn_due
),

-- What the notice announced against what the retailer counted, per order line of a shipment that was received.
announced as (
    select
        order_id,
        line_id,
        sum(quantity) as quantity
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'asn.sent' and order_id is not null and line_id is not null
    group by order_id, line_id
),

counted as (
    select
        order_id,
        line_id,
        sum(quantity) as quantity,
        min(event_at) as received_at
    from {{ ref('int_shipment_events_identified') }}
    where event_type = 'received' and order_id is not null and line_id is not null
    group by order_id, line_id
),

announced_orders as (
    select distinct order_id
    from announced
),

noticed_orders as (
    select
        counted.order_id,
        min(counted.received_at) as received_at,
        max(case when coalesce(announced.quantity, 0) = counted.quantity then 0 else 1 end) = 0 as is_exact
    from counted
    inner join announced_orders on counted.order_id = announced_orders.order_id
    left join announced on counted.order_id = announced.order_id and counted.line_id = announced.line_id
    group by counted.order_id
),

exact as (
    select
        'asn_accuracy' as kpi_id,
        {{ company_date('noticed_orders.received_at') }} as period_date,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        case when noticed_orders.is_exact then 1 else 0 end as numerator,
        1 as denominator,
        false as is_provisional
    from noticed_orders
    inner join {{ ref('fct_orders') }} as orders on noticed_orders.order_id = orders.order_id
    where not orders.is_excluded
),

documents as (
    select
        documents.*,
        {{ company_date('documents.exchanged_at') }} as exchanged_date,
        coalesce(orders.channel, '(none)') as order_channel,
        coalesce(orders.channel_type, '(none)') as order_channel_type,
        coalesce(orders.region, '(none)') as region,
        coalesce(orders.currency, '{{ var("company_currency") }}') as currency
    from {{ ref('fct_documents') }} as documents
    left join {{ ref('fct_orders') }} as orders on documents.order_id = orders.order_id
),

acknowledged as (
    {%- for kpi, numerator, condition in [
        ("ack_timeliness", "ack_status <> 'missing' and age_hours <= 24",
            "ack_status <> 'not_expected' and (acknowledged_at is not null or age_hours > 24)"),
        ("document_reject_rate", "ack_status in ('R', 'P')", "direction = 'out' and acknowledged_at is not null"),
    ] %}
        select
            '{{ kpi }}' as kpi_id,
            exchanged_date as period_date,
            order_channel as channel,
            order_channel_type as channel_type,
            coalesce(partner_id, '(none)') as customer_id,
            '(none)' as node_id,
            '(none)' as carrier,
            region,
            '(none)' as category,
            '(none)' as seller_id,
            currency,
            case when {{ numerator }} then 1 else 0 end as numerator,
            1 as denominator,
            false as is_provisional
        from documents
        where {{ condition }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

-- The purchase order's first answer: 855 within 48 hours of the 850.
answers as (
    select
        purchases.order_id,
        min(purchases.exchanged_at) as ordered_at,
        min(replies.exchanged_at) as answered_at
    from {{ ref('fct_documents') }} as purchases
    left join {{ ref('fct_documents') }} as replies
        on
            purchases.order_id = replies.order_id
            and purchases.partner_id = replies.partner_id
            and purchases.exchanged_at <= replies.exchanged_at
            and replies.document_type = '855'
    where purchases.document_type = '850' and purchases.direction = 'in' and purchases.order_id is not null
    group by purchases.order_id
),

answered as (
    select
        'po_answer_timeliness' as kpi_id,
        {{ company_date('answers.ordered_at') }} as period_date,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        case
            when answers.answered_at <= answers.ordered_at + interval '1' hour * {{ var('po_answer_hours', 48) }} then 1
            else 0
        end as numerator,
        1 as denominator,
        false as is_provisional
    from answers
    inner join {{ ref('fct_orders') }} as orders on answers.order_id = orders.order_id
    where
        not orders.is_excluded
        and (
            answers.answered_at is not null
            or answers.ordered_at + interval '1' hour * {{ var('po_answer_hours', 48) }} <= {{ as_of() }}
        )
),

combined as (
    {%- for part in ["cut_off", "carriers", "notices", "exact", "acknowledged", "answered"] %}
        select * from {{ part }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

{{ kpi_rows_summed("combined") }}
