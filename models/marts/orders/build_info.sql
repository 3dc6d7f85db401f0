select
    {{ as_of() }} as as_of,
    {{ company_zone() }} as company_zone,
    '{{ var("company_currency") }}' as currency,
    '{{ var("week_start") }}' as week_start
