-- The two exported tables, as their dbt models' contracts have them. The export would make them itself; here they get
-- comments, and the indexes that dashboards filter by.

create table if not exists metrics.exp_business_metrics (
    metric_date date not null,
    metric_name text not null,
    metric_value numeric(18, 2),
    unit text not null,
    _run_id text default nullif(current_setting('orders.run_id', true), ''),
    _exported_at timestamptz not null default now(),
    primary key (metric_date, metric_name)
);
comment on table metrics.exp_business_metrics is 'Grain: one row a day and business metric. A year is some 6,000 rows: the primary key is all it needs.';
comment on column metrics.exp_business_metrics.metric_value is 'Money and counts to two decimals; null where the metric means nothing on that day (an average over no orders).';
comment on column metrics.exp_business_metrics._exported_at is 'When the export last changed this row, not when it last looked at it.';

create table if not exists metrics.exp_pipeline_metrics (
    update_id text not null,
    dataset_name text not null,
    rule_name text not null,
    metric_name text not null,
    metric_value numeric(18, 4),
    unit text not null,
    run_id text,
    measured_at timestamptz not null,
    _run_id text default nullif(current_setting('orders.run_id', true), ''),
    _exported_at timestamptz not null default now(),
    primary key (update_id, dataset_name, rule_name, metric_name)
);
comment on table metrics.exp_pipeline_metrics is 'Grain: one row an update, dataset, rule and metric. dataset_name is empty for metrics of the update as a whole, rule_name for metrics of a dataset as a whole.';
comment on column metrics.exp_pipeline_metrics.run_id is 'Run that the update belonged to.';
comment on column metrics.exp_pipeline_metrics._run_id is 'Run that exported the row last.';

-- Hourly updates with 50 metrics each are 440,000 rows a year. A dashboard reads the newest of them by time: one btree
-- does. Partitions would pay from some ten million rows on, and would force the time into the primary key.
create index if not exists exp_pipeline_metrics_measured_at on metrics.exp_pipeline_metrics (measured_at desc);
create index if not exists exp_pipeline_metrics_metric on metrics.exp_pipeline_metrics (metric_name, measured_at desc);

insert into metrics._migrations (version, name) values (2, 'metrics') on conflict do nothing;
