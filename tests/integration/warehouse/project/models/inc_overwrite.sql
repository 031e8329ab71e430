{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by='day') }}
select order_id, price, day from {{ ref('stg_orders') }}
{% if is_incremental() %}where day = date '{{ var("day") }}'{% endif %}
