-- What dbt did and how fresh the datasets are, as the contracts of their models have it; what else of an update had no
-- place yet; views over all of it.

create table if not exists metrics.exp_dbt_metrics (
    invocation_id text not null,
    node_id text not null,
    run_id text,
    command text,
    node_name text,
    resource_type text,
    dataset text,
    materialization text,
    node_status text,
    execution_seconds numeric(18, 3),
    row_count bigint,
    failures bigint,
    started_at timestamptz,
    ended_at timestamptz,
    recorded_at timestamptz,
    _run_id text default nullif(current_setting('orders.run_id', true), ''),
    _exported_at timestamptz not null default now(),
    primary key (invocation_id, node_id)
);
comment on table metrics.exp_dbt_metrics is 'Grain: one row a dbt invocation and node (model, seed, snapshot, test, unit test).';
comment on column metrics.exp_dbt_metrics.run_id is 'Run that the invocation belonged to; joins job, update, dbt invocation and export.';
comment on column metrics.exp_dbt_metrics.node_status is 'succeeded, failed, warned or skipped.';
comment on column metrics.exp_dbt_metrics.row_count is 'Rows in the built table after the build; null for views and tests.';
comment on column metrics.exp_dbt_metrics.failures is 'Rows that a test found; null for what is no test.';
comment on column metrics.exp_dbt_metrics.recorded_at is 'When the invocation ended. An export reads on from the newest of these.';

-- Hourly builds of some 250 nodes are two million rows a year. Exports ask for the newest row, dashboards for the last
-- days, or for the history of one node: an index each. Partitions by month would force the time into the primary key.
create index if not exists exp_dbt_metrics_by_time on metrics.exp_dbt_metrics (recorded_at desc);
create index if not exists exp_dbt_metrics_by_node on metrics.exp_dbt_metrics (node_name, recorded_at desc);

create table if not exists metrics.exp_freshness_metrics (
    dataset text not null,
    run_id text not null,
    produced_by text,
    measured_by text,
    sla_minutes bigint,
    last_loaded_at timestamptz,
    last_refreshed_at timestamptz,
    _run_id text default nullif(current_setting('orders.run_id', true), ''),
    _exported_at timestamptz not null default now(),
    primary key (dataset, run_id)
);
comment on table metrics.exp_freshness_metrics is 'Grain: one row a dataset and run that refreshed it, or tried to. Hourly runs make some 300,000 rows a year: the primary key is all the index it needs.';
comment on column metrics.exp_freshness_metrics.run_id is 'Run that refreshed the dataset; empty for a promised dataset that no run has refreshed.';
comment on column metrics.exp_freshness_metrics.sla_minutes is 'Promised greatest age, as the seed has it now; null where nothing is promised.';
comment on column metrics.exp_freshness_metrics.measured_by is 'Whether the promise is about rows that arrived (loaded) or about a refresh that ended (refreshed).';

alter table metrics.exp_pipeline_metrics add column if not exists refresh_kind text;
comment on column metrics.exp_pipeline_metrics.refresh_kind is 'How the dataset was refreshed: full_refresh, incremental, or the technique of a materialized view; null for metrics of an update or a rule.';

create or replace view metrics.dbt_runs as
select
    invocation_id,
    max(run_id) as run_id,
    max(command) as command,
    case
        when bool_or(node_status = 'failed') then 'failed'
        when bool_or(node_status = 'warned') then 'warned'
        else 'succeeded'
    end as run_status,
    count(*) as nodes,
    count(*) filter (where resource_type in ('model', 'seed', 'snapshot') and node_status = 'succeeded') as datasets_built,
    count(*) filter (where resource_type in ('test', 'unit_test') and node_status = 'succeeded') as tests_passed,
    count(*) filter (where resource_type in ('test', 'unit_test') and node_status = 'failed') as tests_failed,
    count(*) filter (where node_status = 'failed') as nodes_failed,
    count(*) filter (where node_status = 'warned') as nodes_warned,
    count(*) filter (where node_status = 'skipped') as nodes_skipped,
    sum(execution_seconds) as execution_seconds,
    min(started_at) as started_at,
    max(recorded_at) as ended_at,
    extract(epoch from max(recorded_at) - min(started_at)) as duration_seconds
from metrics.exp_dbt_metrics
group by invocation_id;
comment on view metrics.dbt_runs is 'Grain: one row a dbt invocation. Execution seconds add up over threads, the duration is what a clock on the wall showed.';

create or replace view metrics.freshness as
with last_loads as (
    select
        dataset,
        (array_agg(produced_by order by last_refreshed_at desc nulls last))[1] as produced_by,
        (array_agg(measured_by order by last_refreshed_at desc nulls last))[1] as measured_by,
        (array_agg(sla_minutes order by last_refreshed_at desc nulls last))[1] as sla_minutes,
        max(last_loaded_at) as last_loaded_at,
        max(last_refreshed_at) as last_refreshed_at
    from metrics.exp_freshness_metrics
    group by dataset
),
measured as (
    select *, case measured_by when 'loaded' then last_loaded_at else last_refreshed_at end as measured_at
    from last_loads
)
select
    dataset,
    produced_by,
    measured_by,
    case
        when sla_minutes is null then 'no_sla'
        when measured_at is null then 'never_loaded'
        when now() - measured_at > sla_minutes * interval '1 minute' then 'stale'
        else 'fresh'
    end as freshness_status,
    extract(epoch from now() - measured_at)::bigint as age_seconds,
    sla_minutes * 60 as sla_seconds,
    last_loaded_at,
    last_refreshed_at
from measured;
comment on view metrics.freshness is 'Grain: one row a dataset: how old it is now, and how old it may be. It goes on ageing when nothing runs or is exported.';

-- New columns at the end: a view that others read cannot be made anew. Grouped by started_at too, which is one for all rows
-- of an update: a dashboard's filter on time then reaches the index instead of summing all updates first.
create index if not exists exp_pipeline_metrics_by_start on metrics.exp_pipeline_metrics (started_at desc);

create or replace view metrics.pipeline_updates as
select
    update_id,
    max(run_id) as run_id,
    max(pipeline_name) as pipeline_name,
    started_at,
    coalesce(max(metric_value) filter (where metric_name = 'succeeded') = 1, false) as succeeded,
    coalesce(max(metric_value) filter (where metric_name = 'is_full_refresh') = 1, false) as is_full_refresh,
    max(metric_value) filter (where metric_name = 'rows_in')::bigint as rows_in,
    max(metric_value) filter (where metric_name = 'rows_out')::bigint as rows_out,
    max(metric_value) filter (where metric_name = 'rows_dropped')::bigint as rows_dropped,
    max(metric_value) filter (where metric_name = 'rows_written')::bigint as rows_written,
    max(metric_value) filter (where metric_name = 'files_read')::bigint as files_read,
    max(metric_value) filter (where metric_name = 'bytes_read')::bigint as bytes_read,
    max(metric_value) filter (where metric_name = 'bytes_written')::bigint as bytes_written,
    max(metric_value) filter (where metric_name = 'datasets_refreshed')::bigint as datasets_refreshed,
    max(metric_value) filter (where metric_name = 'datasets_failed')::bigint as datasets_failed,
    max(metric_value) filter (where metric_name = 'errors')::bigint as errors,
    max(metric_value) filter (where metric_name = 'warnings')::bigint as warnings,
    max(metric_value) filter (where metric_name = 'quality_rate') as quality_rate,
    max(metric_value) filter (where metric_name = 'duration_seconds') as duration_seconds,
    max(metric_value) filter (where metric_name = 'rows_per_second') as rows_per_second,
    max(metric_value) filter (where metric_name = 'list_cost_usd') as list_cost_usd,
    max(metric_value) filter (where metric_name = 'usage_dbu') as usage_dbu
from metrics.exp_pipeline_metrics
where dataset = '' and rule_name = ''
group by update_id, started_at;

create or replace view metrics.dataset_updates as
select
    update_id,
    dataset,
    max(run_id) as run_id,
    started_at,
    max(metric_value) filter (where metric_name = 'rows_in')::bigint as rows_in,
    max(metric_value) filter (where metric_name = 'rows_written')::bigint as rows_written,
    max(metric_value) filter (where metric_name = 'rows_deleted')::bigint as rows_deleted,
    max(metric_value) filter (where metric_name = 'rows_dropped')::bigint as rows_dropped,
    max(metric_value) filter (where metric_name = 'quality_rate') as quality_rate,
    max(metric_value) filter (where metric_name = 'backlog_files')::bigint as backlog_files,
    max(metric_value) filter (where metric_name = 'backlog_bytes')::bigint as backlog_bytes,
    max(metric_value) filter (where metric_name = 'duration_seconds') as duration_seconds,
    max(metric_value) filter (where metric_name = 'rows_per_second') as rows_per_second,
    coalesce(max(metric_value) filter (where metric_name = 'succeeded') = 1, false) as succeeded,
    max(refresh_kind) as refresh_kind,
    max(metric_value) filter (where metric_name = 'files_read')::bigint as files_read,
    max(metric_value) filter (where metric_name = 'bytes_read')::bigint as bytes_read,
    max(metric_value) filter (where metric_name = 'bytes_written')::bigint as bytes_written
from metrics.exp_pipeline_metrics
where dataset <> '' and rule_name = ''
group by update_id, dataset, started_at;

create or replace view metrics.rule_updates as
select
    update_id,
    dataset,
    rule_name,
    max(run_id) as run_id,
    started_at,
    max(metric_value) filter (where metric_name = 'checked_records')::bigint as checked_records,
    max(metric_value) filter (where metric_name = 'passed_records')::bigint as passed_records,
    max(metric_value) filter (where metric_name = 'failed_records')::bigint as failed_records,
    max(metric_value) filter (where metric_name = 'pass_rate') as pass_rate,
    coalesce(max(metric_value) filter (where metric_name = 'is_newly_failing') = 1, false) as is_newly_failing
from metrics.exp_pipeline_metrics
where rule_name <> ''
group by update_id, dataset, rule_name, started_at;

insert into metrics._migrations (version, name) values (4, 'runs') on conflict do nothing;
