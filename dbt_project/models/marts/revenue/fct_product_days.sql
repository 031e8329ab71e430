-- Grain: one row per item and day on which it was ordered. A view over the lines, for periods that are not whole
-- months. It costs nothing in a build.
{{ config(materialized='view') }}

with lines as (

    select * from {{ ref('fct_order_lines') }}

),

fct_product_days as (

    select
        order_item,
        date_ordered,
        order_month,
        cast(count(distinct order_id) as bigint) as orders,
        cast(count(*) as bigint) as order_lines,
        cast(sum(items_ordered) as bigint) as items_ordered,
        cast(sum(items_sold) as bigint) as items_sold,
        cast(sum(items_returned) as bigint) as items_returned,
        cast(sum(gross_revenue) as decimal(18, 2)) as gross_revenue,
        cast(sum(refunded_revenue) as decimal(18, 2)) as refunded_revenue,
        cast(sum(net_revenue) as decimal(18, 2)) as net_revenue
    from lines
    group by order_item, date_ordered, order_month

)

select * from fct_product_days
