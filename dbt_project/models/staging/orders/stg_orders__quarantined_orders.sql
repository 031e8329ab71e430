-- Grain: one row per record that broke a rule.
with source as (

    select * from {{ source('silver', 'orders_quarantine') }}

),

stg_orders__quarantined_orders as (

    select
        quarantine_id,
        order_id,
        customer_id,
        order_line,
        order_item,
        status,
        failed_rules,
        source_file,
        batch_id,
        replay_of,
        update_id,
        items_ordered,
        price,
        date_ordered,
        order_timestamp,
        quarantined_at,
        ingested_at
    from source

)

select * from stg_orders__quarantined_orders
