{{ config(
    materialized='incremental',
    ticks="not is_mature and shipped_date <= as_of_date - interval '1' day * " ~ var('return_maturity_days', 51)
) }}
{%- set dims = ["channel", "channel_type", "customer_id", "node_id", "carrier", "region", "category", "seller_id"] -%}
with lines as (
    select
        order_id,
        line_id,
        sku,
        {{ dims | join(",\n        ") }},
        currency,
        first_accepted_at
    from {{ ref('fct_order_lines') }}
    where order_id in (select returns.order_id from {{ ref('int_returns_consolidated') }} as returns)
),

unnamed as (
    select distinct returns.order_id
    from {{ ref('int_returns_consolidated') }} as returns
    left join lines on returns.order_id = lines.order_id and returns.line_id = lines.line_id
    where lines.line_id is null
),

ranked_lines as (
    select
        lines.*,
        row_number() over (partition by lines.order_id, lines.sku order by lines.line_id) as position
    from lines
    inner join unnamed on lines.order_id = unnamed.order_id
),

-- A return that names no line is about the first line of its SKU.
matched as (
    select
        returns.*,
        coalesce(by_line.line_id, by_sku.line_id) as matched_line_id,
        coalesce(by_line.sku, by_sku.sku) as matched_sku,
        coalesce(by_line.currency, by_sku.currency) as line_currency,
        {%- for dim in dims %}
            coalesce(by_line.{{ dim }}, by_sku.{{ dim }}, '(none)') as line_{{ dim }},
        {%- endfor %}
        coalesce(by_line.first_accepted_at, by_sku.first_accepted_at) as shipped_at
    from {{ ref('int_returns_consolidated') }} as returns
    left join lines as by_line
        on returns.order_id = by_line.order_id and returns.line_id = by_line.line_id
    left join ranked_lines as by_sku
        on
            returns.order_id = by_sku.order_id
            and returns.sku = by_sku.sku
            and by_sku.position = 1
            and by_line.line_id is null
)

select
    rma_id,
    order_id,
    coalesce(matched_line_id, line_id, item, '(none)') as line_id,
    coalesce(matched_sku, sku) as sku,
    {%- for dim in dims %}
        line_{{ dim }} as {{ dim }},
    {%- endfor %}
    coalesce(node_id, '(none)') as received_node_id,
    reason,
    disposition,
    coalesce(currency, line_currency, '{{ var("company_currency") }}') as currency,
    cast(coalesce(quantity, 0) as decimal(18, 3)) as quantity,
    quantity is not null as is_quantity_known,
    cast(refund_amount as decimal(18, 4)) as refund_amount,
    coalesce(
        {{ add_days(company_date('shipped_at'), var('return_maturity_days', 51)) }} <= {{ as_of_date() }},
        false
    ) as is_mature,
    {{ company_date('shipped_at') }} as shipped_date,
    created_at,
    in_transit_at,
    received_at,
    graded_at,
    restocked_at,
    refunded_at
from matched
