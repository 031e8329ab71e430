{#
    Hours from one moment to another as DECIMAL(18, 2), rounded half away from zero; NULL where one is missing, or where the
    second comes before the first: then the steps were not taken in this order.

    Args:
        start (required), end (required): SQL expressions of type TIMESTAMP.
    Example: `{{ hours_between('pending_at', 'approved_at') }}` is 1.50 for 09:00 and 10:30
#}
{% macro hours_between(start, end) -%}
    cast(
        case
            when {{ end }} >= {{ start }}
                then cast(unix_micros({{ end }}) - unix_micros({{ start }}) as decimal(24, 6)) / cast(3600000000 as decimal(10, 0))
        end as decimal(18, 2)
    )
{%- endmacro %}
