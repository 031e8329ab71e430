-- Grain: one row per edge of the dbt graph, as it was when this table was built.

{{ config(materialized='table') }}

with listed as (

    select explode(from_json(
        '{{ dbt_lineage_edges() }}',
        'array<struct<from_name: string, from_kind: string, to_name: string, to_kind: string, edge_kind: string>>'
    )) as edge

),

int_operations__dbt_edges_listed as (

    select distinct
        edge.edge_kind as edge_kind,
        edge.from_name as from_name,
        edge.from_kind as from_kind,
        edge.to_name as to_name,
        edge.to_kind as to_kind,
        cast('{{ invocation_id }}' as string) as invocation_id,
        cast('{{ run_id() }}' as string) as run_id,
        cast('{{ run_started_at }}' as timestamp) as listed_at
    from listed

)

select * from int_operations__dbt_edges_listed
