{#
    Dates as a list of SQL literals.

    Args:
        days (required): dates; NULLs are left out.
    Returns: `date'2026-01-01', date'2026-02-01'`, or `date'0001-01-01'`, a day without orders, for no date: an empty list
        is no SQL, and a NULL in it would turn `not in` into nothing at all.
    Example: `where event_month in ({{ date_literals(months) }})`
#}
{% macro date_literals(days) -%}
    {%- set literals = [] -%}
    {%- for day in days if day is not none -%}
        {%- do literals.append("date'" ~ day ~ "'") -%}
    {%- endfor -%}
    {{ return(literals | join(', ') or "date'0001-01-01'") }}
{%- endmacro %}
