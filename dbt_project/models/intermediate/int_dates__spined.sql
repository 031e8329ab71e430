-- Grain: one row per day from the first day with an order to the last one with an order or a refund, days without any
-- included.
with occasions as (

    select
        min(date_ordered) as first_day,
        max(date_ordered) as last_day
    from {{ ref('fct_orders') }}

    union all

    select
        min(return_date) as first_day,
        max(return_date) as last_day
    from {{ ref('fct_returns') }}
    where refunded_revenue > 0

),

bounds as (

    select
        min(first_day) as first_day,
        max(last_day) as last_day
    from occasions

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
