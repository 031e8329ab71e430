-- Grain: one row per dbt invocation that executed at least one node.
-- A view, so that an invocation is here as soon as it has ended: its results are recorded after the last model is built.

{{ config(materialized='view') }}

with run_results as (

    select * from {{ ref('int_operations__run_results_keyed') }}

),

summed as (

    select
        invocation_id,
        max(run_id) as run_id,
        max(command) as command,
        max(target_name) as target_name,
        max(dbt_version) as dbt_version,
        count(*) as nodes,
        count_if(resource_type in ('model', 'seed', 'snapshot') and node_status = 'succeeded') as datasets_built,
        count_if(resource_type in ('test', 'unit_test') and node_status = 'succeeded') as tests_passed,
        count_if(resource_type in ('test', 'unit_test') and node_status = 'failed') as tests_failed,
        count_if(node_status = 'failed') as nodes_failed,
        count_if(node_status = 'warned') as nodes_warned,
        count_if(node_status = 'skipped') as nodes_skipped,
        sum(execution_seconds) as execution_seconds,
        bool_or(is_full_refresh) as is_full_refresh,
        min(invocation_started_at) as started_at,
        max(recorded_at) as ended_at
    from run_results
    group by invocation_id

),

fct_dbt_runs as (

    select
        invocation_id,
        run_id,
        command,
        target_name,
        dbt_version,
        case
            when nodes_failed > 0 then 'failed'
            when nodes_warned > 0 then 'warned'
            else 'succeeded'
        end as run_status,
        cast(nodes as bigint) as nodes,
        cast(datasets_built as bigint) as datasets_built,
        cast(tests_passed as bigint) as tests_passed,
        cast(tests_failed as bigint) as tests_failed,
        cast(nodes_failed as bigint) as nodes_failed,
        cast(nodes_warned as bigint) as nodes_warned,
        cast(nodes_skipped as bigint) as nodes_skipped,
        {{ elapsed_seconds('started_at', 'ended_at') }} as duration_seconds,
        cast(execution_seconds as decimal(18, 3)) as execution_seconds,
        is_full_refresh,
        started_at,
        ended_at
    from summed

)

select * from fct_dbt_runs
