-- Guards against customers who are counted as new on two days, or on none, after their first order has moved: new customers
-- over all days are the customers.
with daily as (

    select coalesce(sum(new_customers), 0) as new_customers
    from {{ ref('fct_daily_revenue') }}

),

customers as (

    select count(*) as customers
    from {{ ref('dim_customers') }}

)

select
    daily.new_customers,
    customers.customers
from daily
cross join customers
where daily.new_customers <> customers.customers
