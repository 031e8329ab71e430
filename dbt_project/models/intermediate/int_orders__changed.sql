-- Grain: one row per load, order, customer, day and event month: every place that an order with new events is or
-- ever was.
--
-- A mart over days or customers must recompute the day that an order came to and the one that it left. Both are in
-- the order's events, since a state is always one of them; so no earlier state has to be kept. The first build is
-- empty: every reader is then built in full.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        full_refresh=false,
        post_hook="{{ record_progress(this, ['fct_order_events']) }}",
    )
}}

with events as (

    select * from {{ ref('fct_order_events') }}

),

loads as (

    select * from {{ ref('int_orders__loaded') }}
    {%- if is_incremental() %}
    where load_number > {{ last_load(this) }}
    {%- else %}
    where false
    {%- endif %}

),

orders_with_new_events as (

    select
        events.order_id,
        max(loads.load_number) as load_number
    from events
    inner join loads
        on events.source_file = loads.source_file and events.ingested_at = loads.ingested_at
    group by events.order_id

),

int_orders__changed as (

    select distinct
        changed.load_number,
        changed.order_id,
        events.customer_id,
        events.date_ordered,
        cast(date_trunc('month', events.date_ordered) as date) as order_month,
        events.event_month
    from events
    inner join orders_with_new_events as changed on events.order_id = changed.order_id

)

select * from int_orders__changed
