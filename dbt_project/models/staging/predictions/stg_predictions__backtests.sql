-- Grain: one row per day in the past from which customers were predicted again.
with source as (

    select * from {{ source('predictions', 'prediction_backtests') }}

),

stg_predictions__backtests as (

    select
        cutoff_date,
        horizon_days,
        customers,
        customers_within,
        actual_value,
        predicted_value,
        naive_value,
        predicted_error_per_customer,
        naive_error_per_customer,
        fitted_at
    from source

)

select * from stg_predictions__backtests
