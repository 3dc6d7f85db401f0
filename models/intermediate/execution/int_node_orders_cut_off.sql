{#-
    Cut-off adherence (K14): what was released to a node strictly before its cut-off on an operating day is due to the
    carrier that day, what came later on the next. Grain is order and node. The clock's proof stands beside the verdict:
    release, due end of the day, last scan; and what excuses the node: stock that was not there, more volume than agreed,
    a carrier that did not come.
-#}
{% set volume_cap = var('volume_excuse_share', 1.15) %}
with line_pieces as (
    select
        order_id,
        line_id,
        count(*) as pieces,
        count(accepted_at) as pieces_accepted,
        max(packed_at) as packed_at,
        max(accepted_at) as accepted_at
    from {{ ref('fct_shipment_lines') }}
    where not is_voided
    group by order_id, line_id
),

lines as (
    select
        order_lines.*,
        due.cut_off_due_at,
        due.ship_zone,
        coalesce(pieces.pieces > 0 and pieces.pieces = pieces.pieces_accepted, false) as is_accepted,
        pieces.accepted_at,
        pieces.packed_at,
        coalesce(order_lines.quantity_shipped_first, 0) < order_lines.base_revised as is_short
    from {{ ref('fct_order_lines') }} as order_lines
    inner join {{ ref('int_order_lines_ship_due') }} as due
        on order_lines.order_id = due.order_id and order_lines.line_id = due.line_id
    left join line_pieces as pieces
        on order_lines.order_id = pieces.order_id and order_lines.line_id = pieces.line_id
    where
        due.cut_off_due_at is not null
        and not order_lines.is_excluded
        and order_lines.line_status <> 'cancelled'
        and not order_lines.is_on_hold
),

rolled_up as (
    select
        order_id,
        node_id,
        max(currency) as currency,
        max(channel) as channel,
        max(channel_type) as channel_type,
        max(customer_id) as customer_id,
        {{ one_or_multiple("carrier") }} as carrier,
        max(region) as region,
        {{ one_or_multiple("category") }} as category,
        {{ one_or_multiple("seller_id") }} as seller_id,
        min(ship_zone) as ship_zone,
        max(released_at) as released_at,
        max(cut_off_due_at) as due_at,
        max(accepted_at) as accepted_at,
        max(packed_at) as packed_at,
        sum(coalesce(quantity_released, base_revised)) as units,
        max(case when is_accepted then 0 else 1 end) = 0 as is_all_accepted,
        max(case when is_accepted and accepted_at < cut_off_due_at then 0 else 1 end) = 0 as is_adhered,
        max(case when is_short then 1 else 0 end) = 1 as is_short
    from lines
    group by order_id, node_id
),

loaded as (
    select
        rolled_up.*,
        nodes.daily_capacity_units,
        sum(rolled_up.units) over (partition by rolled_up.node_id, rolled_up.due_at) as node_day_units
    from rolled_up
    inner join {{ ref('nodes') }} as nodes on rolled_up.node_id = nodes.node_id
)

select
    order_id,
    node_id,
    coalesce(currency, '{{ var("company_currency") }}') as currency,
    channel,
    channel_type,
    customer_id,
    carrier,
    region,
    category,
    seller_id,
    case
        when is_adhered then null
        when is_short then 'stock_out'
        when node_day_units > daily_capacity_units * {{ volume_cap }} then 'volume_above_cap'
        when packed_at < due_at then 'carrier_no_show'
    end as excuse,
    cast(units as double) as units,
    cast(node_day_units as double) as node_day_units,
    cast(daily_capacity_units as double) as daily_capacity_units,
    due_at <= {{ as_of() }} as is_due,
    is_adhered,
    cast({{ to_local(just_before('due_at'), 'ship_zone') }} as date) as due_date,
    released_at,
    due_at,
    packed_at,
    accepted_at
from loaded
