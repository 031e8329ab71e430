-- Grain: one row per pipeline update and dataset that the update refreshed, or tried to.
-- Rows and bytes add up over updates; rates and durations do not, because datasets of one update refresh in parallel.

with dataset_updates as (

    select * from {{ ref('int_operations__dataset_updates_classified') }}

),

updates as (

    select * from {{ ref('int_operations__updates_summarised') }}

),

files as (

    select
        update_id,
        dataset,
        count(*) as files_read,
        sum(file_bytes) as bytes_read
    from {{ ref('int_operations__file_loads_listed') }}
    group by update_id, dataset

),

joined as (

    select
        dataset_updates.*,
        -- Only ingestion reads files: of the others it would be no figure.
        case when dataset_updates.is_ingestion then coalesce(files.files_read, 0) end as files_read,
        files.bytes_read,
        updates.pipeline_name,
        updates.run_id,
        updates.is_full_refresh
        or coalesce(array_contains(updates.full_refresh_datasets, dataset_updates.dataset), false) as is_full_refresh,
        {{ elapsed_seconds('dataset_updates.started_at', 'dataset_updates.ended_at') }} as duration_seconds
    from dataset_updates
    inner join updates
        on dataset_updates.update_id = updates.update_id
    left join files
        on
            dataset_updates.update_id = files.update_id
            and dataset_updates.dataset = files.dataset

),

fct_dataset_runs as (

    select
        sha2(concat_ws('|', update_id, dataset), 256) as dataset_run_id,
        update_id,
        run_id,
        pipeline_name,
        dataset,
        flow_status,
        case
            when is_full_refresh then 'full_refresh'
            else coalesce(refresh_technique, 'incremental')
        end as refresh_kind,
        cast(files_read as bigint) as files_read,
        cast(bytes_read as bigint) as bytes_read,
        cast(rows_written + rows_dropped as bigint) as rows_in,
        cast(rows_written as bigint) as rows_written,
        cast(rows_deleted as bigint) as rows_deleted,
        cast(rows_dropped as bigint) as rows_dropped,
        case
            when is_checked
                then {{ ratio('rows_written', 'rows_written + rows_dropped', 'decimal(9, 6)') }}
        end as quality_rate,
        cast(bytes_written as bigint) as bytes_written,
        cast(backlog_files as bigint) as backlog_files,
        cast(backlog_bytes as bigint) as backlog_bytes,
        duration_seconds,
        {{ rows_per_second('rows_written + rows_dropped', 'duration_seconds') }} as rows_per_second,
        is_ingestion,
        is_checked,
        started_at,
        ended_at,
        last_rows_at
    from joined

)

select * from fct_dataset_runs
