{{ config(materialized='incremental', incremental_strategy='append') }}
select order_id, cast('{{ invocation_id }}' as string) as run from {{ ref('stg_orders') }}
