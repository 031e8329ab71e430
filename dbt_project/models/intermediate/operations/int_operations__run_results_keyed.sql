-- Grain: one row per dbt invocation and node, under one key.

with int_operations__run_results_keyed as (

    select
        *,
        sha2(concat_ws('|', invocation_id, node_id), 256) as node_result_id
    from {{ ref('stg_dbt__run_results') }}

)

select * from int_operations__run_results_keyed
