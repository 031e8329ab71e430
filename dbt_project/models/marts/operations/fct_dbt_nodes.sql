-- Grain: one row per dbt invocation and node (model, seed, snapshot, test, unit test).
-- A view, so that an invocation is here as soon as it has ended: its results are recorded after the last model is built.

{{ config(materialized='view') }}

with run_results as (

    select * from {{ ref('int_operations__run_results_keyed') }}

),

fct_dbt_nodes as (

    select
        node_result_id,
        invocation_id,
        run_id,
        node_id,
        node_name,
        resource_type,
        dataset,
        materialization,
        node_status,
        command,
        message,
        query_id,
        failures,
        row_count,
        execution_seconds,
        started_at,
        ended_at,
        recorded_at
    from run_results

)

select * from fct_dbt_nodes
