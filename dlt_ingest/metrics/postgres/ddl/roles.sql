-- The two roles and their rights. Both are group roles without login: grant them to the roles that connect.
-- Roles belong to the whole server, so a role that may not create them leaves that to whoever may, and says so; run this
-- file again afterwards. It is also run again after each numbered file, for the tables that came with it.

do $$
declare
    wanted text;
begin
    foreach wanted in array array['metrics_exporter', 'metrics_reader'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            begin
                execute format('create role %I nologin', wanted);
            exception
                when duplicate_object or unique_violation then null;  -- another database of this server, this moment
                when insufficient_privilege then
                    raise notice 'role % is missing and % may not create it; nobody but the owner can use schema metrics', wanted, current_user;
            end;
        end if;
    end loop;

    if exists (select from pg_roles where rolname = 'metrics_exporter') then
        grant usage on schema metrics to metrics_exporter;
        grant select on metrics._migrations to metrics_exporter;
        grant select, insert, update, delete on metrics._export_state, metrics._dead_letter to metrics_exporter;
        grant select, insert, update, delete on metrics.exp_business_metrics, metrics.exp_pipeline_metrics to metrics_exporter;
        grant select, insert, update, delete on metrics.exp_dbt_metrics, metrics.exp_freshness_metrics, metrics.exp_kpi_metrics to metrics_exporter;
        alter default privileges in schema metrics grant select, insert, update, delete on tables to metrics_exporter;
    end if;
    if exists (select from pg_roles where rolname = 'metrics_reader') then
        grant usage on schema metrics to metrics_reader;
        grant select on all tables in schema metrics to metrics_reader;
        alter default privileges in schema metrics grant select on tables to metrics_reader;
    end if;
end
$$;
