{#-
    How far doubt can move a KPI, per day and dimensions: what counts as met without proof (`met_unproven`), what counts
    as missed without proof (`missed_unproven`), and what is left out although it may belong in as a miss (`left_out`).
    The lowest value is (numerator - met_unproven) / (denominator + left_out), the highest (numerator + missed_unproven) /
    denominator. Records nobody could read, repeated events and orphans are counted in data_doubt only: nothing says
    which KPI they would have moved.
-#}
{% set order_kpis = {"on_time": "is_on_time", "in_full": "is_in_full", "otif": "is_otif"} %}
{% set line_kpis = {
    "otif_line": {
        "met": "case when is_otif and not is_otif_worst then 1 else 0 end",
        "missed": "case when is_otif_best and not is_otif then 1 else 0 end",
        "left_out": "case when is_left_out then 1 else 0 end",
    },
    "line_fill": {
        "met": "case when is_in_full and not is_in_full_worst then 1 else 0 end",
        "missed": "case when is_in_full_best and not is_in_full then 1 else 0 end",
        "left_out": "case when is_left_out then 1 else 0 end",
    },
    "otif_case": {
        "met": "0",
        "missed": "least(quantity_unproven, base_quantity - quantity_in_window)",
        "left_out": "quantity_unsure",
    },
    "otif_value": {
        "met": "0",
        "missed": "least(quantity_unproven, base_quantity - quantity_in_window) * unit_cost",
        "left_out": "quantity_unsure * unit_cost",
    },
    "unit_fill_revised": {
        "met": "0",
        "missed": "greatest(least(quantity_unproven, base_revised - least(quantity_by_end, base_revised)), 0)",
        "left_out": "quantity_unsure",
    },
    "unit_fill_original": {
        "met": "0",
        "missed": "greatest(least(quantity_unproven, least(base_revised, base_original)"
        ~ " - least(quantity_by_end, base_revised, base_original)), 0)",
        "left_out": "quantity_unsure",
    },
    "value_fill": {
        "met": "0",
        "missed": "greatest(least(quantity_unproven, base_revised - least(quantity_by_end, base_revised)), 0)"
        ~ " * unit_price",
        "left_out": "quantity_unsure * unit_price",
    },
} %}
{% set actor_kpis = [
    "cancellation_rate_customer", "cancellation_rate_seller", "cancellation_rate_fraud", "cancellation_rate_retailer",
] %}
{% set return_kpis = [
    "return_rate", "return_rate_choice", "return_rate_fulfilment", "return_rate_product", "return_rate_refused",
    "damage_rate",
] %}
with orders as (
    select
        assessed.*,
        doubted.is_left_out,
        doubted.is_on_time_best,
        assessed.is_on_time as is_on_time_worst,
        doubted.is_in_full_best,
        doubted.is_in_full_worst,
        doubted.is_otif_best,
        doubted.is_otif_worst
    from {{ ref('int_service_orders_doubted') }} as doubted
    inner join {{ ref('fct_order_assessments') }} as assessed
        on doubted.order_id = assessed.order_id and doubted.profile_id = assessed.profile_id
    where (assessed.is_due and assessed.exclusion_reason is null) or doubted.is_left_out
),

order_lines as (
    select
        assessed.*,
        doubted.is_left_out,
        doubted.quantity_unproven,
        doubted.quantity_unsure,
        doubted.is_in_full_best,
        doubted.is_in_full_worst,
        doubted.is_otif_best,
        doubted.is_otif_worst
    from {{ ref('int_service_units_doubted') }} as doubted
    inner join {{ ref('fct_line_assessments') }} as assessed
        on
            doubted.order_id = assessed.order_id
            and doubted.line_id = assessed.line_id
            and doubted.profile_id = assessed.profile_id
    where
        (assessed.is_due and assessed.exclusion_reason is null and assessed.is_otif is not null)
        or doubted.is_left_out
),

service as (
    {%- for kpi, flag in order_kpis.items() %}
        select
            '{{ kpi }}' as kpi_id,
            profile_id,
            is_headline,
            due_date as period_date,
            {{ kpi_dimensions() }},
            currency,
            case when {{ flag }} and not {{ flag }}_worst then 1 else 0 end as met_unproven,
            case when {{ flag }}_best and not {{ flag }} then 1 else 0 end as missed_unproven,
            case when is_left_out then 1 else 0 end as left_out
        from orders
        where is_left_out or {{ flag }} is not null
        union all
    {%- endfor %}
    {%- for kpi, sums in line_kpis.items() %}
        select
            '{{ kpi }}' as kpi_id,
            profile_id,
            is_headline,
            due_date as period_date,
            {{ kpi_dimensions() }},
            currency,
            case when is_left_out then 0 else {{ sums["met"] }} end as met_unproven,
            case when is_left_out then 0 else {{ sums["missed"] }} end as missed_unproven,
            {{ sums["left_out"] }} as left_out
        from order_lines
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

wrong_items as (
    select distinct order_id
    from {{ ref('int_return_claims') }}
    where reason_class = 'fulfilment_error'
),

perfection as (
    select
        perfect.*,
        doubted.is_on_time_best,
        perfect.is_complete or (doubted.is_in_full_best and wrong_items.order_id is null) as is_complete_best,
        perfect.is_complete and doubted.is_in_full_worst as is_complete_worst
    from {{ ref('fct_perfect_orders') }} as perfect
    inner join {{ ref('fct_order_assessments') }} as assessed
        on perfect.order_id = assessed.order_id and assessed.is_headline
    inner join {{ ref('int_service_orders_doubted') }} as doubted
        on assessed.order_id = doubted.order_id and assessed.profile_id = doubted.profile_id
    left join wrong_items on perfect.order_id = wrong_items.order_id
),

perfect as (
    {%- for kpi, (value, best, worst) in {
        "perfect_on_time": ("is_on_time", "is_on_time_best", "is_on_time"),
        "perfect_in_full": ("is_complete", "is_complete_best", "is_complete_worst"),
        "perfect_order": (
            "is_perfect",
            "(is_on_time_best and is_complete_best and is_documented and is_sound)",
            "(is_on_time and is_complete_worst and is_documented and is_sound)",
        ),
    }.items() %}
        select
            '{{ kpi }}' as kpi_id,
            '' as profile_id,
            false as is_headline,
            due_date as period_date,
            {{ kpi_dimensions() }},
            currency,
            case when {{ value }} and not {{ worst }} then 1 else 0 end as met_unproven,
            case when {{ best }} and not {{ value }} then 1 else 0 end as missed_unproven,
            0 as left_out
        from perfection
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

handed_over as (
    select
        order_id,
        max(ship_due_date) as ship_due_date,
        max(case when is_ship_due then 0 else 1 end) = 0 as is_ship_due,
        max(case when is_handed_over and not is_too_early then 0 else 1 end) = 0 as is_handed_over,
        max(case when (is_handed_over or is_unproven) and not is_too_early then 0 else 1 end) = 0
            as is_handed_over_best
    from {{ ref('int_order_lines_handed_over') }}
    where ship_exclusion_reason is null
    group by order_id
),

shipping as (
    select
        'on_time_ship' as kpi_id,
        '' as profile_id,
        false as is_headline,
        handed_over.ship_due_date as period_date,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        0 as met_unproven,
        1 as missed_unproven,
        0 as left_out
    from handed_over
    inner join {{ ref('fct_orders') }} as orders on handed_over.order_id = orders.order_id
    where handed_over.is_ship_due and handed_over.is_handed_over_best and not handed_over.is_handed_over
    union all
    select
        'ship_by_adherence' as kpi_id,
        '' as profile_id,
        false as is_headline,
        ship_due_date as period_date,
        {{ kpi_dimensions() }},
        currency,
        0 as met_unproven,
        case when ship_exclusion_reason is null then 1 else 0 end as missed_unproven,
        case when ship_exclusion_reason is null then 0 else 1 end as left_out
    from {{ ref('int_order_lines_handed_over') }}
    where
        is_ship_due
        and ship_due_basis = 'stated'
        and (
            (ship_exclusion_reason is null and is_unproven and not is_handed_over)
            or ship_exclusion_reason in ('cancel_time_unknown', 'cancel_actor_unknown')
        )
),

carried as (
    select
        'carrier_on_time' as kpi_id,
        '' as profile_id,
        false as is_headline,
        estimated_date as period_date,
        {{ kpi_dimensions() }},
        currency,
        0 as met_unproven,
        1 as missed_unproven,
        0 as left_out
    from {{ ref('int_parcels_estimated') }}
    where is_due and is_unproven
),

-- A cancellation of nobody in particular may be anybody's.
cancelled as (
    {%- for kpi in actor_kpis %}
        select
            '{{ kpi }}' as kpi_id,
            '' as profile_id,
            false as is_headline,
            captured_date as period_date,
            {{ kpi_dimensions() }},
            currency,
            0 as met_unproven,
            1 as missed_unproven,
            0 as left_out
        from {{ ref('fct_orders') }}
        where
            not is_excluded
            and order_type <> 'replacement'
            and order_status = 'cancelled'
            and coalesce(cancel_actor, 'unknown') = 'unknown'
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

-- Ship notices: in time as far as we know, or late because a notice of the order bears a number of no shipment.
notices as (
    select
        'asn_timeliness' as kpi_id,
        '' as profile_id,
        false as is_headline,
        {{ company_date('asns.shipped_at') }} as period_date,
        {{ kpi_dimensions("orders.") }},
        asns.currency,
        case when asns.is_asn_unproven then 1 else 0 end as met_unproven,
        case when asns.is_notice_astray then 1 else 0 end as missed_unproven,
        0 as left_out
    from {{ ref('int_asns_judged') }} as asns
    inner join {{ ref('fct_orders') }} as orders on asns.order_id = orders.order_id
    where asns.is_asn_due and (asns.is_asn_unproven or asns.is_notice_astray)
),

-- Delivered and announced to a retailer who counts, without his count.
uncounted as (
    select
        'asn_accuracy' as kpi_id,
        '' as profile_id,
        false as is_headline,
        {{ company_date('orders.delivered_at') }} as period_date,
        {{ kpi_dimensions("orders.") }},
        orders.currency,
        0 as met_unproven,
        0 as missed_unproven,
        1 as left_out
    from (
        select order_id
        from {{ ref('int_asns_judged') }}
        where asn_sent_at is not null
        group by order_id
    ) as announced
    inner join {{ ref('fct_orders') }} as orders on announced.order_id = orders.order_id
    left join {{ ref('int_asns_compared') }} as compared on announced.order_id = compared.order_id
    where
        compared.order_id is null
        and orders.delivered_at is not null
        and orders.customer_id in (
            select counting.customer_id
            from {{ ref('int_asns_compared') }} as received
            inner join {{ ref('fct_orders') }} as counting on received.order_id = counting.order_id
        )
),

-- A 997 that answers no document of ours may be the answer that is missing.
strange_answers as (
    select
        answers.partner_id,
        answers.direction,
        answers.document_type,
        answers.event_at
    from {{ ref('int_document_events_identified') }} as answers
    left join {{ ref('fct_documents') }} as documents
        on
            answers.partner_id = documents.partner_id
            and answers.direction = documents.direction
            and answers.document_type = documents.document_type
            and trim(leading '0' from coalesce(answers.group_control, ''))
            = trim(leading '0' from coalesce(documents.group_control, ''))
    where
        answers.event_type in ('document.acknowledged', 'document.rejected')
        and coalesce(answers.answered_by, '997') <> '824'
        and documents.document_key is null
),

unanswered as (
    select
        documents.document_key,
        documents.partner_id,
        documents.exchanged_at,
        coalesce(orders.channel, '(none)') as channel,
        coalesce(orders.channel_type, '(none)') as channel_type,
        coalesce(orders.region, '(none)') as region,
        coalesce(orders.currency, '{{ var("company_currency") }}') as currency
    from {{ ref('fct_documents') }} as documents
    left join {{ ref('fct_orders') }} as orders on documents.order_id = orders.order_id
    where documents.ack_status = 'missing' and documents.age_hours > 24
),

acknowledged as (
    select
        'ack_timeliness' as kpi_id,
        '' as profile_id,
        false as is_headline,
        {{ company_date('unanswered.exchanged_at') }} as period_date,
        unanswered.channel,
        unanswered.channel_type,
        unanswered.partner_id as customer_id,
        '(none)' as node_id,
        '(none)' as carrier,
        unanswered.region,
        '(none)' as category,
        '(none)' as seller_id,
        unanswered.currency,
        0 as met_unproven,
        1 as missed_unproven,
        0 as left_out
    from unanswered
    inner join (
        select distinct documents.document_key
        from {{ ref('fct_documents') }} as documents
        inner join strange_answers
            on
                documents.partner_id = strange_answers.partner_id
                and documents.direction = strange_answers.direction
                and documents.document_type = strange_answers.document_type
                and documents.exchanged_at <= strange_answers.event_at
                and {{ add_hours('documents.exchanged_at', '24') }} >= strange_answers.event_at
    ) as maybe_answered
        on unanswered.document_key = maybe_answered.document_key
),

-- Goods that left for accounts without an invoice, or on one without an amount, are missing from what deductions are
-- compared with.
uninvoiced as (
    select
        'chargeback_rate' as kpi_id,
        '' as profile_id,
        false as is_headline,
        {{ company_date('orders.accepted_at') }} as period_date,
        {{ kpi_dimensions("orders.", absent=["carrier", "category", "seller_id"]) }},
        orders.currency,
        0 as met_unproven,
        0 as missed_unproven,
        greatest(goods.amount - coalesce(invoiced.amount, 0), 0) as left_out
    from {{ ref('fct_orders') }} as orders
    inner join (
        select
            order_id,
            sum(quantity_shipped * unit_price) as amount
        from {{ ref('fct_order_lines') }}
        where channel_type = 'wholesale'
        group by order_id
    ) as goods
        on orders.order_id = goods.order_id
    left join (
        select
            order_id,
            sum(amount) as amount,
            count(*) = count(amount) as is_known
        from {{ ref('fct_invoices') }}
        group by order_id
    ) as invoiced
        on orders.order_id = invoiced.order_id
    where orders.accepted_at is not null and not orders.is_excluded and not coalesce(invoiced.is_known, false)
),

-- Fines that the rule book sets on known failures and no retailer has billed yet. Once what they bill is settled, what
-- was not billed will not be.
fined as (
    select
        fines.order_id,
        fines.currency,
        min(fines.ship_week) as ship_week,
        cast(coalesce(sum(fines.fine_amount), 0) as double) as amount,
        -- A rate that is not public, or a gate whose score no data tells: nobody knows what the fine comes to.
        count(*) - count(fines.fine_amount) as unpriced
    from {{ ref('fct_expected_fines') }} as fines
    left join (
        select distinct
            order_id,
            {{ claim_kind('violation') }} as claim_kind
        from {{ ref('fct_deductions') }}
    ) as billed
        on fines.order_id = billed.order_id and {{ claim_kind('fines.violation') }} = billed.claim_kind
    where (fines.fine_amount > 0 or fines.fine_amount is null) and billed.order_id is null
    group by fines.order_id, fines.currency
),

-- Deductions for a reason that nobody knows count as chargebacks: at best they are agreed terms or claims.
unexplained as (
    {%- for kpi in ["chargeback_rate", "chargeback_amount"] %}
        select
            '{{ kpi }}' as kpi_id,
            '' as profile_id,
            false as is_headline,
            shipped_date as period_date,
            {{ kpi_dimensions(absent=["carrier", "category", "seller_id"]) }},
            currency,
            amount as met_unproven,
            0 as missed_unproven,
            0 as left_out
        from {{ ref('fct_deductions') }}
        where is_compliance is null and amount > 0 and channel_type in ('wholesale', '(none)')
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

accrued as (
    {%- for kpi in ["chargeback_rate", "chargeback_amount"] %}
        select
            '{{ kpi }}' as kpi_id,
            '' as profile_id,
            false as is_headline,
            coalesce({{ company_date('orders.accepted_at') }}, fined.ship_week) as period_date,
            {{ kpi_dimensions("orders.", absent=["carrier", "category", "seller_id"]) }},
            fined.currency,
            0 as met_unproven,
            fined.amount as missed_unproven,
            0 as left_out,
            fined.unpriced
        from fined
        inner join {{ ref('fct_orders') }} as orders on fined.order_id = orders.order_id
        where coalesce({{ company_date('orders.accepted_at') }}, fined.ship_week) > {{ deductions_settled_until() }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

-- On their way back or refunded, and not booked as received; and what came back for a reason that no class knows.
coming_back as (
    select
        returns.order_id,
        returns.line_id,
        {%- for kpi, classes in fromjson(return_classes()).items() %}
            coalesce(
                sum(
                    case
                        when
                            reasons.reason_class is null
                            or (returns.received_at is null and reasons.reason_class in ({{ classes }}))
                            then returns.quantity
                    end
                ), 0
            ) as {{ kpi }},
        {%- endfor %}
        coalesce(sum(case when returns.received_at is null then returns.quantity end), 0) as return_rate,
        coalesce(sum(case when reasons.reason_class is null then returns.quantity end), 0) as damage_rate
    from {{ ref('fct_returns') }} as returns
    left join {{ ref('return_reasons') }} as reasons on lower(returns.reason) = reasons.reason
    where
        (returns.received_at is null and (returns.in_transit_at is not null or returns.refunded_at is not null))
        or (returns.received_at is not null and reasons.reason_class is null)
    group by returns.order_id, returns.line_id
),

-- Returns of no line that we know of came back of something: nobody can say of which day's goods, so they are in doubt
-- on the day they came.
strays as (
    select
        returns.*,
        reasons.reason_class,
        {{ company_date('coalesce(returns.received_at, returns.in_transit_at, returns.refunded_at)') }} as told_date
    from {{ ref('fct_returns') }} as returns
    left join {{ ref('fct_order_lines') }} as order_lines
        on returns.order_id = order_lines.order_id and returns.line_id = order_lines.line_id
    left join {{ ref('return_reasons') }} as reasons on lower(returns.reason) = reasons.reason
    where order_lines.order_id is null
),

astray as (
    {%- for kpi in return_kpis %}
        select
            '{{ kpi }}' as kpi_id,
            '' as profile_id,
            false as is_headline,
            told_date as period_date,
            {{ kpi_dimensions() }},
            currency,
            0 as met_unproven,
            quantity as missed_unproven,
            0 as left_out
        from strays
        {%- if kpi == "damage_rate" %}
            where coalesce(reason_class, 'damaged') = 'damaged'
        {%- elif kpi != "return_rate" %}
            where reason_class is null or reason_class in ({{ fromjson(return_classes())[kpi] }})
        {%- endif %}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

returned as (
    {%- for kpi in return_kpis %}
        select
            '{{ kpi }}' as kpi_id,
            '' as profile_id,
            false as is_headline,
            facts.period_date,
            {{ dimensions("facts.") }},
            facts.currency,
            0 as met_unproven,
            least(coming_back.{{ kpi }}, facts.{{ kpi }}_denominator - facts.{{ kpi }}_numerator) as missed_unproven,
            0 as left_out
        from {{ ref('kpi_facts_wide_of_goods_shipped') }} as facts
        inner join coming_back on facts.order_id = coming_back.order_id and facts.line_id = coming_back.line_id
        where facts.{{ kpi }}_reason is null
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

combined as (
    {%- for part in [
        "service", "perfect", "shipping", "carried", "cancelled", "notices", "uncounted", "acknowledged", "uninvoiced",
        "unexplained", "accrued", "returned", "astray",
    ] %}
        select {{ "*" if part == "accrued" else "*, 0 as unpriced" }} from {{ part }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

select
    kpi_id,
    profile_id,
    is_headline,
    period_date,
    {{ dimensions() }},
    coalesce(currency, '(none)') as currency,
    cast(sum(met_unproven) as double) as met_unproven,
    cast(sum(missed_unproven) as double) as missed_unproven,
    cast(sum(left_out) as double) as left_out,
    cast(sum(unpriced) as bigint) as unpriced,
    cast(count(case when met_unproven > 0 or missed_unproven > 0 or left_out > 0 then 1 end) as bigint) as observations
from combined
where period_date is not null and (met_unproven > 0 or missed_unproven > 0 or left_out > 0 or unpriced > 0)
group by all
