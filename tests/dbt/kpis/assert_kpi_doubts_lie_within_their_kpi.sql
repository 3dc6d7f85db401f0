-- What doubt could take away was counted, and what it could add was missed: lowest <= value <= highest, at every grain.
-- Deductions may be more than was invoiced and be paid back; returns of no known order belong to no cell of a channel.
select
    doubts.*,
    kpis.numerator,
    kpis.denominator
from {{ ref('kpi_doubts') }} as doubts
left join {{ ref('kpi_values') }} as kpis
    on
        doubts.kpi_id = kpis.kpi_id
        and doubts.profile_id = kpis.profile_id
        and doubts.is_headline = kpis.is_headline
        and doubts.period_date = kpis.period_date
        and doubts.channel = kpis.channel
        and doubts.channel_type = kpis.channel_type
        and doubts.customer_id = kpis.customer_id
        and doubts.node_id = kpis.node_id
        and doubts.carrier = kpis.carrier
        and doubts.region = kpis.region
        and doubts.category = kpis.category
        and doubts.seller_id = kpis.seller_id
        and doubts.currency = kpis.currency
where
    doubts.met_unproven < 0
    or doubts.missed_unproven < 0
    or doubts.left_out < 0
    or (
        doubts.met_unproven > coalesce(kpis.numerator, 0) + 1e-9
        and doubts.kpi_id not in ('chargeback_rate', 'chargeback_amount')
    )
    or (
        doubts.missed_unproven > coalesce(kpis.denominator - kpis.numerator, 0) + 1e-9
        and doubts.kpi_id not in ('chargeback_rate', 'chargeback_amount')
        and doubts.channel <> '(none)'
    )
