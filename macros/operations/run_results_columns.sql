{#
    Columns of ops.dbt_run_results in order: name, type, comment.

    Args: none.
    Example: `{% for column in run_results_columns() %}{{ column.name }}{% endfor %}`
    Note: the table is appended to for years: add columns at the end, with `alter table ... add columns`; never retype one.
#}
{% macro run_results_columns() -%}
    {{ return([
        {'name': 'invocation_id', 'type': 'string', 'comment': 'dbt invocation that ran the node.'},
        {'name': 'node_id', 'type': 'string', 'comment': 'Unique id of the node in the dbt manifest.'},
        {'name': 'run_id', 'type': 'string', 'comment': 'Id that joins job, pipeline update, dbt invocation and export.'},
        {'name': 'resource_type', 'type': 'string', 'comment': 'model, seed, snapshot, test or unit_test.'},
        {'name': 'node_name', 'type': 'string', 'comment': 'Name of the node.'},
        {'name': 'relation_name', 'type': 'string', 'comment': 'schema.table that the node builds; empty for tests.'},
        {'name': 'materialization', 'type': 'string', 'comment': 'table, view, incremental, snapshot, seed, test or unit.'},
        {'name': 'status', 'type': 'string', 'comment': 'success, error, skipped, pass, fail or warn, as dbt says.'},
        {'name': 'message', 'type': 'string', 'comment': 'What the adapter or dbt said, shortened, without secrets.'},
        {'name': 'failures', 'type': 'bigint', 'comment': 'Rows that a test returned; null for anything that is not a test.'},
        {'name': 'row_count', 'type': 'bigint', 'comment': 'Rows in the built table after the build; null for views.'},
        {'name': 'execution_seconds', 'type': 'decimal(18,3)', 'comment': 'Time dbt spent on the node.'},
        {'name': 'started_at', 'type': 'timestamp', 'comment': 'When the node began to execute; null when skipped.'},
        {'name': 'completed_at', 'type': 'timestamp', 'comment': 'When the node ended; null when skipped.'},
        {'name': 'query_id', 'type': 'string', 'comment': 'Last statement of the node in system.query.history.'},
        {'name': 'command', 'type': 'string', 'comment': 'dbt command: build, run, test, seed or snapshot.'},
        {'name': 'target_name', 'type': 'string', 'comment': 'dbt target of the invocation.'},
        {'name': 'dbt_version', 'type': 'string', 'comment': 'Version of dbt-core.'},
        {'name': 'is_full_refresh', 'type': 'boolean', 'comment': 'Whether --full-refresh was given.'},
        {'name': 'invocation_started_at', 'type': 'timestamp', 'comment': 'When the invocation began.'},
        {'name': 'recorded_at', 'type': 'timestamp', 'comment': 'When the row was written.'},
    ]) }}
{%- endmacro %}
