-- Grain: one row per pipeline update, dataset and input of the dataset;
-- a dataset that only reads files has one row with no input.

with int_operations__flow_edges_listed as (

    select
        update_id,
        dataset,
        input_dataset,
        min(event_at) as defined_at
    from {{ ref('stg_event_log__flow_definitions') }}
    where update_id is not null and dataset is not null
    group by update_id, dataset, input_dataset

)

select * from int_operations__flow_edges_listed
