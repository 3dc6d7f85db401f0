{#-
    What credit customers owe at the as-of and how many days of sales that is (K18). Only invoices of accounts count, only
    what was paid on them, and deductions have a bucket of their own. The count-back walks whole months of credit sales until the receivables are
    used up; the simple figure relates them to the last 90 days. Without any cash application nobody can know what was
    paid: then the row says so and the days are null.
-#}
{% set month_end = 'least(months.next_month_start, ' ~ as_of_date() ~ ')' %}
with credit_invoices as (
    select *
    from {{ ref('fct_invoices') }}
    where channel_type = 'wholesale' and not is_void
),

accounts as (
    select
        customer_id,
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
    from credit_invoices
    group by customer_id, currency
),

orders_invoiced as (
    select
        order_id,
        max(customer_id) as customer_id,
        max(currency) as currency
    from credit_invoices
    where order_id is not null
    group by order_id
),

-- What lowers a debt, and the invoice, order or account that it names. A discount for paying early is paid as well.
told as (
    select
        customer_id,
        reference_id,
        order_id,
        currency,
        amount + coalesce(cast({{ json_text("attributes", "'$.discount'") }} as decimal(18, 4)), 0) as paid_amount,
        0 as deducted_amount,
        1 as payments
    from {{ ref('int_finance_events_identified') }}
    where event_type = 'cash.applied'
    union all
    select
        deductions.customer_id,
        numbered.reference_id,
        deductions.order_id,
        deductions.currency,
        0 as paid_amount,
        deductions.amount - deductions.recovered_amount as deducted_amount,
        0 as payments
    from {{ ref('fct_deductions') }} as deductions
    left join {{ ref('int_deductions_numbered') }} as numbered on deductions.deduction_id = numbered.deduction_id
),

-- The account whose debt it lowers: that of the invoice or order it names; without either the one that sent it. What
-- names others (consumers' invoices, those of before the history, voided ones) lowers no debt that is counted here.
lowered as (
    select
        coalesce(invoices.customer_id, orders_invoiced.customer_id, told.customer_id) as customer_id,
        coalesce(told.currency, invoices.currency, orders_invoiced.currency, '{{ var("company_currency") }}')
            as currency,
        sum(told.paid_amount) as paid_amount,
        sum(told.deducted_amount) as deducted_amount,
        sum(told.payments) as payments
    from told
    left join credit_invoices as invoices on told.reference_id = invoices.invoice_id
    left join orders_invoiced on told.order_id = orders_invoiced.order_id
    where
        invoices.invoice_id is not null
        or orders_invoiced.order_id is not null
        or (told.reference_id is null and told.order_id is null)
    group by all
),

-- A credit balance of one account pays no debt of another.
owed as (
    select
        accounts.currency,
        case when count(*) = count(accounts.invoiced_amount) then sum(accounts.invoiced_amount) end as invoiced_amount,
        case when count(*) = count(accounts.sales_90_days) then sum(accounts.sales_90_days) end as sales_90_days,
        coalesce(sum(lowered.payments), 0) as payments,
        coalesce(sum(lowered.paid_amount), 0) as paid_amount,
        coalesce(sum(lowered.deducted_amount), 0) as deducted_amount,
        case
            when count(*) = count(accounts.invoiced_amount)
                then
                    sum(
                        greatest(
                            accounts.invoiced_amount - coalesce(lowered.paid_amount, 0)
                            - coalesce(lowered.deducted_amount, 0),
                            0
                        )
                    )
        end as receivable_amount
    from accounts
    left join lowered on accounts.customer_id = lowered.customer_id and accounts.currency = lowered.currency
    group by accounts.currency
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
