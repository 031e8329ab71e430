-- Grain: one row per month of date_ordered and KPI. A table over days and over customers per month, rebuilt each
-- time.
with daily as (

    select * from {{ ref('fct_daily_revenue') }}

),

customer_months as (

    select * from {{ ref('int_customers__months_aggregated') }}

),

summed as (

    select
        cast(date_trunc('month', date_ordered) as date) as order_month,
        sum(net_revenue) as net_revenue,
        sum(gross_revenue) as gross_revenue,
        sum(refunded_revenue) as refunded_revenue,
        sum(orders) as orders,
        sum(revenue_orders) as revenue_orders,
        sum(new_customers) as new_customers
    from daily
    group by cast(date_trunc('month', date_ordered) as date)

),

active as (

    select
        order_month,
        count(*) as customers
    from customer_months
    where orders > 0
    group by order_month

),

monthly as (

    select
        summed.order_month,
        summed.net_revenue,
        summed.gross_revenue,
        summed.refunded_revenue,
        summed.orders,
        coalesce(active.customers, 0) as customers,
        summed.new_customers,
        {{ money_per('summed.net_revenue', 'summed.revenue_orders') }} as average_order_value,
        summed.order_month < max(case when summed.orders > 0 then summed.order_month end) over () as is_complete
    from summed
    left join active on summed.order_month = active.order_month

),

fct_kpis_monthly as (

    {{ kpi_changes(
        'monthly',
        'order_month',
        'add_months(current_period.order_month, -1)',
        ['net_revenue', 'gross_revenue', 'refunded_revenue', 'orders', 'customers', 'new_customers', 'average_order_value'],
    ) | indent }}

)

select * from fct_kpis_monthly
