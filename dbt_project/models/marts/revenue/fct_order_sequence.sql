-- Grain: one row per order: which of its customer's orders it is. Orders of a customer in any state are numbered by
-- date_ordered, then by their first event, then by order_id. An incremental build numbers all orders of the customers whose
-- orders have changed; it reads the months in which they have any.
-- depends_on: {{ ref('int_orders__changed') }}
-- depends_on: {{ ref('int_customers__months_aggregated') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='merge_pruned',
        unique_key='order_id',
        partition_by='order_month',
        pre_hook="{{ forget_progress(this) }}",
        post_hook="{{ record_progress(this, ['fct_orders', 'int_customers__months_aggregated']) }}",
    )
}}

{%- if is_incremental() -%}
    {%- set months_of_changed_customers -%}
        select distinct order_month
        from {{ ref('int_customers__months_aggregated') }}
        where
            orders > 0
            and customer_id in (
                select customer_id from {{ ref('int_orders__changed') }}
                where load_number > {{ last_load(this) }}
            )
    {%- endset -%}
{%- endif %}

with {% if is_incremental() -%}
changed as (

    select distinct customer_id from {{ ref('int_orders__changed') }}
    where load_number > {{ last_load(this) }}

),

{% endif -%}
orders as (

    select * from {{ ref('fct_orders') }}
    {%- if is_incremental() %}
    where
        order_month in ({{ date_list(months_of_changed_customers) }})
        and customer_id in (select customer_id from changed)
    {%- endif %}

),

numbered as (

    select
        order_id,
        customer_id,
        date_ordered,
        order_month,
        row_number() over (partition by customer_id order by date_ordered, ordered_at, order_id) as order_number,
        lag(date_ordered) over (partition by customer_id order by date_ordered, ordered_at, order_id) as previous_date
    from orders

),

fct_order_sequence as (

    select
        order_id,
        customer_id,
        cast(order_number as bigint) as order_number,
        order_number = 1 as is_first_order,
        cast(datediff(date_ordered, previous_date) as int) as days_since_previous_order,
        date_ordered,
        order_month
    from numbered

)

select * from fct_order_sequence
