-- Guards against an incremental model that is built and does not record it: it would compute the same loads again in every run,
-- and one day all of them. Each must have come as far as int_orders__loaded.
-- depends_on: {{ ref('fct_daily_revenue') }}
-- depends_on: {{ ref('fct_hourly_orders') }}
-- depends_on: {{ ref('fct_product_performance') }}
-- depends_on: {{ ref('fct_returns') }}
-- depends_on: {{ ref('fct_customer_cohorts') }}
-- depends_on: {{ ref('fct_order_sequence') }}
-- depends_on: {{ ref('fct_fulfilment') }}
-- depends_on: {{ ref('int_customers__months_aggregated') }}
with reached as (

    select
        model_name,
        max_by(load_number, recorded_at) as load_number
    from {{ ref('int_marts__progressed') }}
    where model_name like '{{ ref('fct_orders').database }}.{{ ref('fct_orders').schema }}.%'
    group by model_name

),

latest as (

    select max(load_number) as load_number
    from {{ ref('int_orders__loaded') }}

)

select
    reached.model_name,
    reached.load_number,
    latest.load_number as latest_load_number
from reached
cross join latest
where reached.load_number <> latest.load_number
