-- Grain: one row per pipeline update, summed over its events. An update that is still running has a row too.

{{ config(materialized='incremental', unique_key='update_id', incremental_strategy='merge', on_schema_change='fail') }}

with events as (

    select * from {{ ref('stg_event_log__events') }}
    {% if is_incremental() %}
    where {{ updates_with_new_events(ref('stg_event_log__events'), 'last_event_at') }}
    {% endif %}

),

int_operations__updates_summarised as (

    select
        update_id,
        max(pipeline_id) as pipeline_id,
        max(pipeline_name) as pipeline_name,
        max(run_id) as run_id,
        max(trigger_cause) as trigger_cause,
        max_by(
            update_state,
            -- Events of one moment: a final state comes last.
            case
                when update_state is not null
                    then struct(event_at, update_state in ('COMPLETED', 'FAILED', 'CANCELED'))
            end
        ) as update_state,
        min_by(error_message, case when error_message is not null then event_at end) as first_error_message,
        cast(count_if(level = 'ERROR') as bigint) as errors,
        cast(count_if(level = 'WARN') as bigint) as warnings,
        max_by(
            full_refresh_datasets, case when full_refresh_datasets is not null then event_at end
        ) as full_refresh_datasets,
        coalesce(bool_or(is_full_refresh), false) as is_full_refresh,
        coalesce(bool_or(is_validate_only), false) as is_validate_only,
        min(event_at) as started_at,
        min(case when update_state in ('COMPLETED', 'FAILED', 'CANCELED') then event_at end) as ended_at,
        max(event_at) as last_event_at
    from events
    where update_id is not null
    group by update_id

)

select * from int_operations__updates_summarised
