-- Grain: one row per customer with at least one valid order.
with source as (

    select * from {{ source('silver', 'customers') }}

),

stg_orders__customers as (

    select
        customer_id,
        order_history,
        orders,
        first_order_date,
        last_order_date
    from source

)

select * from stg_orders__customers
