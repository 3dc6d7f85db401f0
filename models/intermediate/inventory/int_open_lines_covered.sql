{#-
    What stands behind every open line that no node works on yet: free stock, stock kept for other channels, and the
    confirmed receipt that would fill it. Lines queue for a SKU by need date; this is a look, not an allocation.
-#}
with demand as (
    select
        open_lines.*,
        greatest(
            open_lines.open_quantity
            - greatest(coalesce(lines.quantity_released, 0) - coalesce(lines.quantity_shipped, 0), 0),
            0
        ) as unreleased_quantity
    from {{ ref('fct_open_lines') }} as open_lines
    inner join {{ ref('fct_order_lines') }} as lines
        on open_lines.order_id = lines.order_id and open_lines.line_id = lines.line_id
),

queue as (
    select
        *,
        sum(unreleased_quantity) over (
            partition by sku
            order by need_at asc nulls last, priority_rank asc, captured_at asc, order_id asc, line_id asc
            rows unbounded preceding
        ) as demand_so_far,
        sum(unreleased_quantity) over (
            partition by sku, channel
            order by need_at asc nulls last, priority_rank asc, captured_at asc, order_id asc, line_id asc
            rows unbounded preceding
        ) as channel_demand_so_far
    from demand
    -- Nobody waits for goods any more after the buyer's cancel date.
    where unreleased_quantity > 0 and sku is not null and coalesce(cancel_after_at > {{ as_of() }}, true)
),

stock as (
    select
        sku,
        sum(greatest(available, 0)) as available
    from {{ ref('fct_inventory') }}
    group by sku
),

-- A reservation can keep no more than what is there.
kept as (
    select
        reservations.sku,
        reservations.channel,
        sum(least(reservations.quantity, greatest(inventory.available, 0))) as quantity
    from {{ ref('fct_channel_reservations') }} as reservations
    inner join {{ ref('fct_inventory') }} as inventory
        on reservations.sku = inventory.sku and reservations.node_id = inventory.node_id
    group by reservations.sku, reservations.channel
),

kept_for_others as (
    select
        queue.order_id,
        queue.line_id,
        sum(kept.quantity) as quantity,
        max(kept.channel) as channel
    from queue
    inner join kept on queue.sku = kept.sku and queue.channel <> kept.channel
    group by queue.order_id, queue.line_id
),

receipts as (
    select
        sku,
        expected_at,
        sum(quantity) over (
            partition by sku order by expected_at, receipt_id rows unbounded preceding
        ) as inbound_so_far
    from {{ ref('fct_inbound_receipts') }}
    where is_confirmed and expected_at >= {{ as_of() }}
),

covered as (
    select
        queue.order_id,
        queue.line_id,
        min(receipts.expected_at) as covered_at
    from queue
    left join stock on queue.sku = stock.sku
    inner join receipts
        on
            queue.sku = receipts.sku
            and coalesce(stock.available, 0) + receipts.inbound_so_far >= queue.demand_so_far
    where queue.demand_so_far > coalesce(stock.available, 0)
    group by queue.order_id, queue.line_id
)

select
    queue.order_id,
    queue.line_id,
    queue.sku,
    queue.channel,
    queue.customer_id,
    queue.preferred_node_id,
    queue.unreleased_quantity,
    queue.unit_price,
    queue.is_on_hold,
    queue.captured_at,
    queue.ship_not_before_at,
    queue.need_at,
    queue.demand_so_far,
    coalesce(stock.available, 0) as available,
    coalesce(kept_for_others.quantity, 0) as kept_for_others,
    kept_for_others.channel as kept_for_channel,
    least(queue.unreleased_quantity, greatest(queue.demand_so_far - coalesce(stock.available, 0), 0)) as short_quantity,
    queue.channel_demand_so_far > greatest(coalesce(stock.available, 0) - coalesce(kept_for_others.quantity, 0), 0)
        as is_reserved_away,
    covered.covered_at
from queue
left join stock on queue.sku = stock.sku
left join kept_for_others on queue.order_id = kept_for_others.order_id and queue.line_id = kept_for_others.line_id
left join covered on queue.order_id = covered.order_id and queue.line_id = covered.line_id
