-- Grain: one row per order, in its current state: its lines together, as fct_order_lines has them.
{{
    config(
        materialized='incremental',
        incremental_strategy='merge_pruned',
        unique_key='order_id',
        partition_by='order_month',
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this, ['fct_order_lines']) }}",
    )
}}

with {{ changed_orders({'lines': 'fct_order_lines', 'events': 'fct_order_events'}) }},

statuses as (

    select * from {{ ref('order_statuses') }}

),

ordered as (

    select
        *,
        row_number() over (
            partition by order_id order by event_at desc, lifecycle_rank desc, order_event_id desc
        ) as recency,
        lag(status) over (partition by order_id order by event_at, lifecycle_rank, order_event_id) as previous_status
    from events

),

histories as (

    select
        order_id,
        max(case when recency = 1 then order_event_id end) as last_order_event_id,
        sort_array(
            collect_list(
                case
                    when previous_status is null or previous_status <> status
                        then struct(event_at, lifecycle_rank, order_event_id, status)
                end
            )
        ) as status_changes
    from ordered
    group by order_id

),

summed as (

    select
        order_id,
        max(customer_id) as customer_id,
        max(date_ordered) as date_ordered,
        min(order_precedence) as order_precedence,
        count(*) as order_lines,
        sum(items_ordered) as items_ordered,
        sum(items_returned) as items_returned,
        sum(items_sold) as items_sold,
        sum(order_value) as order_value,
        sum(gross_revenue) as gross_revenue,
        sum(refunded_revenue) as refunded_revenue,
        sum(net_revenue) as net_revenue,
        sum(excess_refund) as excess_refund,
        sum(returns) as returns,
        sum(events) as events,
        count_if(is_over_returned) > 0 as is_over_returned,
        min(ordered_at) as ordered_at,
        max(status_at) as status_at,
        min(first_ingested_at) as first_ingested_at,
        max(last_ingested_at) as last_ingested_at
    from lines
    group by order_id

),

fct_orders as (

    select
        summed.order_id,
        summed.customer_id,
        statuses.status,
        array_join(transform(histories.status_changes, change -> change.status), ' > ') as status_path,
        histories.last_order_event_id,
        summed.order_lines,
        cast(summed.items_ordered as bigint) as items_ordered,
        cast(summed.items_returned as bigint) as items_returned,
        cast(summed.items_sold as bigint) as items_sold,
        cast(summed.order_value as decimal(18, 2)) as order_value,
        cast(summed.gross_revenue as decimal(18, 2)) as gross_revenue,
        cast(summed.refunded_revenue as decimal(18, 2)) as refunded_revenue,
        cast(summed.net_revenue as decimal(18, 2)) as net_revenue,
        cast(summed.excess_refund as decimal(18, 2)) as excess_refund,
        cast(summed.returns as bigint) as returns,
        cast(summed.events as bigint) as events,
        cast(hour(summed.ordered_at) as int) as order_hour,
        coalesce(statuses.counts_as_gross and not statuses.counts_as_refund, false) as is_revenue,
        coalesce(statuses.counts_as_refund, false) as is_refund,
        summed.is_over_returned,
        summed.date_ordered,
        cast(date_trunc('month', summed.date_ordered) as date) as order_month,
        summed.ordered_at,
        summed.status_at,
        summed.first_ingested_at,
        summed.last_ingested_at
    from summed
    inner join histories on summed.order_id = histories.order_id
    left join statuses on summed.order_precedence = statuses.order_precedence

)

select * from fct_orders
