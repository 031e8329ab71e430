{#
    on-run-start hook: makes the table that export_at_run_end and `orders export` write to, unless it is there.

    Args: none.
    Example (dbt_project.yml): `on-run-start: ["{{ create_export_deliveries_table() }}"]`
    Note: it runs before the models, since a staging view reads the table in the very first build.
#}
{% macro create_export_deliveries_table() -%}
    {%- if execute and flags.WHICH in run_results_commands() -%}
    create table if not exists {{ source('ops', 'export_deliveries').render() }} (
        {%- for column in export_deliveries_columns() %}
        {{ column.name }} {{ column.type }} comment '{{ column.comment }}'{{ "," if not loop.last }}
        {%- endfor %}
    )
    using delta
    comment 'The outcome of each export to Postgres: one row per exported model and run.'
    {%- endif -%}
{%- endmacro %}
