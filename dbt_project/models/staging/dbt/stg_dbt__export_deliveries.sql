-- Grain: one row per exported model and run.

with source as (

    select * from {{ source('ops', 'export_deliveries') }}

),

stg_dbt__export_deliveries as (

    select
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
        attempted_at,
        delivered_at,
        recorded_at
    from source

)

select * from stg_dbt__export_deliveries
