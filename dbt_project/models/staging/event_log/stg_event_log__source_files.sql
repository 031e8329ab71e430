-- Grain: one row per source_files event and file in it: what an ingesting flow read.
-- The event type is the local runtime's own. On Databricks there is none, and files are known by the rows they left.

with source as (

    select
        id,
        origin,
        timestamp,
        explode(
            from_json(
                details,
                'source_files STRUCT<
                    files: ARRAY<STRUCT<path: STRING, rows: BIGINT, bytes: BIGINT, fault: STRING>>
                >'
            ).source_files.files
        ) as file
    from {{ source('ops', 'event_log') }}
    where event_type = 'source_files'

),

stg_event_log__source_files as (

    select
        id as event_id,
        origin.update_id as update_id,
        {{ two_level_name('origin.dataset_name') }} as dataset,
        file.path as source_file,
        file.fault as file_fault,
        coalesce(file.rows, 0) as file_rows,
        file.bytes as file_bytes,
        timestamp as event_at
    from source

)

select * from stg_event_log__source_files
