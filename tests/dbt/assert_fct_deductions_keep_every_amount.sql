-- Numbering reasons and matching invoices neither loses nor doubles money: per document the reasons add up.
with published as (
    select
        document_id,
        sum(amount) as amount
    from {{ ref('fct_deductions') }}
    group by document_id
),

numbered as (
    select
        document_id,
        sum(amount) as amount
    from {{ ref('int_deductions_numbered') }}
    group by document_id
)

select
    numbered.document_id,
    numbered.amount,
    published.amount as published_amount
from numbered
left join published on numbered.document_id = published.document_id
where published.document_id is null or published.amount <> numbered.amount
