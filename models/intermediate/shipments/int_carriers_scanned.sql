{{ config(materialized='compared') }}
{#- Carriers of which any scan of any parcel was ever received; '' is a carrier nobody named. Grain is carrier. -#}
select distinct coalesce(carrier, '') as carrier
from {{ ref('int_shipment_lines') }}
where is_scanned
