-- Grain: one row per flow_progress event: what one flow reported at one moment. Counts are of that moment only; add them up.

with source as (

    select
        id,
        origin,
        timestamp,
        from_json(
            details,
            'flow_progress STRUCT<
                status: STRING,
                metrics: STRUCT<
                    num_output_rows: BIGINT,
                    num_upserted_rows: BIGINT,
                    num_deleted_rows: BIGINT,
                    num_output_bytes: BIGINT,
                    backlog_files: BIGINT,
                    backlog_bytes: BIGINT
                >,
                data_quality: STRUCT<dropped_records: BIGINT>
            >'
        ).flow_progress as flow_progress
    from {{ source('ops', 'event_log') }}
    where event_type = 'flow_progress'

),

stg_event_log__flow_progress as (

    select
        id as event_id,
        origin.update_id as update_id,
        {{ two_level_name('coalesce(origin.dataset_name, origin.flow_name)') }} as dataset,
        {{ two_level_name('origin.flow_name') }} as flow_name,
        flow_progress.status as flow_status,
        flow_progress.metrics.num_output_rows as rows_written,
        flow_progress.metrics.num_upserted_rows as rows_upserted,
        flow_progress.metrics.num_deleted_rows as rows_deleted,
        flow_progress.metrics.num_output_bytes as bytes_written,
        flow_progress.metrics.backlog_files as backlog_files,
        flow_progress.metrics.backlog_bytes as backlog_bytes,
        flow_progress.data_quality.dropped_records as rows_dropped,
        timestamp as event_at
    from source

)

select * from stg_event_log__flow_progress
