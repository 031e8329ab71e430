-- Grain: one row per customer and horizon.
with source as (

    select * from {{ source('predictions', 'customer_predictions') }}

),

stg_predictions__customers as (

    select
        customer_id,
        horizon_days,
        probability_alive,
        expected_purchases,
        expected_value,
        value_low,
        value_high,
        as_of_date,
        fitted_at
    from source

)

select * from stg_predictions__customers
