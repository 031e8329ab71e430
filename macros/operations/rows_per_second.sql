{#
    Rows per second as DECIMAL(18, 3), rounded half away from zero; NULL without a duration. In decimals: a floating-point
    quotient is rounded the other way where it lies just below a half.

    Args:
        row_count (required): an expression in BIGINT.
        seconds (required): an expression in DECIMAL(18, 3), as macro elapsed_seconds gives it.
    Example: `{{ rows_per_second('rows_in', 'duration_seconds') }}`; 100 rows in 30.000 seconds are 3.333.
#}
{% macro rows_per_second(row_count, seconds) -%}
    cast(
        case when {{ seconds }} > 0 then cast({{ row_count }} as decimal(20, 3)) / cast({{ seconds }} as decimal(18, 3)) end
        as decimal(18, 3)
    )
{%- endmacro %}
