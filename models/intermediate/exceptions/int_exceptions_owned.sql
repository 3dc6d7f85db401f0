{#- The owner rule that fits an exception best; an exception without one belongs to the role of its kind. -#}
{%- set areas = ["holds", "due", "stock", "shipments", "partners", "returns", "feeds", "documents", "obligations"] -%}
with found as (
    {% for area in areas %}
        select
            kind,
            subject,
            channel,
            customer_id,
            node_id
        from {{ ref('int_exceptions_' ~ area) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

fitting as (
    select
        found.kind,
        found.subject,
        owners.owner_role,
        row_number() over (
            partition by found.kind, found.subject
            order by
                (
                    case when owners.kind = '*' then 0 else 1 end
                    + case when owners.customer_id = '*' then 0 else 1 end
                    + case when owners.node_id = '*' then 0 else 1 end
                    + case when owners.channel = '*' then 0 else 1 end
                ) desc,
                case when owners.customer_id = '*' then 1 else 0 end asc,
                case when owners.node_id = '*' then 1 else 0 end asc,
                case when owners.channel = '*' then 1 else 0 end asc,
                owners.effective_from desc,
                owners.owner_role asc
        ) as position
    from found
    inner join {{ ref('exception_owners') }} as owners
        on
            owners.kind in (found.kind, '*')
            and owners.channel in (coalesce(found.channel, '(none)'), '*')
            and owners.customer_id in (coalesce(found.customer_id, '(none)'), '*')
            and owners.node_id in (coalesce(found.node_id, '(none)'), '*')
            and coalesce(owners.effective_from, date '0001-01-01') <= {{ as_of_date() }}
            and coalesce(owners.effective_to, date '9999-12-31') >= {{ as_of_date() }}
)

select
    kind,
    subject,
    owner_role
from fitting
where position = 1
