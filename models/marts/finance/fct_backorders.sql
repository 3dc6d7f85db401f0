with late as (
    select
        *,
        coalesce(window_end_at, requested_at, promise_first_at) as need_at
    from {{ ref('fct_order_lines') }}
    where open_quantity > 0 and not is_excluded and line_status <> 'cancelled'
),

aged as (
    select
        *,
        cast(floor({{ hours_between('need_at', as_of()) }} / 24) as bigint) as age_days
    from late
    -- After the buyer's cancel date nothing is waited for any more: a miss, but no backorder.
    where need_at < {{ as_of() }} and coalesce(cancel_after_at > {{ as_of() }}, true)
)

select
    order_id,
    line_id,
    sku,
    channel,
    channel_type,
    customer_id,
    node_id,
    carrier,
    region,
    category,
    seller_id,
    currency,
    case
        when age_days <= 2 then '0-2'
        when age_days <= 7 then '3-7'
        when age_days <= 14 then '8-14'
        when age_days <= 30 then '15-30'
        else '>30'
    end as age_bucket,
    open_quantity,
    cast(open_quantity * unit_price as decimal(18, 4)) as open_amount,
    age_days,
    captured_at,
    need_at
from aged
