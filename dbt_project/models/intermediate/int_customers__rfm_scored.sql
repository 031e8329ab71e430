-- Grain: one row per customer with at least one order that counts as revenue. A score is the quintile of the
-- customers who are strictly worse: 1 + floor(5 * customers below / all customers). Equal values therefore have
-- equal scores, at the price of quintiles of unequal size where many customers are equal.
with customers as (

    select * from {{ ref('int_customers__orders_aggregated') }}

),

ranked as (

    select
        customer_id,
        rank() over (order by last_purchase_date) as recency_rank,
        rank() over (order by revenue_orders) as frequency_rank,
        rank() over (order by net_revenue) as monetary_rank,
        count(*) over () as customers
    from customers
    where revenue_orders > 0

),

int_customers__rfm_scored as (

    select
        customer_id,
        cast(1 + floor(5 * (recency_rank - 1) / customers) as int) as recency_score,
        cast(1 + floor(5 * (frequency_rank - 1) / customers) as int) as frequency_score,
        cast(1 + floor(5 * (monetary_rank - 1) / customers) as int) as monetary_score
    from ranked

)

select * from int_customers__rfm_scored
