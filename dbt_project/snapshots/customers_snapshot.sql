{% snapshot customers_snapshot %}

{{
    config(
        unique_key='customer_id',
        strategy='check',
        check_cols=['segment', 'status'],
        hard_deletes='invalidate',
    )
}}

select
    customer_id,
    segment,
    status
from {{ ref('dim_customers') }}

{% endsnapshot %}
