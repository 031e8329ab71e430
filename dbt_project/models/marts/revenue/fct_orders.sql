-- Grain: one row per order, in its current state. The current state is the event with the latest event_at; of
-- several at that instant the one furthest in the lifecycle, then the greatest order_event_id. The order of
-- arrival never matters.
-- depends_on: {{ ref('int_orders__changed') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='merge_pruned',
        unique_key='order_id',
        partition_by='order_month',
        post_hook="{{ record_progress(this, ['int_orders__changed']) }}",
    )
}}

with {% if is_incremental() -%}
changed as (

    select * from {{ ref('int_orders__changed') }}
    where load_number > {{ last_load(this) }}

),

{% endif -%}
events as (

    select * from {{ ref('fct_order_events') }}
    {%- if is_incremental() %}
    where
        event_month in ({{ changed_dates('event_month', this) }})
        and order_id in (select order_id from changed)
    {%- endif %}

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
        count(*) as events,
        min(event_at) as ordered_at,
        max(event_at) as status_at,
        min(ingested_at) as first_ingested_at,
        max(ingested_at) as last_ingested_at,
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

fct_orders as (

    select
        ordered.order_id,
        ordered.customer_id,
        ordered.order_item,
        ordered.status,
        array_join(transform(histories.status_changes, change -> change.status), ' > ') as status_path,
        ordered.order_event_id as last_order_event_id,
        ordered.items_ordered,
        ordered.price,
        ordered.order_value,
        cast(case when ordered.is_gross then ordered.order_value else 0 end as decimal(18, 2)) as gross_revenue,
        cast(
            case when ordered.is_gross and ordered.is_refund then ordered.order_value else 0 end as decimal(18, 2)
        ) as refunded_revenue,
        cast(
            case when ordered.is_gross and not ordered.is_refund then ordered.order_value else 0 end as decimal(18, 2)
        ) as net_revenue,
        histories.events,
        cast(hour(histories.ordered_at) as int) as order_hour,
        ordered.is_gross and not ordered.is_refund as is_revenue,
        ordered.is_gross and ordered.is_refund as is_refund,
        ordered.date_ordered,
        cast(date_trunc('month', ordered.date_ordered) as date) as order_month,
        histories.ordered_at,
        histories.status_at,
        histories.first_ingested_at,
        histories.last_ingested_at
    from ordered
    inner join histories on ordered.order_id = histories.order_id
    where ordered.recency = 1

)

select * from fct_orders
