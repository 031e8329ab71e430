-- Grain: one row per dataset and run that refreshed it, or tried to; the run is '' for a promised dataset without any.
-- A row is about its own run only, so a later run adds rows and changes none. Ages are not here: they change all the
-- time, and Postgres has now() for them.
-- A view that is exported when the invocation has ended (macro export_at_run_end), with what that one has built.

{{ config(materialized='view') }}

with freshness as (

    select
        dataset,
        produced_by,
        measured_by,
        sla_minutes
    from {{ ref('fct_freshness') }}

),

dataset_runs as (

    select
        dataset,
        coalesce(run_id, update_id) as run_id,
        max(last_rows_at) as last_loaded_at,
        max(case when flow_status = 'COMPLETED' then ended_at end) as last_refreshed_at
    from {{ ref('fct_dataset_runs') }}
    group by dataset, coalesce(run_id, update_id)

),

dbt_nodes as (

    select
        dataset,
        run_id,
        max(ended_at) as last_loaded_at,
        max(ended_at) as last_refreshed_at
    from {{ ref('fct_dbt_nodes') }}
    where
        node_status = 'succeeded'
        and resource_type in ('model', 'snapshot')
        and materialization in ('table', 'incremental', 'snapshot')
    group by dataset, run_id

),

loads as (

    select * from dataset_runs
    union all
    select * from dbt_nodes

),

exp_freshness_metrics as (

    select
        freshness.dataset,
        coalesce(loads.run_id, '') as run_id,
        freshness.produced_by,
        freshness.measured_by,
        freshness.sla_minutes,
        loads.last_loaded_at,
        loads.last_refreshed_at
    from freshness
    left join loads
        on freshness.dataset = loads.dataset

)

select * from exp_freshness_metrics
