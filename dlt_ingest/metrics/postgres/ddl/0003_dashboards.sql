-- Views for dashboards: the long tables as one wide row a day, an update, a dataset, a rule.

create or replace view metrics.business_daily as
select
    metric_date,
    max(metric_value) filter (where metric_name = 'gross_revenue') as gross_revenue,
    max(metric_value) filter (where metric_name = 'refunded_revenue') as refunded_revenue,
    max(metric_value) filter (where metric_name = 'net_revenue') as net_revenue,
    max(metric_value) filter (where metric_name = 'average_order_value') as average_order_value,
    max(metric_value) filter (where metric_name = 'baseline_revenue') as baseline_revenue,
    max(metric_value) filter (where metric_name = 'revenue_anomaly')::integer as revenue_anomaly,
    max(metric_value) filter (where metric_name = 'orders')::bigint as orders,
    max(metric_value) filter (where metric_name = 'pending_orders')::bigint as pending_orders,
    max(metric_value) filter (where metric_name = 'approved_orders')::bigint as approved_orders,
    max(metric_value) filter (where metric_name = 'fulfilled_orders')::bigint as fulfilled_orders,
    max(metric_value) filter (where metric_name = 'cancelled_orders')::bigint as cancelled_orders,
    max(metric_value) filter (where metric_name = 'returned_orders')::bigint as returned_orders,
    max(metric_value) filter (where metric_name = 'items_sold')::bigint as items_sold,
    max(metric_value) filter (where metric_name = 'customers')::bigint as customers,
    max(metric_value) filter (where metric_name = 'new_customers')::bigint as new_customers
from metrics.exp_business_metrics
group by metric_date;
comment on view metrics.business_daily is 'Grain: one row a day. Customers, averages, baseline and anomaly do not add up over days.';

create or replace view metrics.pipeline_updates as
select
    update_id,
    max(run_id) as run_id,
    max(pipeline_name) as pipeline_name,
    max(started_at) as started_at,
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
    max(metric_value) filter (where metric_name = 'list_cost_usd') as list_cost_usd
from metrics.exp_pipeline_metrics
where dataset = '' and rule_name = ''
group by update_id;
comment on view metrics.pipeline_updates is 'Grain: one row an ended pipeline update.';

create or replace view metrics.dataset_updates as
select
    update_id,
    dataset,
    max(run_id) as run_id,
    max(started_at) as started_at,
    max(metric_value) filter (where metric_name = 'rows_in')::bigint as rows_in,
    max(metric_value) filter (where metric_name = 'rows_written')::bigint as rows_written,
    max(metric_value) filter (where metric_name = 'rows_deleted')::bigint as rows_deleted,
    max(metric_value) filter (where metric_name = 'rows_dropped')::bigint as rows_dropped,
    max(metric_value) filter (where metric_name = 'quality_rate') as quality_rate,
    max(metric_value) filter (where metric_name = 'backlog_files')::bigint as backlog_files,
    max(metric_value) filter (where metric_name = 'backlog_bytes')::bigint as backlog_bytes,
    max(metric_value) filter (where metric_name = 'duration_seconds') as duration_seconds,
    max(metric_value) filter (where metric_name = 'rows_per_second') as rows_per_second
from metrics.exp_pipeline_metrics
where dataset <> '' and rule_name = ''
group by update_id, dataset;
comment on view metrics.dataset_updates is 'Grain: one row an ended pipeline update and dataset that it refreshed.';

create or replace view metrics.rule_updates as
select
    update_id,
    dataset,
    rule_name,
    max(run_id) as run_id,
    max(started_at) as started_at,
    max(metric_value) filter (where metric_name = 'checked_records')::bigint as checked_records,
    max(metric_value) filter (where metric_name = 'passed_records')::bigint as passed_records,
    max(metric_value) filter (where metric_name = 'failed_records')::bigint as failed_records,
    max(metric_value) filter (where metric_name = 'pass_rate') as pass_rate,
    coalesce(max(metric_value) filter (where metric_name = 'is_newly_failing') = 1, false) as is_newly_failing
from metrics.exp_pipeline_metrics
where rule_name <> ''
group by update_id, dataset, rule_name;
comment on view metrics.rule_updates is 'Grain: one row an ended pipeline update, dataset and quality rule.';

create or replace view metrics.export_health as
select
    state.target,
    state.run_id,
    state.rows_read,
    state.rows_inserted + state.rows_updated + state.rows_deleted as rows_changed,
    state.exported_at,
    state.changed_at,
    extract(epoch from now() - state.exported_at)::bigint as age_seconds,
    coalesce(letters.open_letters, 0) as open_dead_letters,
    letters.oldest_at as oldest_dead_letter_at
from metrics._export_state as state
left join (
    select target, count(*) as open_letters, min(first_failed_at) as oldest_at
    from metrics._dead_letter
    where status = 'open'
    group by target
) as letters using (target);
comment on view metrics.export_health is 'Grain: one row an exported table: how old its latest export is, and how many of its rows wait as dead letters.';

insert into metrics._migrations (version, name) values (3, 'dashboards') on conflict do nothing;
