-- Grain: one row per edge of the data flow: from a file to the dataset that loaded it, between datasets, from a dataset
-- to a model, and from a model to the dashboard or export that shows it.
-- Flows are remembered as the event log has them, also those that are gone; dbt's edges are those of the last build.

with updates as (

    select * from {{ ref('int_operations__updates_summarised') }}

),

file_edges as (

    select
        'file_load' as edge_kind,
        source_file as from_name,
        'file' as from_kind,
        dataset as to_name,
        'dataset' as to_kind,
        update_id,
        cast(null as string) as invocation_id,
        loaded_at as seen_at
    from {{ ref('int_operations__file_loads_listed') }}

),

flow_edges as (

    select
        'flow' as edge_kind,
        input_dataset as from_name,
        'dataset' as from_kind,
        dataset as to_name,
        'dataset' as to_kind,
        update_id,
        cast(null as string) as invocation_id,
        defined_at as seen_at
    from {{ ref('int_operations__flow_edges_listed') }}
    where input_dataset is not null

),

dbt_edges as (

    select
        edge_kind,
        from_name,
        from_kind,
        to_name,
        to_kind,
        cast(null as string) as update_id,
        invocation_id,
        listed_at as seen_at
    from {{ ref('int_operations__dbt_edges_listed') }}

),

edges as (

    select * from file_edges
    union all
    select * from flow_edges
    union all
    select * from dbt_edges

),

last_seen as (

    select
        edge_kind,
        from_name,
        from_kind,
        to_name,
        to_kind,
        max_by(update_id, seen_at) as update_id,
        max_by(invocation_id, seen_at) as invocation_id,
        min(seen_at) as first_seen_at,
        max(seen_at) as last_seen_at
    from edges
    group by edge_kind, from_name, from_kind, to_name, to_kind

),

fct_lineage as (

    select
        sha2(concat_ws('|', last_seen.edge_kind, last_seen.from_name, last_seen.to_name), 256) as lineage_edge_id,
        last_seen.edge_kind,
        last_seen.from_name,
        last_seen.from_kind,
        last_seen.to_name,
        last_seen.to_kind,
        last_seen.update_id,
        last_seen.invocation_id,
        case
            when last_seen.invocation_id is not null then '{{ run_id() }}'
            else updates.run_id
        end as run_id,
        last_seen.first_seen_at,
        last_seen.last_seen_at
    from last_seen
    left join updates
        on last_seen.update_id = updates.update_id

)

select * from fct_lineage
