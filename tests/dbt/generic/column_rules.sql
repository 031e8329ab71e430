{#
    What the columns of a model must keep, in one test: one row per rule, column and value that breaks it, with the number of
    rows that have that value and the key of one of them. Rules that look at one row are read off one scan, each key is a branch of its own. One node of dbt
    and one statement, where dbt's own tests are one per rule and column.

    Args:
        columns: per column its rules, each meaning what dbt's own test of that name means:
            `not_null: true`; `unique: true`; `accepted_values: [...]`; and min_value, max_value or both, the bounds themselves
            allowed. A bound is SQL: a number, or `date '2026-01-01'`. NULL breaks not_null alone.
        keys: combinations of columns that occur once, each a list of columns.
        changed_by: for a model that grows with the orders, `partition` and `key` of macro of_changed_orders: the rules look at
            the rows that it chooses. Without it, at all rows.
    Example:
        column_rules:
          name: column_rules_fct_hourly_orders
          arguments:
            keys: [[date_ordered, order_hour]]
            columns:
              order_hour: {not_null: true, min_value: 0, max_value: 23}
    Note: a relationship to another model stays a test of its own: dbt lets a test keep back only models that read all that the
    test reads. Give the test a `name`; else dbt makes one of all the rules. When it fails, macro explain_column_rules prints which
    rule broke, in which column, with which values.
#}
{% test column_rules(model, columns={}, keys=[], changed_by=none) %}

    {%- set rows = model -%}
    {%- if changed_by -%}
        {%- set rows -%}
            (
                select * from {{ model }}
                where {{ of_changed_orders(changed_by.partition, changed_by.key) }}
            ) as changed_rows
        {%- endset -%}
    {%- endif %}
    {{ broken_column_rules(rows, columns, keys) }}

{% endtest %}
