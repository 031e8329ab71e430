{{
    config(
        materialized='incremental',
        incremental_strategy='merge_pruned',
        unique_key='order_id',
        partition_by='order_month',
    )
}}

select
    order_id,
    order_month,
    amount
from {{ ref('moves') }}
where delivery = {{ var('delivery') }}
