{{ config(materialized='by_number', number='order_reference', and_of='int_order_references_linked') }}
{#-
    What every order number of every system means: one row per system, number and, where a number was used again, period
    of use. `order_id` is the order; `status` says how sure that is: record (the system captured it), matched (same
    number or a rule), ambiguous (several orders fit: left alone), unmatched (no captured order fits).
-#}
-- depends_on: {{ ref('int_numbers_changed') }}
with orders as (
    select
        order_id,
        source,
        order_reference,
        occurrence,
        is_apart,
        case when occurrence > 0 then {{ add_days("least(captured_at, cast(ordered_date as timestamp))", -3) }} end
            as valid_from_at
    from {{ ref('int_orders_of_record') }}
    where {{ of_numbers_changed('order_reference') }}
),

periods as (
    select
        *,
        lead(valid_from_at) over (
            partition by source, order_reference
            order by occurrence
        ) as valid_to_at
    from orders
),

linked as (
    select * from {{ ref('int_order_references_linked') }}
    where {{ of_numbers_changed('order_reference') }}
)

select
    refs.source,
    refs.order_reference,
    coalesce(linked.order_id, own.order_id, led.order_id, refs.order_reference) as order_id,
    case
        when linked.order_id is not null then linked.rule_id
        when own.order_id is not null then 'captured'
        when led.order_id is not null then 'same_number'
        else linked.rule_id
    end as rule_id,
    case
        when linked.order_id is not null then 'matched'
        when own.order_id is not null then 'record'
        when led.order_id is not null then 'matched'
        else coalesce(linked.link_status, 'unmatched')
    end as status,
    refs.events,
    coalesce(linked.candidates, case when own.order_id is null and led.order_id is null then 0 else 1 end)
        as candidates,
    case when linked.order_id is null then coalesce(own.valid_from_at, led.valid_from_at) end as valid_from_at,
    case when linked.order_id is null then coalesce(own.valid_to_at, led.valid_to_at) end as valid_to_at,
    refs.first_seen_at,
    refs.last_seen_at
from {{ ref('int_order_references') }} as refs
left join linked on refs.source = linked.source and refs.order_reference = linked.order_reference
left join periods as own
    on
        refs.source = own.source
        and refs.order_reference = own.order_reference
        and linked.order_id is null
left join periods as led
    on
        refs.order_reference = led.order_reference
        and not led.is_apart
        and own.order_id is null
        and linked.order_id is null
where {{ of_numbers_changed('refs.order_reference') }}
