-- Grain: one row per delivery of an order event. The same event delivered twice is two rows with one order_event_id.
with source as (

    select * from {{ source('silver', 'orders') }}

),

stg_orders__order_events as (

    select
        order_event_id,
        order_id,
        customer_id,
        order_line,
        order_item,
        status,
        source_file,
        batch_id,
        replay_of,
        items_ordered,
        price,
        order_value,
        date_ordered,
        order_timestamp,
        ingested_at
    from source

)

select * from stg_orders__order_events
