-- Grain: one row per flow_definition event and input of the flow; a flow without inputs has one row with no input.

with source as (

    select
        id,
        origin,
        timestamp,
        from_json(
            details,
            'flow_definition STRUCT<
                output_dataset: STRING,
                input_datasets: ARRAY<STRING>,
                flow_type: STRING
            >'
        ).flow_definition as flow_definition
    from {{ source('ops', 'event_log') }}
    where event_type = 'flow_definition'

),

-- A NULL or empty list must keep its flow: explode alone would lose the ingesting flows, which read files.
inputs_listed as (

    select
        id,
        origin,
        timestamp,
        flow_definition,
        explode(
            case
                when size(flow_definition.input_datasets) > 0 then flow_definition.input_datasets
                else array(cast(null as string))
            end
        ) as input_dataset
    from source

),

stg_event_log__flow_definitions as (

    select
        id as event_id,
        origin.update_id as update_id,
        {{ two_level_name('flow_definition.output_dataset') }} as dataset,
        {{ two_level_name('origin.flow_name') }} as flow_name,
        {{ two_level_name('input_dataset') }} as input_dataset,
        flow_definition.flow_type as flow_type,
        timestamp as event_at
    from inputs_listed

)

select * from stg_event_log__flow_definitions
