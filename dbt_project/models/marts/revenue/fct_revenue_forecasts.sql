-- Grain: one row per day from which revenue was forecast, and day that was forecast, beside what came. A view over the latest
-- fit of `orders predict`, and over fct_daily_revenue.
{{ config(materialized='view') }}

with forecasts as (

    select * from {{ ref('int_predictions__forecasts_judged') }}

),

fct_revenue_forecasts as (

    select
        origin_date,
        date_ordered,
        days_ahead,
        forecast_revenue,
        revenue_low,
        revenue_high,
        naive_revenue,
        actual_revenue,
        forecast_error,
        naive_error,
        is_current,
        is_better_than_naive,
        fitted_at
    from forecasts

)

select * from fct_revenue_forecasts
