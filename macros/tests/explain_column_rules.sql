{#
    Prints, for each test column_rules that failed, which rule broke, in which column, with which values and in how many rows;
    and gives rule, column and rows by the test's unique id, without values, which may be about a person.

    Args:
        results (required): the `results` that dbt gives to on-run-end hooks.
    Example: `{% set explained = explain_column_rules(results) %}`
    Note: it asks again what the test has asked, for failed tests only.
#}
{% macro explain_column_rules(results) -%}
    {%- set explained = {} -%}
    {%- for result in results
        if result.status in ('fail', 'warn')
        and result.node.resource_type == 'test'
        and (result.node.test_metadata or {}).name == 'column_rules'
    -%}
        {%- set broken = run_query(
            'select rule, column_name, value, failing_rows, example from (\n' ~ result.node.compiled_code
            ~ '\n) as broken order by rule, column_name, failing_rows desc, value limit 20'
        ) -%}
        {%- set without_values = [] -%}
        {%- for row in broken.rows -%}
            {%- set rows = row['failing_rows'] ~ (' row' if row['failing_rows'] == 1 else ' rows') -%}
            {%- set value = '' if row['rule'] == 'not_null' else ' = ' ~ row['value'] -%}
            {%- set example = ', for example that of key ' ~ row['example'] if row['example'] else '' -%}
            {%- do log(
                result.node.name ~ ': ' ~ row['rule'] ~ ': ' ~ row['column_name'] ~ value ~ ' in ' ~ rows ~ example, info=true
            ) -%}
            {%- set told = row['rule'] ~ ' of ' ~ row['column_name'] -%}
            {%- if told not in without_values -%}
                {%- do without_values.append(told) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do explained.update({result.node.unique_id: without_values | join('; ')}) -%}
    {%- endfor -%}
    {{ return(explained) }}
{%- endmacro %}
