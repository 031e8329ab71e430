-- Grain: one row per pipeline update and dataset, with its role: reads files only, is checked by rules.

with dataset_updates as (

    select * from {{ ref('int_operations__dataset_updates_summed') }}

),

-- A dataset is an ingestion dataset when its flows read no dataset of the pipeline, only files.
ingestion_datasets as (

    select
        update_id,
        dataset
    from {{ ref('int_operations__flow_edges_listed') }}
    group by update_id, dataset
    having count(input_dataset) = 0

),

checked_datasets as (

    select distinct
        update_id,
        dataset
    from {{ ref('int_operations__rule_results_summed') }}

),

int_operations__dataset_updates_classified as (

    select
        dataset_updates.*,
        ingestion_datasets.dataset is not null as is_ingestion,
        checked_datasets.dataset is not null as is_checked
    from dataset_updates
    left join ingestion_datasets
        on
            dataset_updates.update_id = ingestion_datasets.update_id
            and dataset_updates.dataset = ingestion_datasets.dataset
    left join checked_datasets
        on
            dataset_updates.update_id = checked_datasets.update_id
            and dataset_updates.dataset = checked_datasets.dataset

)

select * from int_operations__dataset_updates_classified
