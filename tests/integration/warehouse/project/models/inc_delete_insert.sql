{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='customer_id', on_schema_change='sync_all_columns') }}
select customer_id, order_id, price{% if env_var('PROBE_LATER', '') != 'yes' %}, note{% endif %} from {{ ref('stg_orders') }}
{% if is_incremental() %}where day >= date '{{ var("day") }}'{% endif %}
