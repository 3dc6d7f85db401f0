{#-
    Documents that are due, or part from each other, or came twice: asn_due, asn_mismatch, invoice_quantity_mismatch,
    duplicate_po. What a notice that is still owed can cost comes from the rule book.
-#}
with notice_rules as (
    select
        retailer,
        max(flat) as flat,
        max(rate) as rate,
        max(fine_min) as fine_min,
        max(fine_max) as fine_max
    from {{ ref('int_fine_rules_effective') }}
    where
        measure in ('asn_after_arrival', 'asn_missing')
        and {{ as_of_date() }} between effective_from and effective_to
    group by retailer
),

-- Once the hour of grace is over the notice is late (asn_late), not due.
owed as (
    select
        asns.*,
        {{ add_hours('asns.shipped_at', var('asn_grace_hours', 1)) }} as late_at,
        case
            when rules.rate is not null
                then
                    least(
                        coalesce(rules.fine_max, 1e12),
                        greatest(coalesce(rules.fine_min, 0), rules.flat + rules.rate * greatest(asns.carton_count, 1))
                    )
        end as fine_amount
    from {{ ref('int_asns_judged') }} as asns
    left join notice_rules as rules on asns.customer_id = rules.retailer
    where asns.asn_sent_at is null and asns.shipped_at <= {{ as_of() }}
),

asn_due as (
    select
        'asn_due' as kind,
        order_id || ' ' || tracking_number as subject,
        order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        node_id,
        carrier,
        channel,
        customer_id,
        fine_amount as money_at_risk,
        'The ship notice to ' || customer_id || ' for order ' || order_id || ' is due' as title,
        'Left ' || {{ as_stamp('shipped_at') }} || ' as ' || tracking_number || ', no notice yet; deadline '
        || coalesce({{ as_stamp('deadline_at') }}, 'counts from the arrival') as evidence,
        shipped_at as opened_at,
        coalesce(deadline_at, late_at) as due_at
    from owed
    where late_at >= {{ as_of() }}
),

chains as (
    select
        order_id,
        noticed_at,
        last_noticed_at,
        invoiced_at,
        last_invoiced_at,
        delivered_at
    from {{ ref('int_chain_orders_counted') }}
),

asn_mismatch as (
    select
        'asn_mismatch' as kind,
        lines.order_id as subject,
        lines.order_id,
        case when count(*) = 1 then max(lines.line_id) end as line_id,
        case when count(*) = 1 then max(lines.sku) end as sku,
        cast(null as varchar) as node_id,
        cast(null as varchar) as carrier,
        max(lines.channel) as channel,
        max(lines.customer_id) as customer_id,
        sum(
            abs(lines.quantity_noticed - coalesce(lines.quantity_shipped, lines.notice_expected))
            * coalesce(lines.price_ordered, 0)
        ) as money_at_risk,
        'The ship notice to ' || max(lines.customer_id) || ' for order ' || lines.order_id
        || ' does not tell what was ordered or shipped' as title,
        {{ counted('count(*)', 'line') }} || ' off: ' || {{ counted('sum(lines.quantity_noticed)', 'unit') }}
        || ' noticed, ' || coalesce({{ as_text('sum(lines.quantity_shipped)') }}, 'unknown') || ' shipped, '
        || {{ as_text('sum(lines.notice_expected)') }} || ' expected; notice sent '
        || {{ as_stamp('max(chains.last_noticed_at)') }} as evidence,
        max(chains.last_noticed_at) as opened_at,
        -- Correcting a notice helps until the goods arrive.
        max(chains.delivered_at) as due_at
    from {{ ref('int_chain_lines_compared') }} as lines
    inner join chains on lines.order_id = chains.order_id
    where
        -- A notice that tells truly of too few units is a short shipment, not a wrong notice.
        lines.quantity_noticed <> coalesce(lines.quantity_shipped, lines.notice_expected)
        and lines.is_notice_off
        and chains.last_noticed_at >= {{ as_of() }} - interval '1' day * {{ var('exception_horizon_days', 30) }}
    group by lines.order_id
),

invoice_quantity_mismatch as (
    select
        'invoice_quantity_mismatch' as kind,
        lines.order_id || ' ' || lines.line_id as subject,
        lines.order_id,
        lines.line_id,
        lines.sku,
        cast(null as varchar) as node_id,
        cast(null as varchar) as carrier,
        lines.channel,
        lines.customer_id,
        abs(lines.quantity_invoiced - lines.invoice_expected)
        * coalesce(lines.price_invoiced, lines.price_ordered, 0) as money_at_risk,
        'Order ' || lines.order_id || ' was invoiced for '
        || {{ as_text('abs(lines.quantity_invoiced - lines.invoice_expected)') }}
        || case when lines.quantity_invoiced > lines.invoice_expected then ' units more' else ' units fewer' end
        || ' of ' || coalesce(lines.sku, 'line ' || lines.line_id) || ' than were delivered' as title,
        {{ counted('lines.quantity_invoiced', 'unit') }} || ' invoiced, ' || {{ as_text('lines.invoice_expected') }}
        || ' delivered, ' || {{ as_text('lines.quantity_revised') }} || ' ordered; sent '
        || {{ as_stamp('chains.invoiced_at') }} as evidence,
        chains.invoiced_at as opened_at,
        cast(null as timestamp) as due_at
    from {{ ref('int_chain_lines_compared') }} as lines
    inner join chains on lines.order_id = chains.order_id
    where
        lines.is_invoice_off
        and chains.last_invoiced_at >= {{ as_of() }} - interval '1' day * {{ var('exception_horizon_days', 30) }}
),

purchase_orders as (
    select
        document_key,
        partner_id,
        document_id,
        order_id,
        group_control,
        set_control,
        exchanged_at,
        lag(exchanged_at) over (partition by partner_id, document_id order by exchanged_at, document_key)
            as came_before_at
    from {{ ref('fct_documents') }}
    where document_type = '850' and direction = 'in' and document_id is not null
),

duplicate_po as (
    select
        'duplicate_po' as kind,
        purchase_orders.partner_id || ' ' || purchase_orders.document_id as subject,
        max(purchase_orders.order_id) as order_id,
        cast(null as varchar) as line_id,
        cast(null as varchar) as sku,
        cast(null as varchar) as node_id,
        cast(null as varchar) as carrier,
        'wholesale' as channel,
        purchase_orders.partner_id as customer_id,
        max(orders.merchandise_amount) as money_at_risk,
        purchase_orders.partner_id || ' sent purchase order ' || purchase_orders.document_id || ' again' as title,
        'First ' || {{ as_stamp('min(purchase_orders.came_before_at)') }} || ', again '
        || {{ as_stamp('max(purchase_orders.exchanged_at)') }} || ' (group '
        || coalesce(max(purchase_orders.group_control), '?') || ', set '
        || coalesce(max(purchase_orders.set_control), '?') || ')' as evidence,
        max(purchase_orders.exchanged_at) as opened_at,
        cast(null as timestamp) as due_at
    from purchase_orders
    left join {{ ref('fct_orders') }} as orders on purchase_orders.order_id = orders.order_id
    where
        -- After that the number is used for another order.
        purchase_orders.came_before_at
        > purchase_orders.exchanged_at - interval '1' day * {{ var('order_number_reuse_days', 180) }}
        and purchase_orders.exchanged_at
        >= {{ as_of() }} - interval '1' day * {{ var('exception_horizon_days', 30) }}
    group by purchase_orders.partner_id, purchase_orders.document_id
)

select * from asn_due
union all
select * from asn_mismatch
union all
select * from invoice_quantity_mismatch
union all
select * from duplicate_po
