-- Guards against a mart that counts an order twice or loses one: net revenue, gross revenue and orders must be the same,
-- to the cent, whether they are summed over orders, lines, days, hours, items, cohorts or customers; and refunds the same by
-- day of order as by day of return.
with expected as (

    select
        count(*) as orders,
        coalesce(sum(order_lines), 0) as order_lines,
        coalesce(sum(gross_revenue), 0) as gross_revenue,
        coalesce(sum(net_revenue), 0) as net_revenue,
        coalesce(sum(refunded_revenue), 0) as refunded_revenue
    from {{ ref('fct_orders') }}

),

-- A mart that does not know a measure, or in which it does not add up, has NULL.
totals as (

    select
        'fct_daily_revenue' as mart,
        coalesce(sum(orders), 0) as orders,
        cast(null as bigint) as order_lines,
        coalesce(sum(gross_revenue), 0) as gross_revenue,
        coalesce(sum(net_revenue), 0) as net_revenue,
        coalesce(sum(refunds_issued), 0) as refunded_revenue
    from {{ ref('fct_daily_revenue') }}

    union all

    select
        'fct_hourly_orders' as mart,
        coalesce(sum(orders), 0) as orders,
        cast(null as bigint) as order_lines,
        coalesce(sum(gross_revenue), 0) as gross_revenue,
        coalesce(sum(net_revenue), 0) as net_revenue,
        coalesce(sum(refunded_revenue), 0) as refunded_revenue
    from {{ ref('fct_hourly_orders') }}

    union all

    select
        'fct_order_lines' as mart,
        -- The one measure here whose cost is not that of a sum: in the full pass alone.
        {{ 'count(distinct order_id)' if var('test_scope') == 'all' else 'cast(null as bigint)' }} as orders,
        count(*) as order_lines,
        coalesce(sum(gross_revenue), 0) as gross_revenue,
        coalesce(sum(net_revenue), 0) as net_revenue,
        coalesce(sum(refunded_revenue), 0) as refunded_revenue
    from {{ ref('fct_order_lines') }}

    union all

    select
        'fct_product_performance' as mart,
        cast(null as bigint) as orders,
        coalesce(sum(order_lines), 0) as order_lines,
        coalesce(sum(gross_revenue), 0) as gross_revenue,
        coalesce(sum(net_revenue), 0) as net_revenue,
        coalesce(sum(refunded_revenue), 0) as refunded_revenue
    from {{ ref('fct_product_performance') }}

    union all

    select
        'dim_customers' as mart,
        coalesce(sum(orders), 0) as orders,
        cast(null as bigint) as order_lines,
        coalesce(sum(gross_revenue), 0) as gross_revenue,
        coalesce(sum(net_revenue), 0) as net_revenue,
        coalesce(sum(refunded_revenue), 0) as refunded_revenue
    from {{ ref('dim_customers') }}

    union all

    select
        'fct_customer_cohorts' as mart,
        coalesce(sum(orders), 0) as orders,
        cast(null as bigint) as order_lines,
        cast(null as decimal(28, 2)) as gross_revenue,
        coalesce(sum(net_revenue), 0) as net_revenue,
        cast(null as decimal(28, 2)) as refunded_revenue
    from {{ ref('fct_customer_cohorts') }}

    union all

    select
        'fct_returns' as mart,
        cast(null as bigint) as orders,
        cast(null as bigint) as order_lines,
        cast(null as decimal(28, 2)) as gross_revenue,
        cast(null as decimal(28, 2)) as net_revenue,
        coalesce(sum(refunded_revenue), 0) as refunded_revenue
    from {{ ref('fct_returns') }}

)

select
    totals.mart,
    totals.orders,
    expected.orders as orders_expected,
    totals.order_lines,
    expected.order_lines as order_lines_expected,
    totals.gross_revenue,
    expected.gross_revenue as gross_revenue_expected,
    totals.net_revenue,
    expected.net_revenue as net_revenue_expected,
    totals.refunded_revenue,
    expected.refunded_revenue as refunded_revenue_expected
from totals
cross join expected
where
    totals.orders <> expected.orders
    or totals.order_lines <> expected.order_lines
    or totals.gross_revenue <> expected.gross_revenue
    or totals.net_revenue <> expected.net_revenue
    or totals.refunded_revenue <> expected.refunded_revenue
