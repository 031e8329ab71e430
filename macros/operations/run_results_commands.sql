{#
    The dbt commands that execute nodes, and so have results to record.

    Args: none.
    Example: `{% if flags.WHICH in run_results_commands() %}`
    Note: compile, docs generate and the like run on-run-start and on-run-end hooks too, with nothing to record.
#}
{% macro run_results_commands() -%}
    {{ return(['build', 'run', 'test', 'seed', 'snapshot', 'retry']) }}
{%- endmacro %}
