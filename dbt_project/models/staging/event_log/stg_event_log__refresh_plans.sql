-- Grain: one row per planning_information event: how the platform chose to refresh one materialized view.

with source as (

    select
        id,
        origin,
        timestamp,
        get(
            filter(
                from_json(
                    details,
                    'planning_information STRUCT<
                        technique_information: ARRAY<STRUCT<maintenance_type: STRING, is_chosen: BOOLEAN>>
                    >'
                ).planning_information.technique_information,
                technique -> technique.is_chosen
            ),
            0
        ) as chosen
    from {{ source('ops', 'event_log') }}
    where event_type = 'planning_information'

),

stg_event_log__refresh_plans as (

    select
        id as event_id,
        origin.update_id as update_id,
        {{ two_level_name('coalesce(origin.dataset_name, origin.flow_name)') }} as dataset,
        lower(replace(chosen.maintenance_type, 'MAINTENANCE_TYPE_', '')) as refresh_technique,
        timestamp as event_at
    from source

)

select * from stg_event_log__refresh_plans
