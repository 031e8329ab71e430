{#
    Turns columns into rows: one row a metric, with its name, its value and its unit.

    Args:
        metrics (required): list of [name, SQL expression, unit].
        type (required): SQL type of the value.
    Example: `select update_id, {{ metrics_as_rows([['rows_in', 'rows_in', 'rows']], 'decimal(24, 6)') }} from runs`
    Note: gives the columns metric_name, metric_value and unit; a metric without a value is a row with NULL.
#}
{% macro metrics_as_rows(metrics, type) -%}
    stack(
        {{ metrics | length }},
        {%- for name, expression, unit in metrics %}
        '{{ name }}', cast({{ expression }} as {{ type }}), '{{ unit }}'{{ ',' if not loop.last }}
        {%- endfor %}
    ) as (metric_name, metric_value, unit)
{%- endmacro %}
