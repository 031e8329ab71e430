{#
    Seconds between two timestamps as DECIMAL(18,3); NULL when either is missing.

    Args:
        start (required), end (required): SQL expressions of type TIMESTAMP.
    Example: `{{ elapsed_seconds('started_at', 'ended_at') }}` is 30.500 for 10:00:00.0 and 10:00:30.5
    Note: timestampdiff and datediff count whole units, which makes every short step 0 or 1.
#}
{% macro elapsed_seconds(start, end) -%}
    cast(cast(unix_micros({{ end }}) - unix_micros({{ start }}) as decimal(24, 6)) / cast(1000000 as decimal(7, 0)) as decimal(18, 3))
{%- endmacro %}
