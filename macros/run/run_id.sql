{#
    The id that joins the job, the DLT update, this dbt invocation and the export of one run.

    Args: none.
    Example: `'{{ run_id() }}' as run_id`
    Note: var run_id wins over the environment variable ORDERS_RUN_ID; with neither, it is dbt's invocation id, so that a
    row written by hand-started dbt still has one. While dbt parses it gives nothing: dbt remembers the variables that it
    meets then, and would parse every model that names its run, with its tests, anew in each run.
#}
{% macro run_id() -%}
    {%- if execute -%}
        {{ return(var('run_id', '') or env_var('ORDERS_RUN_ID', '') or invocation_id) }}
    {%- endif -%}
{%- endmacro %}
