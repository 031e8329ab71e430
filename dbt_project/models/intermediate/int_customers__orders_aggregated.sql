-- Grain: one row per customer with at least one order. It reads customers per month, never orders. An incremental build adds
-- up the months of the customers whose orders have changed and keeps the other rows; a customer whose every order has moved
-- to another one is not named again, and is deleted. What belongs to a first day comes from the month of that day, since
-- smallest-of-a-struct is slow on some engines.
-- depends_on: {{ ref('int_orders__changed') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        incremental_predicates=["orders > 0"],
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this, ['int_customers__months_aggregated']) }}",
    )
}}

with {% if is_incremental() -%}
changed as (

    select distinct customer_id from {{ ref('int_orders__changed') }}
    where load_number > {{ last_load(this) }}

),

{% endif -%}
months as (

    select * from {{ ref('int_customers__months_aggregated') }}
    where
        orders > 0
        {%- if is_incremental() %}
        and customer_id in (select customer_id from changed)
        {%- endif %}

),

summed as (

    select
        customer_id,
        sum(orders) as orders,
        sum(revenue_orders) as revenue_orders,
        sum(refunded_orders) as refunded_orders,
        sum(items_ordered) as items_ordered,
        sum(items_sold) as items_sold,
        sum(gross_revenue) as gross_revenue,
        sum(refunded_revenue) as refunded_revenue,
        sum(net_revenue) as net_revenue,
        sum(order_days) as order_days,
        sum(purchase_days) as purchase_days,
        min(first_order_date) as first_order_date,
        max(last_order_date) as last_order_date,
        min(first_purchase_date) as first_purchase_date,
        max(last_purchase_date) as last_purchase_date,
        max(last_ingested_at) as last_ingested_at
    from months
    group by customer_id

),

later_purchases as (

    select
        months.customer_id,
        min(months.first_purchase_date) as second_purchase_date
    from months
    inner join summed on months.customer_id = summed.customer_id
    where months.first_purchase_date > summed.first_purchase_date
    group by months.customer_id

),

int_customers__orders_aggregated as (

    select
        summed.customer_id,
        cast(summed.orders as bigint) as orders,
        cast(summed.revenue_orders as bigint) as revenue_orders,
        cast(summed.refunded_orders as bigint) as refunded_orders,
        cast(summed.items_ordered as bigint) as items_ordered,
        cast(summed.items_sold as bigint) as items_sold,
        cast(summed.gross_revenue as decimal(18, 2)) as gross_revenue,
        cast(summed.refunded_revenue as decimal(18, 2)) as refunded_revenue,
        cast(summed.net_revenue as decimal(18, 2)) as net_revenue,
        cast(summed.order_days as bigint) as order_days,
        cast(summed.purchase_days as bigint) as purchase_days,
        cast(summed.net_revenue - coalesce(first_purchases.first_purchase_revenue, 0) as decimal(18, 2))
            as repeat_revenue,
        first_orders.first_day_revenue,
        first_orders.first_order_hour,
        summed.first_order_date,
        summed.last_order_date,
        summed.first_purchase_date,
        -- In the month of the first purchase, or the first one of a later month.
        coalesce(first_purchases.second_purchase_date, later_purchases.second_purchase_date) as second_purchase_date,
        summed.last_purchase_date,
        summed.last_ingested_at
    from summed
    inner join months as first_orders
        on
            summed.customer_id = first_orders.customer_id
            and summed.first_order_date = first_orders.first_order_date
    left join months as first_purchases
        on
            summed.customer_id = first_purchases.customer_id
            and summed.first_purchase_date = first_purchases.first_purchase_date
    left join later_purchases on summed.customer_id = later_purchases.customer_id
    {%- if is_incremental() %}

    union all

    select
        kept.customer_id,
        kept.orders,
        kept.revenue_orders,
        kept.refunded_orders,
        kept.items_ordered,
        kept.items_sold,
        kept.gross_revenue,
        kept.refunded_revenue,
        kept.net_revenue,
        kept.order_days,
        kept.purchase_days,
        kept.repeat_revenue,
        kept.first_day_revenue,
        kept.first_order_hour,
        kept.first_order_date,
        kept.last_order_date,
        kept.first_purchase_date,
        kept.second_purchase_date,
        kept.last_purchase_date,
        kept.last_ingested_at
    from {{ this }} as kept
    left join changed on kept.customer_id = changed.customer_id
    where changed.customer_id is null
    {%- endif %}

)

select * from int_customers__orders_aggregated
