{#
    Rows whose value lies outside a range. NULL passes: not_null says whether it may be missing.

    Args:
        min_value (optional): the least value allowed, itself included.
        max_value (optional): the greatest value allowed, itself included.
    Example: `accepted_range: {arguments: {min_value: 0, max_value: 1}}`
#}
{% test accepted_range(model, column_name, min_value=none, max_value=none) %}

    {%- if min_value is none and max_value is none -%}
        {{ exceptions.raise_compiler_error(
            "accepted_range on " ~ model ~ "." ~ column_name ~ " has neither min_value nor max_value, so it could never fail."
        ) }}
    {%- endif -%}

    select *
    from {{ model }}
    where
        {%- if min_value is not none %}
        {{ column_name }} < {{ min_value }}
        {%- endif %}
        {%- if min_value is not none and max_value is not none %}
        or
        {%- endif %}
        {%- if max_value is not none %}
        {{ column_name }} > {{ max_value }}
        {%- endif %}

{% endtest %}
