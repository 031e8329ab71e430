-- Grain: one row per item and month of date_ordered in which it was ordered. Customers are distinct within item
-- and month: they add up neither over items nor over months.
-- depends_on: {{ ref('int_orders__changed') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        incremental_predicates=["order_month >= date'0001-01-01'"],
        post_hook="{{ record_progress(this, ['fct_orders']) }}",
    )
}}

{%- set changed_months = changed_dates('order_month', this) if is_incremental() %}

with orders as (

    select * from {{ ref('fct_orders') }}
    {%- if is_incremental() %}
    where order_month in ({{ changed_months }})
    {%- endif %}

),

customer_items as (

    select
        order_month,
        order_item,
        customer_id,
        count(*) as orders,
        count_if(is_revenue) as revenue_orders,
        count_if(is_refund) as refunded_orders,
        sum(case when is_revenue then items_ordered else 0 end) as items_sold,
        sum(gross_revenue) as gross_revenue,
        sum(refunded_revenue) as refunded_revenue,
        sum(net_revenue) as net_revenue
    from orders
    group by order_month, order_item, customer_id

),

measured as (

    select
        order_month,
        order_item,
        cast(sum(orders) as bigint) as orders,
        cast(sum(revenue_orders) as bigint) as revenue_orders,
        cast(sum(refunded_orders) as bigint) as refunded_orders,
        cast(sum(items_sold) as bigint) as items_sold,
        count(*) as customers,
        cast(sum(gross_revenue) as decimal(18, 2)) as gross_revenue,
        cast(sum(refunded_revenue) as decimal(18, 2)) as refunded_revenue,
        cast(sum(net_revenue) as decimal(18, 2)) as net_revenue
    from customer_items
    group by order_month, order_item
    {%- if is_incremental() %}

    union all

    select
        order_month,
        order_item,
        orders,
        revenue_orders,
        refunded_orders,
        items_sold,
        customers,
        gross_revenue,
        refunded_revenue,
        net_revenue
    from {{ this }}
    where order_month not in ({{ changed_months }})
    {%- endif %}

),

compared as (

    select
        *,
        rank() over (partition by order_month order by net_revenue desc) as revenue_rank,
        sum(net_revenue) over (partition by order_month) as month_revenue
    from measured

),

fct_product_performance as (

    select
        order_item,
        order_month,
        orders,
        revenue_orders,
        refunded_orders,
        items_sold,
        customers,
        cast(revenue_rank as int) as revenue_rank,
        gross_revenue,
        refunded_revenue,
        net_revenue,
        {{ money_per('net_revenue', 'revenue_orders') }} as average_order_value,
        {{ ratio('net_revenue', 'month_revenue') }} as revenue_share,
        {{ ratio('refunded_orders', 'revenue_orders + refunded_orders') }} as refunded_order_rate
    from compared

)

select * from fct_product_performance
