-- Grain: one row per day in the past from which customers were predicted again, held against what came. A view over the latest
-- fit of `orders predict`.
{{ config(materialized='view') }}

with backtests as (

    select * from {{ ref('int_predictions__backtests_judged') }}

),

fct_prediction_backtests as (

    select
        cutoff_date,
        horizon_days,
        customers,
        actual_value,
        predicted_value,
        naive_value,
        predicted_error_rate,
        naive_error_rate,
        predicted_error_per_customer,
        naive_error_per_customer,
        within_rate,
        fitted_at
    from backtests

)

select * from fct_prediction_backtests
