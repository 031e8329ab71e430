-- Guards against a gap in fct_daily_revenue, or a day beyond orders and refunds: averages per day would be too high or too
-- low, and the same weekday of last week would be another day.
with occasions as (

    select date_ordered as date_day
    from {{ ref('fct_orders') }}

    union all

    select return_date as date_day
    from {{ ref('fct_returns') }}
    where refunded_revenue > 0

),

bounds as (

    select
        min(date_day) as first_day,
        max(date_day) as last_day
    from occasions

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
