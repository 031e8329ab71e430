-- Grain: one row per month of a customer's first purchase: how many of its customers bought again, and how soon. A table over
-- customers, rebuilt each time. Customers add up over months, rates and averages do not. Purchases of one day are one.
with buyers as (

    select
        cast(date_trunc('month', first_purchase_date) as date) as first_purchase_month,
        days_to_second_purchase,
        age_days
    from {{ ref('dim_customers') }}
    where first_purchase_date is not null

),

months as (

    select
        first_purchase_month,
        count(*) as customers,
        count(days_to_second_purchase) as repeat_customers,
        count_if(days_to_second_purchase <= 30) as repeat_customers_30_days,
        count_if(days_to_second_purchase <= 90) as repeat_customers_90_days,
        sum(days_to_second_purchase) as days_to_second_purchase,
        min(age_days) as least_age_days
    from buyers
    group by first_purchase_month

),

fct_repeat_purchases as (

    select
        first_purchase_month,
        customers,
        repeat_customers,
        repeat_customers_30_days,
        repeat_customers_90_days,
        {{ ratio('repeat_customers', 'customers') }} as repeat_purchase_rate,
        {{ ratio('repeat_customers_30_days', 'customers') }} as repeat_rate_30_days,
        {{ ratio('repeat_customers_90_days', 'customers') }} as repeat_rate_90_days,
        {{ money_per('days_to_second_purchase', 'repeat_customers') }} as average_days_to_second_purchase,
        least_age_days >= 30 as is_complete_30_days,
        least_age_days >= 90 as is_complete_90_days
    from months

)

select * from fct_repeat_purchases
