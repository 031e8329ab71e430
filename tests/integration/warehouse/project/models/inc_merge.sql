{{ config(materialized='incremental', unique_key='order_id', incremental_strategy='merge', on_schema_change='append_new_columns') }}
select order_id, status, price{% if env_var('PROBE_LATER', '') == 'yes' %}, upper(status) as status_upper{% endif %}
from {{ ref('stg_orders') }}
{% if is_incremental() %}where day >= (select coalesce(max(cast('{{ var("day") }}' as date)), date '1900-01-01')){% endif %}
