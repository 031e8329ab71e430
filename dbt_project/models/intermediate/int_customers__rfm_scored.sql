-- Grain: one row per customer with at least one order; scores are NULL for one without an order that counts as revenue. A score
-- is the quintile of the customers who are strictly worse: 1 + floor(5 * customers below / all customers). Equal values
-- therefore have equal scores, at the price of quintiles of unequal size where many customers are equal. Recency is counted
-- from the other end and has floors in days: on a shop's first day everyone bought recently, and a customer who bought a week
-- ago is not lost because others bought yesterday. Customers below are summed over distinct values, which sorts far fewer rows
-- than ranking every customer three times.
with customers as (

    select
        *,
        max(last_order_date) over () as as_of_date
    from {{ ref('int_customers__orders_aggregated') }}

),

buyers as (

    select * from customers
    where revenue_orders > 0

),

everyone as (

    select count(*) as customers
    from buyers

),
{% for value in ['last_purchase_date', 'revenue_orders', 'net_revenue'] %}
{{ value }}_counted as (

    select
        {{ value }},
        count(*) as customers
    from buyers
    group by {{ value }}

),

{{ value }}_ranked as (

    select
        {{ value }},
        sum(customers) over (
            order by {{ value }}{{ " desc" if value == 'last_purchase_date' }}
            rows between unbounded preceding and current row
        ) - customers as customers_passed
    from {{ value }}_counted

),
{% endfor %}
int_customers__rfm_scored as (

    select
        customers.customer_id,
        customers.revenue_orders,
        cast(
            greatest(
                5 - floor(5 * recency.customers_passed / nullif(everyone.customers, 0)),
                case
                    when recency.last_purchase_date is null then null
                    when datediff(customers.as_of_date, recency.last_purchase_date) <= {{ var('recent_days') }} then 4
                    when datediff(customers.as_of_date, recency.last_purchase_date) <= {{ var('active_days') }} then 2
                    else 1
                end
            ) as int
        ) as recency_score,
        cast(1 + floor(5 * frequency.customers_passed / nullif(everyone.customers, 0)) as int) as frequency_score,
        cast(1 + floor(5 * monetary.customers_passed / nullif(everyone.customers, 0)) as int) as monetary_score
    from customers
    cross join everyone
    left join last_purchase_date_ranked as recency
        on customers.last_purchase_date = recency.last_purchase_date and customers.revenue_orders > 0
    left join revenue_orders_ranked as frequency
        on customers.revenue_orders = frequency.revenue_orders
    left join net_revenue_ranked as monetary
        on customers.net_revenue = monetary.net_revenue and customers.revenue_orders > 0

)

select * from int_customers__rfm_scored
