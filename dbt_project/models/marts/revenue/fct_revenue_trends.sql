-- Grain: one row per day of fct_daily_revenue: its net revenue beside averages of the days up to it, and beside the same
-- weekday a year before. A table over days, rebuilt each time.
with daily as (

    select
        date_ordered,
        net_revenue,
        sum(net_revenue) over (order by date_ordered rows between 6 preceding and current row) as sum_of_7_days,
        sum(net_revenue) over (order by date_ordered rows between 27 preceding and current row) as sum_of_28_days,
        row_number() over (order by date_ordered) as day_number
    from {{ ref('fct_daily_revenue') }}

),

fct_revenue_trends as (

    select
        daily.date_ordered,
        daily.net_revenue,
        case when daily.day_number >= 7 then {{ money_per('daily.sum_of_7_days', '7') }} end as average_of_7_days,
        case when daily.day_number >= 28 then {{ money_per('daily.sum_of_28_days', '28') }} end as average_of_28_days,
        -- 52 weeks before: the same weekday, a day or two off the date.
        last_year.net_revenue as same_weekday_last_year
    from daily
    left join daily as last_year on last_year.date_ordered = date_sub(daily.date_ordered, 364)

)

select * from fct_revenue_trends
