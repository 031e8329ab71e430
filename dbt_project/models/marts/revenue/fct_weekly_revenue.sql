-- Grain: one row per week, Monday to Sunday, from that of the first to that of the last day of fct_daily_revenue. A table over
-- days, rebuilt each time. The first and the last week may have fewer than seven days: is_complete says so of the last one.
with daily as (

    select
        *,
        cast(date_trunc('week', date_ordered) as date) as week_start,
        max(case when orders > 0 then date_ordered end) over () as last_order_day
    from {{ ref('fct_daily_revenue') }}

),

weeks as (

    select
        week_start,
        sum(orders) as orders,
        sum(revenue_orders) as revenue_orders,
        sum(refunded_orders) as refunded_orders,
        sum(items_sold) as items_sold,
        sum(new_customers) as new_customers,
        sum(gross_revenue) as gross_revenue,
        sum(refunded_revenue) as refunded_revenue,
        sum(net_revenue) as net_revenue,
        sum(new_customer_revenue) as new_customer_revenue,
        sum(returning_customer_revenue) as returning_customer_revenue,
        sum(refunds_issued) as refunds_issued,
        max(last_order_day) as last_order_day
    from daily
    group by week_start

),

compared as (

    select
        weeks.*,
        previous_week.net_revenue as previous_net_revenue,
        last_year.net_revenue as last_year_net_revenue
    from weeks
    left join weeks as previous_week on previous_week.week_start = date_sub(weeks.week_start, 7)
    left join weeks as last_year on last_year.week_start = date_sub(weeks.week_start, 364)

),

fct_weekly_revenue as (

    select
        week_start,
        cast(orders as bigint) as orders,
        cast(revenue_orders as bigint) as revenue_orders,
        cast(refunded_orders as bigint) as refunded_orders,
        cast(items_sold as bigint) as items_sold,
        cast(new_customers as bigint) as new_customers,
        cast(gross_revenue as decimal(18, 2)) as gross_revenue,
        cast(refunded_revenue as decimal(18, 2)) as refunded_revenue,
        cast(net_revenue as decimal(18, 2)) as net_revenue,
        cast(new_customer_revenue as decimal(18, 2)) as new_customer_revenue,
        cast(returning_customer_revenue as decimal(18, 2)) as returning_customer_revenue,
        cast(refunds_issued as decimal(18, 2)) as refunds_issued,
        {{ money_per('net_revenue', 'revenue_orders') }} as average_order_value,
        cast(previous_net_revenue as decimal(18, 2)) as previous_net_revenue,
        cast(last_year_net_revenue as decimal(18, 2)) as last_year_net_revenue,
        date_add(week_start, 6) < last_order_day as is_complete
    from compared

)

select * from fct_weekly_revenue
