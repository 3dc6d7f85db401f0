-- The KPIs of the TPC-H company by hand: what one engineer who knows this data writes for it in an afternoon.
-- One capture, one ship confirmation, one delivery and at most one return per line, nothing twice, late or corrected; one
-- currency; two service profiles that agree. Reads landing.*, writes kpi_values (the marts' table, row by row the same) and
-- cycle_times (weekly percentiles of the marts' kpi_durations).

create table order_lines as
with captured as (
    select * from landing.order_events
    where event_type = 'order.captured' and event_at < getvariable('as_of')
),

shipped as (
    select order_id, line_id, event_at as shipped_at, carrier from landing.shipment_events
    where event_type = 'ship.confirmed' and event_at < getvariable('as_of')
),

delivered as (
    select order_id, line_id, event_at as delivered_at from landing.shipment_events
    where event_type = 'delivered' and event_at < getvariable('as_of')
),

returned as (
    select order_id, line_id, quantity as returned_quantity from landing.return_events
    where event_type = 'return.received' and event_at < getvariable('as_of')
)

select
    captured.order_id,
    captured.channel,
    captured.node_id,
    coalesce(shipped.carrier, '(none)') as carrier,
    captured.ship_to_region as region,
    captured.quantity,
    captured.unit_price,
    coalesce(returned.returned_quantity, 0) as returned_quantity,
    captured.event_at as captured_at,
    captured.promise_at,
    captured.ship_by_at,
    shipped.shipped_at,
    delivered.delivered_at,
    captured.promise_at <= getvariable('as_of') as is_due,
    shipped.shipped_at is not null as is_shipped,
    coalesce(delivered.delivered_at < captured.promise_at, false) as is_in_window,
    coalesce(shipped.shipped_at < captured.ship_by_at, false) as is_handed_over,
    cast(captured.promise_at - interval 1 microsecond as date) as due_date
from captured
left join shipped on captured.order_id = shipped.order_id and captured.line_id = shipped.line_id
left join delivered on captured.order_id = delivered.order_id and captured.line_id = delivered.line_id
left join returned on captured.order_id = returned.order_id and captured.line_id = returned.line_id;

create table orders as
select
    order_id,
    any_value(channel) as channel,
    case when min(node_id) = max(node_id) then min(node_id) else '(multiple)' end as node_id,
    case when bool_or(is_shipped) then min(carrier) filter (where is_shipped) else '(none)' end as carrier,
    any_value(region) as region,
    min(captured_at) as captured_at,
    case when bool_and(is_shipped) then max(shipped_at) end as accepted_at,
    case when count(delivered_at) = count(*) then max(delivered_at) end as delivered_at,
    bool_and(is_due) as is_due,
    bool_or(is_shipped) as is_shipped,
    bool_or(is_shipped) and count(*) filter (where is_in_window) = count(*) filter (where is_shipped) as is_on_time,
    bool_and(is_in_window) as is_in_full,
    bool_and(is_shipped) as is_first_pass,
    bool_and(is_handed_over) as is_handed_over,
    bool_or(promise_at + interval 7 day > getvariable('as_of')) as is_provisional,
    max(due_date) as due_date
from order_lines
group by order_id;

create table kpi_values (
    kpi_id varchar, profile_id varchar, is_headline boolean, period_date date, channel varchar, channel_type varchar,
    customer_id varchar, node_id varchar, carrier varchar, region varchar, category varchar, seller_id varchar,
    currency varchar, numerator double, denominator double, observations bigint, is_provisional boolean
);

create macro told(kpi, numerator, denominator, observations, is_provisional, profile) as
{
    'kpi_id': kpi, 'profile_id': profile, 'is_headline': profile = 'promise_first',
    'numerator': cast(numerator as double), 'denominator': cast(denominator as double),
    'observations': observations, 'is_provisional': is_provisional
};

create macro fact(kpi, numerator, denominator, observations, is_provisional) as
told(kpi, numerator, denominator, observations, is_provisional, '');

-- Lines, by the day they were due.
insert into kpi_values
with sums as (
    select
        due_date, channel, node_id, carrier, region,
        count(*) as due,
        count(*) filter (where is_in_window) as met,
        count(*) filter (where is_handed_over) as handed_over,
        count(*) filter (where not is_shipped) as missing,
        sum(quantity) as units,
        coalesce(sum(quantity) filter (where is_in_window), 0) as units_met,
        coalesce(sum(quantity) filter (where is_shipped), 0) as units_shipped,
        sum(quantity) filter (where not is_shipped) as units_missing,
        sum(quantity * unit_price) as amount,
        coalesce(sum(quantity * unit_price) filter (where is_in_window), 0) as amount_met,
        bool_or(promise_at + interval 7 day > getvariable('as_of')) as young
    from order_lines
    where is_due
    group by all
),

rows as (
    select *, unnest([
        told('otif_line', met, due, due, young, 'promise_first'),
        told('otif_line', met, due, due, young, 'requested'),
        told('otif_case', units_met, units, due, young, 'promise_first'),
        told('otif_case', units_met, units, due, young, 'requested'),
        told('unit_fill_revised', units_met, units, due, young, 'promise_first'),
        told('unit_fill_revised', units_met, units, due, young, 'requested'),
        told('unit_fill_original', units_met, units, due, young, 'promise_first'),
        told('unit_fill_original', units_met, units, due, young, 'requested'),
        told('unit_fill_first_pass', units_shipped, units, due, young, 'promise_first'),
        told('unit_fill_first_pass', units_shipped, units, due, young, 'requested'),
        told('value_fill', amount_met, amount, due, young, 'promise_first'),
        told('value_fill', amount_met, amount, due, young, 'requested'),
        told('line_fill', met, due, due, young, 'promise_first'),
        told('line_fill', met, due, due, young, 'requested'),
        fact('ship_by_adherence', handed_over, due, due, false),
        fact('backorder_rate', missing, due, due, young),
        fact('backorder_recovery', 0, units_missing, missing, young)
    ]) as kpi
    from sums
)

select
    kpi.kpi_id, kpi.profile_id, kpi.is_headline, due_date, channel, '(none)', '(none)', node_id, carrier, region, '(none)',
    '(none)', 'USD', kpi.numerator, kpi.denominator, kpi.observations, kpi.is_provisional
from rows
where kpi.observations > 0;

-- Lines, by the day they were captured.
insert into kpi_values
with sums as (
    select
        cast(captured_at as date) as captured_date, channel, node_id, carrier, region,
        count(*) as captured,
        sum(quantity) as units
    from order_lines
    group by all
),

rows as (
    select *, unnest([
        fact('oversell_rate', 0, units, captured, false),
        fact('promise_slip_rate', 0, captured, captured, false)
    ]) as kpi
    from sums
)

select
    kpi.kpi_id, kpi.profile_id, kpi.is_headline, captured_date, channel, '(none)', '(none)', node_id, carrier, region,
    '(none)', '(none)', 'USD', kpi.numerator, kpi.denominator, kpi.observations, kpi.is_provisional
from rows;

-- Lines, by the day they were shipped.
insert into kpi_values
with sums as (
    select
        cast(shipped_at as date) as shipped_date, channel, node_id, carrier, region,
        count(*) as shipped,
        sum(quantity) as units,
        sum(least(returned_quantity, quantity)) as units_returned
    from order_lines
    where is_shipped
    group by all
),

dated as (
    select *, shipped_date + interval 51 day > getvariable('as_of') as young from sums
),

rows as (
    select *, unnest([
        fact('return_rate', units_returned, units, shipped, young),
        fact('return_rate_choice', 0, units, shipped, young),
        fact('return_rate_fulfilment', 0, units, shipped, young),
        fact('return_rate_product', 0, units, shipped, young),
        fact('return_rate_refused', 0, units, shipped, young),
        fact('return_rate_unclassified', units_returned, units, shipped, young),
        fact('damage_rate', 0, units, shipped, young),
        fact('over_shipped_rate', 0, units, shipped, false)
    ]) as kpi
    from dated
)

select
    kpi.kpi_id, kpi.profile_id, kpi.is_headline, shipped_date, channel, '(none)', '(none)', node_id, carrier, region,
    '(none)', '(none)', 'USD', kpi.numerator, kpi.denominator, kpi.observations, kpi.is_provisional
from rows;

-- Lines still missing after their date, a stock on the last day.
insert into kpi_values
with sums as (
    select
        channel, node_id, carrier, region,
        count(*) as missing,
        sum(quantity) as units,
        sum(quantity * unit_price) as amount,
        coalesce(sum(quantity * unit_price) filter (
            where promise_at + interval 8 day <= getvariable('as_of')
        ), 0) as amount_old
    from order_lines
    where not is_shipped and promise_at < getvariable('as_of')
    group by all
),

rows as (
    select *, unnest([
        fact('backorder_units', units, 0, missing, false),
        fact('backorder_value', amount, 0, missing, false),
        fact('backorder_value_over_7d', amount_old, 0, missing, false)
    ]) as kpi
    from sums
)

select
    kpi.kpi_id, kpi.profile_id, kpi.is_headline, cast(getvariable('as_of') - interval 1 microsecond as date), channel,
    '(none)', '(none)', node_id, carrier, region, '(none)', '(none)', 'USD', kpi.numerator, kpi.denominator,
    kpi.observations, kpi.is_provisional
from rows;

-- Orders, by the day they were due.
insert into kpi_values
with sums as (
    select
        due_date, channel, node_id, carrier, region,
        count(*) as due,
        count(*) filter (where is_on_time) as on_time,
        count(*) filter (where is_in_full) as in_full,
        count(*) filter (where is_on_time and is_in_full) as otif,
        count(*) filter (where is_first_pass) as first_pass,
        count(*) filter (where is_handed_over) as handed_over,
        -- Nothing carries a tracking number: only an order of which nothing left has no faulty document.
        count(*) filter (where not is_shipped) as documented,
        bool_or(is_provisional) as young,
        bool_or(coalesce(cast(delivered_at as date), due_date) + interval 30 day > getvariable('as_of')) as claimable
    from orders
    where is_due
    group by all
),

rows as (
    select *, unnest([
        told('on_time', on_time, due, due, young, 'promise_first'),
        told('on_time', on_time, due, due, young, 'requested'),
        told('in_full', in_full, due, due, young, 'promise_first'),
        told('in_full', in_full, due, due, young, 'requested'),
        told('otif', otif, due, due, young, 'promise_first'),
        told('otif', otif, due, due, young, 'requested'),
        told('order_fill', first_pass, due, due, young, 'promise_first'),
        told('order_fill', first_pass, due, due, young, 'requested'),
        fact('perfect_order', 0, due, due, claimable),
        fact('perfect_in_full', in_full, due, due, claimable),
        fact('perfect_on_time', on_time, due, due, claimable),
        fact('perfect_documents', documented, due, due, claimable),
        fact('perfect_condition', due, due, due, claimable),
        fact('on_time_ship', handed_over, due, due, false)
    ]) as kpi
    from sums
)

select
    kpi.kpi_id, kpi.profile_id, kpi.is_headline, due_date, channel, '(none)', '(none)', node_id, carrier, region, '(none)',
    '(none)', 'USD', kpi.numerator, kpi.denominator, kpi.observations, kpi.is_provisional
from rows;

-- Orders, by the day they were captured.
insert into kpi_values
with sums as (
    select
        cast(captured_at as date) as captured_date, channel, node_id, carrier, region,
        count(*) as captured
    from orders
    group by all
),

rows as (
    select *, unnest([
        fact('cancellation_rate', 0, captured, captured, false),
        fact('cancellation_rate_customer', 0, captured, captured, false),
        fact('cancellation_rate_seller', 0, captured, captured, false),
        fact('cancellation_rate_fraud', 0, captured, captured, false),
        fact('cancellation_rate_retailer', 0, captured, captured, false)
    ]) as kpi
    from sums
)

select
    kpi.kpi_id, kpi.profile_id, kpi.is_headline, captured_date, channel, '(none)', '(none)', node_id, carrier, region,
    '(none)', '(none)', 'USD', kpi.numerator, kpi.denominator, kpi.observations, kpi.is_provisional
from rows;

-- Orders that left whole, by the day of their last hand-over.
insert into kpi_values
select
    'fulfilment_accuracy', '', false, cast(accepted_at as date), channel, '(none)', '(none)', node_id, carrier, region,
    '(none)', '(none)', 'USD', count(*), count(*), count(*),
    bool_or(cast(coalesce(delivered_at, accepted_at) as date) + interval 30 day > getvariable('as_of'))
from orders
where accepted_at is not null
group by all;

create table cycle_times as
with stages as (
    select
        channel,
        date_trunc('week', captured_at) as captured_week,
        unnest([
            {'stage_id': 'capture_to_accept', 'hours': date_diff('microsecond', captured_at, accepted_at) / 3.6e9},
            {'stage_id': 'accept_to_deliver', 'hours': date_diff('microsecond', accepted_at, delivered_at) / 3.6e9},
            {'stage_id': 'capture_to_deliver', 'hours': date_diff('microsecond', captured_at, delivered_at) / 3.6e9}
        ]) as stage
    from orders
)

select
    stage.stage_id,
    channel,
    cast(captured_week as date) as captured_week,
    count(*) as orders,
    quantile_cont(stage.hours, 0.5) as median_hours,
    quantile_cont(stage.hours, 0.9) as p90_hours
from stages
where stage.hours is not null
group by all;
