-- Grain: one row per event of the pipelines' event log, with the fields that describe the update as a whole.
-- Deliberately absent: details of flows, expectations and plans, each of which has its own staging model and grain.

with source as (

    select
        id,
        origin,
        timestamp,
        message,
        level,
        get(error.exceptions, 0).message as exception_message,
        event_type,
        from_json(
            details,
            'create_update STRUCT<
                cause: STRING,
                run_id: STRING,
                full_refresh: BOOLEAN,
                full_refresh_selection: ARRAY<STRING>,
                validate_only: BOOLEAN,
                config: STRUCT<configuration: MAP<STRING, STRING>>
            >,
            update_progress STRUCT<state: STRING>'
        ) as details
    from {{ source('ops', 'event_log') }}

),

stg_event_log__events as (

    select
        id as event_id,
        origin.pipeline_id as pipeline_id,
        origin.pipeline_name as pipeline_name,
        origin.update_id as update_id,
        event_type,
        level,
        message,
        details.update_progress.state as update_state,
        details.create_update.cause as trigger_cause,
        -- The local runtime says it itself; on Databricks it is in the configuration that the update ran with.
        coalesce(
            nullif(details.create_update.run_id, ''),
            nullif(details.create_update.config.configuration['orders.run_id'], '')
        ) as run_id,
        case
            when level = 'ERROR' and contains(message, exception_message) then left(message, 1000)
            when level = 'ERROR' then left(concat_ws(' ', message, exception_message), 1000)
        end as error_message,
        transform(
            details.create_update.full_refresh_selection,
            selected -> {{ two_level_name('selected') }}
        ) as full_refresh_datasets,
        details.create_update.full_refresh as is_full_refresh,
        details.create_update.validate_only as is_validate_only,
        timestamp as event_at
    from source

)

select * from stg_event_log__events
