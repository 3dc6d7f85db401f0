{{ config(materialized='compared', by_row=true) }}
{#-
    Numbers of one system that mean an order of another, found by the rules of seed match_rules: what a copying system
    or one that never captured the number says about the order (its own number, the buyer's purchase order number, the
    shop's id …) against what the capturing system says. The best rule with any candidate decides; one candidate is a
    link, several are `ambiguous` and link nothing.
-#}
with orders as (
    select * from {{ ref('int_orders_of_record') }}
),

-- A number that no capturing system uses, or that a copying system made up itself.
loose as (
    select
        refs.source,
        refs.order_reference,
        coalesce(copies.customer_id, '') as customer_id,
        cast(refs.first_seen_at as date) as seen_date,
        coalesce(copies.order_rank, 1000) as order_rank
    from {{ ref('int_order_references') }} as refs
    left join orders as copies
        on
            refs.source = copies.source
            and refs.order_reference = copies.order_reference
            and copies.occurrence = 0
            and copies.is_copy
    where
        copies.order_reference is not null
        or refs.order_reference not in (select orders.order_reference from orders)
),

rules as (
    select * from {{ ref('match_rules') }}
    where rule_id <> 'same_number'
),

stated as (
    select
        events.source,
        events.order_id as order_reference,
        events.attributes
    from {{ ref('stg_landing__order_events') }} as events
    inner join loose on events.source = loose.source and events.order_id = loose.order_reference
    where events.attributes is not null
    union
    select
        events.source,
        events.order_id as order_reference,
        events.attributes
    from {{ ref('stg_landing__shipment_events') }} as events
    inner join loose on events.source = loose.source and events.order_id = loose.order_reference
    where events.attributes is not null
),

loose_keys as (
    select
        loose.source,
        loose.order_reference,
        rules.rule_id,
        loose.order_reference as key_value
    from loose
    inner join rules on rules.reference_key = 'order_id' and rules.source in ('*', loose.source)
    union
    select
        stated.source,
        stated.order_reference,
        rules.rule_id,
        {{ json_text("stated.attributes", "'$.' || rules.reference_key") }} as key_value
    from stated
    inner join rules on rules.reference_key <> 'order_id' and rules.source in ('*', stated.source)
),

order_attributes as (
    select distinct
        orders.order_id,
        events.attributes
    from orders
    inner join {{ ref('stg_landing__order_events') }} as events
        on orders.source = events.source and orders.order_reference = events.order_id
    where
        events.event_type = 'order.captured'
        and events.attributes is not null
        and exists (select 1 from loose)
),

order_keys as (
    select
        order_id,
        'order_id' as key_name,
        order_reference as key_value
    from orders
    union all
    select
        order_id,
        'po_number' as key_name,
        substr(order_reference, length(customer_id) + 2) as key_value
    from orders
    where order_reference like customer_id || '-%'
    union all
    select distinct
        order_attributes.order_id,
        rules.order_key as key_name,
        {{ json_text("order_attributes.attributes", "'$.' || rules.order_key") }} as key_value
    from order_attributes
    inner join rules on rules.order_key not in ('order_id', 'po_number')
),

candidates as (
    select distinct
        loose.source,
        loose.order_reference,
        rules.rule_id,
        rules.rule_rank,
        orders.order_id
    from loose_keys
    inner join rules on loose_keys.rule_id = rules.rule_id
    inner join loose
        on loose_keys.source = loose.source and loose_keys.order_reference = loose.order_reference
    inner join order_keys on rules.order_key = order_keys.key_name and loose_keys.key_value = order_keys.key_value
    inner join orders on order_keys.order_id = orders.order_id
    where
        loose_keys.key_value <> ''
        and rules.order_source in ('*', orders.source)
        and orders.order_rank < loose.order_rank
        and abs({{ days_between("orders.ordered_date", "loose.seen_date") }}) <= rules.within_days
        and (not rules.is_same_customer or orders.customer_id = loose.customer_id)
),

best as (
    select
        source,
        order_reference,
        min(rule_rank) as rule_rank
    from candidates
    group by source, order_reference
)

select
    candidates.source,
    candidates.order_reference,
    min(candidates.rule_id) as rule_id,
    case when count(distinct candidates.order_id) = 1 then min(candidates.order_id) end as order_id,
    case when count(distinct candidates.order_id) = 1 then 'linked' else 'ambiguous' end as link_status,
    cast(count(distinct candidates.order_id) as integer) as candidates
from candidates
inner join best
    on
        candidates.source = best.source
        and candidates.order_reference = best.order_reference
        and candidates.rule_rank = best.rule_rank
group by candidates.source, candidates.order_reference
