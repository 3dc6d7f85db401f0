{#-
    Credit sales by whole calendar month, youngest first, with what is sold up to each: what the count-back of K18 walks.
    Grain is currency and month.
-#}
with months as (
    select
        invoices.currency,
        cast(date_trunc('month', {{ company_date('invoices.invoiced_at') }}) as date) as month_start,
        sum(invoices.amount) as sales
    from {{ ref('fct_invoices') }} as invoices
    where invoices.channel_type = 'wholesale' and not invoices.is_void
    group by all
)

select
    currency,
    sales,
    cast(month_start + interval '1' month as date) as next_month_start,
    sum(sales) over (partition by currency order by month_start desc) as sales_back_to,
    month_start
from months
