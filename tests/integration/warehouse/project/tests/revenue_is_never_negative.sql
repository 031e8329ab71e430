{{ config(store_failures=true, severity='warn') }}
select * from {{ ref('customers') }} where revenue < 6
