-- Grain: one row per pipeline update and dataset, summed over the flow_progress events of all flows into the dataset.
-- A flow reports its counts per micro-batch, in events with status RUNNING, and may end with an event that has none.

{{
    config(
        materialized='incremental',
        unique_key=['update_id', 'dataset'],
        incremental_strategy='merge',
        on_schema_change='fail',
    )
}}

with flow_progress as (

    select * from {{ ref('stg_event_log__flow_progress') }}
    {% if is_incremental() %}
    where {{ updates_with_new_events(ref('stg_event_log__flow_progress'), 'last_event_at') }}
    {% endif %}

),

refresh_plans as (

    select
        update_id,
        dataset,
        max_by(refresh_technique, event_at) as refresh_technique
    from {{ ref('stg_event_log__refresh_plans') }}
    group by update_id, dataset

),

summed as (

    select
        update_id,
        dataset,
        max_by(
            flow_status,
            -- Events of one moment: a final status comes last.
            case
                when flow_status is not null
                    then struct(event_at, flow_status in ('COMPLETED', 'FAILED', 'STOPPED', 'SKIPPED'))
            end
        ) as flow_status,
        coalesce(sum(rows_written), 0) + coalesce(sum(rows_upserted), 0) as rows_written,
        coalesce(sum(rows_deleted), 0) as rows_deleted,
        coalesce(sum(rows_dropped), 0) as rows_dropped,
        sum(bytes_written) as bytes_written,
        max_by(backlog_files, case when backlog_files is not null then event_at end) as backlog_files,
        max_by(backlog_bytes, case when backlog_bytes is not null then event_at end) as backlog_bytes,
        min(event_at) as started_at,
        max(case when flow_status in ('COMPLETED', 'FAILED', 'STOPPED', 'SKIPPED') then event_at end) as ended_at,
        max(case when rows_written > 0 or rows_upserted > 0 then event_at end) as last_rows_at,
        max(event_at) as last_event_at
    from flow_progress
    where update_id is not null and dataset is not null
    group by update_id, dataset

),

int_operations__dataset_updates_summed as (

    select
        summed.update_id,
        summed.dataset,
        summed.flow_status,
        refresh_plans.refresh_technique,
        summed.rows_written,
        summed.rows_deleted,
        summed.rows_dropped,
        summed.bytes_written,
        summed.backlog_files,
        summed.backlog_bytes,
        summed.started_at,
        summed.ended_at,
        summed.last_rows_at,
        summed.last_event_at
    from summed
    left join refresh_plans
        on summed.update_id = refresh_plans.update_id and summed.dataset = refresh_plans.dataset

)

select * from int_operations__dataset_updates_summed
