{#
    Rows of which a column lies outside its range, whole, behind a text that names each such column, its value and what is
    allowed; `dbt show --output json --select NAME_OF_THE_TEST` prints them. One scan for all columns. NULL passes: not_null
    says whether it may be missing.

    Args:
        columns (required): per column min_value, the least value allowed, max_value, the greatest, or both; the bounds are
            themselves allowed. A bound is SQL: a number, or for example `date '2026-01-01'`.
    Example: `accepted_ranges: {arguments: {columns: {rate: {min_value: 0, max_value: 1}, orders: {min_value: 0}}}}`
    Note: give the test a `name`; else dbt makes one of all the bounds, without the columns, and a new one when a bound changes.
#}
{% test accepted_ranges(model, columns) %}

    {%- set violations = [] -%}
    {%- for column, bounds in columns.items() -%}
        {%- if
            bounds is not mapping
            or bounds.keys() | reject('in', ['min_value', 'max_value']) | list
            or (bounds.get('min_value') is none and bounds.get('max_value') is none)
        -%}
            {{ exceptions.raise_compiler_error(
                "accepted_ranges on " ~ model ~ ": " ~ column ~ " has " ~ bounds ~ " for bounds. Allowed are min_value and "
                ~ "max_value, at least one of them; without, the test could never fail. Next: write " ~ column
                ~ ": {min_value: 0}, or take the column out."
            ) }}
        {%- endif -%}
        {%- set outside, allowed = [], [] -%}
        {%- if bounds.get('min_value') is not none -%}
            {%- do outside.append(column ~ ' < ' ~ bounds.min_value) -%}
            {%- do allowed.append('at least ' ~ bounds.min_value) -%}
        {%- endif -%}
        {%- if bounds.get('max_value') is not none -%}
            {%- do outside.append(column ~ ' > ' ~ bounds.max_value) -%}
            {%- do allowed.append('at most ' ~ bounds.max_value) -%}
        {%- endif -%}
        {%- do violations.append({
            'column': column,
            'outside': outside | join(' or '),
            'allowed': dbt.escape_single_quotes(allowed | join(', ')),
        }) -%}
    {%- endfor %}

    select
        concat_ws(
            '; ',
            {%- for violation in violations %}
            case
                when {{ violation.outside }}
                    then concat(
                        '{{ violation.column }} = ',
                        cast({{ violation.column }} as string),
                        ' (allowed: {{ violation.allowed }})'
                    )
            end{{ "," if not loop.last }}
            {%- endfor %}
        ) as out_of_range,
        *
    from {{ model }}
    where
        {%- for violation in violations %}
        {{ "or " if not loop.first }}{{ violation.outside }}
        {%- endfor %}

{% endtest %}
