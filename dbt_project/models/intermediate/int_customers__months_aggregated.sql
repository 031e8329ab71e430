-- Grain: one row per customer and month of date_ordered in which the customer has, or once had, an order. A month that
-- lost its last order stays with orders = 0: a merge by key cannot take the row away, so readers leave it out.
{{
    config(
        materialized='incremental',
        incremental_strategy='merge_pruned',
        unique_key=['customer_id', 'order_month'],
        partition_by='order_month',
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this, ['fct_orders']) }}",
    )
}}

with {{ changed_orders({'orders': 'fct_orders'}, by='customer_id') }},

{% if is_incremental() -%}
-- Every month in which an order of the customer has changed, whether or not one is left there.
keys as (

    select distinct
        customer_id,
        order_month
    from changed

),

{% endif -%}
-- Purchases are orders that count as revenue; those of one day are one purchase, as in the literature on repeat buying.
days as (

    select
        customer_id,
        order_month,
        date_ordered,
        count(*) as orders,
        count_if(is_revenue) as revenue_orders,
        count_if(is_refund) as refunded_orders,
        sum(items_ordered) as items_ordered,
        sum(items_sold) as items_sold,
        sum(gross_revenue) as gross_revenue,
        sum(refunded_revenue) as refunded_revenue,
        sum(net_revenue) as net_revenue,
        -- The hour of the earliest order, which may be after midnight and then is not the smallest.
        hour(min(ordered_at)) as first_order_hour,
        max(last_ingested_at) as last_ingested_at
    from orders
    group by customer_id, order_month, date_ordered

),

numbered as (

    select
        *,
        case when revenue_orders > 0 then sum(case when revenue_orders > 0 then 1 else 0 end) over (
            partition by customer_id, order_month order by date_ordered
            rows between unbounded preceding and current row
        ) end as purchase_number,
        row_number() over (partition by customer_id, order_month order by date_ordered) as day_number,
        min(case when revenue_orders > 0 then date_ordered end) over (partition by customer_id, order_month)
            as first_purchase_date
    from days

),

aggregated as (

    select
        customer_id,
        order_month,
        sum(orders) as orders,
        sum(revenue_orders) as revenue_orders,
        sum(refunded_orders) as refunded_orders,
        sum(items_ordered) as items_ordered,
        sum(items_sold) as items_sold,
        sum(gross_revenue) as gross_revenue,
        sum(refunded_revenue) as refunded_revenue,
        sum(net_revenue) as net_revenue,
        count(*) as order_days,
        count_if(revenue_orders > 0) as purchase_days,
        sum(case when date_ordered = first_purchase_date then net_revenue else 0 end) as first_purchase_revenue,
        sum(case when day_number = 1 then net_revenue else 0 end) as first_day_revenue,
        max(case when day_number = 1 then first_order_hour end) as first_order_hour,
        min(date_ordered) as first_order_date,
        max(date_ordered) as last_order_date,
        min(first_purchase_date) as first_purchase_date,
        max(case when purchase_number = 2 then date_ordered end) as second_purchase_date,
        max(case when revenue_orders > 0 then date_ordered end) as last_purchase_date,
        max(last_ingested_at) as last_ingested_at
    from numbered
    group by customer_id, order_month

),

int_customers__months_aggregated as (

    select
        {%- if is_incremental() %}
        keys.customer_id,
        keys.order_month,
        {%- else %}
        aggregated.customer_id,
        aggregated.order_month,
        {%- endif %}
        cast(coalesce(aggregated.orders, 0) as bigint) as orders,
        cast(coalesce(aggregated.revenue_orders, 0) as bigint) as revenue_orders,
        cast(coalesce(aggregated.refunded_orders, 0) as bigint) as refunded_orders,
        cast(coalesce(aggregated.items_ordered, 0) as bigint) as items_ordered,
        cast(coalesce(aggregated.items_sold, 0) as bigint) as items_sold,
        cast(coalesce(aggregated.gross_revenue, 0) as decimal(18, 2)) as gross_revenue,
        cast(coalesce(aggregated.refunded_revenue, 0) as decimal(18, 2)) as refunded_revenue,
        cast(coalesce(aggregated.net_revenue, 0) as decimal(18, 2)) as net_revenue,
        cast(coalesce(aggregated.order_days, 0) as bigint) as order_days,
        cast(coalesce(aggregated.purchase_days, 0) as bigint) as purchase_days,
        cast(coalesce(aggregated.first_purchase_revenue, 0) as decimal(18, 2)) as first_purchase_revenue,
        cast(coalesce(aggregated.first_day_revenue, 0) as decimal(18, 2)) as first_day_revenue,
        cast(aggregated.first_order_hour as int) as first_order_hour,
        aggregated.first_order_date,
        aggregated.last_order_date,
        aggregated.first_purchase_date,
        aggregated.second_purchase_date,
        aggregated.last_purchase_date,
        aggregated.last_ingested_at
    {%- if is_incremental() %}
    from keys
    left join aggregated
        on keys.customer_id = aggregated.customer_id and keys.order_month = aggregated.order_month
    {%- else %}
    from aggregated
    {%- endif %}

)

select * from int_customers__months_aggregated
