-- Grain: one row per order event, however often it was delivered. Of an event that is known already only the
-- delivery on record may change: to an older one that turns up late.
-- depends_on: {{ ref('int_orders__loaded') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='merge_pruned',
        unique_key=['event_month', 'order_event_id'],
        partition_by='event_month',
        matched_condition='struct(DBT_INTERNAL_SOURCE.ingested_at, DBT_INTERNAL_SOURCE.source_file)'
            ~ ' < struct(DBT_INTERNAL_DEST.ingested_at, DBT_INTERNAL_DEST.source_file)',
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this) }}",
    )
}}

with deliveries as (

    select * from {{ ref('int_orders__events_valued') }}

),

{% if is_incremental() -%}
new_files as (

    select distinct
        source_file,
        ingested_at
    from {{ ref('int_orders__loaded') }}
    where load_number > {{ last_load(this) }}

),

new_deliveries as (

    select deliveries.*
    from deliveries
    inner join new_files
        on deliveries.source_file = new_files.source_file and deliveries.ingested_at = new_files.ingested_at

),

{% else -%}
new_deliveries as (

    select * from deliveries

),

{% endif -%}
numbered as (

    select
        *,
        row_number() over (partition by order_event_id order by ingested_at, source_file) as delivery_number
    from new_deliveries

),

fct_order_events as (

    select
        order_event_id,
        order_id,
        customer_id,
        line_key,
        order_line,
        order_item,
        status,
        source_file,
        items_ordered,
        price,
        order_value,
        lifecycle_rank,
        is_gross,
        is_refund,
        date_ordered,
        event_month,
        order_timestamp as event_at,
        ingested_at
    from numbered
    where delivery_number = 1

)

select * from fct_order_events
