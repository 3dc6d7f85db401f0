{{ config(schema='metrics', materialized='view', contract={'enforced': false}) }}
{#- Documents and what answered them (K21). Grain is kpi_id, document_key; for the purchase order's answer order_id. -#}
with documents as (
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
    {%- for kpi, numerator, condition, reason in [
        ("ack_timeliness", "ack_status <> 'missing' and age_hours <= 24", "true",
            "when ack_status = 'not_expected' then 'no_acknowledgement_expected'"
            ~ " when acknowledged_at is null and age_hours <= 24 then 'not_due'"),
        ("document_reject_rate", "ack_status in ('R', 'P')", "direction = 'out'",
            "when acknowledged_at is null then 'not_acknowledged'"),
    ] %}
        select
            '{{ kpi }}' as kpi_id,
            'document' as row_kind,
            document_key as row_key,
            order_id,
            cast(null as varchar) as line_id,
            cast(null as varchar) as sku,
            cast(null as varchar) as service,
            order_channel as channel,
            order_channel_type as channel_type,
            coalesce(partner_id, '(none)') as customer_id,
            '(none)' as node_id,
            '(none)' as carrier,
            region,
            '(none)' as category,
            '(none)' as seller_id,
            currency,
            case {{ reason }} end as exclusion_reason,
            case when {{ numerator }} then 1 else 0 end as numerator,
            1 as denominator,
            false as is_provisional,
            exchanged_date as period_date
        from documents
        where {{ condition }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

-- The purchase order's first answer: 855 within 48 hours of the 850.
answers as (
    select
        purchases.order_id,
        max(case when purchases.order_id is null then purchases.document_key end) as document_key,
        min(purchases.exchanged_at) as ordered_at,
        min(replies.exchanged_at) as answered_at
    from {{ ref('fct_documents') }} as purchases
    left join {{ ref('fct_documents') }} as replies
        on
            purchases.order_id = replies.order_id
            and purchases.partner_id = replies.partner_id
            and purchases.exchanged_at <= replies.exchanged_at
            and replies.document_type = '855'
    where purchases.document_type = '850' and purchases.direction = 'in'
    group by purchases.order_id, case when purchases.order_id is null then purchases.document_key end
),

answered as (
    select
        'po_answer_timeliness' as kpi_id,
        'order' as row_kind,
        coalesce(orders.order_id, 'document ' || answers.document_key, 'order ' || answers.order_id) as row_key,
        answers.order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as service,
        {%- for name in dimensions().split(", ") %}
            coalesce(orders.{{ name }}, '(none)') as {{ name }},
        {%- endfor %}
        orders.currency,
        coalesce(
            orders.exclusion_reason,
            case
                when orders.order_id is null then 'no_order'
                when
                    answers.answered_at is null
                    and answers.ordered_at + interval '1' hour * {{ var('po_answer_hours', 48) }} > {{ as_of() }}
                    then 'not_due'
            end
        ) as exclusion_reason,
        case
            when answers.answered_at <= answers.ordered_at + interval '1' hour * {{ var('po_answer_hours', 48) }} then 1
            else 0
        end as numerator,
        1 as denominator,
        false as is_provisional,
        {{ company_date('answers.ordered_at') }} as period_date
    from answers
    left join {{ ref('fct_orders') }} as orders on answers.order_id = orders.order_id
),

combined as (
    select * from acknowledged
    union all
    select * from answered
)

{{ kpi_fact_columns("combined") }}
