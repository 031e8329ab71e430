-- Grain: one row per pipeline update, dataset and quality rule, summed over the events that counted it.

{{
    config(
        materialized='incremental',
        unique_key=['update_id', 'dataset', 'rule_name'],
        incremental_strategy='merge',
        on_schema_change='fail',
    )
}}

with expectations as (

    select * from {{ ref('stg_event_log__expectations') }}
    {% if is_incremental() %}
    where {{ updates_with_new_events(ref('stg_event_log__expectations'), 'last_event_at') }}
    {% endif %}

),

int_operations__rule_results_summed as (

    select
        update_id,
        dataset,
        rule_name,
        sum(passed_records) as passed_records,
        sum(failed_records) as failed_records,
        max(event_at) as last_event_at
    from expectations
    where update_id is not null
    group by update_id, dataset, rule_name

)

select * from int_operations__rule_results_summed
