{#-
    What the landed facts and the rule book say about every kind of claim on an order, whether a partner makes it or
    not: did it happen, and what may it cost. Kinds that no fact can prove or disprove have no row.

    supported_amount is null where it happened but nothing public says what it costs.
-#}
with goods as (
    select
        order_id,
        sum(greatest(quantity_revised - coalesce(quantity_delivered, 0), 0)) as short_quantity,
        sum(
            greatest(coalesce(quantity_invoiced, 0) - coalesce(quantity_delivered, 0), 0)
            * coalesce(price_invoiced, price_ordered, 0)
        ) as unreceived_amount,
        sum(greatest(coalesce(price_invoiced, 0) - coalesce(price_ordered, 0), 0) * coalesce(quantity_invoiced, 0))
            as overpriced_amount,
        sum(greatest(quantity_delivered - quantity_revised, 0)) as over_quantity,
        sum(case when is_notice_off then 1 else 0 end) as lines_notice_off,
        sum(case when quantity_delivered is not null then 1 else 0 end) = count(*) as is_delivery_known,
        sum(case when quantity_noticed is not null then 1 else 0 end) = count(*) as is_notice_known,
        sum(case when quantity_invoiced is not null and price_invoiced is not null then 1 else 0 end) = count(*)
            as is_invoice_known
    from {{ ref('int_chain_lines_compared') }}
    group by order_id
),

times as (
    select
        verdicts.order_id,
        sum(verdicts.quantity_by_end - verdicts.quantity_in_window) as early_quantity,
        sum(greatest(coalesce(lines.quantity_delivered, 0) - verdicts.quantity_by_end, 0)) as late_quantity,
        bool_and(verdicts.is_due and verdicts.exclusion_reason is null) as is_judged
    from {{ ref('fct_line_assessments') }} as verdicts
    inner join {{ ref('fct_order_lines') }} as lines
        on verdicts.order_id = lines.order_id and verdicts.line_id = lines.line_id
    where verdicts.is_headline
    group by verdicts.order_id
),

notices as (
    select
        order_id,
        sum(case when asn_sent_at is null then 1 else 0 end) as notices_missing,
        sum(case when asn_sent_at is not null and not is_asn_timely then 1 else 0 end) as notices_late,
        bool_and(is_asn_due) as is_judged
    from {{ ref('int_asns_judged') }}
    group by order_id
),

fines as (
    select
        order_id,
        {{ claim_kind('violation') }} as claim_kind,
        sum(fine_amount) as fine_amount,
        sum(case when fine_amount is null then 1 else 0 end) as unknown_fines,
        max(rule_key) as rule_key,
        max(gate_note) as gate_note
    from {{ ref('fct_expected_fines') }}
    group by all
),

claims as (
    select
        order_id,
        'late' as claim,
        'arrival' as claim_kind,
        late_quantity > 0 as has_happened,
        {{ counted('late_quantity', 'unit') }} || ' arrived after the window closed' as finding,
        cast(0 as decimal(18, 4)) as own_amount
    from times
    where is_judged
    union all
    select
        order_id,
        'early' as claim,
        'arrival' as claim_kind,
        early_quantity > 0 as has_happened,
        {{ counted('early_quantity', 'unit') }} || ' arrived before the window opened' as finding,
        cast(0 as decimal(18, 4)) as own_amount
    from times
    where is_judged
    union all
    select
        goods.order_id,
        'short' as claim,
        'short' as claim_kind,
        goods.short_quantity > 0 or goods.unreceived_amount > 0 as has_happened,
        {{ counted('goods.short_quantity', 'unit') }} || ' short of the order, '
        || {{ as_text('goods.unreceived_amount') }} || ' invoiced for units that did not arrive' as finding,
        goods.unreceived_amount as own_amount
    from goods
    left join times on goods.order_id = times.order_id
    where goods.is_delivery_known and (goods.short_quantity = 0 or coalesce(times.is_judged, false))
    union all
    select
        order_id,
        'notice' as claim,
        'notice' as claim_kind,
        notices_missing + notices_late > 0 as has_happened,
        cast(notices_late as varchar) || ' ship notices after the deadline, ' || cast(notices_missing as varchar)
        || ' missing' as finding,
        cast(0 as decimal(18, 4)) as own_amount
    from notices
    where is_judged
    union all
    select
        order_id,
        'content' as claim,
        'content' as claim_kind,
        lines_notice_off > 0 as has_happened,
        cast(lines_notice_off as varchar) || ' lines of the ship notice part from what was ordered or shipped'
            as finding,
        cast(0 as decimal(18, 4)) as own_amount
    from goods
    where is_notice_known
    union all
    select
        order_id,
        'over' as claim,
        'over' as claim_kind,
        over_quantity > 0 as has_happened,
        {{ counted('over_quantity', 'unit') }} || ' beyond the order arrived' as finding,
        cast(0 as decimal(18, 4)) as own_amount
    from goods
    where is_delivery_known
    union all
    select
        order_id,
        'price' as claim,
        'price' as claim_kind,
        overpriced_amount > 0 as has_happened,
        {{ as_text('overpriced_amount') }} || ' invoiced above the prices of the order' as finding,
        overpriced_amount as own_amount
    from goods
    where is_invoice_known
    union all
    select
        order_id,
        'quantity' as claim,
        'quantity' as claim_kind,
        unreceived_amount > 0 as has_happened,
        {{ as_text('unreceived_amount') }} || ' invoiced for units that did not arrive' as finding,
        unreceived_amount as own_amount
    from goods
    where is_invoice_known and is_delivery_known
)

select
    claims.order_id,
    claims.claim,
    claims.claim_kind,
    claims.finding,
    fines.rule_key,
    fines.gate_note,
    case
        when not claims.has_happened then cast(0 as decimal(18, 4))
        -- Without a rule that puts a price on it only prices and units of our own documents can support a claim.
        when claims.claim_kind in ('price', 'quantity') then cast(claims.own_amount as decimal(18, 4))
        when fines.order_id is null or fines.unknown_fines > 0 then null
        else cast(fines.fine_amount + claims.own_amount as decimal(18, 4))
    end as supported_amount,
    cast(claims.own_amount as decimal(18, 4)) as own_amount,
    claims.has_happened
from claims
left join fines on claims.order_id = fines.order_id and claims.claim_kind = fines.claim_kind
