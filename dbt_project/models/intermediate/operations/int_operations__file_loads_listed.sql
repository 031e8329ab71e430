-- Grain: one row per pipeline update and source file that the update read.
-- What the event log lists comes first: it knows sizes, empty files and faults. Files that no event lists, which on
-- Databricks are all of them, are known by the rows they left.

with listed as (

    select
        update_id,
        source_file,
        max(dataset) as dataset,
        max(file_fault) as file_fault,
        sum(file_rows) as file_rows,
        max(file_bytes) as file_bytes,
        max(event_at) as loaded_at
    from {{ ref('stg_event_log__source_files') }}
    where update_id is not null
    group by update_id, source_file

),

found as (

    select
        files.update_id,
        files.source_file,
        files.dataset,
        cast(null as string) as file_fault,
        files.file_rows,
        cast(null as bigint) as file_bytes,
        files.loaded_at
    from {{ ref('int_operations__source_files_found') }} as files
    left anti join listed
        on files.source_file = listed.source_file

),

int_operations__file_loads_listed as (

    select * from listed
    union all
    select * from found

)

select * from int_operations__file_loads_listed
