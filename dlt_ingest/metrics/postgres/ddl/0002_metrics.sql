-- The two exported tables, as the contracts of their dbt models have them. The export would make them itself; here they
-- get comments, and the indexes that dashboards filter by.

create table if not exists metrics.exp_business_metrics (
    metric_date date not null,
    metric_name text not null,
    unit text not null,
    metric_value numeric(18, 2) not null,
    _run_id text default nullif(current_setting('orders.run_id', true), ''),
    _exported_at timestamptz not null default now(),
    primary key (metric_date, metric_name)
);
comment on table metrics.exp_business_metrics is 'Grain: one row a day and business metric. A year has some 5,500 rows: the primary key is all the index it needs.';
comment on column metrics.exp_business_metrics.metric_value is 'Exact to two decimals. Money and counts add up over days; customers, average_order_value, baseline_revenue and revenue_anomaly do not.';
comment on column metrics.exp_business_metrics._run_id is 'Run whose export last changed this row.';
comment on column metrics.exp_business_metrics._exported_at is 'When an export last changed this row, not when one last looked at it.';

create table if not exists metrics.exp_pipeline_metrics (
    update_id text not null,
    dataset text not null,
    rule_name text not null,
    metric_name text not null,
    run_id text,
    pipeline_name text,
    unit text not null,
    metric_value numeric(24, 6) not null,
    started_at timestamptz not null,
    _run_id text default nullif(current_setting('orders.run_id', true), ''),
    _exported_at timestamptz not null default now(),
    primary key (update_id, dataset, rule_name, metric_name)
);
comment on table metrics.exp_pipeline_metrics is 'Grain: one row an ended pipeline update, dataset, rule and metric. dataset is empty for metrics of the update as a whole, rule_name for metrics of a dataset as a whole.';
comment on column metrics.exp_pipeline_metrics.run_id is 'Run that the update belonged to; joins job, update, dbt invocation and export.';
comment on column metrics.exp_pipeline_metrics.started_at is 'When the update began.';
comment on column metrics.exp_pipeline_metrics._run_id is 'Run whose export last changed this row.';

-- Hourly updates of 5 datasets and 10 rules are some 1 million rows a year. Dashboards read the newest of a few metrics by
-- time: one index over name and time serves all of them. Partitions by month would pay from some ten million rows on, and
-- would force the time into the primary key, where it does not belong.
create index if not exists exp_pipeline_metrics_by_time on metrics.exp_pipeline_metrics (metric_name, started_at desc);

insert into metrics._migrations (version, name) values (2, 'metrics') on conflict do nothing;
