-- Grain: one row per customer with at least one order: what customers_snapshot keeps the history of, and nothing
-- more, so that a new order alone does not begin a new period.
with customers as (

    select * from {{ ref('dim_customers') }}

),

int_customers__states_selected as (

    select
        customer_id,
        segment,
        status
    from customers

)

select * from int_customers__states_selected
