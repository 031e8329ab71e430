-- Grain: one row per order that is pending or approved, with its age. A table over the open orders, rebuilt each time: an age
-- changes with every day, so it has no place in a model that keeps its rows. Ages are counted to the latest event of any order,
-- not to the moment of the build, so that a rebuild gives the same rows.
with orders as (

    select * from {{ ref('fct_orders') }}

),

latest as (

    select max(status_at) as as_of
    from orders

),

aged as (

    select
        orders.order_id,
        orders.customer_id,
        orders.status,
        orders.order_value,
        cast(datediff(latest.as_of, orders.ordered_at) as int) as open_days,
        cast(datediff(latest.as_of, orders.status_at) as int) as days_in_status,
        orders.date_ordered,
        orders.ordered_at,
        orders.status_at,
        latest.as_of
    from orders
    cross join latest
    where orders.status in ('pending', 'approved')

),

fct_open_orders as (

    select
        order_id,
        customer_id,
        status,
        case
            when open_days <= 1 then '0-1'
            when open_days <= 7 then '2-7'
            when open_days <= 30 then '8-30'
            else 'over 30'
        end as age_band,
        order_value,
        open_days,
        days_in_status,
        date_ordered,
        ordered_at,
        status_at,
        as_of
    from aged

)

select * from fct_open_orders
