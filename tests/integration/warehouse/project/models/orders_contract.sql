{{ config(materialized='table') }}
select order_id, customer_id, price, day from {{ ref('stg_orders') }}
