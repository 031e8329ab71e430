-- Guards against a mart that counts an order twice or loses one: net revenue, gross revenue and orders must be the same,
-- to the cent, whether they are summed over orders, days, hours, items, cohorts or customers.
with totals as (

    select
        'fct_orders' as mart,
        count(*) as orders,
        sum(gross_revenue) as gross_revenue,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_orders') }}

    union all

    select
        'fct_daily_revenue' as mart,
        sum(orders) as orders,
        sum(gross_revenue) as gross_revenue,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_daily_revenue') }}

    union all

    select
        'fct_hourly_orders' as mart,
        sum(orders) as orders,
        sum(gross_revenue) as gross_revenue,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_hourly_orders') }}

    union all

    select
        'fct_product_performance' as mart,
        sum(orders) as orders,
        sum(gross_revenue) as gross_revenue,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_product_performance') }}

    union all

    select
        'dim_customers' as mart,
        sum(orders) as orders,
        sum(gross_revenue) as gross_revenue,
        sum(net_revenue) as net_revenue
    from {{ ref('dim_customers') }}

    union all

    -- Cohorts know no gross revenue.
    select
        'fct_customer_cohorts' as mart,
        sum(orders) as orders,
        null as gross_revenue,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_customer_cohorts') }}

)

select
    others.mart,
    others.orders,
    orders.orders as orders_expected,
    others.gross_revenue,
    orders.gross_revenue as gross_revenue_expected,
    others.net_revenue,
    orders.net_revenue as net_revenue_expected
from totals as others
inner join totals as orders on orders.mart = 'fct_orders'
where
    coalesce(others.orders, 0) <> orders.orders
    or others.gross_revenue <> orders.gross_revenue
    or coalesce(others.net_revenue, 0) <> coalesce(orders.net_revenue, 0)
