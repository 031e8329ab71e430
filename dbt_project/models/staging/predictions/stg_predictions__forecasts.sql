-- Grain: one row per day from which revenue was forecast, and day that was forecast.
with source as (

    select * from {{ source('predictions', 'revenue_forecasts') }}

),

stg_predictions__forecasts as (

    select
        origin_date,
        date_ordered,
        days_ahead,
        forecast_revenue,
        revenue_low,
        revenue_high,
        naive_revenue,
        fitted_at
    from source

)

select * from stg_predictions__forecasts
