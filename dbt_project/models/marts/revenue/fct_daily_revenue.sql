-- Grain: one row per day, from the first day with an order to the last one with an order or a return; a day without any is a
-- row of zeros. Customers are distinct within the day: they do not add up over days. new_customers do. An incremental build
-- counts the changed days again and keeps the others; what it does not name lies outside of these days, and is deleted.
-- depends_on: {{ ref('int_orders__changed') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        incremental_predicates=["date_ordered >= date'0001-01-01'"],
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this, ['fct_orders', 'fct_returns', 'int_customers__orders_aggregated']) }}",
    )
}}

{%- set changed_days = changed_dates('date_ordered', this) if is_incremental() -%}
{%- set changed_return_days = changed_dates_of_return(this) if is_incremental() %}

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

returns as (

    select * from {{ ref('fct_returns') }}
    {%- if is_incremental() %}
    where return_date in ({{ changed_return_days }})
    {%- endif %}

),

measured as (

    {{ revenue_measures('orders', ['date_ordered'], changed_days if is_incremental() else none) | indent }}

),

refunds as (

    select
        return_date,
        sum(refunded_revenue) as refunds_issued
    from returns
    group by return_date
    {%- if is_incremental() %}

    union all

    select
        date_ordered as return_date,
        refunds_issued
    from {{ this }}
    where date_ordered not in ({{ changed_return_days }})
    {%- endif %}

),

first_orders as (

    select
        first_order_date,
        count(*) as new_customers,
        sum(first_day_revenue) as new_customer_revenue
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
        cast(coalesce(first_orders.new_customer_revenue, 0) as decimal(18, 2)) as new_customer_revenue,
        cast(
            coalesce(measured.net_revenue, 0) - coalesce(first_orders.new_customer_revenue, 0) as decimal(18, 2)
        ) as returning_customer_revenue,
        cast(coalesce(refunds.refunds_issued, 0) as decimal(18, 2)) as refunds_issued,
        {{ money_per('measured.net_revenue', 'measured.revenue_orders') }} as average_order_value
    from days
    left join measured on days.date_day = measured.date_ordered
    left join refunds on days.date_day = refunds.return_date
    left join first_orders on days.date_day = first_orders.first_order_date

)

select * from fct_daily_revenue
