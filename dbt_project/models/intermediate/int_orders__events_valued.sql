-- Grain: one row per delivery of an order event, with what its status means for revenue.
with deliveries as (

    select * from {{ ref('stg_orders__order_events') }}

),

statuses as (

    select * from {{ ref('order_statuses') }}

),

int_orders__events_valued as (

    select
        deliveries.order_event_id,
        deliveries.order_id,
        deliveries.customer_id,
        case
            when deliveries.order_line is null then concat('item:', deliveries.order_item)
            else concat('line:', deliveries.order_line)
        end as line_key,
        deliveries.order_line,
        deliveries.order_item,
        deliveries.status,
        deliveries.source_file,
        deliveries.batch_id,
        deliveries.items_ordered,
        deliveries.price,
        deliveries.order_value,
        cast(coalesce(statuses.lifecycle_rank, 0) as int) as lifecycle_rank,
        coalesce(statuses.counts_as_gross, false) as is_gross,
        coalesce(statuses.counts_as_refund, false) as is_refund,
        deliveries.date_ordered,
        deliveries.order_timestamp,
        cast(date_trunc('month', deliveries.order_timestamp) as date) as event_month,
        deliveries.ingested_at
    from deliveries
    -- A status that the seed does not know counts for nothing; a relationships test names it.
    left join statuses on deliveries.status = statuses.status

)

select * from int_orders__events_valued
