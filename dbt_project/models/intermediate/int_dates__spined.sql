-- Grain: one row per day from the first to the last day with an order, days without any included.
with bounds as (

    select
        min(date_ordered) as first_day,
        max(date_ordered) as last_day
    from {{ ref('fct_orders') }}

),

int_dates__spined as (

    select explode(sequence(first_day, last_day, interval 1 day)) as date_day
    from bounds
    where first_day is not null

)

select
    date_day,
    cast(date_trunc('month', date_day) as date) as month_start
from int_dates__spined
