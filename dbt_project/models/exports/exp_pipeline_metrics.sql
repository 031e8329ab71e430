-- Grain: one row per ended pipeline update, dataset, rule and metric. The dataset is '' for metrics of the update as a
-- whole, the rule is '' for metrics of a dataset as a whole.
-- Each row belongs to one update that has ended, so a later run changes none of them, with one exception: cost, which
-- the billing tables bring a day later.
-- Deliberately absent: dbt invocations, whose results are recorded after this model is built (exp_dbt_metrics), and
-- ages, which change all the time (Postgres has now() for them).

{% set value_type = 'decimal(24, 6)' %}

with runs as (

    select * from {{ ref('fct_pipeline_runs') }}
    where run_status <> 'running'

),

dataset_runs as (

    select * from {{ ref('fct_dataset_runs') }}

),

quality_rules as (

    select * from {{ ref('fct_quality_rules') }}

),

costs as (

    select * from {{ ref('fct_run_costs') }}

),

update_metrics as (

    select
        update_id,
        '' as dataset,
        '' as rule_name,
        {{ metrics_as_rows([
            ['succeeded', "case when run_status = 'succeeded' then 1 else 0 end", 'flag'],
            ['is_full_refresh', 'case when is_full_refresh then 1 else 0 end', 'flag'],
            ['errors', 'errors', 'events'],
            ['warnings', 'warnings', 'events'],
            ['datasets_refreshed', 'datasets_refreshed', 'datasets'],
            ['datasets_failed', 'datasets_failed', 'datasets'],
            ['files_read', 'files_read', 'files'],
            ['bytes_read', 'bytes_read', 'bytes'],
            ['bytes_written', 'bytes_written', 'bytes'],
            ['rows_in', 'rows_in', 'rows'],
            ['rows_out', 'rows_out', 'rows'],
            ['rows_dropped', 'rows_dropped', 'rows'],
            ['rows_written', 'rows_written', 'rows'],
            ['quality_rate', 'quality_rate', 'ratio'],
            ['duration_seconds', 'duration_seconds', 'seconds'],
            ['rows_per_second', 'rows_per_second', 'rows/second'],
        ], value_type) | indent(8) }}
    from runs

),

cost_metrics as (

    select
        update_id,
        '' as dataset,
        '' as rule_name,
        {{ metrics_as_rows([
            ['usage_dbu', 'usage_dbu', 'DBU'],
            ['list_cost_usd', 'list_cost_usd', 'USD'],
        ], value_type) | indent(8) }}
    from costs

),

dataset_metrics as (

    select
        update_id,
        dataset,
        '' as rule_name,
        {{ metrics_as_rows([
            ['succeeded', "case when flow_status = 'COMPLETED' then 1 else 0 end", 'flag'],
            ['files_read', 'files_read', 'files'],
            ['bytes_read', 'bytes_read', 'bytes'],
            ['rows_in', 'rows_in', 'rows'],
            ['rows_written', 'rows_written', 'rows'],
            ['rows_deleted', 'rows_deleted', 'rows'],
            ['rows_dropped', 'rows_dropped', 'rows'],
            ['quality_rate', 'quality_rate', 'ratio'],
            ['bytes_written', 'bytes_written', 'bytes'],
            ['backlog_files', 'backlog_files', 'files'],
            ['backlog_bytes', 'backlog_bytes', 'bytes'],
            ['duration_seconds', 'duration_seconds', 'seconds'],
            ['rows_per_second', 'rows_per_second', 'rows/second'],
        ], value_type) | indent(8) }}
    from dataset_runs

),

rule_metrics as (

    select
        update_id,
        dataset,
        rule_name,
        {{ metrics_as_rows([
            ['checked_records', 'checked_records', 'records'],
            ['passed_records', 'passed_records', 'records'],
            ['failed_records', 'failed_records', 'records'],
            ['pass_rate', 'pass_rate', 'ratio'],
            ['is_newly_failing', 'case when is_newly_failing then 1 else 0 end', 'flag'],
        ], value_type) | indent(8) }}
    from quality_rules

),

all_metrics as (

    select * from update_metrics
    union all
    select * from cost_metrics
    union all
    select * from dataset_metrics
    union all
    select * from rule_metrics

),

exp_pipeline_metrics as (

    select
        all_metrics.update_id,
        all_metrics.dataset,
        all_metrics.rule_name,
        all_metrics.metric_name,
        runs.run_id,
        runs.pipeline_name,
        all_metrics.unit,
        all_metrics.metric_value,
        -- Text does not fit among the values; like the run, it is on each row that it applies to.
        dataset_runs.refresh_kind,
        runs.started_at
    from all_metrics
    inner join runs
        on all_metrics.update_id = runs.update_id
    left join dataset_runs
        on
            all_metrics.update_id = dataset_runs.update_id
            and all_metrics.dataset = dataset_runs.dataset
            and all_metrics.rule_name = ''
    -- A metric without a value (a rate over no rows, a cost where none is billed) is not a metric.
    where all_metrics.metric_value is not null

)

select * from exp_pipeline_metrics
