{{ config(materialized='by_number', number='order_reference') }}
{#-
    Who captured an order, and when: one row per system, order number and occurrence. A number that is captured again
    long after its last capture (retailers number purchase orders anew every few years) is another order: a new
    occurrence. The buyer's own order date decides where the document states it, so that a resent or replaced order
    stays the same.
-#}
-- depends_on: {{ ref('int_numbers_changed') }}
with captures as (
    select
        source,
        order_id as order_reference,
        customer_id,
        event_at,
        coalesce({{ day_of_digits(json_text("attributes", "'$.po_date'")) }}, cast(event_at as date)) as ordered_date
    from {{ ref('stg_landing__order_events') }}
    where event_type = 'order.captured' and {{ of_numbers_changed('order_id') }}
),

days as (
    select
        source,
        order_reference,
        ordered_date,
        max(customer_id) as customer_id,
        min(event_at) as captured_at
    from captures
    group by source, order_reference, ordered_date
),

steps as (
    select
        *,
        case
            when {{ days_between(
                "lag(ordered_date) over (partition by source, order_reference order by ordered_date)", "ordered_date"
            ) }} > {{ var('order_number_reuse_days') }} then 1
            else 0
        end as is_new
    from days
),

numbered as (
    select
        source,
        order_reference,
        customer_id,
        ordered_date,
        captured_at,
        sum(is_new) over (
            partition by source, order_reference
            order by ordered_date
        ) as occurrence
    from steps
)

select
    source,
    order_reference,
    cast(occurrence as integer) as occurrence,
    max(customer_id) as customer_id,
    min(ordered_date) as ordered_date,
    min(captured_at) as captured_at
from numbered
group by source, order_reference, occurrence
