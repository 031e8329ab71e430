{#
    on-run-end hook: appends one row per executed node to ops.dbt_run_results, in batches of 200.

    Args:
        results (required): the `results` that dbt gives to on-run-end hooks.
    Example (dbt_project.yml): `on-run-end: ["{{ record_run_results(results) }}"]`
    Note: dbt runs the hook after failed nodes and tests too. A row that is there already (same invocation and node) is not
    written again, so a client that repeats a statement doubles nothing. `--empty` builds prove code, not data: they are
    left out. Messages are shortened and scrubbed, since an error text can quote a connection string.
#}
{% macro record_run_results(results) -%}
    {%- if execute and flags.WHICH in run_results_commands() and not flags.EMPTY -%}
        {%- set row_counts = _built_row_counts(results) -%}
        {%- set explained = explain_column_rules(results) -%}
        {%- set rows = [] -%}
        {%- for result in results if result.node.resource_type in ('model', 'seed', 'snapshot', 'test', 'unit_test') -%}
            {%- do rows.append(_run_result_row(result, row_counts, explained.get(result.node.unique_id))) -%}
        {%- endfor -%}
        {%- for batch in rows | batch(200) -%}
            {%- do run_query(_insert_run_results(batch)) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}


{#
    One literal per batch: JSON, read by from_json, needs no type juggling for NULLs, and only the literal's own two
    characters need escaping.
#}
{% macro _insert_run_results(batch) -%}
    {%- set columns = run_results_columns() -%}
    insert into {{ source('ops', 'dbt_run_results') }}
    select
        {%- for column in columns %}
        cast(rows_read.row.{{ column.name }} as {{ column.type }}) as {{ column.name }}{{ "," if not loop.last }}
        {%- endfor %}
    from (
        select explode(from_json(
            '{{ tojson(batch) | replace("\\", "\\\\") | replace("'", "\\'") }}',
            'array<struct<{% for column in columns %}{{ column.name }}: string{{ ", " if not loop.last }}{% endfor %}>>'
        )) as row
    ) as rows_read
    left anti join {{ source('ops', 'dbt_run_results') }} as recorded
        on
            rows_read.row.invocation_id = recorded.invocation_id
            and rows_read.row.node_id = recorded.node_id
{%- endmacro %}


{% macro _run_result_row(result, row_counts, explained) -%}
    {%- set node = result.node -%}
    {%- set execution = (result.timing or []) | selectattr('name', 'equalto', 'execute') | list | first -%}
    {{ return({
        'invocation_id': invocation_id,
        'node_id': node.unique_id,
        'run_id': run_id(),
        'resource_type': node.resource_type | string,
        'node_name': node.name,
        'relation_name': _relation_two_level(node),
        'materialization': node.config.materialized | default(none, true),
        'status': result.status | string,
        'message': _scrubbed([explained, result.message] | select | join('. ')),
        'failures': result.failures,
        'row_count': row_counts.get(node.unique_id),
        'execution_seconds': result.execution_time | round(3),
        'started_at': _utc(execution.started_at) if execution else none,
        'completed_at': _utc(execution.completed_at) if execution else none,
        'query_id': (result.adapter_response or {}).get('query_id'),
        'command': flags.WHICH,
        'target_name': target.name,
        'dbt_version': dbt_version,
        'is_full_refresh': flags.FULL_REFRESH or false,
        'invocation_started_at': _utc(run_started_at),
        'recorded_at': _utc(modules.datetime.datetime.now(modules.pytz.utc)),
    }) }}
{%- endmacro %}


{# Rows of every table built just now, in one statement; on Delta a count is answered from the log. Views are not counted. #}
{% macro _built_row_counts(results) -%}
    {%- set counts = {} -%}
    {%- set selects = [] -%}
    {%- for result in results
        if result.status | string == 'success'
        and result.node.config.materialized in ('table', 'incremental', 'snapshot', 'seed') -%}
        {%- do selects.append(
            "select '" ~ result.node.unique_id ~ "' as node_id, count(*) as row_count from " ~ result.node.relation_name
        ) -%}
    {%- endfor -%}
    {%- for batch in selects | batch(50) -%}
        {%- for counted in run_query(batch | join(' union all ')).rows -%}
            {%- do counts.update({counted[0]: counted[1] | int}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(counts) }}
{%- endmacro %}


{% macro _relation_two_level(node) -%}
    {%- if node.resource_type in ('model', 'seed', 'snapshot') -%}
        {{ return((node.schema ~ '.' ~ (node.alias or node.name)) | lower) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}


{% macro _utc(moment) -%}
    {{ return(moment.strftime('%Y-%m-%dT%H:%M:%S.%fZ') if moment else none) }}
{%- endmacro %}


{# At most 500 characters; the secrets that this process knows, and whatever looks like one, become ***. #}
{% macro _scrubbed(message) -%}
    {%- if not message -%}{{ return(none) }}{%- endif -%}
    {%- set text = namespace(value=message | string) -%}
    {%- for secret in [
        env_var('ORDERS_WAREHOUSE_TOKEN', ''), env_var('DBT_ACCESS_TOKEN', ''), env_var('POSTGRES_PASSWORD', '')
    ] if secret -%}
        {%- set text.value = text.value | replace(secret, '***') -%}
    {%- endfor -%}
    {%- for pattern, replacement in [
        ('(?i)\\b(password|passwd|pwd|token|secret|api_?key)(\\s*[=:]\\s*)\\S+', '\\1\\2***'),
        ('(?i)\\bbearer\\s+\\S+', 'Bearer ***'),
        ('://[^/@\\s]+@', '://***@'),
        ('\\bdapi[0-9a-zA-Z-]{8,}', '***'),
    ] -%}
        {%- set text.value = modules.re.sub(pattern, replacement, text.value) -%}
    {%- endfor -%}
    {{ return(text.value[:500]) }}
{%- endmacro %}
