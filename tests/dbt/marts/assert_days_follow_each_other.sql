-- Guards against a gap in fct_daily_revenue, or a day beyond the orders: averages per day would be too high or too low, and
-- the same weekday of last week would be another day.
with bounds as (

    select
        min(date_ordered) as first_day,
        max(date_ordered) as last_day
    from {{ ref('fct_orders') }}

),

days as (

    select
        min(date_ordered) as first_day,
        max(date_ordered) as last_day,
        count(*) as days
    from {{ ref('fct_daily_revenue') }}

)

select
    days.first_day,
    days.last_day,
    days.days
from days
cross join bounds
where
    days.first_day <> bounds.first_day
    or days.last_day <> bounds.last_day
    or days.days <> datediff(bounds.last_day, bounds.first_day) + 1
