{{ config(materialized='view') }}
select order_id, customer_id, status, price, ordered_at, cast(ordered_at as date) as day, note
from {{ ref('raw_orders') }}
