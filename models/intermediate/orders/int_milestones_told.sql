{{ config(materialized='compared') }}
{#- Milestones that any order of a source and channel ever reached. Grain is source, channel, milestone. -#}
{%- for milestone in order_milestones().split() %}
    select distinct
        source,
        channel,
        '{{ milestone }}' as milestone
    from {{ ref('fct_orders') }}
    where
        {{ milestone }}_at is not null
        and not is_excluded
        and order_type <> 'replacement'
        and order_status <> 'cancelled'
    {{ "union all" if not loop.last }}
{%- endfor %}
