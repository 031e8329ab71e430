-- Grain: one row per flow_progress event and expectation in it. Counts are of that event only; add them up.

with source as (

    select
        id,
        origin,
        timestamp,
        explode(
            from_json(
                details,
                'flow_progress STRUCT<
                    data_quality: STRUCT<
                        expectations: ARRAY<STRUCT<
                            name: STRING,
                            dataset: STRING,
                            passed_records: BIGINT,
                            failed_records: BIGINT
                        >>
                    >
                >'
            ).flow_progress.data_quality.expectations
        ) as expectation
    from {{ source('ops', 'event_log') }}
    where event_type = 'flow_progress'

),

stg_event_log__expectations as (

    select
        id as event_id,
        origin.update_id as update_id,
        {{ two_level_name('expectation.dataset') }} as dataset,
        expectation.name as rule_name,
        coalesce(expectation.passed_records, 0) as passed_records,
        coalesce(expectation.failed_records, 0) as failed_records,
        timestamp as event_at
    from source

)

select * from stg_event_log__expectations
