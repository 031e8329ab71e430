-- Grain: one row per customer with at least one order. A table over customers, rebuilt each time: a quintile score
-- is relative to all customers, so any purchase may change any customer's score. It reads
-- int_customers__orders_aggregated, never the orders.
with customers as (

    select
        *,
        max(last_order_date) over () as as_of_date
    from {{ ref('int_customers__orders_aggregated') }}

),

segments as (

    select * from {{ ref('int_customers__segmented') }}

),

dim_customers as (

    select
        customers.customer_id,
        segments.segment,
        case
            when datediff(customers.as_of_date, customers.last_order_date) <= {{ var('active_days') }} then 'active'
            else 'lapsed'
        end as status,
        concat(
            cast(segments.recency_score as string),
            cast(segments.frequency_score as string),
            cast(segments.monetary_score as string)
        ) as rfm_score,
        segments.recency_score,
        segments.frequency_score,
        segments.monetary_score,
        customers.orders,
        customers.revenue_orders,
        customers.refunded_orders,
        customers.items_sold,
        customers.gross_revenue,
        customers.refunded_revenue,
        customers.net_revenue,
        customers.net_revenue as lifetime_value,
        {{ money_per('customers.net_revenue', 'customers.revenue_orders') }} as average_order_value,
        cast(
            cast(datediff(customers.last_order_date, customers.first_order_date) as decimal(18, 6))
            / nullif(customers.orders - 1, 0) as decimal(18, 2)
        ) as average_days_between_orders,
        cast(datediff(customers.as_of_date, customers.last_order_date) as int) as days_since_last_order,
        cast(greatest(customers.purchase_days - 1, 0) as int) as repeat_frequency,
        cast(datediff(customers.last_purchase_date, customers.first_purchase_date) as int) as repeat_recency_days,
        cast(datediff(customers.as_of_date, customers.first_purchase_date) as int) as age_days,
        cast(datediff(customers.second_purchase_date, customers.first_purchase_date) as int) as days_to_second_purchase,
        cast(datediff(customers.as_of_date, customers.last_purchase_date) as int) as days_since_last_purchase,
        {{ money_per(
            'datediff(customers.last_purchase_date, customers.first_purchase_date)',
            'greatest(customers.purchase_days - 1, 0)',
        ) }} as days_between_purchases,
        -- Days since the last purchase against the customer's own average, in whole numbers: nothing is rounded.
        case
            when customers.purchase_days < 2 then 'unknown'
            when
                datediff(customers.as_of_date, customers.last_purchase_date) * (customers.purchase_days - 1)
                <= datediff(customers.last_purchase_date, customers.first_purchase_date)
                then 'low'
            when
                datediff(customers.as_of_date, customers.last_purchase_date) * (customers.purchase_days - 1)
                <= 2 * datediff(customers.last_purchase_date, customers.first_purchase_date)
                then 'medium'
            else 'high'
        end as churn_risk,
        {{ money_per('customers.repeat_revenue', 'greatest(customers.purchase_days - 1, 0)') }} as repeat_monetary_value,
        customers.first_order_date,
        customers.last_order_date,
        customers.first_purchase_date,
        customers.second_purchase_date,
        customers.last_purchase_date,
        cast(date_trunc('month', customers.first_order_date) as date) as cohort_month,
        customers.as_of_date,
        customers.last_ingested_at
    from customers
    inner join segments on customers.customer_id = segments.customer_id

)

select * from dim_customers
