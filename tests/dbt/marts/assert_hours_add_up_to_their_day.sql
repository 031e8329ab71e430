-- Guards against hours of another day's orders, and against days without their 24 rows: both marts are incremental on their
-- own, so one could keep what the other has dropped.
with hours as (

    select
        date_ordered,
        count(*) as hours,
        sum(orders) as orders,
        sum(new_customers) as new_customers,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_hourly_orders') }}
    group by date_ordered

)

select
    coalesce(days.date_ordered, hours.date_ordered) as date_ordered,
    hours.hours,
    hours.orders,
    days.orders as day_orders,
    hours.new_customers,
    days.new_customers as day_new_customers,
    hours.net_revenue,
    days.net_revenue as day_net_revenue
from {{ ref('fct_daily_revenue') }} as days
full outer join hours on days.date_ordered = hours.date_ordered
where
    days.date_ordered is null
    or hours.date_ordered is null
    or hours.hours <> 24
    or hours.orders <> days.orders
    or hours.new_customers <> days.new_customers
    or hours.net_revenue <> days.net_revenue
