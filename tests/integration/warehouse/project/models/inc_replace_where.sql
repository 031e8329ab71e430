{{ config(materialized='incremental', incremental_strategy='replace_where', incremental_predicates="day >= date '" ~ var('day') ~ "'") }}
select order_id, price, day from {{ ref('stg_orders') }}
{% if is_incremental() %}where day >= date '{{ var("day") }}'{% endif %}
