-- Grain: one row per item and month of date_ordered in which it was ordered. An order counts once for each of its items,
-- however many lines have it: orders add up over months, not over items; money, pieces and lines add up over both. Customers
-- are distinct within item and month: they add up neither over items nor over months.
-- depends_on: {{ ref('int_orders__changed') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        incremental_predicates=["order_month >= date'0001-01-01'"],
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this, ['fct_order_lines']) }}",
    )
}}

{%- set changed_months = changed_dates('order_month', this) if is_incremental() -%}
{%- set funnel = ['pending_orders', 'approved_orders', 'fulfilled_orders', 'cancelled_orders'] %}

with lines as (

    select * from {{ ref('fct_order_lines') }}
    {%- if is_incremental() %}
    where order_month in ({{ changed_months }})
    {%- endif %}

),

statuses as (

    select * from {{ ref('order_statuses') }}

),

items_of_orders as (

    select
        order_month,
        order_item,
        order_id,
        customer_id,
        min(order_precedence) as order_precedence,
        count(*) as order_lines,
        sum(items_ordered) as items_ordered,
        sum(items_returned) as items_returned,
        sum(items_sold) as items_sold,
        sum(gross_revenue) as gross_revenue,
        sum(refunded_revenue) as refunded_revenue,
        sum(net_revenue) as net_revenue
    from lines
    group by order_month, order_item, order_id, customer_id

),

order_items as (

    select
        items_of_orders.*,
        coalesce(statuses.counts_as_gross and not statuses.counts_as_refund, false) as is_revenue,
        coalesce(statuses.counts_as_refund, false) as is_refund,
        {%- for count in funnel %}
        case when statuses.status = '{{ count | replace("_orders", "") }}' then 1 else 0 end as {{ count }}
        {{- "," if not loop.last }}
        {%- endfor %}
    from items_of_orders
    left join statuses on items_of_orders.order_precedence = statuses.order_precedence

),

measured as (

    {{ revenue_measures(
        'order_items',
        ['order_month', 'order_item'],
        changed_months if is_incremental() else none,
        ['order_lines', 'items_ordered', 'items_returned'] + funnel,
    ) | indent }}

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
        order_lines,
        pending_orders,
        approved_orders,
        fulfilled_orders,
        cancelled_orders,
        refunded_orders,
        revenue_orders,
        items_ordered,
        items_sold,
        items_returned,
        customers,
        cast(revenue_rank as int) as revenue_rank,
        gross_revenue,
        refunded_revenue,
        net_revenue,
        {{ money_per('net_revenue', 'revenue_orders') }} as average_order_value,
        {{ ratio('net_revenue', 'month_revenue') }} as revenue_share,
        {{ ratio('refunded_orders', 'revenue_orders + refunded_orders') }} as refunded_order_rate,
        {{ ratio('cancelled_orders', 'orders') }} as cancellation_rate
    from compared

)

select * from fct_product_performance
