-- Grain: one row per dbt invocation and node (model, seed, snapshot, test, unit test).
-- A view that is exported when the invocation has ended (macro export_at_run_end): the results of the running one are
-- recorded after its last model, and a build that failed must reach Postgres too.
-- Deliberately absent: the messages, which can quote a record. They stay in fct_dbt_nodes.

{{ config(materialized='view') }}

with nodes as (

    select * from {{ ref('fct_dbt_nodes') }}

),

exp_dbt_metrics as (

    select
        invocation_id,
        node_id,
        run_id,
        command,
        node_name,
        resource_type,
        dataset,
        materialization,
        node_status,
        execution_seconds,
        row_count,
        failures,
        started_at,
        ended_at,
        recorded_at
    from nodes

)

select * from exp_dbt_metrics
