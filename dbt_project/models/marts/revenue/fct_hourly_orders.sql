-- Grain: one row per day of fct_daily_revenue and hour (UTC) in which the order was first seen, 24 rows for each day. The
-- hours of a day add up to its row in fct_daily_revenue, except customers, who are distinct within the hour.
-- depends_on: {{ ref('int_orders__changed') }}
-- depends_on: {{ ref('fct_returns') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        incremental_predicates=["date_ordered >= date'0001-01-01'"],
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this, ['fct_orders', 'fct_returns', 'int_customers__orders_aggregated']) }}",
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

measured as (

    {{ revenue_measures('orders', ['date_ordered', 'order_hour'], changed_days if is_incremental() else none) | indent }}

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
        coalesce(measured.refunded_orders, 0) as refunded_orders,
        coalesce(measured.items_sold, 0) as items_sold,
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
