{#-
    What retailers will charge by the rule book for failures that are already known: an accrual, not a bill.
    A rule fires when gate_min <= score < gate_max. Where the score cannot be computed or the rate is not public
    there is no amount, and the note says so: nothing is invented.
-#}
with ruled as (
    select
        failures.*,
        rules.rule_key,
        rules.measure,
        rules.basis,
        rules.rate,
        rules.flat,
        rules.fine_min,
        rules.fine_max,
        rules.gate_metric,
        rules.gate_min,
        rules.gate_max,
        coalesce(failures.last_delivered_at, {{ as_of() }})
        >= {{ add_hours('failures.agreed_end_at', 'rules.grace_hours') }} as is_after_grace
    from {{ ref('int_fine_failures') }} as failures
    inner join {{ ref('int_fine_rules_effective') }} as rules
        on
            failures.customer_id = rules.retailer
            and failures.due_date between rules.effective_from and rules.effective_to
            and rules.measure in ('early_or_late', 'late', 'short_of_revised', 'short_of_original', 'over')
),

line_failures as (
    select
        *,
        case
            when measure = 'early_or_late' then early_quantity + late_quantity
            when measure = 'late' and is_after_grace then late_quantity
            when measure = 'short_of_revised' then short_revised_quantity
            when measure = 'short_of_original' then short_original_quantity
            when measure = 'over' then over_quantity
            else 0
        end as failed_quantity,
        case
            when gate_metric = 'walmart_month_score' and measure = 'early_or_late' then month_on_time_score
            when gate_metric = 'walmart_month_score' then month_in_full_score
            when gate_metric = 'trailing_4wk_on_time' then trailing_on_time_score
            when gate_metric = 'item_fill_original' then item_fill_original
            when gate_metric = 'overage_pct' then item_overage
            when gate_metric = 'po_case_fill' then po_case_fill
        end as gate_score
    from ruled
),

failed_orders as (
    select
        *,
        max(failed_quantity) over (partition by order_id, rule_key) as order_failed_quantity
    from line_failures
),

-- A percentage of the invoice is due on the whole purchase order as soon as one of its lines failed.
line_bases as (
    select
        order_id,
        line_id,
        rule_key,
        customer_id,
        currency,
        basis,
        rate,
        flat,
        fine_min,
        fine_max,
        gate_metric,
        gate_min,
        gate_max,
        gate_score,
        case
            when measure in ('short_of_revised', 'short_of_original') then 'short_ship'
            when measure = 'over' then 'over_ship'
            when measure = 'early_or_late' and late_quantity = 0 then 'early_arrive'
            else 'late_arrive'
        end as violation,
        case
            when basis = 'pct_invoice' then filled_revised * unit_value
            when basis like 'pct%' then failed_quantity * unit_value
            when basis = 'per_case' then coalesce(ceil(failed_quantity / nullif(pack_quantity, 0)), 0)
            else failed_quantity
        end as base_amount,
        coalesce(first_accepted_at, window_end_at) as shipped_at
    from failed_orders
    where failed_quantity > 0 or (basis = 'pct_invoice' and order_failed_quantity > 0)
),

asn_bases as (
    select
        asns.order_id,
        '(shipment ' || asns.tracking_number || ')' as line_id,
        rules.rule_key,
        asns.customer_id,
        asns.currency,
        rules.basis,
        rules.rate,
        rules.flat,
        rules.fine_min,
        rules.fine_max,
        rules.gate_metric,
        rules.gate_min,
        rules.gate_max,
        cast(null as double) as gate_score,
        case when asns.asn_sent_at is null then 'asn_missing' else 'asn_late' end as violation,
        case when rules.basis = 'per_carton' then asns.carton_count else 1 end as base_amount,
        asns.shipped_at
    from {{ ref('int_asns_matched') }} as asns
    inner join {{ ref('int_fine_rules_effective') }} as rules
        on
            asns.customer_id = rules.retailer
            and {{ company_date('asns.arrived_at') }} between rules.effective_from and rules.effective_to
            and rules.measure in ('asn_after_arrival', 'asn_missing')
    where
        coalesce(asns.asn_sent_at, {{ as_of() }}) > {{ add_hours('asns.arrived_at', 'rules.grace_hours') }}
),

bases as (
    select * from line_bases
    union all
    select * from asn_bases
),

judged as (
    select
        *,
        case
            when gate_metric is null then true
            when gate_score is null then null
            else
                gate_score >= coalesce(gate_min, gate_score)
                and (gate_max is null or gate_score < gate_max)
        end as fires
    from bases
)

select
    order_id,
    line_id,
    rule_key,
    coalesce(customer_id, '(none)') as customer_id,
    violation,
    basis,
    case
        when gate_metric is not null and gate_score is null
            then gate_metric || ' cannot be computed from the landed data: no amount'
        when basis in ('per_carton', 'per_case') and base_amount = 0
            then 'the number of ' || replace(basis, 'per_', '') || 's is not known: no amount'
        when rate is null then 'the rate is not public: no amount until it is entered in retailer_rules'
        when gate_metric is not null
            then
                gate_metric || ' is ' || cast(cast(gate_score as decimal(9, 4)) as varchar)
                || case when fires then ', in the fined range ' else ', outside the fined range ' end
                || cast(cast(coalesce(gate_min, 0) as decimal(9, 2)) as varchar) || ' to '
                || coalesce(cast(cast(gate_max as decimal(9, 2)) as varchar), 'open')
    end as gate_note,
    coalesce(currency, '{{ var("company_currency") }}') as currency,
    cast(base_amount as decimal(18, 4)) as base_amount,
    cast(
        case
            when fires is null or rate is null then null
            when basis in ('per_carton', 'per_case') and base_amount = 0 then null
            when not fires then 0
            else
                least(coalesce(fine_max, 1e12), greatest(coalesce(fine_min, 0), flat + rate * base_amount))
        end as decimal(18, 4)
    ) as fine_amount,
    coalesce(not fires, true) as is_gated,
    {{ week_of(company_date('shipped_at')) }} as ship_week
from judged
