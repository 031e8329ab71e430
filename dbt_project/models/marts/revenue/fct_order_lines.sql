-- Grain: one row per line of an order, in its current state: the latest statement about it, less what has come back since. The
-- order of arrival never matters. customer_id and date_ordered are the order's, so that all lines of an order are in one
-- place.
{{
    config(
        materialized='incremental',
        incremental_strategy='merge_pruned',
        unique_key='order_line_id',
        partition_by='order_month',
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this, ['int_orders__changed']) }}",
    )
}}

with {{ changed_orders({'events': 'fct_order_events'}) }},

{{ returns_applied('events') }},

statuses as (

    select * from {{ ref('order_statuses') }}

),

summed as (

    select
        order_id,
        line_key,
        max(order_line) as order_line,
        max(order_customer_id) as customer_id,
        max(order_date) as date_ordered,
        -- The facts of a line are those of its latest statement, or of its latest return while no statement is known.
        max(case when is_statement or (stated_items is null and line_recency = 1) then order_item end) as order_item,
        max(case when is_statement or (stated_items is null and line_recency = 1) then price end) as price,
        max(case when is_statement then status end) as stated_status,
        max(case when line_recency = 1 then status end) as last_status,
        max(case when line_recency = 1 then order_event_id end) as last_order_event_id,
        max(stated_items) as stated_items,
        max(stated_value) as stated_value,
        coalesce(max(stated_is_gross), false) as stated_is_gross,
        sum(case when is_return then items_ordered else 0 end) as items_named,
        sum(case when is_return then order_value else 0 end) as value_named,
        sum(items_returned) as items_returned,
        sum(value_refunded) as value_refunded,
        count_if(is_return) as returns,
        count(*) as events,
        min(event_at) as ordered_at,
        max(event_at) as status_at,
        min(ingested_at) as first_ingested_at,
        max(ingested_at) as last_ingested_at
    from applied
    group by order_id, line_key

),

judged as (

    select
        *,
        case when returns > 0 and items_named >= coalesce(stated_items, 0) then last_status else stated_status end as status,
        -- A return shows that something was charged, even where the statement of it has not come (yet).
        case when stated_is_gross then stated_value else value_refunded end as charged_value
    from summed

),

fct_order_lines as (

    select
        sha2(concat(judged.order_id, chr(31), judged.line_key), 256) as order_line_id,
        judged.order_id,
        judged.line_key,
        judged.order_line,
        judged.customer_id,
        judged.order_item,
        judged.status,
        judged.last_order_event_id,
        cast(coalesce(judged.stated_items, judged.items_named) as bigint) as items_ordered,
        cast(judged.items_returned as bigint) as items_returned,
        cast(
            case when judged.stated_is_gross then judged.stated_items - judged.items_returned else 0 end as bigint
        ) as items_sold,
        judged.price,
        cast(coalesce(judged.stated_value, judged.value_named) as decimal(18, 2)) as order_value,
        cast(judged.charged_value as decimal(18, 2)) as gross_revenue,
        cast(judged.value_refunded as decimal(18, 2)) as refunded_revenue,
        cast(judged.charged_value - judged.value_refunded as decimal(18, 2)) as net_revenue,
        cast(judged.value_named - judged.value_refunded as decimal(18, 2)) as excess_refund,
        cast(coalesce(statuses.order_precedence, 0) as int) as order_precedence,
        judged.returns,
        judged.events,
        coalesce(statuses.counts_as_gross and not statuses.counts_as_refund, false) as is_revenue,
        coalesce(statuses.counts_as_refund, false) as is_refund,
        judged.items_named > judged.items_returned or judged.value_named > judged.value_refunded as is_over_returned,
        judged.date_ordered,
        cast(date_trunc('month', judged.date_ordered) as date) as order_month,
        judged.ordered_at,
        judged.status_at,
        judged.first_ingested_at,
        judged.last_ingested_at
    from judged
    left join statuses on judged.status = statuses.status

)

select * from fct_order_lines
