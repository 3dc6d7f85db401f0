{#- Demand that stock and confirmed receipts do not cover: backorder_no_eta per line, oversold per SKU. -#}
with short_lines as (
    select *
    from {{ ref('int_open_lines_covered') }}
    where short_quantity > 0 and covered_at is null
),

receipts as (
    select
        sku,
        sum(quantity) as quantity,
        sum(case when is_confirmed and expected_at >= {{ as_of() }} then quantity end) as confirmed_quantity,
        min(expected_at) as expected_at
    from {{ ref('fct_inbound_receipts') }}
    group by sku
),

backorders as (
    select
        'backorder_no_eta' as kind,
        short_lines.order_id || ' ' || short_lines.line_id as subject,
        short_lines.order_id,
        short_lines.line_id,
        short_lines.sku,
        short_lines.preferred_node_id as node_id,
        cast(null as varchar) as carrier,
        short_lines.channel,
        short_lines.customer_id,
        short_lines.short_quantity * coalesce(short_lines.unit_price, 0) as money_at_risk,
        'Order ' || short_lines.order_id || ' waits for ' || {{ counted('short_lines.short_quantity', 'unit') }}
        || ' of ' || short_lines.sku || ' that no confirmed receipt covers' as title,
        {{ counted('short_lines.available', 'unit') }} || ' free against ' || {{ as_text('short_lines.demand_so_far') }}
        || ' needed up to this line; '
        || case
            when receipts.quantity is null then 'nothing is on its way'
            else
                {{ as_text('receipts.quantity') }} || ' on their way, '
                || {{ as_text('coalesce(receipts.confirmed_quantity, 0)') }} || ' of them with a confirmed date'
        end as evidence,
        short_lines.captured_at as opened_at,
        short_lines.need_at as due_at
    from short_lines
    left join receipts on short_lines.sku = receipts.sku
),

skus_short as (
    select
        covered.sku,
        count(distinct covered.order_id) as order_count,
        sum(covered.unreleased_quantity) as demand,
        max(covered.available) as available,
        sum(case when covered.covered_at is null then covered.short_quantity end) as short_quantity,
        sum(
            case when covered.covered_at is null then covered.short_quantity * coalesce(covered.unit_price, 0) end
        ) as short_amount,
        min(case when covered.covered_at is null and covered.short_quantity > 0 then covered.captured_at end)
            as opened_at,
        min(case when covered.covered_at is null and covered.short_quantity > 0 then covered.need_at end) as due_at
    from {{ ref('int_open_lines_covered') }} as covered
    group by covered.sku
),

oversold as (
    select
        'oversold' as kind,
        skus_short.sku as subject,
        cast(null as varchar) as order_id,
        cast(null as varchar) as line_id,
        skus_short.sku,
        cast(null as varchar) as node_id,
        cast(null as varchar) as carrier,
        cast(null as varchar) as channel,
        cast(null as varchar) as customer_id,
        skus_short.short_amount as money_at_risk,
        skus_short.sku || ' is oversold by '
        || {{ counted('skus_short.demand - skus_short.available - coalesce(receipts.quantity, 0)', 'unit') }} as title,
        {{ counted('skus_short.demand', 'unit') }} || ' on ' || cast(skus_short.order_count as varchar)
        || ' orders wait, ' || {{ as_text('skus_short.available') }} || ' are free, '
        || {{ as_text('coalesce(receipts.quantity, 0)') }} || ' on their way' as evidence,
        skus_short.opened_at,
        skus_short.due_at
    from skus_short
    left join receipts on skus_short.sku = receipts.sku
    where skus_short.demand > skus_short.available + coalesce(receipts.quantity, 0)
)

select * from backorders
union all
select * from oversold
