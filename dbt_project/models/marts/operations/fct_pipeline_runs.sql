-- Grain: one row per pipeline update, whatever its outcome.
-- Rows and files add up over updates. Durations do not where updates of several pipelines overlap; rates never do.

with updates as (

    select
        *,
        lead(started_at) over (
            partition by pipeline_id
            order by started_at, update_id
        ) as next_update_started_at
    from {{ ref('int_operations__updates_summarised') }}

),

datasets as (

    select
        update_id,
        count(*) as datasets_refreshed,
        count_if(flow_status = 'FAILED') as datasets_failed,
        sum(case when is_ingestion then rows_written else 0 end) as rows_in,
        sum(case when is_checked then rows_written else 0 end) as rows_out,
        sum(case when is_checked then rows_dropped else 0 end) as rows_dropped,
        sum(rows_written) as rows_written,
        sum(bytes_written) as bytes_written
    from {{ ref('int_operations__dataset_updates_classified') }}
    group by update_id

),

files as (

    select
        update_id,
        count(*) as files_read,
        sum(file_bytes) as bytes_read
    from {{ ref('int_operations__file_loads_listed') }}
    group by update_id

),

joined as (

    select
        updates.*,
        coalesce(datasets.datasets_refreshed, 0) as datasets_refreshed,
        coalesce(datasets.datasets_failed, 0) as datasets_failed,
        coalesce(datasets.rows_in, 0) as rows_in,
        coalesce(datasets.rows_out, 0) as rows_out,
        coalesce(datasets.rows_dropped, 0) as rows_dropped,
        coalesce(datasets.rows_written, 0) as rows_written,
        datasets.bytes_written,
        coalesce(files.files_read, 0) as files_read,
        files.bytes_read,
        {{ elapsed_seconds('updates.started_at', 'updates.ended_at') }} as duration_seconds
    from updates
    left join datasets
        on updates.update_id = datasets.update_id
    left join files
        on updates.update_id = files.update_id

),

fct_pipeline_runs as (

    select
        update_id,
        pipeline_id,
        pipeline_name,
        run_id,
        update_state,
        case
            when update_state = 'COMPLETED' then 'succeeded'
            when update_state = 'FAILED' then 'failed'
            when update_state = 'CANCELED' then 'canceled'
            -- A pipeline runs one update at a time: one that never ended and was followed by another was killed.
            when next_update_started_at is not null then 'interrupted'
            else 'running'
        end as run_status,
        trigger_cause,
        first_error_message as error_message,
        cast(errors as bigint) as errors,
        cast(warnings as bigint) as warnings,
        cast(datasets_refreshed as bigint) as datasets_refreshed,
        cast(datasets_failed as bigint) as datasets_failed,
        cast(files_read as bigint) as files_read,
        cast(bytes_read as bigint) as bytes_read,
        cast(rows_in as bigint) as rows_in,
        cast(rows_out as bigint) as rows_out,
        cast(rows_dropped as bigint) as rows_dropped,
        cast(rows_written as bigint) as rows_written,
        cast(bytes_written as bigint) as bytes_written,
        {{ ratio('rows_out', 'rows_out + rows_dropped', 'decimal(9, 6)') }} as quality_rate,
        duration_seconds,
        {{ rows_per_second('rows_in', 'duration_seconds') }} as rows_per_second,
        is_full_refresh,
        is_validate_only,
        started_at,
        ended_at
    from joined

)

select * from fct_pipeline_runs
