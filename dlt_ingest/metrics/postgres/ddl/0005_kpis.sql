-- KPIs of days and months beside those of the period and the year before, as the contract of exp_kpi_metrics has them.

create table if not exists metrics.exp_kpi_metrics (
    period text not null,
    period_start date not null,
    kpi text not null,
    kpi_value numeric(18, 2),
    previous_value numeric(18, 2),
    last_year_value numeric(18, 2),
    is_complete boolean not null,
    _run_id text default nullif(current_setting('orders.run_id', true), ''),
    _exported_at timestamptz not null default now(),
    primary key (period, period_start, kpi)
);
comment on table metrics.exp_kpi_metrics is 'Grain: one row per length of period (day, month), first day of the period, and KPI.';
comment on column metrics.exp_kpi_metrics.kpi_value is 'US dollars, or a number of orders or customers.';
comment on column metrics.exp_kpi_metrics.previous_value is 'The KPI in the period before; null for the first period.';
comment on column metrics.exp_kpi_metrics.last_year_value is 'The KPI in the same period of the year before; null if there were no orders yet.';
comment on column metrics.exp_kpi_metrics.is_complete is 'False for the last period with an order, which may not be over.';
comment on column metrics.exp_kpi_metrics._run_id is 'Run whose export last changed this row.';

insert into metrics._migrations (version, name) values (5, 'kpis') on conflict do nothing;
