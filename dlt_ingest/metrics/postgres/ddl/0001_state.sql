-- Schema metrics and what the export keeps about itself.

create schema if not exists metrics;
comment on schema metrics is 'Business and pipeline metrics, exported by dbt from the Gold layer. Written by metrics_exporter, read by metrics_reader.';

create table if not exists metrics._migrations (
    version integer primary key,
    name text not null,
    applied_at timestamptz not null default now()
);
comment on table metrics._migrations is 'Grain: one row a numbered file of dlt_ingest/metrics/postgres/ddl that was applied to this database.';

create table if not exists metrics._export_state (
    target text primary key,
    run_id text,
    rows_read bigint not null,
    rows_inserted bigint not null,
    rows_updated bigint not null,
    rows_deleted bigint not null,
    rows_rejected bigint not null,
    batches integer not null,
    exported_at timestamptz not null default now(),
    changed_at timestamptz not null default now()
);
comment on table metrics._export_state is 'Grain: one row an exported table, of its latest complete export. Written in the transaction that wrote the rows, so it is never ahead of them.';
comment on column metrics._export_state.run_id is 'Run that exported last; joins job, update, dbt invocation and export.';
comment on column metrics._export_state.exported_at is 'When the latest export was complete. Older than the schedule allows: exports have stopped.';
comment on column metrics._export_state.changed_at is 'When an export last changed a row of the table.';

create table if not exists metrics._dead_letter (
    target text not null,
    payload_hash text not null,
    -- Text, not jsonb: the character NUL is one of the things that make a row a dead letter, and jsonb refuses it.
    payload text not null,
    reason text not null,
    sqlstate text not null,
    message text not null,
    status text not null default 'open' check (status in ('open', 'delivered', 'superseded')),
    copies bigint not null default 1,
    attempts integer not null default 1,
    run_id text,
    first_failed_at timestamptz not null default now(),
    last_failed_at timestamptz not null default now(),
    resolved_at timestamptz,
    primary key (target, payload_hash)
);
comment on table metrics._dead_letter is 'Grain: one row a distinct row of a model that its table rejected. Replayed by orders export --retry-dead-letters.';
comment on column metrics._dead_letter.payload is 'The row as a JSON object of texts, which Postgres reads back to the same values; may be edited before a replay.';
comment on column metrics._dead_letter.reason is 'null_value, duplicate_key, not_unique, bad_character, constraint_violated or value_rejected.';
comment on column metrics._dead_letter.status is 'open: rejected by the latest export. delivered: a replay wrote it. superseded: a later export no longer had this row, or wrote it.';
comment on column metrics._dead_letter.copies is 'Equal rows in the latest export that rejected it.';
create index if not exists dead_letter_open on metrics._dead_letter (target) where status = 'open';

insert into metrics._migrations (version, name) values (1, 'state') on conflict do nothing;
