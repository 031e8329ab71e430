-- Grain: one row per customer and period in which segment and status stayed the same. In SQL and not in YAML: when a macro of a test
-- changes, dbt 1.11 parses a part of the project again and loses a snapshot that is defined in YAML.
{% snapshot customers_snapshot %}
{{
    config(
        unique_key='customer_id',
        strategy='check',
        check_cols=['segment', 'status'],
        hard_deletes='invalidate',
    )
}}

select * from {{ ref('int_customers__states_selected') }}
{% endsnapshot %}
