-- A trailing score adds up weeks on both sides of a day on which a profile's terms change.
select profile_id
from {{ ref('service_profiles') }}
group by profile_id
having count(distinct coalesce(week_start, '')) > 1
