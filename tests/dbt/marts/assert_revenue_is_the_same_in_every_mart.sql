-- Guards against a mart that counts an order twice or loses one: net revenue, gross revenue and orders must be the same,
-- to the cent, whether they are summed over orders, days, hours, items, cohorts or customers.
with expected as (

    select
        count(*) as orders,
        sum(gross_revenue) as gross_revenue,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_orders') }}

),

totals as (

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
        cast(null as decimal(28, 2)) as gross_revenue,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_customer_cohorts') }}

)

select
    totals.mart,
    totals.orders,
    expected.orders as orders_expected,
    totals.gross_revenue,
    expected.gross_revenue as gross_revenue_expected,
    totals.net_revenue,
    expected.net_revenue as net_revenue_expected
from totals
cross join expected
where
    coalesce(totals.orders, 0) <> expected.orders
    or totals.gross_revenue <> expected.gross_revenue
    or coalesce(totals.net_revenue, 0) <> coalesce(expected.net_revenue, 0)
