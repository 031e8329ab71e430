{#
    The dates that a query returns, as a list of SQL literals for a predicate that prunes files before anything is read.

    Args:
        query (required): a query with one column of type DATE.
    Returns: what macro date_literals makes of them.
    Example: `where event_month in ({{ date_list('select distinct event_month from ' ~ ref('int_orders__changed')) }})`
    Note: the query runs while the model is compiled. Parsing, linting and `dbt docs generate` run nothing and see the empty
        list; docs of a workspace of an older version thus need no table in its present form.
#}
{% macro date_list(query) -%}
    {%- set dates = run_query(query).columns[0].values() if execute and flags.WHICH != 'generate' else [] -%}
    {{ return(date_literals(dates)) }}
{%- endmacro %}
