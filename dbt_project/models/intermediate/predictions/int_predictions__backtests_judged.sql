-- Grain: one row per past day from which customers were predicted again, with errors as rates.
with backtests as (

    select * from {{ ref('stg_predictions__backtests') }}

),

int_predictions__backtests_judged as (

    select
        cutoff_date,
        horizon_days,
        customers,
        actual_value,
        predicted_value,
        naive_value,
        {{ ratio('predicted_value - actual_value', 'actual_value') }} as predicted_error_rate,
        {{ ratio('naive_value - actual_value', 'actual_value') }} as naive_error_rate,
        predicted_error_per_customer,
        naive_error_per_customer,
        {{ ratio('customers_within', 'customers') }} as within_rate,
        fitted_at
    from backtests

)

select * from int_predictions__backtests_judged
