{#-
    What credit customers owe at the as-of and how many days of sales that is (K18). Only invoices of accounts count, and
    deductions have a bucket of their own. The count-back walks whole months of credit sales until the receivables are
    used up; the simple figure relates them to the last 90 days. Without any cash application nobody can know what was
    paid: then the row says so and the days are null.
-#}
{% set month_end = 'least(months.next_month_start, ' ~ as_of_date() ~ ')' %}
with invoiced as (
    select
        currency,
        -- What nobody knows the amount of leaves no sum.
        case when count(*) = count(amount) then sum(amount) end as invoiced_amount,
        case
            when count(*) = count(amount)
                then
                    sum(
                        case
                            when
                                {{ company_date('invoiced_at') }} < {{ as_of_date() }}
                                and {{ company_date('invoiced_at') }} >= {{ add_days(as_of_date(), '-90') }}
                                then amount
                            else 0
                        end
                    )
        end as sales_90_days
    from {{ ref('fct_invoices') }}
    where channel_type = 'wholesale' and not is_rejected
    group by currency
),

paid as (
    select
        coalesce(currency, '{{ var("company_currency") }}') as currency,
        sum(amount) as paid_amount,
        count(*) as payments
    from {{ ref('int_finance_events_identified') }}
    where event_type = 'cash.applied'
    group by coalesce(currency, '{{ var("company_currency") }}')
),

deducted as (
    select
        currency,
        sum(amount - recovered_amount) as deducted_amount
    from {{ ref('fct_deductions') }}
    group by currency
),

owed as (
    select
        invoiced.currency,
        invoiced.invoiced_amount,
        invoiced.sales_90_days,
        coalesce(paid.payments, 0) as payments,
        coalesce(paid.paid_amount, 0) as paid_amount,
        coalesce(deducted.deducted_amount, 0) as deducted_amount,
        case
            when invoiced.invoiced_amount is not null
                then
                    greatest(
                        invoiced.invoiced_amount - coalesce(paid.paid_amount, 0)
                        - coalesce(deducted.deducted_amount, 0),
                        0
                    )
        end as receivable_amount
    from invoiced
    left join paid on invoiced.currency = paid.currency
    left join deducted on invoiced.currency = deducted.currency
),

walked as (
    select
        owed.currency,
        sum(
            case
                when months.sales_back_to <= owed.receivable_amount
                    then {{ days_between('months.month_start', month_end) }}
                when months.sales_back_to - months.sales < owed.receivable_amount
                    then
                        {{ days_between('months.month_start', month_end) }}
                        * (owed.receivable_amount - (months.sales_back_to - months.sales)) / months.sales
                else 0
            end
        ) as count_back_days
    from owed
    inner join {{ ref('int_credit_sales_counted_back') }} as months
        on owed.currency = months.currency and months.sales > 0
    group by owed.currency
)

select
    owed.currency,
    cast(owed.invoiced_amount as decimal(18, 4)) as invoiced_amount,
    cast(owed.paid_amount as decimal(18, 4)) as paid_amount,
    cast(owed.deducted_amount as decimal(18, 4)) as deducted_amount,
    cast(owed.receivable_amount as decimal(18, 4)) as receivable_amount,
    cast(owed.sales_90_days as decimal(18, 4)) as sales_90_days,
    cast(owed.payments as bigint) as payments,
    case
        when owed.payments > 0 and owed.receivable_amount is not null then cast(walked.count_back_days as double)
    end as count_back_days,
    case
        when owed.payments > 0 and owed.sales_90_days > 0
            then cast(owed.receivable_amount as double) / cast(owed.sales_90_days as double) * 90
    end as simple_days
from owed
left join walked on owed.currency = walked.currency
