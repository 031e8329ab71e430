-- Grain: one row per customer and horizon. A customer who was erased, or whose purchases were, since the fit is omitted.
with predictions as (

    select * from {{ ref('stg_predictions__customers') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

int_predictions__customers_current as (

    select
        predictions.customer_id,
        customers.segment,
        predictions.horizon_days,
        predictions.probability_alive,
        predictions.expected_purchases,
        predictions.expected_value,
        predictions.value_low,
        predictions.value_high,
        predictions.as_of_date,
        predictions.fitted_at
    from predictions
    inner join customers on predictions.customer_id = customers.customer_id

)

select * from int_predictions__customers_current
