-- Grain: one row per customer and month of date_ordered in which the customer has, or once had, an order. A month
-- that lost its last order stays with orders = 0: a merge by key cannot take the row away, so readers leave it
-- out.
-- depends_on: {{ ref('int_orders__changed') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='merge_pruned',
        unique_key=['customer_id', 'order_month'],
        partition_by='order_month',
        post_hook="{{ record_progress(this, ['fct_orders']) }}",
    )
}}

with {% if is_incremental() -%}
changed as (

    select * from {{ ref('int_orders__changed') }}
    where load_number > {{ last_load(this) }}

),

{% endif -%}
orders as (

    select * from {{ ref('fct_orders') }}
    {%- if is_incremental() %}
    where
        order_month in ({{ changed_dates('order_month', this) }})
        and customer_id in (select customer_id from changed)
    {%- endif %}

),

{% if is_incremental() -%}
-- The months that changed, of the customers that changed: a few too many, and never one too few.
keys as (

    select distinct
        customer_id,
        order_month
    from changed

),

{% endif -%}
aggregated as (

    select
        customer_id,
        order_month,
        count(*) as orders,
        count_if(is_revenue) as revenue_orders,
        sum(net_revenue) as net_revenue
    from orders
    group by customer_id, order_month

),

int_customers__months_aggregated as (

    {%- if is_incremental() %}

    select
        keys.customer_id,
        keys.order_month,
        coalesce(aggregated.orders, 0) as orders,
        coalesce(aggregated.revenue_orders, 0) as revenue_orders,
        cast(coalesce(aggregated.net_revenue, 0) as decimal(18, 2)) as net_revenue
    from keys
    left join aggregated
        on keys.customer_id = aggregated.customer_id and keys.order_month = aggregated.order_month
    {%- else %}

    select
        customer_id,
        order_month,
        orders,
        revenue_orders,
        cast(net_revenue as decimal(18, 2)) as net_revenue
    from aggregated
    {%- endif %}

)

select * from int_customers__months_aggregated
