-- Grain: one row per exported model and run.
-- A view over the clock: rows that wait for Postgres keep waiting when nothing runs. Written by dbt's on-run-end and by
-- `orders export`, so an invocation is here as soon as it has ended.

{{ config(materialized='view') }}

with deliveries as (

    select * from {{ ref('int_operations__export_deliveries_followed') }}

),

fct_export_deliveries as (

    select
        sha2(concat_ws('|', model_name, run_id), 256) as export_delivery_id,
        model_name,
        run_id,
        outcome,
        rows_read,
        rows_changed,
        rows_rejected,
        open_dead_letters,
        attempts,
        duration_seconds,
        error_class,
        error_message,
        cast(
            floor(
                (unix_micros(coalesce(arrived_at, current_timestamp())) - unix_micros(attempted_at)) / 60000000.0
            ) as bigint
        ) as lag_minutes,
        attempted_at,
        arrived_at
    from deliveries

)

select * from fct_export_deliveries
