{#
    What the columns of a model must keep, in one test: one row per rule, column and value that breaks it, with the number of
    rows that have that value and the key of one of them. Rules that look at one row are read off one scan, each key is a branch of its own. One node of dbt
    and one statement, where dbt's own tests are one per rule and column.

    Args:
        columns: per column its rules, each meaning what dbt's own test of that name means:
            `not_null: true`; `unique: true`; `accepted_values: [...]`; and min_value, max_value or both, the bounds themselves
            allowed. A bound is SQL: a number, or `date '2026-01-01'`. NULL breaks not_null alone.
        keys: combinations of columns that occur once, each a list of columns.
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
{% test column_rules(model, columns={}, keys=[]) %}

    {{ broken_column_rules(model, columns, keys) }}

{% endtest %}
