-- Refused by merge_pruned: a key of several columns must have the partition in it.
{{
    config(
        enabled=var('with_refused', false),
        materialized='incremental',
        incremental_strategy='merge_pruned',
        unique_key=['order_id', 'amount'],
        partition_by='order_month',
    )
}}

select
    order_id,
    order_month,
    amount
from {{ ref('moves') }}
