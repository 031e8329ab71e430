-- Grain: one row per return: an order event of a status that is a refund. refunded_revenue adds up over days of return
-- (return_date) as well as over days of order (date_ordered), to the same total as in fct_order_lines. A return that a later
-- statement of its line has superseded stays, with zeros, so that a build never has to take a row away.
{{
    config(
        materialized='incremental',
        incremental_strategy='merge_pruned',
        unique_key=['event_month', 'order_event_id'],
        partition_by='event_month',
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this, ['int_orders__changed']) }}",
    )
}}

with {{ changed_orders({'events': 'fct_order_events'}) }},

{{ returns_applied('events') }},

fct_returns as (

    select
        order_event_id,
        order_id,
        line_key,
        order_customer_id as customer_id,
        order_item,
        items_ordered as items_named,
        items_returned,
        order_value as value_named,
        value_refunded as refunded_revenue,
        cast(case when is_return then order_value - value_refunded else 0 end as decimal(18, 2)) as excess_refund,
        is_return and (items_ordered > items_returned or order_value > value_refunded) as is_over_returned,
        not is_return as is_superseded,
        order_date as date_ordered,
        cast(event_at as date) as return_date,
        event_month,
        event_at as returned_at,
        ingested_at
    from applied
    where is_refund

)

select * from fct_returns
