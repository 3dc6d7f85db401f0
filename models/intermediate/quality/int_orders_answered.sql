{{ config(materialized='compared') }}
{#- When an account was first told (855) what of its order is accepted. Grain is order_id. -#}
select
    order_id,
    min(exchanged_at) as answered_at
from {{ ref('fct_documents') }}
where document_type = '855' and direction = 'out' and order_id is not null
group by order_id
