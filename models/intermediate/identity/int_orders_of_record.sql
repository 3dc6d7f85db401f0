{{ config(materialized='by_number', number='order_reference') }}
{#-
    One row per order: the system whose capture is its record. Where several systems captured the same number, the
    best-ranked one (seed source_systems) is the record if the others' captures agree with it: near in time and, where
    both state SKUs, at least one in common. Captures that do not agree are orders of their own (`is_apart`), named
    after their system; they are never merged silently.
-#}
-- depends_on: {{ ref('int_numbers_changed') }}
with captures as (
    select
        captures.*,
        coalesce(systems.order_rank, 50) as order_rank,
        coalesce(systems.is_copy, false) as is_copy
    from {{ ref('int_order_captures') }} as captures
    left join {{ ref('source_systems') }} as systems on captures.source = systems.source
    where {{ of_numbers_changed('captures.order_reference') }}
),

leaders as (
    select
        order_reference,
        source
    from (
        select
            order_reference,
            source,
            row_number() over (
                partition by order_reference
                order by order_rank asc, source asc
            ) as position
        from captures
    ) as ranked
    where position = 1
),

-- Only numbers that several systems captured need a closer look.
shared as (
    select order_reference
    from captures
    group by order_reference
    having count(distinct source) > 1
),

skus as (
    select distinct
        events.source,
        events.order_id as order_reference,
        events.sku
    from {{ ref('stg_landing__order_events') }} as events
    inner join shared on events.order_id = shared.order_reference
    where events.event_type = 'order.captured' and events.sku is not null
),

agreeing as (
    select distinct
        followers.source,
        followers.order_reference
    from skus as followers
    inner join leaders on followers.order_reference = leaders.order_reference
    inner join skus as led
        on
            followers.order_reference = led.order_reference
            and followers.sku = led.sku
            and leaders.source = led.source
),

stated as (
    select distinct
        source,
        order_reference
    from skus
),

same as (
    select
        captures.source,
        captures.order_reference,
        captures.occurrence,
        min(led.occurrence) as led_occurrence
    from captures
    inner join leaders on captures.order_reference = leaders.order_reference and captures.source <> leaders.source
    inner join captures as led on leaders.order_reference = led.order_reference and leaders.source = led.source
    inner join {{ ref('match_rules') }} as rules on rules.rule_id = 'same_number'
    left join stated on captures.source = stated.source and captures.order_reference = stated.order_reference
    left join stated as led_stated
        on led.source = led_stated.source and led.order_reference = led_stated.order_reference
    left join agreeing on captures.source = agreeing.source and captures.order_reference = agreeing.order_reference
    where
        abs({{ days_between('led.ordered_date', 'captures.ordered_date') }}) <= rules.within_days
        and (agreeing.source is not null or stated.source is null or led_stated.source is null)
    group by captures.source, captures.order_reference, captures.occurrence
)

select
    case
        when captures.source = leaders.source and captures.occurrence = 0 then captures.order_reference
        when captures.source = leaders.source
            then captures.order_reference || '~' || cast(captures.ordered_date as varchar)
        when captures.occurrence = 0 then captures.order_reference || '@' || captures.source
        else captures.order_reference || '@' || captures.source || '~' || cast(captures.ordered_date as varchar)
    end as order_id,
    captures.source,
    captures.order_reference,
    captures.occurrence,
    captures.customer_id,
    captures.order_rank,
    captures.is_copy,
    captures.source <> leaders.source as is_apart,
    captures.ordered_date,
    captures.captured_at
from captures
inner join leaders on captures.order_reference = leaders.order_reference
left join same
    on
        captures.source = same.source
        and captures.order_reference = same.order_reference
        and captures.occurrence = same.occurrence
where captures.source = leaders.source or same.source is null
