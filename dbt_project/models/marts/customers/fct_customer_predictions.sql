-- Grain: one row per customer and horizon: what the customer is expected to buy. A view over the latest fit of
-- `orders predict`.
{{ config(materialized='view') }}

with predictions as (

    select * from {{ ref('int_predictions__customers_current') }}

),

fct_customer_predictions as (

    select
        customer_id,
        segment,
        horizon_days,
        probability_alive,
        expected_purchases,
        expected_value,
        value_low,
        value_high,
        as_of_date,
        fitted_at
    from predictions

)

select * from fct_customer_predictions
