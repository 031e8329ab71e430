{#
    The dates that a query returns, as a list of SQL literals for a predicate that prunes files before anything is read.

    Args:
        query (required): a query with one column of type DATE.
    Returns: `date'2026-01-01', date'2026-02-01'`, or `date'0001-01-01'`, a day without orders, for no row: an empty list
        is no SQL, and a NULL in it would turn `not in` into nothing at all.
    Example: `where event_month in ({{ date_list('select distinct event_month from ' ~ ref('int_orders__changed')) }})`
    Note: the query runs while the model is compiled. Parsing, linting and `dbt docs generate` run nothing and see the empty
        list; docs of a workspace of an older version thus need no table in its present form.
#}
{% macro date_list(query) -%}
    {%- set dates = run_query(query).columns[0].values() if execute and flags.WHICH != 'generate' else [] -%}
    {%- set literals = [] -%}
    {%- for day in dates if day is not none -%}
        {%- do literals.append("date'" ~ day ~ "'") -%}
    {%- endfor -%}
    {{ return(literals | join(', ') or "date'0001-01-01'") }}
{%- endmacro %}
