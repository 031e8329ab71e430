{#
    on-run-start hook: makes the table that record_run_results writes to, unless it is there.

    Args: none.
    Example (dbt_project.yml): `on-run-start: ["{{ create_run_results_table() }}"]`
    Note: it runs before the models, since a staging view reads the table in the very first build. It makes no schema: `ops`
    belongs to the bundle (and to the local workspace), where its grants are.
#}
{% macro create_run_results_table() -%}
    {%- if execute and flags.WHICH in run_results_commands() -%}
    create table if not exists {{ source('ops', 'dbt_run_results').render() }} (
        {%- for column in run_results_columns() %}
        {{ column.name }} {{ column.type }} comment '{{ column.comment }}'{{ "," if not loop.last }}
        {%- endfor %}
    )
    using delta
    comment 'The results of dbt: one row per invocation and node, appended at the end of each invocation.'
    {%- endif -%}
{%- endmacro %}
