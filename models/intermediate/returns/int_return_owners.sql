{{ config(materialized='compared') }}
{#-
    Whose the return events are that name no order: the order that other events of the RMA name, `(none)` if none does.
    The number of these events tells incremental builds that one came. Grain is rma_id.
-#}
-- depends_on: {{ ref('int_orders_changed') }}
with orderless as (
    select
        rma_id,
        count(*) as events
    from {{ ref('stg_landing__return_events') }}
    where order_id is null
    group by rma_id
)

select
    orderless.rma_id,
    coalesce(max(named.order_id), '(none)') as order_id,
    orderless.events
from orderless
left join {{ ref('int_return_events_identified') }} as named
    on orderless.rma_id = named.rma_id and named.order_id is not null
group by orderless.rma_id, orderless.events
