-- Grain: one row per dataset that the pipeline has loaded or dbt has built, intermediate ones excepted, or that
-- freshness_slas promises.
-- A view over the clock: age and status are those of the moment of the query, so they keep ageing when nothing runs.

{{ config(materialized='view') }}

with pipeline_loads as (

    select
        dataset,
        'pipeline' as produced_by,
        max(last_rows_at) as last_loaded_at,
        max(case when flow_status = 'COMPLETED' then ended_at end) as last_refreshed_at
    from {{ ref('int_operations__dataset_updates_summed') }}
    group by dataset

),

dbt_loads as (

    select
        dataset,
        'dbt' as produced_by,
        max(ended_at) as last_loaded_at,
        max(ended_at) as last_refreshed_at
    from {{ ref('int_operations__run_results_keyed') }}
    where
        node_status = 'succeeded'
        and resource_type in ('model', 'snapshot')
        and materialization in ('table', 'incremental', 'snapshot')
        -- What nobody reads but the marts is as fresh as they are.
        and left(node_name, 4) <> 'int_'
    group by dataset

),

loads as (

    select * from pipeline_loads
    union all
    select * from dbt_loads

),

slas as (

    select * from {{ ref('freshness_slas') }} where environment = '{{ target.name }}'

),

measured as (

    select
        coalesce(slas.dataset, loads.dataset) as dataset,
        loads.produced_by,
        loads.last_loaded_at,
        loads.last_refreshed_at,
        coalesce(slas.measured_by, 'refreshed') as measured_by,
        case
            when slas.measured_by = 'loaded' then loads.last_loaded_at
            else loads.last_refreshed_at
        end as measured_at,
        cast(slas.sla_minutes as bigint) as sla_minutes,
        current_timestamp() as checked_at
    from loads
    full outer join slas
        on loads.dataset = slas.dataset

),

aged as (

    select
        *,
        cast(floor((unix_micros(checked_at) - unix_micros(measured_at)) / 60000000.0) as bigint) as age_minutes
    from measured

),

fct_freshness as (

    select
        dataset,
        produced_by,
        measured_by,
        case
            when sla_minutes is null then 'no_sla'
            when measured_at is null then 'never_loaded'
            when age_minutes > sla_minutes then 'stale'
            else 'fresh'
        end as freshness_status,
        age_minutes,
        sla_minutes,
        case when age_minutes > sla_minutes then age_minutes - sla_minutes end as minutes_overdue,
        last_loaded_at,
        last_refreshed_at,
        checked_at
    from aged

)

select * from fct_freshness
