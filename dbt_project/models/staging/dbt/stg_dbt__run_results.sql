-- Grain: one row per dbt invocation and node.

with source as (

    select * from {{ source('ops', 'dbt_run_results') }}

),

stg_dbt__run_results as (

    select
        invocation_id,
        node_id,
        run_id,
        resource_type,
        node_name,
        relation_name as dataset,
        materialization,
        case
            when status in ('success', 'pass') then 'succeeded'
            when status in ('error', 'fail', 'runtime error') then 'failed'
            when status = 'warn' then 'warned'
            else 'skipped'
        end as node_status,
        message,
        query_id,
        command,
        target_name,
        dbt_version,
        failures,
        row_count,
        execution_seconds,
        is_full_refresh,
        started_at,
        completed_at as ended_at,
        invocation_started_at,
        recorded_at
    from source

)

select * from stg_dbt__run_results
