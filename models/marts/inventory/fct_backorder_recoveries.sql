{#- Open lines that free stock does not cover, with the confirmed receipt that will; value times age ranks them. -#}
with short_lines as (
    select
        *,
        short_quantity * coalesce(unit_price, 0) as short_amount,
        greatest({{ hours_between('need_at', as_of()) }} / 24, 0) as late_days
    from {{ ref('int_open_lines_covered') }}
    where short_quantity > 0
)

select
    order_id,
    line_id,
    sku,
    channel,
    customer_id,
    case when covered_at is null then 'no_date' when covered_at <= need_at then 'in_time' else 'late' end
        as recovery_status,
    -- Age times value; a line that waits for its date counts as one day old.
    cast(row_number() over (
        order by short_amount * (1 + late_days) desc, need_at asc nulls last, order_id asc, line_id asc
    ) as bigint) as recovery_rank,
    cast(short_quantity as decimal(18, 3)) as short_quantity,
    cast(short_amount as decimal(18, 4)) as short_amount,
    cast(floor(late_days) as bigint) as late_days,
    need_at,
    covered_at
from short_lines
