{%- set areas = ["holds", "due", "stock", "shipments", "partners", "returns", "feeds", "documents", "obligations"] -%}
with found as (
    {% for area in areas %}
        select * from {{ ref('int_exceptions_' ~ area) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    md5(found.kind || '|' || found.subject) as exception_id,
    found.kind,
    kinds.kind_name,
    -- Money first, then the clock, then what the kind usually means.
    case
        when found.money_at_risk >= {{ var('exception_high_amount', 2500) }} then 'high'
        when
            found.due_at <= {{ as_of() }} + interval '24' hour
            and found.money_at_risk >= {{ var('exception_high_amount', 2500) }} / 5 then 'high'
        when found.money_at_risk < {{ var('exception_high_amount', 2500) }} / 100 then 'low'
        when kinds.default_severity = 'high' and found.money_at_risk < {{ var('exception_high_amount', 2500) }} / 10
            then 'medium'
        else kinds.default_severity
    end as severity,
    found.order_id,
    found.line_id,
    found.sku,
    found.node_id,
    found.carrier,
    found.channel,
    found.customer_id,
    found.title,
    found.evidence,
    kinds.suggested_action,
    coalesce(owners.owner_role, kinds.owner_role) as owner_role,
    cast(found.money_at_risk as decimal(18, 4)) as money_at_risk,
    found.opened_at,
    found.due_at
from found
inner join {{ ref('exception_kinds') }} as kinds on found.kind = kinds.kind
left join {{ ref('int_exceptions_owned') }} as owners
    on found.kind = owners.kind and found.subject = owners.subject
