{#-
    Supply and commitments of every SKU and node by week from the as-of's week on; the last week holds all that is later.
    Opening supply is what may be sold (on hand - reserved - quarantine - safety stock). A receipt without a confirmed
    date, or whose date has passed, counts for nothing; a commitment whose date has passed is still demand, now.
-#}
with opening as (
    select
        sku,
        node_id,
        available - safety_stock as quantity
    from {{ ref('fct_inventory') }}
),

receipts as (
    select
        sku,
        node_id,
        {{ company_date('expected_at') }} as moved_date,
        quantity * (1 - {{ var('atp_receipt_haircut', 0) }}) as quantity
    from {{ ref('fct_inbound_receipts') }}
    where is_confirmed and expected_at >= {{ as_of() }}
),

commitments as (
    select
        covered.sku,
        coalesce(covered.preferred_node_id, '(none)') as node_id,
        -- The deadline is an exclusive end: step back into its day.
        {{ company_date(just_before('coalesce(lines.ship_by_at, covered.need_at)')) }} as moved_date,
        covered.unreleased_quantity as quantity
    from {{ ref('int_open_lines_covered') }} as covered
    inner join {{ ref('fct_open_lines') }} as lines
        on covered.order_id = lines.order_id and covered.line_id = lines.line_id
),

moves as (
    select
        sku,
        node_id,
        'receipt' as move_kind,
        moved_date,
        quantity
    from receipts
    union all
    select
        sku,
        node_id,
        'commitment' as move_kind,
        moved_date,
        quantity
    from commitments
),

placed as (
    select
        *,
        least(
            greatest(
                coalesce({{ days_between(week_of(as_of_date()), week_of('moved_date')) }} / 7, 0), 0
            ),
            {{ var('atp_weeks', 12) }} - 1
        ) as week_number
    from moves
),

by_week as (
    select
        sku,
        node_id,
        cast(week_number as integer) as week_number,
        sum(case when move_kind = 'receipt' then quantity else 0 end) as receipt_quantity,
        sum(case when move_kind = 'commitment' then quantity else 0 end) as committed_quantity
    from placed
    group by sku, node_id, cast(week_number as integer)
),

cells as (
    select
        sku,
        node_id
    from opening
    union
    select
        sku,
        node_id
    from moves
),

numbers as (
    select week_number
    from (
        {% for number in range(53) %}
            select {{ number }} as week_number {{ "union all" if not loop.last }}
        {% endfor %}
    ) as all_numbers
    where week_number < {{ var('atp_weeks', 12) }}
)

select
    cells.sku,
    cells.node_id,
    numbers.week_number,
    case when numbers.week_number = 0 then coalesce(opening.quantity, 0) else 0 end as opening_quantity,
    coalesce(by_week.receipt_quantity, 0) as receipt_quantity,
    coalesce(by_week.committed_quantity, 0) as committed_quantity,
    cast({{ add_days(week_of(as_of_date()), 'numbers.week_number * 7') }} as date) as week_start
from cells
cross join numbers
left join opening on cells.sku = opening.sku and cells.node_id = opening.node_id
left join by_week
    on
        cells.sku = by_week.sku
        and cells.node_id = by_week.node_id
        and numbers.week_number = by_week.week_number
