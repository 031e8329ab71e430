-- Grain: one row per source file that left rows, kept or quarantined, with the update that loaded it last. A file without
-- rows is not here.
-- Kept rows are those that int_orders__loaded has counted already, so Silver is not scanned for them a second time.

with deliveries as (

    select
        source_file,
        ingested_at,
        max_by(deliveries, load_number) as file_rows
    from {{ ref('int_orders__loaded') }}
    group by source_file, ingested_at

),

-- A full refresh of the pipeline ingests a file again, at a later time; what it was before is history.
kept as (

    select
        source_file,
        max_by(file_rows, ingested_at) as file_rows,
        max(ingested_at) as loaded_at
    from deliveries
    group by source_file

),

quarantined as (

    select
        source_file,
        count(*) as file_rows,
        max(ingested_at) as loaded_at
    from {{ ref('stg_orders__quarantined_orders') }}
    group by source_file

),

parts as (

    select * from kept
    union all
    select * from quarantined

),

files as (

    select
        source_file,
        sum(file_rows) as file_rows,
        max(loaded_at) as loaded_at
    from parts
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
        -- Where Silver and quarantine come from.
        'bronze.orders' as dataset,
        attributed.update_id,
        cast(files.file_rows as bigint) as file_rows,
        files.loaded_at
    from files
    inner join attributed
        on files.source_file = attributed.source_file

)

select * from int_operations__source_files_found
