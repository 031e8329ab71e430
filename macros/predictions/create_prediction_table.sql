{#
    on-run-start hook: makes a table that `orders predict` writes to, unless it is there.

    Args:
        table (required): as of macro prediction_columns.
    Example (dbt_project.yml): `on-run-start: ["{{ create_prediction_table('revenue_forecasts') }}"]`
    NB: it runs before the models, since views read the table in the very first build. The table is in gold, whose grants
        and whose erasure of a customer hold for it.
#}
{% macro create_prediction_table(table) -%}
    {%- if execute and flags.WHICH in run_results_commands() -%}
    create table if not exists {{ source('predictions', table).render() }} (
        {%- for column in prediction_columns(table) %}
        {{ column.name }} {{ column.type }} comment '{{ column.comment }}'{{ "," if not loop.last }}
        {%- endfor %}
    )
    using delta
    comment 'Written by `orders predict`, whole each time.'
    {%- endif -%}
{%- endmacro %}
