-- Free stock is what is on hand less what is spoken for or may not be sold.
select
    sku,
    node_id
from {{ ref('fct_inventory') }}
where available <> on_hand - reserved - quarantine
