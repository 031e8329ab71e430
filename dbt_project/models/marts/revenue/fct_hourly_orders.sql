-- Grain: one row per day of date_ordered and hour (UTC) in which the order was first seen; 24 rows for every day
-- from the first to the last with an order. The hours of a day add up to its row in fct_daily_revenue, except
-- customers, who are distinct within the hour.
-- depends_on: {{ ref('int_orders__changed') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        incremental_predicates=["date_ordered >= date'0001-01-01'"],
        post_hook="{{ record_progress(this, ['fct_orders', 'int_customers__months_aggregated']) }}",
    )
}}

{%- set changed_days = changed_dates('date_ordered', this) if is_incremental() %}

with days as (

    select * from {{ ref('int_dates__spined') }}

),

customers as (

    select * from {{ ref('int_customers__orders_aggregated') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    {%- if is_incremental() %}
    where
        order_month in ({{ changed_dates('order_month', this) }})
        and date_ordered in ({{ changed_days }})
    {%- endif %}

),

clock as (

    select explode(sequence(0, 23)) as order_hour

),

hours as (

    select
        days.date_day,
        clock.order_hour
    from days
    cross join clock

),

customer_hours as (

    select
        date_ordered,
        order_hour,
        customer_id,
        count(*) as orders,
        count_if(is_revenue) as revenue_orders,
        sum(gross_revenue) as gross_revenue,
        sum(refunded_revenue) as refunded_revenue,
        sum(net_revenue) as net_revenue
    from orders
    group by date_ordered, order_hour, customer_id

),

measured as (

    select
        date_ordered,
        order_hour,
        cast(sum(orders) as bigint) as orders,
        cast(sum(revenue_orders) as bigint) as revenue_orders,
        count(*) as customers,
        cast(sum(gross_revenue) as decimal(18, 2)) as gross_revenue,
        cast(sum(refunded_revenue) as decimal(18, 2)) as refunded_revenue,
        cast(sum(net_revenue) as decimal(18, 2)) as net_revenue
    from customer_hours
    group by date_ordered, order_hour
    {%- if is_incremental() %}

    union all

    select
        date_ordered,
        order_hour,
        orders,
        revenue_orders,
        customers,
        gross_revenue,
        refunded_revenue,
        net_revenue
    from {{ this }}
    where date_ordered not in ({{ changed_days }})
    {%- endif %}

),

first_orders as (

    select
        first_order_date,
        first_order_hour,
        count(*) as new_customers
    from customers
    group by first_order_date, first_order_hour

),

fct_hourly_orders as (

    select
        hours.date_day as date_ordered,
        hours.order_hour,
        coalesce(measured.orders, 0) as orders,
        coalesce(measured.revenue_orders, 0) as revenue_orders,
        coalesce(measured.customers, 0) as customers,
        coalesce(first_orders.new_customers, 0) as new_customers,
        cast(coalesce(measured.gross_revenue, 0) as decimal(18, 2)) as gross_revenue,
        cast(coalesce(measured.refunded_revenue, 0) as decimal(18, 2)) as refunded_revenue,
        cast(coalesce(measured.net_revenue, 0) as decimal(18, 2)) as net_revenue,
        {{ money_per('measured.net_revenue', 'measured.revenue_orders') }} as average_order_value
    from hours
    left join measured on hours.date_day = measured.date_ordered and hours.order_hour = measured.order_hour
    left join first_orders
        on hours.date_day = first_orders.first_order_date and hours.order_hour = first_orders.first_order_hour

)

select * from fct_hourly_orders
