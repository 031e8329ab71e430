-- Grain: one row per item that was ever ordered. A table over items and months, rebuilt each time: the class of an item is
-- relative to all items. It never reads orders.
with months as (

    select * from {{ ref('fct_product_performance') }}

),

items as (

    select
        order_item,
        sum(orders) as orders,
        sum(order_lines) as order_lines,
        sum(revenue_orders) as revenue_orders,
        sum(refunded_orders) as refunded_orders,
        sum(cancelled_orders) as cancelled_orders,
        sum(items_sold) as items_sold,
        sum(items_returned) as items_returned,
        sum(gross_revenue) as gross_revenue,
        sum(refunded_revenue) as refunded_revenue,
        sum(net_revenue) as net_revenue,
        min(order_month) as first_order_month,
        max(order_month) as last_order_month,
        count(*) as months
    from months
    group by order_item

),

-- Items of equal revenue are taken together, so that their class does not depend on their names.
ranked as (

    select
        *,
        sum(net_revenue) over () as all_revenue,
        coalesce(
            sum(net_revenue) over (order by net_revenue desc range between unbounded preceding and current row), 0
        ) as revenue_through,
        rank() over (order by net_revenue desc) as revenue_rank
    from items

),

classed as (

    select
        *,
        -- Revenue of the items that are strictly better.
        revenue_through - net_revenue * count(*) over (partition by net_revenue) as revenue_before
    from ranked

),

dim_products as (

    select
        order_item,
        case
            when net_revenue <= 0 then 'C'
            when revenue_before < cast({{ var('abc_share_of_a') }} as decimal(9, 6)) * all_revenue then 'A'
            when revenue_before < cast({{ var('abc_share_of_b') }} as decimal(9, 6)) * all_revenue then 'B'
            else 'C'
        end as abc_class,
        cast(revenue_rank as int) as revenue_rank,
        cast(orders as bigint) as orders,
        cast(order_lines as bigint) as order_lines,
        cast(revenue_orders as bigint) as revenue_orders,
        cast(refunded_orders as bigint) as refunded_orders,
        cast(cancelled_orders as bigint) as cancelled_orders,
        cast(items_sold as bigint) as items_sold,
        cast(items_returned as bigint) as items_returned,
        cast(gross_revenue as decimal(18, 2)) as gross_revenue,
        cast(refunded_revenue as decimal(18, 2)) as refunded_revenue,
        cast(net_revenue as decimal(18, 2)) as net_revenue,
        {{ ratio('net_revenue', 'all_revenue') }} as all_time_revenue_share,
        {{ ratio('refunded_orders', 'revenue_orders + refunded_orders') }} as refunded_order_rate,
        {{ ratio('cancelled_orders', 'orders') }} as cancellation_rate,
        {{ money_per('net_revenue', 'items_sold') }} as average_price,
        months as months_ordered,
        first_order_month,
        last_order_month
    from classed

)

select * from dim_products
