{#- Returns that hang: goods without refund, refunds without goods. -#}
with rma_stale as (
    select
        'rma_stale' as kind,
        rma_id || ' ' || line_id as subject,
        order_id,
        line_id,
        sku,
        case when node_id = '(none)' then null else node_id end as node_id,
        cast(null as varchar) as carrier,
        channel,
        customer_id,
        refund_amount as money_at_risk,
        'Return ' || rma_id || ' was received ' || {{ as_days('received_at', as_of()) }}
        || ' ago and is not refunded' as title,
        {{ counted('quantity', 'unit') }} || ' of ' || coalesce(sku, 'an unknown item') || ' received '
        || {{ as_stamp('received_at') }} || coalesce(', graded ' || {{ as_stamp('graded_at') }}, ', not graded')
        || coalesce('; reason ' || reason, '') as evidence,
        received_at + interval '1' day * 5 as opened_at,
        cast(null as timestamp) as due_at
    from {{ ref('fct_returns') }}
    where refunded_at is null and received_at + interval '1' day * 5 <= {{ as_of() }}
),

refund_without_receipt as (
    select
        'refund_without_receipt' as kind,
        rma_id || ' ' || line_id as subject,
        order_id,
        line_id,
        sku,
        case when node_id = '(none)' then null else node_id end as node_id,
        cast(null as varchar) as carrier,
        channel,
        customer_id,
        refund_amount as money_at_risk,
        'Return ' || rma_id || ' was refunded, but the goods have not come' as title,
        'Refunded ' || coalesce({{ as_text('refund_amount') }} || ' ' || currency || ' ', '')
        || {{ as_stamp('refunded_at') }}
        || coalesce(', label scanned ' || {{ as_stamp('in_transit_at') }}, ', label never scanned')
        || ', no receipt since' as evidence,
        refunded_at + interval '1' day * 7 as opened_at,
        cast(null as timestamp) as due_at
    from {{ ref('fct_returns') }}
    where
        received_at is null
        and refunded_at + interval '1' day * 7 <= {{ as_of() }}
        and refunded_at >= {{ as_of() }} - interval '1' day * {{ var('refund_horizon_days', 60) }}
)

select * from rma_stale
union all
select * from refund_without_receipt
