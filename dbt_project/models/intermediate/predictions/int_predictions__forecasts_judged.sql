-- Grain: one row per day from which revenue was forecast, and day that was forecast, beside what came. A forecast is judged by
-- the mean absolute error of all days that are over by now, of all earlier forecasts together.
with forecasts as (

    select
        *,
        max(origin_date) over () as current_origin
    from {{ ref('stg_predictions__forecasts') }}

),

days as (

    select
        date_ordered,
        net_revenue,
        max(case when orders > 0 then date_ordered end) over () as last_order_day
    from {{ ref('fct_daily_revenue') }}

),

-- The last day with an order may not be over, and those after it have refunds alone.
complete_days as (

    select
        date_ordered,
        net_revenue
    from days
    where date_ordered < last_order_day

),

compared as (

    select
        forecasts.*,
        complete_days.net_revenue as actual_revenue,
        abs(forecasts.forecast_revenue - complete_days.net_revenue) as forecast_error,
        abs(forecasts.naive_revenue - complete_days.net_revenue) as naive_error
    from forecasts
    left join complete_days on forecasts.date_ordered = complete_days.date_ordered

),

judged as (

    select
        *,
        avg(forecast_error) over () as mean_forecast_error,
        avg(naive_error) over () as mean_naive_error
    from compared

),

int_predictions__forecasts_judged as (

    select
        origin_date,
        date_ordered,
        days_ahead,
        forecast_revenue,
        revenue_low,
        revenue_high,
        naive_revenue,
        actual_revenue,
        cast(forecast_error as decimal(18, 2)) as forecast_error,
        cast(naive_error as decimal(18, 2)) as naive_error,
        origin_date = current_origin as is_current,
        coalesce(mean_forecast_error < mean_naive_error, false) as is_better_than_naive,
        fitted_at
    from judged

)

select * from int_predictions__forecasts_judged
