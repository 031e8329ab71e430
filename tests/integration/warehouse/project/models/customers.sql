{{ config(materialized='table', databricks_tags={'layer': 'gold'}, tblproperties={'quality': 'gold'}, grants={'select': ['readers']}) }}
with totals as (
  select customer_id, count(*) as orders, cast(sum(price) as decimal(18,2)) as revenue, max(ordered_at) as last_order_at
  from {{ ref('stg_orders') }} group by customer_id
)
select customer_id, orders, revenue, last_order_at, 'eur' as currency from totals
