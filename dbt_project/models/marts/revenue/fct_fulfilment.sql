-- Grain: one row per order: when it first reached each status, and how long that took. Durations can be averaged, but do
-- not add up. An order counts as fulfilled with its first fulfilled event, whichever line it is about.
{{
    config(
        materialized='incremental',
        incremental_strategy='merge_pruned',
        unique_key='order_id',
        partition_by='order_month',
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this, ['fct_orders']) }}",
    )
}}

with {{ changed_orders({'orders': 'fct_orders', 'events': 'fct_order_events'}) }},

firsts as (

    select
        order_id,
        min(case when status = 'pending' then event_at end) as pending_at,
        min(case when status = 'approved' then event_at end) as approved_at,
        min(case when status = 'fulfilled' then event_at end) as fulfilled_at
    from events
    group by order_id

),

fct_fulfilment as (

    select
        orders.order_id,
        orders.customer_id,
        orders.status,
        {{ hours_between('firsts.pending_at', 'firsts.approved_at') }} as hours_to_approve,
        {{ hours_between('firsts.approved_at', 'firsts.fulfilled_at') }} as hours_to_fulfil,
        {{ hours_between('orders.ordered_at', 'firsts.fulfilled_at') }} as hours_to_fulfil_in_all,
        orders.status in ('pending', 'approved') as is_open,
        orders.date_ordered,
        orders.order_month,
        orders.ordered_at,
        firsts.pending_at,
        firsts.approved_at,
        firsts.fulfilled_at
    from orders
    inner join firsts on orders.order_id = firsts.order_id

)

select * from fct_fulfilment
