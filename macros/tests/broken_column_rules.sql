{#
    The query of the generic test column_rules, which says what the rules are: one row per rule, column and value that breaks it.

    Args: as of the test, all required.
    Example: `{{ broken_column_rules(ref('fct_orders'), {'order_id': {'unique': true}}, []) }}`
    Note: here and not in the test, since dbt knows only tests in the file of a generic test.
#}
{% macro broken_column_rules(model, columns, keys) %}

    {%- set known = ['not_null', 'unique', 'accepted_values', 'min_value', 'max_value'] -%}
    {%- set by_row, branches = [], [] -%}
    {%- for key in keys -%}
        {%- do branches.append(_repeated_keys(model, key)) -%}
    {%- endfor -%}
    {%- for column, rules in columns.items() -%}
        {%- if
            rules is not mapping
            or not rules
            or rules.keys() | reject('in', known) | list
            or rules.values() | select('none') | list
            or rules.get('not_null', true) is not sameas true
            or rules.get('unique', true) is not sameas true
        -%}
            {{ exceptions.raise_compiler_error(
                "column_rules on " ~ model ~ ": " ~ column ~ " has " ~ rules ~ " for rules. Allowed are not_null: true, unique: "
                ~ "true, accepted_values, min_value and max_value, at least one of them; without, the test could never fail."
                ~ " Next: write " ~ column ~ ": {not_null: true}, or take the column out."
            ) }}
        {%- endif -%}
        {%- if 'not_null' in rules -%}
            {%- do by_row.append({'column': column, 'rule': 'not_null', 'breaks': column ~ ' is null'}) -%}
        {%- endif -%}
        {%- if 'accepted_values' in rules -%}
            {%- set accepted = [] -%}
            {%- for value in rules.accepted_values -%}
                {%- do accepted.append("'" ~ dbt.escape_single_quotes(value | string) ~ "'") -%}
            {%- endfor -%}
            {%- do by_row.append({
                'column': column,
                'rule': 'accepted_values',
                'breaks': 'cast(' ~ column ~ ' as string) not in (' ~ accepted | join(', ') ~ ')',
            }) -%}
        {%- endif -%}
        {%- if 'min_value' in rules -%}
            {%- do by_row.append({
                'column': column, 'rule': 'at least ' ~ rules.min_value, 'breaks': column ~ ' < ' ~ rules.min_value
            }) -%}
        {%- endif -%}
        {%- if 'max_value' in rules -%}
            {%- do by_row.append({
                'column': column, 'rule': 'at most ' ~ rules.max_value, 'breaks': column ~ ' > ' ~ rules.max_value
            }) -%}
        {%- endif -%}
        {%- if 'unique' in rules -%}
            {%- do branches.append(_repeated_keys(model, [column], nulls=false)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set key = (keys + [[]]) | first -%}
    {%- if not key -%}
        {%- set unique_columns = columns.items() | selectattr('1.unique', 'defined') | map('first') | list -%}
        {%- set key = unique_columns[:1] -%}
    {%- endif -%}
    {%- if by_row -%}
        {%- do branches.insert(0, _broken_by_row(model, by_row, key)) -%}
    {%- endif -%}
    {%- if not branches -%}
        {{ exceptions.raise_compiler_error(
            "column_rules on " ~ model ~ " has neither columns nor keys, so it could never fail. Next: give it some."
        ) }}
    {%- endif -%}
    {{ branches | join('\n    union all\n') }}

{%- endmacro %}


{# One scan. The array is built only for rows that break a rule; one of each group is named by its key, where there is one. #}
{% macro _broken_by_row(model, rules, key) %}
    select
        broken.rule,
        broken.column_name,
        broken.value,
        count(*) as failing_rows,
        min(rows_with_rules.example) as example
    from (
        select
            {% if key -%}
            {{ _key_text(key) }} as example,
            {%- else -%}
            cast(null as string) as example,
            {%- endif %}
            explode(array(
                {%- for rule in rules %}
                case
                    when {{ rule.breaks }}
                        then named_struct(
                            'rule', '{{ dbt.escape_single_quotes(rule.rule) }}',
                            'column_name', '{{ rule.column }}',
                            'value', cast({{ rule.column }} as string)
                        )
                end{{ "," if not loop.last }}
                {%- endfor %}
            )) as broken
        from {{ model }}
        where
            {%- for rule in rules %}
            {{ "or " if not loop.first }}{{ rule.breaks }}
            {%- endfor %}
    ) as rows_with_rules
    where broken is not null
    group by broken.rule, broken.column_name, broken.value
{%- endmacro %}


{# As a key NULL is a value like others; dbt's own unique lets it pass. #}
{% macro _repeated_keys(model, columns, nulls=true) %}
    select
        'unique' as rule,
        '{{ columns | join(", ") }}' as column_name,
        {{ _key_text(columns) }} as value,
        count(*) as failing_rows,
        cast(null as string) as example
    from {{ model }}
    {%- if not nulls %}
    where {{ columns[0] }} is not null
    {%- endif %}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{%- endmacro %}


{% macro _key_text(columns) -%}
    concat_ws(', ', {% for column in columns %}coalesce(cast({{ column }} as string), 'NULL'){{ ", " if not loop.last }}{% endfor %})
{%- endmacro %}
