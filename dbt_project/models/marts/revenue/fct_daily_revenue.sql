-- Grain: one row per day of date_ordered, from the first to the last day with an order; a day without one is a row
-- of zeros. Customers are distinct within the day: they do not add up over days. new_customers do. An incremental
-- build counts the changed days again and keeps the others; what it does not name is no longer between the first
-- and the last order, and is deleted.
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

customer_days as (

    select
        date_ordered,
        customer_id,
        count(*) as orders,
        count_if(is_revenue) as revenue_orders,
        count_if(is_refund) as refunded_orders,
        sum(case when is_revenue then items_ordered else 0 end) as items_sold,
        sum(gross_revenue) as gross_revenue,
        sum(refunded_revenue) as refunded_revenue,
        sum(net_revenue) as net_revenue
    from orders
    group by date_ordered, customer_id

),

measured as (

    select
        date_ordered,
        cast(sum(orders) as bigint) as orders,
        cast(sum(revenue_orders) as bigint) as revenue_orders,
        cast(sum(refunded_orders) as bigint) as refunded_orders,
        cast(sum(items_sold) as bigint) as items_sold,
        count(*) as customers,
        cast(sum(gross_revenue) as decimal(18, 2)) as gross_revenue,
        cast(sum(refunded_revenue) as decimal(18, 2)) as refunded_revenue,
        cast(sum(net_revenue) as decimal(18, 2)) as net_revenue
    from customer_days
    group by date_ordered
    {%- if is_incremental() %}

    union all

    select
        date_ordered,
        orders,
        revenue_orders,
        refunded_orders,
        items_sold,
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
        count(*) as new_customers
    from customers
    group by first_order_date

),

fct_daily_revenue as (

    select
        days.date_day as date_ordered,
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
    from days
    left join measured on days.date_day = measured.date_ordered
    left join first_orders on days.date_day = first_orders.first_order_date

)

select * from fct_daily_revenue
