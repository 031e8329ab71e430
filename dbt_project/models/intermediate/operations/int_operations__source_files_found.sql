-- One row per source file that reached Bronze, with the update that loaded it.
-- Found by what the rows themselves carry, kept or quarantined. A file without rows is not here.

{{
    config(
        materialized='incremental',
        unique_key='source_file',
        incremental_strategy='merge',
        on_schema_change='fail',
    )
}}

with

new_rows as (

    select
        source_file,
        ingested_at
    from {{ ref('stg_orders__order_events') }}
    {% if is_incremental() %}
    where ingested_at >= (
        select coalesce(max(loaded_at), timestamp'1970-01-01 00:00:00')
            - interval {{ var('event_log_late_hours', 24) | int }} hours
        from {{ this }}
    )
    {% endif %}

    union all

    select
        source_file,
        ingested_at
    from {{ ref('stg_orders__quarantined_orders') }}
    {% if is_incremental() %}
    where ingested_at >= (
        select coalesce(max(loaded_at), timestamp'1970-01-01 00:00:00')
            - interval {{ var('event_log_late_hours', 24) | int }} hours
        from {{ this }}
    )
    {% endif %}

),

files as (

    select
        source_file,
        count(*) as file_rows,
        min(ingested_at) as loaded_at
    from new_rows
    group by source_file

),

-- The updates of a pipeline follow each other, so the last one that had begun when the rows were ingested loaded them.
timeline as (

    select
        started_at as happened_at,
        0 as is_file,
        update_id,
        cast(null as string) as source_file
    from {{ ref('int_operations__updates_summarised') }}

    union all

    select
        loaded_at as happened_at,
        1 as is_file,
        cast(null as string) as update_id,
        source_file
    from files

),

attributed as (

    select
        source_file,
        last_value(update_id, true) over (
            order by happened_at, is_file
            rows between unbounded preceding and current row
        ) as update_id
    from timeline

),

int_operations__source_files_found as (

    select
        files.source_file,
        -- Where the stagings of orders and of quarantine come from.
        'bronze.orders' as dataset,
        attributed.update_id,
        cast(files.file_rows as bigint) as file_rows,
        files.loaded_at
    from files
    inner join attributed
        on files.source_file = attributed.source_file

)

select * from int_operations__source_files_found
